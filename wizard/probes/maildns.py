"""What the DNS tells others to do: where to bring mail, who may certify, what programs look up."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import dns.rdata
from dns.rdtypes.ANY.CAA import CAA
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.IN.SRV import SRV

from mailwizard.model import Host, Result
from mailwizard.probes.dns import DnsQuestion, Resolver
from mailwizard.probes.verdict import failed, passed, warned

_ZONE = "Whoever runs the zone: `mailwizard dns` shows what belongs there."


@dataclass(frozen=True, slots=True)
class MailExchangers(DnsQuestion):
    """Mail for the domain is brought to this host, by names that RFC 5321 allows."""

    domain: str
    fqdn: str

    @property
    def id(self) -> str:
        return f"DNS-04:{self.domain}"

    @property
    def title(self) -> str:
        return f"Mail for {self.domain} is brought here"

    @property
    def by_hand(self) -> str:
        return self._dig(f"{self.domain}.", "MX")

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        expected = f"{self.domain}. MX 10 {self.fqdn}."
        found = [_parsed("MX", one) for one in resolver.ask(self.domain, "MX")]
        exchangers = sorted(
            (one.preference, one.exchange.to_text(omit_final_dot=True).lower())
            for one in found
            if isinstance(one, MX)
        )
        names = [name for _, name in exchangers]
        if not names:
            return self._implicit(resolver, expected)
        if "." in names or "" in names or "@" in names:
            # RFC 7505, 3
            return failed(f'"MX 0 ." says that {self.domain} takes no mail', expected, _ZONE)
        if wrong := next(filter(None, (_wrong(resolver, name) for name in names)), ""):
            return failed(wrong, f"a name with an address: {expected}", _ZONE)
        if self.fqdn.lower().rstrip(".") not in names:
            said = f"mail for {self.domain} is brought to {', '.join(names)}, not to {self.fqdn}"
            return failed(said, expected, _ZONE)
        others = [name for name in names if name != self.fqdn.lower().rstrip(".")]
        if others:
            said = f"mail for {self.domain} is also brought to {', '.join(others)}"
            fix = f"Keep them only if they pass mail on to this host. {_ZONE}"
            return warned(said, expected, fix)
        return passed(f"{self.domain} MX {exchangers[0][0]} {names[0]}")

    def _implicit(self, resolver: Resolver, expected: str) -> Result:
        if there := resolver.addresses(self.domain):
            said = f"{self.domain} has no MX: mail goes to its address {there[0]} (RFC 5321, 5.1)"
            return warned(said, expected, _ZONE)
        return failed(f"{self.domain} has neither MX nor address", expected, _ZONE)


def _wrong(resolver: Resolver, name: str) -> str:
    """What is wrong with the name of an exchanger (RFC 5321, 5.1; RFC 2181, 10.3)."""
    try:
        return f"the MX {ipaddress.ip_address(name)} is an address, not a name"
    except ValueError:
        pass
    if alias := resolver.ask(name, "CNAME"):
        return f"the MX {name} is an alias (CNAME {alias[0]})"
    return "" if resolver.addresses(name) else f"the MX {name} has no address"


def _parsed(kind: str, text: str) -> dns.rdata.Rdata:
    return dns.rdata.from_text("IN", kind, text)


@dataclass(frozen=True, slots=True)
class AuthorityAllowed(DnsQuestion):
    """The authority may make certificates for each name (RFC 8659: the nearest CAA set counts)."""

    names: tuple[str, ...]
    authority: str
    id: ClassVar[str] = "DNS-14"
    title: ClassVar[str] = "The authority may certify these names"

    @property
    def by_hand(self) -> str:
        return "; ".join(self._dig(f"{name}.", "CAA") for name in self.names)

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        said = []
        for name in self.names:
            owner, issuers = _issuers(resolver, name)
            said.append(f"{name}: {f'CAA at {owner}' if owner else 'no CAA, anybody may'}")
            if issuers and self.authority not in issuers:
                allowed = ", ".join(sorted(issuers - {""})) or "nobody"
                return failed(
                    f"CAA at {owner} lets only {allowed} make certificates for {name}",
                    f'{name}. CAA 0 issue "{self.authority}"',
                    _ZONE,
                )
        return passed("; ".join(said))


def _issuers(resolver: Resolver, name: str) -> tuple[str, set[str]]:
    """Where the nearest CAA set is, and whom it allows; nobody named means that all may."""
    for owner in _upward(name):
        found = [_parsed("CAA", one) for one in resolver.ask(owner, "CAA")]
        records = [one for one in found if isinstance(one, CAA)]
        if records:
            issue = [one.value for one in records if one.tag.lower() == b"issue"]
            allowed = {value.split(b";")[0].strip().decode("ascii", "replace") for value in issue}
            return owner, {one.lower() for one in allowed}
    return "", set()


def _upward(name: str) -> Iterator[str]:
    labels = name.rstrip(".").split(".")
    yield from (".".join(labels[at:]) for at in range(len(labels)))


_PORTS = {"_submissions": 465, "_submission": 587, "_imaps": 993, "_pop3s": 995}
_IN_CLEAR = ("_imap", "_pop3")


@dataclass(frozen=True, slots=True)
class ServicesFound(DnsQuestion):
    """What mail programs look up leads to encrypted ports, or is not there (RFC 6186, 8314)."""

    domain: str

    @property
    def id(self) -> str:
        return f"DNS-15:{self.domain}"

    @property
    def title(self) -> str:
        return f"Mail programs of {self.domain} find encrypted ports"

    @property
    def by_hand(self) -> str:
        asked = (f"{name}._tcp.{self.domain}. SRV" for name in (*_PORTS, *_IN_CLEAR))
        return "; ".join(self._dig(*one.split()) for one in asked)

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        found = []
        for name in (*_PORTS, *_IN_CLEAR):
            owner = f"{name}._tcp.{self.domain}"
            for one in resolver.ask(owner, "SRV"):
                service = _parsed("SRV", one)
                assert isinstance(service, SRV)
                target = service.target.to_text(omit_final_dot=True)
                if service.target.labels == (b"",):
                    continue  # "not offered" (RFC 2782)
                if name in _IN_CLEAR:
                    said = f"{owner} leads to {target}:{service.port}, which is not encrypted"
                    return warned(said, f"{owner}. SRV 0 0 0 .", _ZONE)
                if service.port != _PORTS[name]:
                    said = f"{owner} leads to port {service.port}"
                    return warned(said, f"port {_PORTS[name]}", _ZONE)
                found.append(f"{name} {target}:{service.port}")
        return passed(", ".join(found) or "none is published: people type names and ports")
