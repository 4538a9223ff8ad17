"""Records whose key is gone: nobody needs them, and whoever runs the zone may take them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailwizard.dkim.gate import findings
from mailwizard.dkim.stages import NOTE, load
from mailwizard.dnsdesk import texts
from mailwizard.dnsdesk.draft import Draft
from mailwizard.dnsdesk.finding import Finding
from mailwizard.dnsdesk.form import TTL
from mailwizard.dnsdesk.verdict import Verdict
from mailwizard.journal import Journal
from mailwizard.model import Look, Record
from mailwizard.probes.zones import AUTHORITATIVE
from mailwizard.zoneupdate import Edit, RecordSet

WHY = "Its key is gone, and so is all mail that was signed with it."


def of(journal: Journal) -> list[Record]:
    """The records of all keys that are gone."""
    known = load(journal.noted(NOTE))
    spent = known.spent if known else ()
    return [Record(owner, "TXT", value, WHY, required=False) for owner, value in spent]


def found(host: Look, records: Sequence[Record]) -> list[Finding]:
    """Those of them that a server of their zone still has."""
    if not records:
        return []
    return [
        one
        for one in findings(host, records)
        if any(v.outcome is Verdict.RIGHT for v in one.views if v.view == AUTHORITATIVE)
    ]


def lines(host: Look, journal: Journal) -> Iterator[str]:
    """What may be taken out, a line each; nothing where nothing is left."""
    for one in found(host, of(journal)):
        yield f"May be taken out: {one.record.owner} TXT. {one.record.why}"


def draft(record: Record, there: RecordSet) -> Draft | None:
    """The record taken out of its set; None where it is not there."""
    plain = {value: "".join(value.split('"')[1::2]) for value in there.values}
    ours = [v for v, text in plain.items() if texts.meaning(text) == texts.meaning(record.value)]
    if not ours:
        return None
    return Draft(there, Edit(record.owner, "TXT", tuple(ours), (), TTL), foreign=False)
