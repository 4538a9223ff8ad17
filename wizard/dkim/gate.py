"""The gate before a new key: nobody may be asked about it who does not know it."""

from __future__ import annotations

from collections.abc import Sequence

from mailwizard.dnsdesk.finding import Finding
from mailwizard.dnsdesk.nearby import findings
from mailwizard.dnsdesk.text import said
from mailwizard.dnsdesk.verdict import Verdict
from mailwizard.model import Look, Record
from mailwizard.probes.dkimcheck import tags
from mailwizard.probes.zones import AUTHORITATIVE, OWN


def closed(found: Sequence[Finding]) -> str:
    """The first server that does not answer right, or does not answer; empty when all do."""
    for one in found:
        views = [view for view in one.views if view.view in (AUTHORITATIVE, OWN)]
        for view in views:
            if view.outcome is not Verdict.RIGHT:
                return f"{one.record.owner} TXT is not right for all: {view.server}: {said(view)}"
        for kind, name in ((AUTHORITATIVE, "server of the zone"), (OWN, "resolver of this host")):
            if not any(view.view == kind for view in views):
                return f"{one.record.owner} TXT: no {name} was asked"
    return ""


def foreign(host: Look, owners: Sequence[str]) -> str:
    """Why a name is not free: it holds a key already, or that cannot be told; empty if free."""
    records = [Record(owner, "TXT", "v=DKIM1; k=rsa; p=", "a new key") for owner in owners]
    for one in findings(host, records):
        views = [view for view in one.views if view.view == AUTHORITATIVE]
        answers = [text for view in views for text in view.answer]
        if any("p" in tags(text) for text in answers):
            return f"{one.record.owner} exists already, with another key"
        if not any(view.outcome is not Verdict.UNKNOWN for view in views):
            notes = "; ".join(view.note for view in views if view.note)
            return f"whether {one.record.owner} is free cannot be told: {notes or 'no answer'}"
    return ""
