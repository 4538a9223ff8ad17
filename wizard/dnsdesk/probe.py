"""The desk as a probe of every step that needs records: DNS-16."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.closing import RECORDS
from mailwizard.dnsdesk.finding import Finding
from mailwizard.dnsdesk.form import form
from mailwizard.dnsdesk.how import REMEDY, How
from mailwizard.dnsdesk.look import look
from mailwizard.dnsdesk.text import table
from mailwizard.dnsdesk.verdict import Verdict
from mailwizard.model import Host, Record, Result
from mailwizard.probes.verdict import passed, unknown, warned
from mailwizard.probes.zones import Where

# what the world's resolvers remember is shown by `mailwizard dns`; a gate does not wait for them
NEAR = Where(public=())
_OWNER = "Whoever runs the zone, or `mailwizard dns --publish`; the provider for a PTR record."


@dataclass(frozen=True, slots=True)
class RecordsPublished:
    """Each record that the step requires stands in its zone, and this host's resolver has it.

    A step cannot mend a zone: the worst verdict is a warning.
    """

    step: str
    records: tuple[Record, ...]
    where: Where = NEAR
    title: ClassVar[str] = "The DNS holds what this step needs"
    deadline: ClassVar[float] = 15.0
    critical: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return f"{RECORDS}:{self.step}"

    @property
    def by_hand(self) -> str:
        asked = dict.fromkeys((one.owner, one.type) for one in self.records)
        return "; ".join(f"dig +noall +answer {shlex.quote(o)}. {kind}" for o, kind in asked)

    def ask(self, host: Host) -> Result:
        found = look(host, self.records, self.where)
        heard = tuple(table(found))
        required = [one for one in found if one.record.required]
        bad = [one for one in required if one.failed or one.outcome is Verdict.LATE]
        if bad:
            lines = "; ".join(form(one.record, one.zone, self.records).line for one in bad)
            return warned(_said(bad), lines, f"{_remedy(bad[0])} {_OWNER}", heard)
        if silent := [one for one in required if one.outcome is Verdict.UNKNOWN]:
            notes = [view.note for one in silent for view in one.views if view.note]
            said = f"{_named(silent)}: {notes[0] if notes else 'nobody answers'}"
            return unknown(said, "an answer", "Nothing is proved: mend what is named.", heard)
        return passed(_right(found, required), heard)


def _right(found: Sequence[Finding], required: Sequence[Finding]) -> str:
    advised = [one for one in found if one not in required and one.outcome is not Verdict.RIGHT]
    said = f"{_named(required)}: right at every server" if required else "nothing is required"
    return f"{said}; better to have: {_named(advised)}" if advised else said


def _said(bad: Sequence[Finding]) -> str:
    return "; ".join(f"{_named([one])} is {_state(one)}" for one in bad)


def _state(one: Finding) -> str:
    ends = [view.ttl for view in one.views if view.how is How.CACHED and view.ttl]
    kept = f", for up to {max(ends)} s" if ends else ""
    return f"{one.outcome} ({one.how}{kept})" if one.how else str(one.outcome)


def _remedy(one: Finding) -> str:
    return REMEDY.get(one.how, "Publish it.")


def _named(found: Sequence[Finding]) -> str:
    return ", ".join(f"{one.record.owner} {one.record.type}" for one in found)
