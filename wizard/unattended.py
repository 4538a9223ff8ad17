"""plan, apply, probe, step by step, with nobody there; stops at the first gate that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from mailwizard import closing, gating, upgraded
from mailwizard.engine import Engine
from mailwizard.events import Event, Failed, Finished, Gate, ProbeDone, Waiting
from mailwizard.stages import StepPlan


def run(engine: Engine, step_ids: Sequence[str]) -> Iterator[Event]:
    """The whole run as events; the last one is Finished with the exit code."""
    engine.resolved()
    if plans := engine.standing(step_ids):
        yield from _confirmed(engine, plans)
        return
    yield from (renewed := Watched(_renewed(engine, step_ids)))
    if renewed.failed:
        yield Finished("", 1, "Stopped: what stands here could not be renewed.")
        return
    prepared, heard = False, list[ProbeDone]()
    for step_id in step_ids:
        if not prepared and engine.missing_packages([step_id]):
            prepared = True
            yield from (stopped := Watched(engine.prepare(step_ids)))
            if stopped.failed:
                said = f"Stopped before {step_id}: the packages could not be installed."
                yield Finished("", 1, said)
                return
        for events in (engine.apply(step_id), engine.probe(step_id)):
            yield from (stopped := Watched(events))
            if stopped.failed:
                said = f"Stopped at {step_id}: the steps after it were not begun."
                yield Finished(step_id, 1, said)
                return
            heard += stopped.heard
    yield from _asked_again(engine, heard, step_ids)


def _renewed(engine: Engine, step_ids: Sequence[str]) -> Iterator[Event]:
    """After an upgrade no step is judged before all daemons run again: they need each other."""
    standing = [step_id for step_id in step_ids if engine.journal.entries(step_id)]
    half = upgraded.half_done(engine, step_ids) if standing else ()
    if not half and not upgraded.since(engine):
        upgraded.remember(engine, step_ids)
        return
    yield Waiting("packages", upgraded.told(engine, half))
    runs = ([engine.prepare(step_ids)] if half else []), map(engine.apply, standing)
    for events in chain(*runs):
        yield from (watched := Watched(events))
        if watched.failed:
            return
    upgraded.remember(engine, step_ids)


def _asked_again(
    engine: Engine, heard: Sequence[ProbeDone], step_ids: Sequence[str]
) -> Iterator[Event]:
    """What a later step has made possible to ask is asked once more: the end is true."""
    again = gating.waiting(heard, step_ids)
    if not again:
        yield Finished("", 0, _done(heard))
        return
    rest = [one for one in heard if one not in again]
    yield from (watched := Watched(engine.probe_again(heard, again)))
    if watched.closed:
        said = f"Every step is applied, but the checks of {watched.closed} fail, asked once more."
        yield Finished(watched.closed, 1, said)
        return
    yield Finished("", 0, _done([*rest, *watched.heard], len(watched.heard)))


def _done(heard: Sequence[ProbeDone], again: int = 0) -> str:
    if said := closing.said(heard):
        told = f"Every step is applied and no check fails, but {said}"
        asked = f"{again} checks were asked once more at the end." if again else ""
        return " ".join(filter(None, (told, asked, closing.records_said(heard))))
    asked = f" {again} of them were asked once more at the end." if again else ""
    return f"Every step is applied and its checks hold.{asked}"


def _confirmed(engine: Engine, plans: Sequence[StepPlan]) -> Iterator[Event]:
    """Nothing is to be done: the steps need not wait for each other's verdicts."""
    yield from engine.affirm(plans)
    watched = Watched(engine.probe(*(plan.step.id for plan in plans)))
    yield from watched
    if closed := watched.closed:
        yield Finished(closed, 1, f"Nothing was to be changed, but the checks of {closed} fail.")
        return
    yield Finished("", 0, _done(watched.heard))


class Watched:
    """Passes events on; knows afterwards what was heard, what failed, the first closed gate."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self.failed = False
        self.closed = ""
        self.heard: list[ProbeDone] = []

    def __iter__(self) -> Iterator[Event]:
        for event in self._events:
            if isinstance(event, Gate) and not event.open:
                self.closed = self.closed or event.step
            self.failed = bool(self.closed) or self.failed or isinstance(event, Failed)
            if isinstance(event, ProbeDone):
                self.heard.append(event)
            yield event
