"""Whether what a server says is what the record asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from mailwizard.dnsdesk.ask import Heard, one_line
from mailwizard.model import Record

LONGEST_STRING = 255
LONGEST_TEXT = 64 * 1024


class Verdict(StrEnum):
    """One record as one server, or all together, have it; later ones outweigh earlier ones."""

    RIGHT = "right"
    LATE = "not propagated yet"
    UNKNOWN = "unknown"
    ABSENT = "absent"
    WRONG = "wrong"

    @property
    def bad(self) -> bool:
        return self in {Verdict.ABSENT, Verdict.WRONG}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that outweighs the others; unknown when there are none."""
    return max(verdicts, key=list(Verdict).index, default=Verdict.UNKNOWN)


def rdata(record: Record) -> dns.rdata.Rdata:
    """The record's value; a long text in strings of 255 octets (RFC 1035, 3.3)."""
    if record.type != "TXT":
        return dns.rdata.from_text(dns.rdataclass.IN, record.type, record.value)
    octets = record.value.encode()
    cuts = range(0, max(len(octets), 1), LONGEST_STRING)
    strings = [octets[at : at + LONGEST_STRING] for at in cuts]
    return TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)


def shown(heard: Heard) -> tuple[str, ...]:
    """What was heard, as text that is safe anywhere; an alias that leads nowhere as an alias."""
    aliases = tuple(f"CNAME {_text(one)}" for one in heard.aliases)
    return tuple(_text(one) for one in heard.records) or aliases


def _text(one: dns.rdata.Rdata) -> str:
    plain = b"".join(one.strings) if isinstance(one, TXT) else one.to_text()
    return one_line(plain, LONGEST_TEXT)


def judge(record: Record, siblings: Collection[Record], heard: Heard) -> tuple[Verdict, str]:
    """The verdict, and what is worth knowing beside it; siblings have the same owner and type."""
    if not heard.records:
        return (Verdict.WRONG if heard.aliases else Verdict.ABSENT), ""
    wanted = rdata(record)
    if record.type in {"A", "AAAA"}:
        # whoever gets another address than this host's talks to somebody else
        right = set(heard.records) == {rdata(one) for one in siblings}
        note = "an alias, which a mail server's name must not be" if heard.aliases else ""
        return (Verdict.RIGHT if right else Verdict.WRONG), note
    if isinstance(wanted, MX):
        return _exchangers(wanted, [one for one in heard.records if isinstance(one, MX)])
    if record.type == "TXT":
        return _texts(record, shown(heard)), ""
    return (Verdict.RIGHT if wanted in heard.records else Verdict.WRONG), ""


def _exchangers(wanted: MX, found: Sequence[MX]) -> tuple[Verdict, str]:
    ours = [one.preference for one in found if one.exchange == wanted.exchange]
    # "0 ." says that the domain takes no mail; beside another it says nothing (RFC 7505, 3)
    if not ours or any(one.exchange == dns.name.root for one in found):
        return Verdict.WRONG, ""
    others = [one for one in found if one.preference < min(ours)]
    names = ", ".join(one_line(str(one.exchange)) for one in others[:3])
    return Verdict.RIGHT, f"but mail is brought to {names} first" if others else ""


def _texts(record: Record, found: Sequence[str]) -> Verdict:
    """Other texts of a name do not matter; two of the same kind spoil each other."""
    kind = _kind(record.value)
    same = [one for one in found if _kind(one) == kind or "._domainkey." in record.owner]
    if not same:
        return Verdict.WRONG if not kind and found else Verdict.ABSENT
    if not kind:
        return Verdict.RIGHT if record.value in found else Verdict.WRONG
    wanted = _meaning(record.value)
    return Verdict.RIGHT if [_meaning(one) for one in same] == [wanted] else Verdict.WRONG


def _kind(text: str) -> str:
    """The version tag that a text begins with ("v=spf1"), which tells what it is for."""
    first = text.replace(";", " ").split(" ", 1)[0].lower()
    return first if first.startswith("v=") else ""


def _meaning(text: str) -> tuple[str, ...]:
    """The text without the white space that does not count (RFC 6376, 3.2; RFC 7208, 4.6.1)."""
    if ";" in text:
        return tuple("".join(tag.split()) for tag in text.split(";") if tag.strip())
    return tuple(text.lower().split())
