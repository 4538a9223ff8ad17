"""Whether a zone's signatures hold: as a resolver that checks them hears it, and by its keys."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TypeGuard

import dns.exception
import dns.name
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.DS import DS

from mailwizard.model import Result
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.delegation import ZoneQuestion, ask_each, servers_of
from mailwizard.probes.nameserver import Heard, absolute, ask, one_line
from mailwizard.probes.verdict import failed, passed, warned
from mailwizard.probes.zones import Desk

# RFC 9904: what resolvers check everywhere, and is not weak
_ALGORITHMS = frozenset({8, 13, 14, 15})
_DIGESTS = frozenset({2, 4})
_ABOVE = "Whoever sold the domain (the registrar): the DS record there must be of a key that the "
_MEND = f"{_ABOVE}zone has. Or take the DS record away: then nobody checks."


@dataclass(frozen=True, slots=True)
class SignaturesHold(ZoneQuestion):
    """A resolver that checks signatures hears the zone (RFC 4035, 4.3): broken ones silence it."""

    domain: str

    @property
    def id(self) -> str:
        return f"DNS-09:{self.domain}"

    @property
    def title(self) -> str:
        return f"The signatures of {self.domain} hold, where there are any"

    @property
    def by_hand(self) -> str:
        name = shlex.quote(self.domain)
        return f"dig +adflag MX {name}; dig +cdflag MX {name}; delv {name} MX"

    def _judge(self, desk: Desk, log: list[str]) -> Result:
        heard = [self._one(desk, server, log) for server in desk.recursive()[0].addresses]
        if not heard:
            raise desk.own.trouble or CannotAsk(Trouble.DNS, "no resolver is named")
        if bogus := [one for one in heard if _is_bogus(one)]:
            said = f"the signatures of {self.domain} do not hold: {bogus[0].sentence}"
            fix = f"Whoever runs the zone: sign it anew (delv says what is wrong). {_MEND}"
            return failed(said, "answers that are signed right, or not signed", fix)
        answers = [one for one in heard if isinstance(one, Heard)]
        if not answers:
            assert isinstance(heard[0], CannotAsk)
            raise CannotAsk(heard[0].kind, f"the resolver: {heard[0].sentence}")
        if any(one.proved for one in answers):
            return passed(f"{self.domain} is signed, and the signatures hold")
        return passed(f"{self.domain} is not signed, or this host's resolver does not check")

    def _one(self, desk: Desk, server: str, log: list[str]) -> Heard | CannotAsk:
        try:
            port = desk.where.port
            heard = ask(server, absolute(self.domain), "MX", desk.deadline, port=port)
        except CannotAsk as trouble:
            log.append(f"{server}: {self.domain} MX: {trouble.sentence}")
            return trouble
        log.append(f"{server}: {self.domain} MX: {'AD' if heard.proved else 'no AD'}")
        return heard


def _is_bogus(heard: Heard | CannotAsk) -> TypeGuard[CannotAsk]:
    return isinstance(heard, CannotAsk) and heard.kind is Trouble.UNTRUSTED


@dataclass(frozen=True, slots=True)
class KeysVouchedFor(ZoneQuestion):
    """The zone above names a key that the zone has, by means that count (RFC 4035, 5.2)."""

    domain: str

    @property
    def id(self) -> str:
        return f"DNS-10:{self.domain}"

    @property
    def title(self) -> str:
        return f"The zone above {self.domain} names its key, if any"

    @property
    def by_hand(self) -> str:
        name = shlex.quote(self.domain)
        return f"dig +short DS {name}; dig +short DNSKEY {name} | dnssec-dsfromkey -f - {name}"

    def _judge(self, desk: Desk, log: list[str]) -> Result:
        zone, servers = servers_of(desk, self.domain, log)
        name = one_line(zone.name.to_text(omit_final_dot=True))
        above = [one for one in desk.find(zone.name, "DS").records if isinstance(one, DS)]
        log += [f"{name} DS {one_line(one.to_text())}" for one in above] or [f"{name} DS: none"]
        heard = ask_each(desk, servers, name, "DNSKEY", log, tcp=False)
        answers = [one for one in heard if isinstance(one, Heard)]
        if not answers:
            raise CannotAsk(Trouble.DNS, f"no server of {name} answers this host")
        keys = [key for one in answers for key in one.records if isinstance(key, DNSKEY)]
        if not above:
            signed = "is signed, but the zone above does not say so: nobody checks"
            return passed(f"{name} {signed if keys else 'is not signed'}")
        expected = "a DS record of a key of the zone"
        if not keys:
            return failed(f"{name} has no key, but the zone above names one", expected, _MEND)
        good = [one for one in above if any(_names(one, key, zone.name) for key in keys)]
        if not good:
            tags = ", ".join(str(one.key_tag) for one in above)
            return failed(f"the zone above names key {tags}, which {name} lacks", expected, _MEND)
        if not any(one.algorithm in _ALGORITHMS and one.digest_type in _DIGESTS for one in good):
            said = f"{name}: algorithm {good[0].algorithm:d}, digest {good[0].digest_type:d}"
            right = "algorithm 13 or 8, digest 2 (RFC 9904)"
            fix = "Whoever runs the zone: change its keys; many take old ones for no signature."
            return warned(f"{said} are old", right, fix)
        return passed(f"{name}: the zone above names its key {good[0].key_tag}")


def _names(above: DS, key: DNSKEY, zone: dns.name.Name) -> bool:
    """Whether the DS record is this key's."""
    # slow to load, and seldom needed
    from dns.dnssec import allow_all_policy, make_ds

    if above.algorithm != key.algorithm:
        return False
    try:
        made = make_ds(zone, key, above.digest_type, policy=allow_all_policy)
    except dns.exception.DNSException:
        return False
    return made.digest == above.digest and made.key_tag == above.key_tag
