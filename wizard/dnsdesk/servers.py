"""Whom to ask: the servers of a zone, this host's resolver, and resolvers that the world uses."""

from __future__ import annotations

from dataclasses import dataclass

import dns.name
from dns.rdtypes.ANY.NS import NS

from mailwizard.dnsdesk.ask import LONGEST_CHAIN, Heard, ask_any, one_line
from mailwizard.model import Look
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dns import resolver_of
from mailwizard.probes.networks import is_private

AUTHORITATIVE, OWN, PUBLIC = "authoritative", "own", "public"
MOST_SERVERS = 8


@dataclass(frozen=True, slots=True)
class Where:
    """Whom to ask and for how long; each public resolver has an address of either family."""

    own: tuple[str, ...] = ()
    """Empty: those of /etc/resolv.conf."""
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


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the DNS that one party edits, and the names of its servers."""

    name: dns.name.Name
    servers: tuple[dns.name.Name, ...]


class Desk:
    """All questions of one look; they share one deadline."""

    def __init__(self, host: Look, where: Where) -> None:
        self.where = where
        self.deadline = Deadline(where.seconds)
        try:
            own = resolver_of(host, where.own).nameservers
            self.own = Server(OWN, f"{', '.join(own)} (this host's resolver)", own)
        except (CannotAsk, ValueError) as error:
            trouble = CannotAsk(Trouble.DNS, one_line(str(error)))
            self.own = Server(OWN, "this host's resolver", trouble=trouble)

    def recursive(self) -> tuple[Server, ...]:
        """Those who look names up for others."""
        public = (Server(PUBLIC, f"{each[0]} (public)", each) for each in self.where.public)
        return (self.own, *public)

    def ask(self, server: Server, owner: str, kind: str) -> Heard | CannotAsk:
        """What one server says; a chain that leaves its zone is followed to the servers there."""
        name = absolute(owner)
        try:
            heard = self._ask(server, name, kind)
            return self._follow(heard, name, kind) if server.view == AUTHORITATIVE else heard
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
            both = [self._ask(self.own, name, kind).records[:2] for kind in ("A", "AAAA")]
        except CannotAsk as error:
            trouble = CannotAsk(error.kind, f"its address cannot be asked for: {error}")
            return Server(AUTHORITATIVE, label, trouble=trouble)
        found = (one.to_text() for records in both for one in records)
        # a mapped one is an IPv4 address in disguise: nothing that an AAAA record may hold
        addresses = tuple(one for one in found if not one.startswith("::ffff:"))
        private = [one for one in addresses if is_private(one)]
        said = f"{label} (at {private[0]}, a private address)" if private else label
        return Server(AUTHORITATIVE, said, addresses)

    def _ask(self, server: Server, name: dns.name.Name, kind: str) -> Heard:
        if server.trouble is not None:
            raise server.trouble
        recursive = server.view != AUTHORITATIVE
        return ask_any(
            server.addresses, name, kind, self.deadline, port=self.where.port, recursive=recursive
        )

    def _zone(self, name: dns.name.Name) -> Zone:
        """Upward from the name; "no such record" names the zone (RFC 2308, 2)."""
        apex = name
        while apex != dns.name.root:
            heard = self._ask(self.own, apex, "NS")
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
            heard = Heard(more.records, ttl, aliases, more.zone)
        return heard

    def _a_server_for(self, name: dns.name.Name) -> Server:
        found = [self.server(one) for one in self._zone(name).servers]
        return next((one for one in found if one.addresses), found[0])


def absolute(owner: str) -> dns.name.Name:
    """The owner of a record as a name."""
    return dns.name.from_text(f"{owner.rstrip('.')}.")
