"""Probes asked side by side, their verdicts as they arrive; none may outlast its deadline (R26)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol, runtime_checkable

from mailwizard.errors import WizardError
from mailwizard.events import Event, ProbeDone, ProbeStarted
from mailwizard.model import Host, Outcome, Probe, Result
from mailwizard.platform.memory import SPARE, memory

GRACE = 1.0
# for those that are being asked when the run is stopped; a signal is raised again after two seconds
PARTING = 1.5
# All at once they would hold up the very logins that they judge, and everybody else's: Postfix
# gives up on Dovecot after ten seconds. But what only waits must not hold up the rest.
SIDE_BY_SIDE, PATIENCE = 8, 0.25

Answers = SimpleQueue[tuple[int, Result, float]]


@runtime_checkable
class Crowds(Protocol):
    """A probe for which a daemon starts many processes, so that it is asked last."""

    @property
    def crowds(self) -> bool: ...


@runtime_checkable
class Slow(Protocol):
    """A probe that is asked first: it waits for seconds on any host, or where others go before."""

    @property
    def slow(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """A probe that is being asked, since when, and when its time is over."""

    step: str
    probe: Probe
    begun: float

    @property
    def until(self) -> float:
        return self.begun + self.probe.deadline + GRACE


def ask_all(host: Host, probes: Sequence[tuple[str, Probe]]) -> Iterator[Event]:
    """For (step, probe): ProbeStarted for each, then ProbeDone in the order of the answers.

    Stopped before its end it leaves nothing on the host that was made to ask from.
    """
    threads: list[Thread] = []
    try:
        yield from _asking(host, probes, threads)
    except BaseException:
        # daemons end with the program, and what they would tidy up stays
        _part(host, threads)
        raise


def _part(host: Host, threads: Sequence[Thread]) -> None:
    from mailwizard.probes import vantage

    until = time.monotonic() + PARTING
    try:
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
    finally:
        vantage.release(host)


def _asking(
    host: Host, probes: Sequence[tuple[str, Probe]], threads: list[Thread]
) -> Iterator[Event]:
    for step, probe in probes:
        yield ProbeStarted(step, probe.id, probe.title, probe.by_hand)
    answers: Answers = SimpleQueue()
    # who waits on any host begins first, then whoever may wait longest, for mail; a crowd
    # last: of so many processes each question would come to another, which has nothing ready
    ahead = deque(sorted(enumerate(probes), key=_turn))
    asked: dict[int, _Asked] = {}
    begin = 0.0
    while ahead or asked:
        busy = sum(not isinstance(one.probe, Slow) for one in asked.values())
        due = busy < SIDE_BY_SIDE or time.monotonic() >= begin
        if ahead and due and (not asked or _has_room(host)):
            number, (step, probe) = ahead.popleft()
            asked[number] = _Asked(step, probe, time.monotonic())
            begin = time.monotonic() + PATIENCE
            # daemons: a probe that never returns must not hold up the end of the program, as the
            # threads of a pool would
            thread = Thread(target=_ask, args=(host, probe, number, answers), daemon=True)
            threads.append(thread)
            thread.start()
            continue
        # where memory is short each answer gives some back, and so do daemons a moment later
        again = max(begin, time.monotonic() + PATIENCE) if due else begin
        answer = _next(answers, asked, again if ahead else None)
        # an answer after the deadline comes too late
        if answer and answer[0] in asked:
            number, result, seconds = answer
            one = asked.pop(number)
            yield ProbeDone(
                one.step, one.probe.id, one.probe.title, one.probe.by_hand, result, seconds
            )


def _has_room(host: Host) -> bool:
    """Whether another question may be asked beside others: each makes daemons start processes."""
    found = memory(host)
    return not found.total or found.available > SPARE


def _turn(numbered: tuple[int, tuple[str, Probe]]) -> tuple[bool, bool, float]:
    """The smaller, the sooner it is asked."""
    probe = numbered[1][1]
    return isinstance(probe, Crowds), not isinstance(probe, Slow), -probe.deadline


def _next(
    answers: Answers, asked: dict[int, _Asked], at_most: float | None
) -> tuple[int, Result, float] | None:
    """The next answer, or "unknown" for the probe whose time is over first; None at that time."""
    number, first = min(asked.items(), key=lambda item: item[1].until)
    until = first.until if at_most is None else min(first.until, at_most)
    try:
        return answers.get(timeout=max(0.0, until - time.monotonic()))
    except Empty:
        if until < first.until:
            return None
        said = f"no verdict within {first.probe.deadline:.0f} s"
        late = Result(Outcome.UNKNOWN, said, fix="Try again, or ask by hand.")
        return number, late, time.monotonic() - first.begun


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
