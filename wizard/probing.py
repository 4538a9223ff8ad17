"""Probes asked all at once, their verdicts as they arrive; none may outlast its deadline (R26)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

from mailwizard.errors import WizardError
from mailwizard.events import Event, ProbeDone, ProbeStarted
from mailwizard.model import Host, Outcome, Probe, Result

GRACE = 1.0

Answers = SimpleQueue[tuple[int, Result, float]]


def ask_all(host: Host, probes: Sequence[tuple[str, Probe]]) -> Iterator[Event]:
    """For (step, probe): ProbeStarted for each, then ProbeDone in the order of the answers."""
    for step, probe in probes:
        yield ProbeStarted(step, probe.id, probe.title, probe.by_hand)
    answers: Answers = SimpleQueue()
    begun = time.monotonic()
    waiting = dict(enumerate(probes))
    for number, (_, probe) in waiting.items():
        # daemons: a probe that never returns must not hold up the end of the program, as the
        # threads of a pool would
        Thread(target=_ask, args=(host, probe, number, answers), daemon=True).start()
    while waiting:
        number, result, seconds = _next(answers, begun, waiting)
        # an answer after the deadline comes too late
        if number in waiting:
            step, probe = waiting.pop(number)
            yield ProbeDone(step, probe.id, probe.title, probe.by_hand, result, seconds)


def _next(
    answers: Answers, begun: float, waiting: dict[int, tuple[str, Probe]]
) -> tuple[int, Result, float]:
    """The next answer, or "unknown" for the probe whose time is over first."""
    number, (_, probe) = min(waiting.items(), key=lambda item: item[1][1].deadline)
    left = begun + probe.deadline + GRACE - time.monotonic()
    try:
        return answers.get(timeout=max(0.0, left))
    except Empty:
        said = f"no verdict within {probe.deadline:.0f} s"
        late = Result(Outcome.UNKNOWN, said, fix="Try again, or ask by hand.")
        return number, late, time.monotonic() - begun


def _ask(host: Host, probe: Probe, number: int, answers: Answers) -> None:
    begun = time.monotonic()
    try:
        result = probe.ask(host)
    except WizardError as failed:
        result = Result(Outcome.UNKNOWN, f"could not ask: {failed.message}", fix=failed.hint)
    except Exception as failed:
        # a bug in one probe is one unknown verdict, not the end of the walk
        result = Result(Outcome.UNKNOWN, f"could not ask: {type(failed).__name__}: {failed}")
    answers.put((number, result, time.monotonic() - begun))
