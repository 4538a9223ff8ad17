"""A record as it is entered: owner relative and absolute, the value whole and in strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.ANY.TXT import TXT

from mailwizard.model import Record
from mailwizard.probes.nameserver import absolute
from mailwizard.probes.zones import Zone

LONGEST_STRING = 255
TTL = 3600
_REVERSE = (dns.name.from_text("in-addr.arpa."), dns.name.from_text("ip6.arpa."))


@dataclass(frozen=True, slots=True)
class Form:
    """What to type, whichever way a panel or a zone file asks for it."""

    owner: str
    """Absolute, with its final dot."""
    relative: str
    zone: str
    known: bool
    """False: the zone is a guess, the DNS does not tell it."""
    chunks: tuple[str, ...]
    """A text in the strings that a record holds (RFC 1035, 3.3); empty for other types."""
    line: str
    """As in a file of the zone."""


def form(record: Record, zone: Zone | None, records: Sequence[Record]) -> Form:
    """The record within its zone; the others help to guess the zone where the DNS tells none."""
    known = zone is not None and is_somebodys(zone.name)
    apex = zone.name if zone is not None and known else guess(record.owner, records)
    owner = absolute(record.owner)
    relative = owner.relativize(apex).to_text()
    value = rdata(record)
    chunks = tuple(map(_shown, value.strings)) if isinstance(value, TXT) else ()
    return Form(
        owner.to_text(),
        relative,
        apex.to_text(omit_final_dot=True),
        known,
        chunks,
        f"{relative} {TTL} IN {record.type} {value.to_text()}",
    )


def rdata(record: Record) -> dns.rdata.Rdata:
    """The record's value; a long text in strings of 255 octets (RFC 1035, 3.3)."""
    if record.type != "TXT":
        return dns.rdata.from_text(dns.rdataclass.IN, record.type, record.value)
    octets = record.value.encode()
    cuts = range(0, max(len(octets), 1), LONGEST_STRING)
    strings = [octets[at : at + LONGEST_STRING] for at in cuts]
    return TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)


def _shown(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")


def is_somebodys(zone: dns.name.Name) -> bool:
    """Whether a holder of names could edit it: no top level, and not the root of all addresses."""
    return len(zone) > 2 and zone not in _REVERSE


def guess(owner: str, records: Sequence[Record]) -> dns.name.Name:
    """The zone that a name is most likely in."""
    name = absolute(owner)
    if name.is_subdomain(_REVERSE[0]):
        return name.parent()
    if name.is_subdomain(_REVERSE[1]):
        # a /64 is what a host is given
        return dns.name.Name(name.labels[-19:])
    domains = [absolute(one.owner) for one in records if one.type == "MX"]
    above = [domain for domain in domains if name.is_subdomain(domain)]
    if above:
        return max(above, key=len)
    return name.parent() if len(name) > 3 else name
