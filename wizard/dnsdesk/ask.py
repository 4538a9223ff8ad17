"""One question to one name server, and an answer that can do no harm (R24)."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.inet
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.SOA import SOA

from mailwizard import sanitise
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble, from_os_error

MOST_RECORDS = 100
LONGEST_CHAIN = 8
TRIES = 2
SECONDS = 1.2
# the largest answer that no path cuts into pieces (dnsflagday.net 2020)
PAYLOAD = 1232


@dataclass(frozen=True, slots=True)
class Heard:
    """What a server says, and for how many seconds it will go on saying so."""

    records: tuple[dns.rdata.Rdata, ...]
    ttl: int
    aliases: tuple[CNAME, ...] = ()
    """The chain from the name that was asked for; with no records, one that leads nowhere."""
    zone: dns.name.Name | None = None
    """Where there are no records: the zone that has none."""


def one_line(text: bytes | str, width: int = 300) -> str:
    """Text from the network made safe, its line breaks shown as what they are."""
    return "^J".join(sanitise.lines(text, width=width, limit=9)).replace("\t", "^I")


def ask(
    server: str,
    name: dns.name.Name,
    kind: str,
    deadline: Deadline,
    *,
    port: int = 53,
    recursive: bool = True,
) -> Heard:
    """What this server answers; raises CannotAsk for silence, errors and answers beside the point.

    Without `recursive` only a server that owns the zone counts: others may repeat what is old.
    """
    query = dns.message.make_query(name, kind, use_edns=0, payload=PAYLOAD)
    if not recursive:
        query.flags &= ~dns.flags.RD
    response = _exchange(query, server, port, deadline)
    if response.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        raise CannotAsk(Trouble.DNS, f"answers {dns.rcode.to_text(response.rcode())}")
    if not recursive and not response.flags & dns.flags.AA:
        raise CannotAsk(Trouble.DNS, "is named as a server of this zone, but does not have it")
    if recursive and not response.flags & dns.flags.RA and not response.answer:
        raise CannotAsk(Trouble.DNS, "does not look names up for this host")
    return read(response, name, kind)


def ask_any(
    servers: Sequence[str],
    name: dns.name.Name,
    kind: str,
    deadline: Deadline,
    *,
    port: int = 53,
    recursive: bool = True,
) -> Heard:
    """What the first of these addresses that answers says; raises the first one's CannotAsk."""
    trouble = []
    for server in servers:
        try:
            return ask(server, name, kind, deadline, port=port, recursive=recursive)
        except CannotAsk as error:
            trouble.append(error)
    raise trouble[0] if trouble else CannotAsk(Trouble.DNS, "has no address")


def _exchange(
    query: dns.message.Message, server: str, port: int, deadline: Deadline
) -> dns.message.Message:
    """Over UDP, once more after silence, and over TCP when UDP holds not all of it."""
    for _ in range(TRIES):
        way = "over UDP"
        try:
            try:
                return _udp(query, server, port, min(SECONDS, deadline.left(way)))
            except dns.message.Truncated:
                way = "over TCP"
                limit = min(SECONDS, deadline.left(way))
                return dns.query.tcp(query, server, timeout=limit, port=port)
        except dns.exception.Timeout:
            continue
        except OSError as error:
            raise from_os_error(error, way) from error
        except (dns.exception.DNSException, EOFError, ValueError) as error:
            raise CannotAsk(Trouble.GARBLED, f"{way}: no answer that makes sense") from error
    raise CannotAsk(Trouble.TIMED_OUT, f"{way}: no answer in time (filtered, or too slow)")


def _udp(query: dns.message.Message, server: str, port: int, seconds: float) -> dns.message.Message:
    family = dns.inet.af_for_address(server)
    with socket.socket(family, socket.SOCK_DGRAM) as wire:
        wire.setblocking(False)
        # connected: a refusal is heard at once, and the kernel drops what others send
        wire.connect(dns.inet.low_level_address_tuple((server, port), family))
        # ignore_errors: a forged packet that comes first does not end the wait (CVE-2023-29483)
        return dns.query.udp(
            query,
            server,
            seconds,
            port,
            ignore_unexpected=True,
            raise_on_truncation=True,
            sock=wire,
            ignore_errors=True,
        )


def read(response: dns.message.Message, name: dns.name.Name, kind: str) -> Heard:
    """The records for exactly this name, or for what it is an alias of in the same answer."""
    wanted = dns.rdatatype.from_text(kind)
    aliases: list[CNAME] = []
    ttl, owner = 2**31 - 1, name
    while len(aliases) <= LONGEST_CHAIN:
        found = response.get_rrset(response.answer, owner, dns.rdataclass.IN, wanted)
        if found is not None:
            if len(found) > MOST_RECORDS:
                raise CannotAsk(Trouble.TOO_MUCH, f"sends more than {MOST_RECORDS} records")
            return Heard(tuple(found), min(ttl, found.ttl), tuple(aliases))
        alias = response.get_rrset(response.answer, owner, dns.rdataclass.IN, dns.rdatatype.CNAME)
        if alias is None:
            break
        first = alias[0]
        assert isinstance(first, CNAME)
        aliases.append(first)
        ttl, owner = min(ttl, alias.ttl), first.target
    if response.answer and not aliases:
        raise CannotAsk(Trouble.GARBLED, "answers for another name than was asked for")
    return _nothing(response, owner, ttl, tuple(aliases))


def _nothing(
    response: dns.message.Message, owner: dns.name.Name, ttl: int, aliases: tuple[CNAME, ...]
) -> Heard:
    """No such record: kept by resolvers for what the zone's SOA says (RFC 2308, 5)."""
    for rrset in response.authority:
        first = rrset[0]
        if isinstance(first, SOA) and owner.is_subdomain(rrset.name):
            return Heard((), min(ttl, rrset.ttl, first.minimum), aliases, rrset.name)
    return Heard((), ttl if aliases else 0, aliases)
