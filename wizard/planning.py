"""What a step would change as things stand, and what was edited by hand since (R13)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailwizard import elsewhere, former, gone, keeping, rights, transaction
from mailwizard.errors import BadAnswer, BadUsage
from mailwizard.events import AlreadySo, Event, StepStarted
from mailwizard.journal import OUTDATED, Entry, GateRecord, Journal
from mailwizard.model import (
    Change,
    Context,
    Host,
    Look,
    Preview,
    SecretRef,
    Step,
    TakesSecrets,
)
from mailwizard.stages import Drift, PlanItem, State, StepPlan, StepStatus
from mailwizard.subjects import path_of

# what is due after other changes of its step: after any, or after those that stand before it
_FOLLOWING = ("*", "<")


@dataclass(frozen=True, slots=True)
class Pending:
    """A change of a step, whether it is due, and how it drifted."""

    change: Change
    due: bool
    drift: Drift | None


@dataclass(frozen=True, slots=True)
class _Past:
    """What the journal has of a step, read once: a step may have a change for each account."""

    entries: Sequence[Entry]
    by_title: Mapping[str, Sequence[Entry]]
    ours: Mapping[str, str]
    keeps: bool

    @classmethod
    def of(cls, journal: Journal, step: str) -> _Past:
        entries = journal.entries(step)
        by_title: dict[str, list[Entry]] = {}
        for entry in entries:
            by_title.setdefault(entry.title, []).append(entry)
        keeps = any(entry.state == keeping.KEPT for entry in journal.entries())
        return cls(entries, by_title, journal.left_behind(), keeps)

    def cut_short(self, title: str) -> bool:
        """True when the newest try of this change never got to its end."""
        tries = self.by_title.get(title, ())
        return bool(tries) and tries[-1].state == "intent"

    def behind(self, change: Change, plan: Sequence[Change]) -> bool:
        """True when what it follows was changed after the last time that it was made."""
        if not change.follows:
            return False
        made = (e.id for e in self.by_title.get(change.title, ()) if e.state == "done")
        served = max(made, default=0)
        entries = [e for e in self.entries if e.id > served and e.state != keeping.KEPT]
        if change.follows in _FOLLOWING:
            # what follows others does not make its like due
            led = {each.title for each in plan if each.follows in _FOLLOWING}
            later = plan[plan.index(change) :] if change.follows == "<" else ()
            led |= {each.title for each in later}
            return any(e.title not in led for e in entries)
        return any(change.follows in map(path_of, e.subjects) for e in entries)


def pending(journal: Journal, context: Context, step: Step) -> list[Pending]:
    """All changes of the step in order; one that follows is due when what it follows is."""
    found: list[Pending] = []
    touched: set[str] = set()
    left = rights.left_behind(journal)
    cleared = (former.cleared(journal, change) for change in step.plan(context))
    planned = gone.with_gone(journal, step.id, cleared)
    changes = [rights.as_left(context.look, change, left) for change in planned]
    past = _Past.of(journal, step.id)
    for change in changes:
        due = past.cut_short(change.title) or change.follows in touched
        if change.follows in _FOLLOWING:
            due = due or any(i.due and i.change.follows not in _FOLLOWING for i in found)
        due = due or past.behind(change, changes)
        # last, since it asks the host
        due = due or change.needed(context.look)
        drift = _drift(past.ours, context.look, change) if due else None
        item = Pending(change, due, drift)
        # what is kept as somebody edited it is not made, and nothing follows it
        if past.keeps and _kept(journal, context.look, item):
            continue
        if due:
            touched |= _paths(context.look, [change])
        found.append(item)
    return found


def plan(journal: Journal, context: Context, step: Step) -> StepPlan:
    """The step's changes with their previews."""
    items = (
        PlanItem(
            item.change.title,
            item.due,
            item.change.preview(context.look) if item.due else Preview(""),
            item.drift,
        )
        for item in pending(journal, context, step)
    )
    labels = {question.name: question.label for question in step.questions}
    found = reasons(context, step)
    return StepPlan(step, tuple(items), tuple(f"{labels[n]}: {why}" for n, why in found.items()))


def reasons(context: Context, step: Step) -> dict[str, str]:
    """Question -> why its default is what it is on this host."""
    found = ((question.name, question.reason(context)) for question in step.questions)
    return {name: why for name, why in found if why}


def need_secrets(
    steps: Iterable[Step], answers: Mapping[str, Mapping[str, Any]], host: Host
) -> None:
    """What these steps are about to read as secrets can be read; raises BadAnswer."""
    for step in steps:
        places = {name: list(_places(value)) for name, value in answers[step.id].items()}
        if not any(places.values()):
            continue
        for change in step.plan(Context(step.id, answers, host)):
            if not isinstance(change, TakesSecrets) or not change.needed(host):
                continue
            for ref in change.secrets:
                try:
                    host.secret(ref)
                except BadUsage as wrong:
                    name = next(name for name, refs in places.items() if ref in refs)
                    key = f"{step.id}.{name}"
                    raise BadAnswer(key, wrong.message, hint=wrong.hint) from None


