"""What the DNS says of this host, asked with absolute names; no answer is not a wrong answer.

Answers are contained (R24): no search list, a bounded chain, a bounded number of records.
"""

from __future__ import annotations

import io
import ipaddress
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import ClassVar

import dns.exception
import dns.rdata
import dns.resolver
import dns.reversename
from dns.rdtypes.ANY.TXT import TXT

from mailwizard import sanitise
from mailwizard.model import Host, Look, Result
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.nameserver import (
    LONGEST_CHAIN,
    LONGEST_TEXT,
    Heard,
    absolute,
    ask_any,
    one_line,
    text_of,
)
from mailwizard.probes.networks import is_private
from mailwizard.probes.verdict import could_not_ask, failed, passed, skipped, unknown, warned

# a resolver that knows nothing yet has to ask several others first
_PATIENCE = 3.0
_RESOLVED = {"127.0.0.53", "127.0.0.54"}
_PANEL = "whoever runs the zone (usually the panel where the domain is registered)"
_PROVIDER = 'the provider of the address: look for "reverse DNS" in the panel, or open a ticket'


@dataclass(frozen=True, slots=True)
class Resolver:
    """One recursive resolver, this host's or a given one, and a log of what was asked."""

    nameservers: tuple[str, ...]
    port: int = 53
    seconds: float = 8.0
    log: list[str] = field(default_factory=list)

    def ask(self, name: str, kind: str) -> tuple[str, ...]:
        """The records as text; empty when there are none; raises CannotAsk when nobody answers."""
        return tuple(map(_written, self._records(name, kind)))

    def texts(self, name: str) -> tuple[str, ...]:
        """The TXT records, each as the one text that it means; raises CannotAsk likewise."""
        found = (one for one in self._records(name, "TXT") if isinstance(one, TXT))
        return tuple(one_line(text_of(one), LONGEST_TEXT) for one in found)

    def _records(self, name: str, kind: str) -> tuple[dns.rdata.Rdata, ...]:
        question = f"{name.rstrip('.')}. {kind}"
        try:
            heard = self._hear(name, kind)
        except CannotAsk as trouble:
            self._log(f"{question}: {trouble.sentence}")
            raise CannotAsk(trouble.kind, f"{question}: {trouble.sentence}") from trouble
        found = ", ".join(map(_written, heard.records))
        self._log(f"{question}: {found or 'no such record'}")
        return heard.records

    def _hear(self, name: str, kind: str) -> Heard:
        clock = Deadline(self.seconds)
        try:
            owner = absolute(name)
        except dns.exception.DNSException as error:
            raise CannotAsk(Trouble.DNS, "no name that the DNS can hold") from error
        try:
            heard = ask_any(
                self.nameservers, owner, kind, clock, port=self.port, patience=_PATIENCE
            )
        except CannotAsk as trouble:
            # of whatever kind: what is asked about was not reached at all
            raise CannotAsk(Trouble.DNS, f"the resolver: {trouble.sentence}") from trouble
        if len(heard.aliases) > LONGEST_CHAIN:
            raise CannotAsk(Trouble.DNS, f"a chain of more than {LONGEST_CHAIN} aliases")
        return heard

    def addresses(self, name: str) -> tuple[str, ...]:
        """All A and AAAA records, in the one spelling of each address."""
        both = (*self.ask(name, "A"), *self.ask(name, "AAAA"))
        return tuple(str(ipaddress.ip_address(one)) for one in both)

    def reverse(self, address: str) -> tuple[str, ...]:
        """The PTR names of an address, without their final dot."""
        name = dns.reversename.from_address(address).to_text()
        return tuple(one.rstrip(".").lower() for one in self.ask(name, "PTR"))

    def _log(self, text: str) -> None:
        self.log.append(sanitise.clean(text, width=400, limit=3))


def _written(record: dns.rdata.Rdata) -> str:
    return sanitise.clean(record.to_text(), limit=1)


def resolver_of(look: Look, nameservers: Sequence[str] = (), port: int = 53) -> Resolver:
    """The given name servers, or those that programs here ask; raises CannotAsk without any."""
    return Resolver(tuple(nameservers) or _listed(look, "/etc/resolv.conf"), port)


def upstream_of(look: Look, nameservers: Sequence[str] = (), port: int = 53) -> Resolver:
    """The same, but for systemd-resolved those whom it asks; raises CannotAsk likewise.

    It answers for this host's names itself, from /etc/hosts (systemd-resolved(8), "Synthetic
    records"): what the DNS says of them is not heard there.
    """
    own = resolver_of(look, nameservers, port)
    if nameservers or not _RESOLVED & set(own.nameservers):
        return own
    try:
        beyond = _listed(look, "/run/systemd/resolve/resolv.conf")
    except CannotAsk:
        return own
    each = (beyond if one in _RESOLVED else (one,) for one in own.nameservers)
    return replace(own, nameservers=tuple(dict.fromkeys(chain.from_iterable(each))))


