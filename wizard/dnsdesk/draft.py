"""What would have to change in each zone, and whose records stand in the way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import dns.rdata
from dns.rdtypes.ANY.CAA import CAA
from dns.rdtypes.ANY.TXT import TXT

from mailwizard.dnsdesk import meaning, texts
from mailwizard.dnsdesk.finding import siblings
from mailwizard.dnsdesk.form import TTL, rdata
from mailwizard.dnsdesk.how import How
from mailwizard.dnsdesk.verdict import Verdict, judge
from mailwizard.model import Record
from mailwizard.probes.nameserver import Heard, text_of
from mailwizard.zoneedits import Edit, RecordSet

OWN_SLIPS = (How.CUT, How.QUOTED, How.BLANKS, How.DOUBLED)
Known = Collection[tuple[str, str, str]]
"""Owner, type and value of what we published before."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One set of records: what it gets, and what of it is not ours and would have to go."""

    seen: RecordSet
    edit: Edit
    foreign: bool


def draft(record: Record, records: Sequence[Record], there: RecordSet, ours: Known) -> Draft | None:
    """What brings the set to what is wanted; None when it is right already."""
    wanted = siblings(record, records)
    heard = Heard(tuple(there.rdatas), there.ttl)
    said = [judge(one, wanted, heard) for one in wanted]
    if all(one.outcome is Verdict.RIGHT for one in said):
        return None
    needed = [rdata(one) for one in wanted]
    rivals = [one for one in _rivals(wanted, there.rdatas) if one not in needed]
    adds = [one for one in needed if one not in there.rdatas]
    if record.type == "TXT" and any(one not in rivals for one in _alike(wanted, there.rdatas)):
        # the same in other words stays as it stands
        adds = []
    known = {value for owner, kind, value in ours if (owner, kind) == (record.owner, record.type)}
    slipped = any(one.how in OWN_SLIPS for one in said)
    foreign = [one for one in rivals if not slipped and one.to_text() not in known]
    edit = Edit(record.owner, record.type, _written(rivals), _written(adds), TTL)
    return Draft(there, edit, bool(foreign)) if edit.drops or edit.adds else None


def _rivals(wanted: Sequence[Record], there: Sequence[dns.rdata.Rdata]) -> list[dns.rdata.Rdata]:
    """What cannot stand beside the wanted records."""
    if wanted[0].type == "TXT":
        alike = _alike(wanted, there)
        # two that are right spoil each other as well: the one in our own words stays
        right = [one for one in alike if meaning.says(wanted[0], _plain(one))]
        best = [one for one in right if _plain(one) == wanted[0].value] or right
        return [one for one in alike if one not in best[:1]]
    return [one for one in there if not isinstance(one, CAA)]


def _alike(wanted: Sequence[Record], there: Sequence[dns.rdata.Rdata]) -> list[dns.rdata.Rdata]:
    plain = {_plain(one): one for one in there if isinstance(one, TXT)}
    return [plain[text] for text in texts.alike(wanted[0], list(plain))]


def _plain(one: dns.rdata.Rdata) -> str:
    assert isinstance(one, TXT)
    return text_of(one)


def _written(several: Sequence[dns.rdata.Rdata]) -> tuple[str, ...]:
    return tuple(one.to_text() for one in several)