def need_undone(journal: Journal, steps: Iterable[Step], wanted: Sequence[Step]) -> None:
    """None of the steps that are switched off stands on this host; raises BadUsage."""
    standing = [step.id for step in steps if step not in wanted and journal.entries(step.id)]
    if not standing:
        return
    verb, those = ("is", "it") if len(standing) == 1 else ("are", "them")
    raise BadUsage(
        f"{', '.join(standing)} {verb} switched off in the answers but still set up on this host",
        hint=f"Undo {those} first: mailwizard undo {' '.join(standing)}",
    )


def _places(value: Any) -> Iterator[SecretRef]:
    """The secrets that an answer points to, wherever in it."""
    if isinstance(value, SecretRef):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _places(part)


def _drift(ours: Mapping[str, str], look: Look, change: Change) -> Drift | None:
    """Parts the change would write that are not as we left them."""
    theirs: dict[str, str] = {}
    for subject in change.subjects(look):
        theirs.update(subject.parts(subject.capture(look)))
    parts = [part for part, value in theirs.items() if part in ours and ours[part] != value]
    if not parts:
        return None
    preview = change.preview(look)
    return Drift(
        parts=tuple(parts),
        ours="\n".join(f"{part}: {ours[part] or '(absent)'}" for part in parts),
        theirs="\n".join(f"{part}: {theirs[part] or '(absent)'}" for part in parts),
        wanted=preview.text,
        diff=preview.text,
    )


def _kept(journal: Journal, look: Look, item: Pending) -> bool:
    """True when the administrator chose to keep these very edits."""
    edited = item.due and item.drift is None and not item.change.follows
    return edited and keeping.is_kept(journal, look, item.change)


def told(journal: Journal, look: Look, missing: Iterable[str]) -> list[str]:
    """What becomes of mail of a server before Postfix, and settings of others that stay."""
    subjects = [subject for entry in journal.entries() for subject in entry.subjects]
    ours = {name for one in subjects if one.kind == "main.cf" for name in json.loads(one.name)[1]}
    return [*transaction.mail_left(look, missing), *elsewhere.told(look, ours)]


def kept(journal: Journal, context: Context, step: Step) -> tuple[str, ...]:
    """Titles of the changes that give way to edits which the administrator keeps."""
    made = {item.change.title for item in pending(journal, context, step)}
    return tuple(c.title for c in step.plan(context) if c.title not in made)


def _paths(look: Look, changes: Iterable[Change]) -> set[str]:
    """The files that these changes write."""
    return {path_of(subject) for change in changes for subject in change.subjects(look)} - {""}


def status(journal: Journal, look: Look, step: Step, enabled: bool) -> StepStatus:
    """Where the step stands, from the journal and from what is on disk now."""
    entries = journal.entries(step.id)
    # what was set up and is switched off now stands until it is undone
    if not enabled and not entries:
        return StepStatus(step.id, State.SKIPPED)
    gate = journal.last_gate(step.id)
    if (not entries and gate is None) or _unfinished(entries, gate):
        return StepStatus(step.id, State.PENDING)
    since = max([e.at for e in entries] + ([gate.at] if gate else []))
    if _drifted(journal, look, step.id):
        return StepStatus(step.id, State.DRIFTED, since)
    outdated = gate is not None and gate.open and gate.outcome == OUTDATED
    if gate is None or outdated or any(e.id > gate.entry for e in entries):
        return StepStatus(step.id, State.APPLIED, since)
    return StepStatus(step.id, State.VERIFIED if gate.open else State.FAILED, since)


def outdate(journal: Journal, steps: Sequence[Step], first: str) -> None:
    """An answer of this step changed: it and those after it have to show anew that they hold."""
    ids = [step.id for step in steps]
    for step_id in ids[ids.index(first) :]:
        journal.outdate(step_id)


def outdate_changed(
    journal: Journal,
    steps: Sequence[Step],
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
) -> None:
    """All answers were given anew: the first step whose answers differ, and those after it."""
    changed = (step.id for step in steps if before.get(step.id, {}) != after.get(step.id, {}))
    if (first := next(changed, None)) is not None:
        outdate(journal, steps, first)


def dependents(journal: Journal, steps: Sequence[Step], step_ids: Iterable[str]) -> tuple[str, ...]:
    """Applied steps that were built on these and would have to be undone with them."""
    named = set(step_ids)
    gone = set(named)
    for step in steps:
        if gone & set(step.needs) and journal.entries(step.id):
            gone.add(step.id)
    return tuple(step.id for step in steps if step.id in gone - named)


def affirmed(plans: Iterable[StepPlan]) -> Iterator[Event]:
    """Of each change of these plans, that it is there."""
    for plan in plans:
        yield StepStarted(plan.step.id, plan.step.title)
        yield from (AlreadySo(plan.step.id, item.title) for item in plan.items)


def _unfinished(entries: Sequence[Entry], gate: GateRecord | None) -> bool:
    """True when a change was cut short, and neither made again since nor followed by a verdict.

    The cut short entry itself stays: its before-image is the one to go back to.
    """
    newest = {entry.title: entry for entry in entries}
    judged = gate.entry if gate else 0
    return any(e.state == "intent" and e.id > judged for e in newest.values())


def _drifted(journal: Journal, look: Look, step: str) -> bool:
    ours = journal.left_behind()
    for subject in {
        (s.kind, s.name): s for e in journal.entries(step) for s in e.subjects
    }.values():
        now = subject.parts(subject.capture(look))
        if any(part in ours and ours[part] != value for part, value in now.items()):
            return True
    return False
