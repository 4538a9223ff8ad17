"""Records whose key is gone: nobody needs them, and whoever runs the zone may take them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailwizard.dnsdesk import meaning
from mailwizard.dnsdesk.draft import Draft
from mailwizard.dnsdesk.finding import Finding
from mailwizard.dnsdesk.form import TTL
from mailwizard.dnsdesk.nearby import findings
from mailwizard.dnsdesk.verdict import Verdict
from mailwizard.model import Look, Record
from mailwizard.probes.zones import AUTHORITATIVE
from mailwizard.zoneedits import Edit, RecordSet


def found(host: Look, records: Sequence[Record]) -> list[Finding]:
    """Those of them that a server of their zone still has."""
    if not records:
        return []
    return [
        one
        for one in findings(host, records)
        if any(v.outcome is Verdict.RIGHT for v in one.views if v.view == AUTHORITATIVE)
    ]


def lines(host: Look, records: Sequence[Record]) -> Iterator[str]:
    """What may be taken out, a line each; nothing where nothing is left."""
    for one in found(host, records):
        yield f"May be taken out: {one.record.owner} TXT. {one.record.why}"


def draft(record: Record, there: RecordSet) -> Draft | None:
    """The record taken out of its set; None where it is not there."""
    plain = {value: "".join(value.split('"')[1::2]) for value in there.values}
    ours = [value for value, text in plain.items() if meaning.says(record, text)]
    if not ours:
        return None
    return Draft(there, Edit(record.owner, "TXT", tuple(ours), (), TTL), foreign=False)
