"""Whether what a server says is what the record asks for, and if not, what went wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import dns.name
import dns.rdata
from dns.rdtypes.ANY.CAA import CAA
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.SRV import SRV

from mailwizard.dnsdesk import meaning, texts
from mailwizard.dnsdesk.form import rdata
from mailwizard.dnsdesk.how import How
from mailwizard.model import Record
from mailwizard.probes.nameserver import LONGEST_TEXT, Heard, absolute, one_line, text_of


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


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, what went wrong, and what is worth knowing beside it."""

    outcome: Verdict
    how: How = How.NOTHING
    note: str = ""


RIGHT, ABSENT = Judged(Verdict.RIGHT), Judged(Verdict.ABSENT)
OTHER = Judged(Verdict.WRONG, How.OTHER)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that outweighs the others; unknown when there are none."""
    return max(verdicts, key=list(Verdict).index, default=Verdict.UNKNOWN)


def shown(heard: Heard) -> tuple[str, ...]:
    """What was heard, as text that is safe anywhere; an alias that leads nowhere as an alias."""
    aliases = tuple(f"CNAME {_text(one)}" for one in heard.aliases)
    return tuple(_text(one) for one in heard.records) or aliases


def _text(one: dns.rdata.Rdata) -> str:
    plain = b"".join(one.strings) if isinstance(one, TXT) else one.to_text()
    return one_line(plain, LONGEST_TEXT)


def judge(record: Record, siblings: Collection[Record], heard: Heard) -> Judged:
    """The verdict on one answer; siblings are the wanted records of the same owner and type."""
    if not heard.records:
        return Judged(Verdict.WRONG, How.ALIAS) if heard.aliases else ABSENT
    wanted = rdata(record)
    if record.type in {"A", "AAAA"}:
        return _addresses({rdata(one) for one in siblings}, heard)
    if isinstance(wanted, TXT):
        return _texts(record, [one for one in heard.records if isinstance(one, TXT)])
    if any(_says(one, wanted) for one in heard.records):
        return _beside(wanted, heard.records)
    targets = [_target(one) for one in heard.records]
    if any(_is_doubled(_target(wanted), one, record.owner) for one in targets):
        return Judged(Verdict.WRONG, How.DOUBLED)
    return OTHER


def _addresses(wanted: Collection[dns.rdata.Rdata], heard: Heard) -> Judged:
    note = "an alias, which a mail server's name must not be" if heard.aliases else ""
    found = set(heard.records)
    if found == set(wanted):
        return Judged(Verdict.RIGHT, note=note)
    # whoever gets another address than this host's talks to somebody else
    several = found > set(wanted)
    return Judged(Verdict.WRONG, How.SEVERAL if several else How.OTHER, note)


def _says(found: dns.rdata.Rdata, wanted: dns.rdata.Rdata) -> bool:
    """Whether it says the same; preferences and weights are the administrator's."""
    if isinstance(wanted, MX) and isinstance(found, MX):
        return bool(found.exchange == wanted.exchange)
    if isinstance(wanted, SRV) and isinstance(found, SRV):
        return found.port == wanted.port and bool(found.target == wanted.target)
    if isinstance(wanted, CAA) and isinstance(found, CAA):
        # parameters narrow down how that authority may be used (RFC 8659, 4.2)
        said = [(one.tag.lower(), _authority(one)) for one in (found, wanted)]
        return len(set(said)) == 1
    return bool(found == wanted)


def _authority(one: CAA) -> bytes:
    value: bytes = one.value
    return value.split(b";")[0].strip().lower()


def _beside(wanted: dns.rdata.Rdata, found: Sequence[dns.rdata.Rdata]) -> Judged:
    """It is there; what stands beside it may spoil it."""
    if not isinstance(wanted, MX):
        return RIGHT
    exchangers = [one for one in found if isinstance(one, MX)]
    # "0 ." says that the domain takes no mail; beside another it says nothing (RFC 7505, 3)
    if any(one.exchange == dns.name.root for one in exchangers):
        return Judged(Verdict.WRONG, How.SEVERAL, '"0 ." says that there is no mail at all')
    ours = min(one.preference for one in exchangers if one.exchange == wanted.exchange)
    others = [one for one in exchangers if one.preference < ours]
    names = ", ".join(one_line(str(one.exchange)) for one in others[:3])
    return Judged(Verdict.RIGHT, note=f"but mail is brought to {names} first" if others else "")


def _target(one: dns.rdata.Rdata) -> dns.name.Name | None:
    if isinstance(one, MX):
        return one.exchange
    return one.target if isinstance(one, (PTR, SRV)) else None


def _is_doubled(wanted: dns.name.Name | None, found: dns.name.Name | None, owner: str) -> bool:
    """A name without its final dot gets the zone's name behind it (RFC 1035, 5.1)."""
    if wanted is None or found is None or len(found) <= len(wanted):
        return False
    whole = wanted.labels[:-1]
    behind = dns.name.Name(found.labels[len(whole) :])
    begins = dns.name.Name(found.labels[: len(whole)]) == dns.name.Name(whole)
    return begins and absolute(owner).is_subdomain(behind)


def _texts(record: Record, found: Sequence[TXT]) -> Judged:
    """Other texts of a name do not matter; two of the same kind spoil each other."""
    plain = [text_of(one) for one in found]
    same = texts.alike(record, plain)
    heard = [one for one in (meaning.said(record, text) for text in same) if one is not None]
    right = [one for one in heard if not one.lacks]
    if len(same) > 1:
        note = "one of them is right: the others must go" if right else ""
        return Judged(Verdict.WRONG, How.SEVERAL, note)
    if right:
        return Judged(Verdict.RIGHT, note=right[0].note)
    if not same:
        return ABSENT
    slip = texts.slip(record.value, same[0])
    if heard and slip is How.OTHER:
        return Judged(Verdict.WRONG, How.LACKS, f"missing: {', '.join(heard[0].lacks)}")
    return Judged(Verdict.WRONG, slip, texts.extent(record.value, same[0], slip))
