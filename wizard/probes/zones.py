"""Whom to ask: the servers of a zone, this host's resolver, and resolvers that the world uses."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass

import dns.name
from dns.rdtypes.ANY.NS import NS
from dns.rdtypes.ANY.SOA import SOA

from mailwizard.model import Look
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dns import upstream_of
from mailwizard.probes.nameserver import LONGEST_CHAIN, Heard, absolute, ask_any, one_line
from mailwizard.probes.networks import is_private

AUTHORITATIVE, PRIMARY, OWN, PUBLIC = "authoritative", "primary", "own", "public"
RECURSIVE = (OWN, PUBLIC)
MOST_SERVERS = 8
WORKERS = 48


@dataclass(frozen=True, slots=True)
class Where:
    """Whom to ask and for how long; each public resolver has an address of either family."""

    own: tuple[str, ...] = ()
    """Empty: those whom this host asks."""
    public: tuple[tuple[str, ...], ...] = (
        ("1.1.1.1", "2606:4700:4700::1111"),
        ("8.8.8.8", "2001:4860:4860::8888"),
    )
    port: int = 53
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """One server that is asked: its role, what to call it, and where it is."""

    view: str
    name: str
    addresses: tuple[str, ...] = ()
    trouble: CannotAsk | None = None

    @property
    def internal(self) -> bool:
        """Nobody outside this host's network can ask it."""
        return bool(self.addresses) and all(map(_is_internal, self.addresses))


def _is_internal(address: str) -> bool:
    return is_private(address) and not ipaddress.ip_address(address).is_loopback


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the DNS that one party edits, and the names of its servers."""

    name: dns.name.Name
    servers: tuple[dns.name.Name, ...]


@dataclass(frozen=True, slots=True)
class Apex:
    """What stands at the top of a zone: its head, and its servers with their addresses."""

    zone: Zone
    soa: SOA | None
    servers: Mapping[dns.name.Name, tuple[str, ...]]


class Desk:
    """All questions of one look; they share one deadline."""

    def __init__(self, host: Look, where: Where) -> None:
        self.where = where
        self.deadline = Deadline(where.seconds)
        self._silent: set[Server] = set()
        try:
            own = upstream_of(host, where.own).nameservers
            self.own = Server(OWN, f"{', '.join(own)} (this host's resolver)", own)
        except (CannotAsk, ValueError) as error:
            trouble = CannotAsk(Trouble.DNS, one_line(str(error)))
            self.own = Server(OWN, "this host's resolver", trouble=trouble)

    def again(self) -> Desk:
        """The same desk with time for more questions."""
        later = copy(self)
        later.deadline = Deadline(self.where.seconds / 2)
        return later

    def recursive(self) -> tuple[Server, ...]:
        """Those who look names up for others."""
        public = (Server(PUBLIC, f"{each[0]} (public)", each) for each in self.where.public)
        return (self.own, *public)

    def ask(
        self, server: Server, owner: str, kind: str, *, over_tcp: bool = False
    ) -> Heard | CannotAsk:
        """What one server says; a chain that leaves its zone is followed to the servers there."""
        name = absolute(owner)
        try:
            heard = self._ask(server, name, kind, over_tcp=over_tcp)
            return heard if server.view in RECURSIVE else self._follow(heard, name, kind)
        except CannotAsk as trouble:
            return trouble

    def zone(self, owner: str) -> Zone | CannotAsk:
        """The zone that a name is in, or why that cannot be told."""
        try:
            return self._zone(absolute(owner))
        except CannotAsk as trouble:
            return trouble

    def server(self, name: dns.name.Name) -> Server:
        """A zone's server by its name; says so when it is none that the world could reach."""
        label = one_line(name.to_text(omit_final_dot=True))
        try:
            both = [self.find(name, kind).records[:2] for kind in ("A", "AAAA")]
        except CannotAsk as error:
            trouble = CannotAsk(error.kind, f"its address cannot be asked for: {error}")
            return Server(AUTHORITATIVE, label, trouble=trouble)
        found = (one.to_text() for records in both for one in records)
        # a mapped one is an IPv4 address in disguise: nothing that an AAAA record may hold
        addresses = tuple(one for one in found if not one.startswith("::ffff:"))
        private = [one for one in addresses if is_private(one)]
        said = f"{label} (at {private[0]}, a private address)" if private else label
        return Server(AUTHORITATIVE, said, addresses)

    def _ask(
        self, server: Server, name: dns.name.Name, kind: str, *, over_tcp: bool = False
    ) -> Heard:
        if server.trouble is not None:
            raise server.trouble
        return ask_any(
            server.addresses,
            name,
            kind,
            self.deadline,
            port=self.where.port,
            recursive=server.view in RECURSIVE,
            over_tcp=over_tcp,
        )

    def apex(self, zone: Zone) -> Apex:
        """The top of a zone as the DNS at large has it."""
        try:
            records = self.find(zone.name, "SOA").records
        except CannotAsk:
            records = ()
        soa = next((one for one in records if isinstance(one, SOA)), None)
        return Apex(zone, soa, {name: self.server(name).addresses for name in zone.servers})

    def soa(self, server: Server, zone: Zone) -> SOA | None:
        """The head of the zone as this server has it; None where it does not tell."""
        try:
            heard = self._ask(server, zone.name, "SOA")
        except CannotAsk:
            return None
        return next((one for one in heard.records if isinstance(one, SOA)), None)

    def find(self, name: dns.name.Name, kind: str) -> Heard:
        """What the DNS at large says, by this host's resolver, or by others when that is dead."""
        trouble: CannotAsk | None = None
        for server in self.recursive():
            if server in self._silent:
                continue
            try:
                return self._ask(server, name, kind)
            except CannotAsk as error:
                trouble = trouble or error
                if error.kind is Trouble.TIMED_OUT:
                    # there are many questions, and time for one such wait
                    self._silent.add(server)
        trouble = trouble or CannotAsk(Trouble.TIMED_OUT, "no resolver answers")
        raise trouble

    def _zone(self, name: dns.name.Name) -> Zone:
        """Upward from the name; "no such record" names the zone (RFC 2308, 2)."""
        apex = name
        while apex != dns.name.root:
            heard = self.find(apex, "NS")
            if heard.records and not heard.aliases:
                named = [one.target for one in heard.records if isinstance(one, NS)]
                return Zone(apex, tuple(sorted(named)[:MOST_SERVERS]))
            above = None if heard.aliases else heard.zone
            apex = above if above is not None and above != apex else apex.parent()
        raise CannotAsk(Trouble.DNS, "no zone was found that this name is in")

    def _follow(self, heard: Heard, name: dns.name.Name, kind: str) -> Heard:
        """The end of a chain as the servers there have it (reverse zones do this: RFC 2317)."""
        seen = {name}
        while heard.aliases and not heard.records and heard.zone is None:
            target = heard.aliases[-1].target
            if target in seen or len(heard.aliases) > LONGEST_CHAIN:
                break
            seen.add(target)
            more = self._ask(self._a_server_for(target), target, kind)
            ttl, aliases = min(heard.ttl, more.ttl), (*heard.aliases, *more.aliases)
            heard = Heard(more.records, ttl, aliases, more.zone, more.own)
        return heard

    def _a_server_for(self, name: dns.name.Name) -> Server:
        found = [self.server(one) for one in self._zone(name).servers]
        return next((one for one in found if one.addresses), found[0])
