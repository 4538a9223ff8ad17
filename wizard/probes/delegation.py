"""Whether a zone can be heard by everybody: its servers, over TCP too, and what stands in for all.

The step cannot mend a zone; whoever runs it can.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import dns.rdata
from dns.rdtypes.ANY.SOA import SOA

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.nameserver import OVER_TCP, Heard, one_line
from mailwizard.probes.verdict import could_not_ask, failed, passed, unknown, warned
from mailwizard.probes.zones import WORKERS, Desk, Server, Where, Zone

_PROVIDER = "Whoever runs the zone's name servers"
Answer = Heard | CannotAsk


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneQuestion:
    """A question to the zone's own servers, which this host's resolver finds."""

    nameservers: tuple[str, ...] = ()
    dns_port: int = 53
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    def ask(self, host: Host) -> Result:
        desk = Desk(host, Where(self.nameservers, (), self.dns_port, seconds=8.0))
        log: list[str] = []
        try:
            result = self._judge(desk, log)
        except CannotAsk as trouble:
            return could_not_ask(trouble, log)
        return Result(result.outcome, result.said, result.expected, result.fix, tuple(log))

    def _judge(self, desk: Desk, log: list[str]) -> Result:
        raise NotImplementedError


def servers_of(desk: Desk, domain: str, log: list[str]) -> tuple[Zone, list[Server]]:
    """The zone that a domain is in, and its servers; raises CannotAsk."""
    zone = desk.zone(domain)
    if isinstance(zone, CannotAsk):
        raise CannotAsk(zone.kind, f"the zone of {domain} cannot be found: {zone.sentence}")
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(desk.server, zone.servers))
    log.append(f"{_name(zone)} NS {', '.join(one.name for one in found)}")
    return zone, found


def ask_each(
    desk: Desk, servers: Sequence[Server], owner: str, kind: str, log: list[str], *, tcp: bool
) -> list[Answer]:
    """What each of these servers says, all asked at once."""
    with ThreadPoolExecutor(WORKERS) as pool:
        asked = [pool.submit(desk.ask, one, owner, kind, over_tcp=tcp) for one in servers]
        heard = [one.result() for one in asked]
    for server, answer in zip(servers, heard, strict=True):
        way = f" {OVER_TCP}" if tcp and isinstance(answer, Heard) else ""
        log.append(f"{server.name}: {owner} {kind}{way}: {_shown(answer)}")
    return heard


def _shown(answer: Answer) -> str:
    if isinstance(answer, CannotAsk):
        return one_line(answer.sentence)
    return ", ".join(one_line(one.to_text(), 120) for one in answer.records[:3]) or "no such record"


def _name(zone: Zone) -> str:
    return one_line(zone.name.to_text(omit_final_dot=True))


def _listed(servers: Iterable[Server]) -> str:
    return ", ".join(one.name for one in servers)


@dataclass(frozen=True, slots=True)
class ZoneServers(ZoneQuestion):
    """Two servers or more, each has the zone, and all have the same one (RFC 2182; RFC 1034)."""

    domain: str

    @property
    def id(self) -> str:
        return f"DNS-08:{self.domain}"

    @property
    def title(self) -> str:
        return f"The name servers of {self.domain} answer and agree"

    @property
    def by_hand(self) -> str:
        return f"dig +nssearch {shlex.quote(self.domain)}"

    def _judge(self, desk: Desk, log: list[str]) -> Result:
        zone, servers = servers_of(desk, self.domain, log)
        name = _name(zone)
        heard = ask_each(desk, servers, name, "SOA", log, tcp=False)
        rows = list(zip(servers, heard, strict=True))
        serials = {
            server: soa.serial
            for server, one in rows
            if not isinstance(one, CannotAsk)
            for soa in one.records
            if isinstance(soa, SOA)
        }
        if not serials:
            why = next((one.sentence for one in heard if isinstance(one, CannotAsk)), "no SOA")
            raise CannotAsk(Trouble.DNS, f"no server of {name} answers this host: {one_line(why)}")
        # no way from here (no IPv6, say) is nobody's fault there
        silent = [(one, said) for one, said in rows if one not in serials]
        lost = [server for server, said in silent if not _is_unreachable(said)]
        expected = f"each of {_listed(servers)} has the zone"
        if lost:
            why = next(_shown(said) for server, said in silent if server is lost[0])
            fix = f"{_PROVIDER}: make it answer, or take it out of the NS records, there and above."
            return failed(f"{lost[0].name}, a server of {name}: {why}", expected, fix)
        if len(set(serials.values())) > 1:
            said = ", ".join(f"{server.name} has {n}" for server, n in serials.items())
            fix = f"{_PROVIDER}: if it stays so, see why the older one does not fetch the zone."
            return warned(f"{name}: serial numbers differ: {said}", "the same everywhere", fix)
        if silent:
            said = f"{silent[0][0].name} cannot be reached from here"
            return unknown(said, expected, "Ask it from another host, by the command below.")
        return self._several(name, servers)

    def _several(self, name: str, servers: Sequence[Server]) -> Result:
        fix = f"{_PROVIDER}: add a second one elsewhere. Else no mail comes while this one is away."
        pairs = combinations((set(one.addresses) for one in servers), 2)
        if all(one & other for one, other in pairs):
            said = f"{name} has one server only: {_listed(servers)}"
            return warned(said, "two, at different places (RFC 2182)", fix)
        return passed(f"{_listed(servers)}: the same zone at each")


def _is_unreachable(answer: Answer) -> bool:
    return isinstance(answer, CannotAsk) and answer.kind is Trouble.UNREACHABLE


@dataclass(frozen=True, slots=True)
class LongTextsHeard(ZoneQuestion):
    """Each text is the same over UDP and TCP: a long one comes over TCP alone (RFC 7766, 5)."""

    names: tuple[str, ...]
    id: ClassVar[str] = "DNS-12"
    title: ClassVar[str] = "Long records are heard over TCP too"
    _expected: ClassVar[str] = "the same over UDP and over TCP, port 53"

    @property
    def by_hand(self) -> str:
        return "; ".join(f"dig +tcp +short TXT {shlex.quote(one)}" for one in self.names)

    def _judge(self, desk: Desk, log: list[str]) -> Result:
        said = []
        for name in self.names:
            zone, servers = servers_of(desk, name, log)
            plain = ask_each(desk, servers, name, "TXT", log, tcp=False)
            whole = ask_each(desk, servers, name, "TXT", log, tcp=True)
            rows = list(zip(servers, plain, whole, strict=True))
            if deaf := [server for server, udp, tcp in rows if _lacks_tcp(udp, tcp)]:
                return self._deaf(desk, zone, deaf, log)
            for server, udp, tcp in rows:
                if not isinstance(udp, CannotAsk) and not isinstance(tcp, CannotAsk):
                    if _octets(udp.records) != _octets(tcp.records):
                        two = f"{server.name} says something else of {name} over TCP"
                        return failed(two, self._expected, f"{_PROVIDER}: two programs answer.")
                    said.append(len(_octets(udp.records)))
        if not said:
            raise CannotAsk(Trouble.DNS, f"no server of {', '.join(self.names)} answers this host")
        return passed(f"{', '.join(self.names)}: the same over UDP and TCP")

    def _deaf(self, desk: Desk, zone: Zone, deaf: Sequence[Server], log: list[str]) -> Result:
        """Some server is silent over TCP: its own fault if the zone above is heard that way."""
        said = f"{_listed(deaf)}: no answer over TCP"
        if len(deaf) == len(zone.servers) and not _tcp_leaves(desk, zone, log):
            fix = "The administrator: let TCP to port 53 out of this host, then check again."
            return unknown(f"{said}, and from here none comes from others", self._expected, fix)
        fix = f"{_PROVIDER}: open TCP port 53. Until then long records (DKIM) reach some only."
        return failed(said, self._expected, fix)


def _lacks_tcp(udp: Answer, tcp: Answer) -> bool:
    """Silent over TCP alone: over UDP it answered, at least that there is more to hear."""
    heard = not isinstance(udp, CannotAsk) or udp.sentence.startswith(OVER_TCP)
    return heard and isinstance(tcp, CannotAsk) and tcp.sentence.startswith(OVER_TCP)


def _octets(records: Sequence[dns.rdata.Rdata]) -> frozenset[bytes]:
    return frozenset(one.to_digestable() for one in records)


def _tcp_leaves(desk: Desk, zone: Zone, log: list[str]) -> bool:
    """Whether any server of the zone above is heard over TCP."""
    try:
        above, servers = servers_of(desk, zone.name.parent().to_text(), log)
    except CannotAsk:
        return False
    heard = ask_each(desk, servers, _name(above), "SOA", log, tcp=True)
    return any(not isinstance(one, CannotAsk) for one in heard)


@dataclass(frozen=True, slots=True)
class NoWildcard(ZoneQuestion):
    """No record answers for names that nobody made: it would pass for a policy or a key."""

    domain: str

    @property
    def id(self) -> str:
        return f"DNS-13:{self.domain}"

    @property
    def title(self) -> str:
        return f"No record of {self.domain} stands for all names"

    @property
    def by_hand(self) -> str:
        names = (f"{one}.{self.domain}" for one in _made_up("nobody"))
        return "; ".join(f"dig +short TXT {shlex.quote(one)}" for one in names)

    def _judge(self, desk: Desk, log: list[str]) -> Result:
        own = desk.recursive()[0]
        for label in _made_up(f"mw{secrets.token_hex(6)}"):
            owner = f"{label}.{self.domain}"
            (heard,) = ask_each(desk, [own], owner, "TXT", log, tcp=False)
            if isinstance(heard, CannotAsk):
                raise CannotAsk(heard.kind, f"the resolver: {heard.sentence}")
            found = heard.aliases or heard.records
            if found:
                kind = "CNAME" if heard.aliases else "TXT"
                star = f"*.{owner.partition('.')[2]}"
                text = one_line(found[0].to_text(), 80)
                return warned(
                    f"{owner}, a made-up name, has {kind} {text}",
                    "no such record",
                    f"Whoever runs the zone: take away {star} {kind} (or the wildcard above it). "
                    "Others take it for a DKIM key or a DMARC policy.",
                )
        return passed("made-up names have no TXT and no alias")


def _made_up(label: str) -> tuple[str, ...]:
    return label, f"{label}._domainkey", f"_dmarc.{label}"
