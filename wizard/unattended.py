"""plan, apply, probe, step by step, with nobody there; stops at the first gate that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailwizard import show
from mailwizard.engine import Engine
from mailwizard.events import Event, Failed, Finished, Gate, ProbeDone
from mailwizard.stages import StepPlan


def run(engine: Engine, step_ids: Sequence[str]) -> Iterator[Event]:
    """The whole run as events; the last one is Finished with the exit code."""
    engine.resolved()
    if plans := engine.standing(step_ids):
        yield from _confirmed(engine, plans)
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
    yield Finished("", 0, _done(heard))


def _done(heard: Sequence[ProbeDone]) -> str:
    if said := show.not_asked(heard):
        return f"Every step is applied and no check fails, but {said}"
    return "Every step is applied and its checks hold."


def _confirmed(engine: Engine, plans: Sequence[StepPlan]) -> Iterator[Event]:
    """Nothing is to be done: the steps need not wait for each other's verdicts."""
    closed = ""
    yield from engine.affirm(plans)
    watched = Watched(engine.probe(*(plan.step.id for plan in plans)))
    for event in watched:
        if isinstance(event, Gate) and not event.open:
            closed = closed or event.step
        yield event
    if closed:
        yield Finished(closed, 1, f"Nothing was to be changed, but the checks of {closed} fail.")
        return
    yield Finished("", 0, _done(watched.heard))


class Watched:
    """Passes events on, and knows afterwards what was heard and whether something failed."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self.failed = False
        self.heard: list[ProbeDone] = []

    def __iter__(self) -> Iterator[Event]:
        for event in self._events:
            closed = isinstance(event, Gate) and not event.open
            self.failed = self.failed or closed or isinstance(event, Failed)
            if isinstance(event, ProbeDone):
                self.heard.append(event)
            yield event