def _listed(look: Look, path: str) -> tuple[str, ...]:
    configured = dns.resolver.Resolver(configure=False)
    text = look.read(path).decode("utf-8", "replace")
    try:
        configured.read_resolv_conf(io.StringIO(text))
    except dns.resolver.NoResolverConfiguration as error:
        raise CannotAsk(Trouble.DNS, f"{path} names no resolver") from error
    return tuple(str(one) for one in configured.nameservers)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsQuestion:
    """A question to the DNS as the world has it, by whom this host asks or by a given resolver."""

    nameservers: tuple[str, ...] = ()
    dns_port: int = 53
    deadline: ClassVar[float] = 30.0
    critical: ClassVar[bool] = False

    def ask(self, host: Host) -> Result:
        try:
            resolver = upstream_of(host, self.nameservers, self.dns_port)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        try:
            result = self._judge(host, resolver)
        except CannotAsk as trouble:
            result = could_not_ask(trouble)
        except ValueError as error:
            result = unknown(f"not an address: {error}", "an IP address", "Correct the answer.")
        asked = f"resolver: {', '.join(resolver.nameservers)}"
        return replace(result, transcript=(asked, *result.transcript, *resolver.log))

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        raise NotImplementedError

    def _dig(self, *arguments: str) -> str:
        at = f"@{self.nameservers[0]} " if self.nameservers else ""
        port = f"-p {self.dns_port} " if self.dns_port != 53 else ""
        return f"dig {at}{port}+noall +answer {' '.join(map(shlex.quote, arguments))}"


@dataclass(frozen=True, slots=True)
class NameResolves(DnsQuestion):
    """The name's A and AAAA records are exactly this host's public addresses."""

    name: str
    addresses: tuple[str, ...]
    id: ClassVar[str] = "DNS-01"
    title: ClassVar[str] = "The host's name leads to its addresses"

    @property
    def by_hand(self) -> str:
        return self._dig(f"{self.name}.", "A", f"{self.name}.", "AAAA")

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        wanted = {str(ipaddress.ip_address(one)) for one in self.addresses if one}
        found = set(resolver.addresses(self.name))
        records = ", ".join(_record(self.name, one) for one in sorted(wanted))
        fix = (
            f"Publish exactly: {records}. Done by {_PANEL}; new records show within minutes, "
            "changed ones after the old record's TTL, up to a day."
        )
        if not wanted:
            return skipped("no public address is known for this host")
        if not found:
            return failed(f"{self.name} has no address in the DNS", records, fix)
        if missing := wanted - found:
            shown = ", ".join(sorted(found))
            return failed(
                f"{self.name} leads to {shown}, not to {', '.join(sorted(missing))}", records, fix
            )
        if extra := found - wanted:
            odd = ", ".join(sorted(extra))
            return failed(f"{self.name} also leads to {odd}, which is not this host", records, fix)
        return passed(f"{self.name} leads to {', '.join(sorted(found))}")


def _record(name: str, address: str) -> str:
    return f"{name}. {'AAAA' if ':' in address else 'A'} {address}"


@dataclass(frozen=True, slots=True)
class _Reverse(DnsQuestion):
    """A question about each address, beside the name that it should have."""

    name: str
    addresses: tuple[str, ...]

    @property
    def by_hand(self) -> str:
        return "; ".join(self._dig("-x", one) for one in self.addresses if one)

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        return _for_each(self.addresses, lambda one: self._one(resolver, one))

    def _one(self, resolver: Resolver, address: str) -> Result:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ReverseExists(_Reverse):
    """Each address has a name in the reverse DNS; large providers refuse mail without."""

    id: ClassVar[str] = "DNS-02"
    title: ClassVar[str] = "The addresses have a reverse name"

    def _one(self, resolver: Resolver, address: str) -> Result:
        names = resolver.reverse(address)
        if names:
            return passed(f"{address} is {', '.join(names)}")
        return failed(
            f"{address} has no reverse name",
            f"a PTR record: {self.name}",
            f"Set the PTR of {address} to {self.name}. Done by {_PROVIDER}; minutes to a day.",
        )


@dataclass(frozen=True, slots=True)
class ReverseMatches(_Reverse):
    """Each address's reverse name is the server's own, and leads back to the address."""

    id: ClassVar[str] = "DNS-03"
    title: ClassVar[str] = "Name and reverse name agree"

    def _one(self, resolver: Resolver, address: str) -> Result:
        names = resolver.reverse(address)
        expected = f"{address} is {self.name}, and {self.name} leads to {address}"
        fix = (
            f"Set the PTR of {address} to {self.name} ({_PROVIDER}) and keep its "
            f"{'AAAA' if ':' in address else 'A'} record ({_PANEL}); up to a day."
        )
        if not names:
            return unknown(f"{address} has no reverse name to compare", expected, fix)
        back = [name for name in names if _same(address, resolver.addresses(name))]
        if not back:
            said = f"{address} is {names[0]}, which does not lead back to it"
            return failed(said, expected, fix)
        if self.name.lower().rstrip(".") not in back:
            return warned(f"{address} is {back[0]}, not {self.name}", expected, fix)
        return passed(f"{address} is {self.name}, in both directions")


def _same(address: str, found: Sequence[str]) -> bool:
    return str(ipaddress.ip_address(address)) in found


def _for_each(addresses: Sequence[str], judge: Callable[[str], Result]) -> Result:
    """The worst verdict over all public addresses; a private one has no reverse name to demand."""
    public = [one for one in addresses if one and not is_private(one)]
    if not public:
        return skipped("no public address: the reverse DNS is the business of whoever relays")
    results = [judge(one) for one in public]
    result = max(results, key=lambda one: one.outcome.severity)
    said = "; ".join(one.said for one in results)
    return Result(result.outcome, said, result.expected, result.fix)
