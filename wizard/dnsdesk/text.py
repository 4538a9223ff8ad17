"""The records as a table for people, as lines of a zone file, and for programs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dns.name

from mailwizard import show
from mailwizard.dnsdesk.look import Finding, View
from mailwizard.dnsdesk.servers import AUTHORITATIVE, Zone, absolute
from mailwizard.dnsdesk.verdict import Verdict, rdata
from mailwizard.model import Record

WORDS = {Verdict.RIGHT: "ok", Verdict.LATE: "wait", Verdict.UNKNOWN: "?"}
MOST_SHOWN = 6
LONGEST_SHOWN = 300
TTL = 3600
INDENT = " " * 6
_REVERSE = (dns.name.from_text("in-addr.arpa."), dns.name.from_text("ip6.arpa."))


def table(findings: Sequence[Finding], *, colour: bool = False) -> Iterator[str]:
    """Each record, what it is for, and below it what each server answers."""
    for found in findings:
        record = found.record
        word = WORDS.get(found.outcome) or ("FAIL" if found.failed else "warn")
        yield from show.marked(word, record.owner, colour=colour)
        for line in (f"{record.type}  {record.value}", record.why, *_remark(found)):
            yield from show.fold(line, first=INDENT)
        for view in found.views:
            yield from show.fold(f"{view.server}: {_said(view)}", first=f"{INDENT}- ")
        yield ""
    yield from show.fold(_summary(findings))


def _remark(found: Finding) -> Iterator[str]:
    views = [one for one in found.views if one.view == AUTHORITATIVE]
    right = sum(one.outcome is Verdict.RIGHT for one in views)
    if found.outcome is Verdict.LATE:
        yield "Right in the zone; not propagated yet: others still hold an older answer."
    elif found.outcome.bad and right:
        yield f"Right on {right} of the zone's {len(views)} servers only."
    elif found.outcome.bad and not found.record.required:
        yield "Better to have, not required."


def _said(view: View) -> str:
    if view.outcome is Verdict.RIGHT:
        return f"right, {view.note}" if view.note else "right"
    if view.outcome is Verdict.UNKNOWN:
        return f"not known; {view.note}"
    answer = [one[:LONGEST_SHOWN] + "…" * (len(one) > LONGEST_SHOWN) for one in view.answer]
    more = [f"{len(answer) - MOST_SHOWN} more"] if len(answer) > MOST_SHOWN else []
    what = ", ".join(answer[:MOST_SHOWN] + more) or "nothing"
    if view.view == AUTHORITATIVE:
        return f"has {what}"
    return f"says {what}, for up to {view.ttl} s more" if view.ttl else f"says {what}"


def _summary(findings: Sequence[Finding]) -> str:
    counts = Counter(one.outcome for one in findings)
    said = ", ".join(f"{counts[one]} {one}" for one in Verdict if counts[one]) or "none needed"
    text = f"{len(findings)} records: {said}."
    if any(one.outcome.bad for one in findings):
        text += "\nWhoever runs the zone adds what is missing: `mailwizard dns --zone` prints it."
        if any(one.outcome.bad and one.record.type == "PTR" for one in findings):
            text += "\nA PTR record is set by the provider of the address."
    return text


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The same for programs."""
    return {"records": [_entry(one) for one in findings]}


def _entry(found: Finding) -> dict[str, Any]:
    record = found.record
    views = [
        {
            "view": one.view,
            "server": one.server,
            "outcome": one.outcome,
            "answer": list(one.answer),
            "ttl": one.ttl,
            "note": one.note,
        }
        for one in found.views
    ]
    return {
        "owner": record.owner,
        "type": record.type,
        "value": record.value,
        "why": record.why,
        "required": record.required,
        "outcome": found.outcome,
        "views": views,
    }


def zone_text(records: Sequence[Record], zones: Mapping[str, Zone]) -> Iterator[str]:
    """Lines to add to the zones' files; each zone is named, or guessed where none was found."""
    groups: defaultdict[dns.name.Name, list[Record]] = defaultdict(list)
    known = set()
    for record in records:
        zone = zones.get(record.owner)
        if zone is not None and _is_somebodys(zone.name):
            known.add(zone.name)
            groups[zone.name].append(record)
        else:
            groups[guess(record.owner, records)].append(record)
    yield f"$TTL {TTL}"
    for name, inside in groups.items():
        hint = "" if name in known else " (a guess: the DNS does not tell it yet)"
        yield ""
        yield f"; zone {name.to_text(omit_final_dot=True)}{hint}"
        yield f"$ORIGIN {name}"
        for record in inside:
            yield from show.fold(record.why, first="; ", rest="; ")
            owner = absolute(record.owner).relativize(name)
            yield f"{owner} IN {record.type} {rdata(record).to_text()}"


def _is_somebodys(zone: dns.name.Name) -> bool:
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
