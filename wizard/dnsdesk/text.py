"""The records as a table for people, as a zone file, and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from mailwizard import show
from mailwizard.dnsdesk.finding import Finding, View
from mailwizard.dnsdesk.form import form
from mailwizard.dnsdesk.how import REMEDY, How
from mailwizard.dnsdesk.verdict import Verdict
from mailwizard.model import Record
from mailwizard.probes.zones import AUTHORITATIVE

WORDS = {Verdict.RIGHT: "ok", Verdict.LATE: "wait", Verdict.UNKNOWN: "?"}
MOST_SHOWN = 6
LONGEST_SHOWN = 300
INDENT = " " * 6


def word(found: Finding) -> str:
    """The one word that says how a record stands."""
    if found.outcome is Verdict.RIGHT and found.how is How.SPLIT:
        return "warn"
    return WORDS.get(found.outcome) or ("FAIL" if found.failed else "warn")


def table(
    findings: Sequence[Finding], *, colour: bool = False, width: int = show.WIDTH
) -> Iterator[str]:
    """Each record, what it is for, and below it what each server answers."""
    records = [one.record for one in findings]
    for found in findings:
        yield from show.marked(word(found), found.record.owner, colour=colour, width=width)
        for line in lines(found, records):
            yield from show.fold(line, width, first=INDENT)
        for line in map(_heard, found.views):
            yield from show.fold(line, width, first=f"{INDENT}- ")
        yield ""
    yield from show.fold(summary(findings), width)


def lines(found: Finding, records: Sequence[Record]) -> Iterator[str]:
    """The record, what it is for, and where it is not right what to do."""
    record = found.record
    yield f"{record.type}  {record.value}"
    yield record.why
    if found.how is not How.NOTHING:
        yield f"{found.how[0].upper()}{found.how[1:]}. {REMEDY[found.how]}"
    if found.note:
        yield found.note
    if found.outcome.bad and not found.record.required:
        yield "Better to have, not required."
    if found.outcome.bad:
        entry = form(record, found.zone, records)
        yield f"In the zone {entry.zone}:  {entry.line}"


def described(found: Finding, records: Sequence[Record]) -> list[str]:
    """All that is known of one record, a paragraph each, for a screen that folds by itself."""
    entry = form(found.record, found.zone, records)
    owner = f"Name: {entry.relative} in the zone {entry.zone}, in full {entry.owner}"
    strings = [f"String {n}: {text}" for n, text in enumerate(entry.chunks, 1)]
    parts = strings if len(strings) > 1 else []
    line = [] if found.outcome.bad else [f"In the zone {entry.zone}:  {entry.line}"]
    return [owner, *lines(found, records), *line, *parts, *map(_heard, found.views)]


def _heard(view: View) -> str:
    return f"{view.server}: {said(view)}"


def said(view: View) -> str:
    """What one server answers, in words."""
    if view.outcome is Verdict.RIGHT:
        return f"right, {view.note}" if view.note else "right"
    if view.outcome is Verdict.UNKNOWN:
        return f"not known; {view.note}"
    answer = [one[:LONGEST_SHOWN] + "…" * (len(one) > LONGEST_SHOWN) for one in view.answer]
    more = [f"{len(answer) - MOST_SHOWN} more"] if len(answer) > MOST_SHOWN else []
    what = ", ".join(answer[:MOST_SHOWN] + more) or "nothing"
    named = "; ".join(filter(None, (view.how, view.note)))
    named = f" ({named})" if named else ""
    if view.view == AUTHORITATIVE:
        return f"has {what}{named}"
    kept = f", for up to {view.ttl} s more" if view.ttl else ""
    return f"says {what}{kept}{named}"


def summary(findings: Sequence[Finding]) -> str:
    """How many stand how, and who can do something about it."""
    counts = Counter(one.outcome for one in findings)
    counted = ", ".join(f"{counts[one]} {one}" for one in Verdict if counts[one]) or "none needed"
    text = f"{len(findings)} records: {counted}."
    if any(one.outcome.bad for one in findings):
        text += "\nWhoever runs the zone adds what is missing: `mailwizard dns --zone` prints it."
        if any(one.outcome.bad and one.record.type == "PTR" for one in findings):
            text += "\nA PTR record is set by the provider of the address."
    return text


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The same for programs."""
    records = [one.record for one in findings]
    return {"records": [_entry(one, records) for one in findings]}


def _entry(found: Finding, records: Sequence[Record]) -> dict[str, Any]:
    record = found.record
    entry = form(record, found.zone, records)
    return {
        "owner": record.owner,
        "absolute": entry.owner,
        "relative": entry.relative,
        "zone": entry.zone,
        "zone_known": entry.known,
        "type": record.type,
        "value": record.value,
        "chunks": list(entry.chunks),
        "line": entry.line,
        "why": record.why,
        "required": record.required,
        "outcome": found.outcome,
        "how": found.how,
        "note": found.note,
        "views": [_view(one) for one in found.views],
    }


def _view(view: View) -> dict[str, Any]:
    return {
        "view": view.view,
        "server": view.server,
        "outcome": view.outcome,
        "how": view.how,
        "answer": list(view.answer),
        "ttl": view.ttl,
        "note": view.note,
    }
