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
from dns.rdtypes.ANY.TXT import TXT

from mailwizard import sanitise
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble, from_os_error

MOST_RECORDS = 100
LONGEST_CHAIN = 8
LONGEST_TEXT = 64 * 1024
TRIES = 2
SECONDS = 1.2
# the largest answer that no path cuts into pieces (dnsflagday.net 2020)
PAYLOAD = 1232
OVER_UDP, OVER_TCP = "over UDP", "over TCP"
ANSWERS = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})
BOGUS = "the zone's signatures (DNSSEC) do not fit, so whoever checks them hears nothing"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a server says, and for how many seconds it will go on saying so."""

    records: tuple[dns.rdata.Rdata, ...]
    ttl: int
    aliases: tuple[CNAME, ...] = ()
    """The chain from the name that was asked for; with no records, one that leads nowhere."""
    zone: dns.name.Name | None = None
    """Where there are no records: the zone that has none."""
    own: bool = False
    """The server has it from a zone of its own (AA)."""
    proved: bool = False
    """The server has checked the signatures (AD; RFC 6840, 5.8)."""


def absolute(owner: str) -> dns.name.Name:
    """The owner of a record as a name, whether or not its final dot stands there."""
    return dns.name.from_text(f"{owner.rstrip('.')}.")


def one_line(text: bytes | str, width: int = 300) -> str:
    """Text from the network made safe, its line breaks shown as what they are."""
    return "^J".join(sanitise.lines(text, width=width, limit=9)).replace("\t", "^I")


def text_of(record: TXT) -> str:
    """The one text that a record's strings make (RFC 7208, 3.3; RFC 6376, 3.6.2.2)."""
    return b"".join(record.strings).decode("utf-8", "backslashreplace")


def ask(
    server: str,
    name: dns.name.Name,
    kind: str,
    deadline: Deadline,
    *,
    port: int = 53,
    recursive: bool = True,
    patience: float = 0.0,
    over_tcp: bool = False,
) -> Heard:
    """What this server answers; raises CannotAsk for silence, errors and answers beside the point.

    `patience` is the seconds of one try, SECONDS if not given.
    Without `recursive` only a server that owns the zone counts: others may repeat what is old.
    A zone whose signatures do not fit is the kind UNTRUSTED.
    """
    query = _query(name, kind, recursive)
    response = _exchange(query, server, port, deadline, patience, over_tcp=over_tcp)
    if response.rcode() not in ANSWERS:
        said = f"answers {dns.rcode.to_text(response.rcode())}"
        if recursive and _is_bogus(response, query, server, port, deadline):
            raise CannotAsk(Trouble.UNTRUSTED, f"{said}: {BOGUS}")
        raise CannotAsk(Trouble.DNS, said)
    if not recursive and not response.flags & dns.flags.AA:
        raise CannotAsk(Trouble.DNS, "is named as a server of this zone, but does not have it")
    if recursive and not response.flags & dns.flags.RA and not response.answer:
        raise CannotAsk(Trouble.DNS, "does not look names up for this host")
    return read(response, name, kind)


def respond(
    server: str, name: dns.name.Name, kind: str, deadline: Deadline, *, port: int = 53
) -> dns.message.Message:
    """A resolver's whole answer, errors too; raises CannotAsk where there is none."""
    # whoever has to ask others first may take long for the first time
    return _exchange(_query(name, kind, True), server, port, deadline, deadline.left())


def _query(name: dns.name.Name, kind: str, recursive: bool) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0, payload=PAYLOAD)
    # RFC 6840, 5.7: "tell me whether it is proved"
    query.flags |= dns.flags.AD
    if not recursive:
        query.flags &= ~dns.flags.RD
    return query


def _is_bogus(
    refused: dns.message.Message,
    query: dns.message.Message,
    server: str,
    port: int,
    deadline: Deadline,
) -> bool:
    """Whether it answers when it need not check the zone's signatures (RFC 4035, 3.2.2)."""
    if refused.rcode() != dns.rcode.SERVFAIL:
        return False
    query.flags |= dns.flags.CD
    try:
        return _exchange(query, server, port, deadline).rcode() in ANSWERS
    except CannotAsk:
        return False


def ask_any(
    servers: Sequence[str],
    name: dns.name.Name,
    kind: str,
    deadline: Deadline,
    *,
    port: int = 53,
    recursive: bool = True,
    patience: float = 0.0,
    over_tcp: bool = False,
) -> Heard:
    """What the first of these addresses that answers says; raises the first one's CannotAsk."""
    trouble = []
    for server in servers:
        try:
            return ask(
                server,
                name,
                kind,
                deadline,
                port=port,
                recursive=recursive,
                patience=patience,
                over_tcp=over_tcp,
            )
        except CannotAsk as error:
            trouble.append(error)
    raise trouble[0] if trouble else CannotAsk(Trouble.DNS, "has no address")


def _exchange(
    query: dns.message.Message,
    server: str,
    port: int,
    deadline: Deadline,
    patience: float = 0.0,
    *,
    over_tcp: bool = False,
) -> dns.message.Message:
    """Over UDP, once more after silence, and over TCP when UDP holds not all of it."""
    for _ in range(TRIES):
        way = OVER_TCP if over_tcp else OVER_UDP
        try:
            try:
                limit = min(patience or SECONDS, deadline.left(way))
                if not over_tcp:
                    return _udp(query, server, port, limit)
            except dns.message.Truncated:
                way = OVER_TCP
                limit = min(patience or SECONDS, deadline.left(way))
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
            records = tuple(found)
            return _heard(response, records, min(ttl, found.ttl), tuple(aliases))
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
            kept = min(ttl, rrset.ttl, first.minimum)
            return _heard(response, (), kept, aliases, rrset.name)
    return _heard(response, (), ttl if aliases else 0, aliases)


def _heard(
    response: dns.message.Message,
    records: tuple[dns.rdata.Rdata, ...],
    ttl: int,
    aliases: tuple[CNAME, ...],
    zone: dns.name.Name | None = None,
) -> Heard:
    own, proved = (bool(response.flags & flag) for flag in (dns.flags.AA, dns.flags.AD))
    return Heard(records, ttl, aliases, zone, own, proved)
