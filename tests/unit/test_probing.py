"""Probes are asked side by side; none outlasts its deadline or breaks or holds up the walk."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from support.clocks import HUNG, Clock, Queue
from support.toys import ToyHost, ToyProbe

from mailwizard import probing
from mailwizard.errors import HostRefused
from mailwizard.events import ProbeDone, ProbeStarted
from mailwizard.model import Outcome, Result
from mailwizard.platform.memory import SPARE, Memory
from mailwizard.probes import vantage
from mailwizard.probing import GRACE, PATIENCE, SIDE_BY_SIDE, ask_all


@pytest.fixture
def host(tmp_path: Path) -> ToyHost:
    return ToyHost(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that probes are given, which passes only where a test says so."""
    clock = Clock()
    monkeypatch.setattr(probing, "time", clock)
    return clock


@pytest.fixture
def answers(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """Where the answers are waited for."""
    answers = Queue(clock)
    monkeypatch.setattr(probing, "SimpleQueue", lambda: answers)
    return answers


def verdicts(
    host: ToyHost, *probes: ToyProbe, heard: Callable[[ProbeDone], object] = lambda _: None
) -> list[ProbeDone]:
    """Ask them all; `heard` is told of each verdict before the next is waited for."""
    started, done = [], []
    for event in ask_all(host, [("step", probe) for probe in probes]):
        if isinstance(event, ProbeStarted):
            started.append(event.id)
        elif isinstance(event, ProbeDone):
            done.append(event)
            heard(event)
    assert started == [probe.id for probe in probes]
    return done


def test_nothing_to_ask(host: ToyHost) -> None:
    assert verdicts(host) == []


def test_verdicts_come_in_the_order_of_the_answers(host: ToyHost, answers: Queue) -> None:
    quick_is_heard, both = threading.Event(), threading.Barrier(2, timeout=HUNG)

    def later() -> Result:
        both.wait()
        assert quick_is_heard.wait(HUNG)
        return Result(Outcome.PASS, "late")

    probes = (ToyProbe("later", later), ToyProbe("later", later), ToyProbe("quick"))
    found = verdicts(host, *probes, heard=lambda _: quick_is_heard.set())
    assert [event.id for event in found] == ["quick", "later", "later"]
    assert [event.result.outcome for event in found] == [Outcome.PASS] * 3


def test_a_probe_that_never_returns_is_unknown_in_time(
    host: ToyHost, clock: Clock, answers: Queue
) -> None:
    stop, returned = threading.Event(), threading.Event()

    def never() -> Result:
        stop.wait(HUNG)
        returned.set()
        return Result(Outcome.PASS, "too late")

    def heard(event: ProbeDone) -> None:
        if event.id == "quick":
            clock.pass_by(3 + GRACE)

    found = verdicts(host, ToyProbe("never", never, deadline=3), ToyProbe("quick"), heard=heard)
    assert not returned.is_set()
    stop.set()
    assert [(event.id, event.result.outcome, event.seconds) for event in found] == [
        ("quick", Outcome.PASS, 0),
        ("never", Outcome.UNKNOWN, 3 + GRACE),
    ]
    assert "no verdict within 3 s" in found[1].result.said


def test_a_probe_has_all_its_time(host: ToyHost, clock: Clock, answers: Queue) -> None:
    def slow() -> Result:
        answers.until_waited_for()
        clock.pass_by(3)
        return Result(Outcome.PASS, "just in time")

    (found,) = verdicts(host, ToyProbe("slow", slow, deadline=3))
    assert (found.result.outcome, found.seconds) == (Outcome.PASS, 3)


def test_an_answer_after_the_deadline_does_not_count(
    host: ToyHost, clock: Clock, answers: Queue
) -> None:
    over, asked = threading.Event(), []

    def late() -> Result:
        asked.append(threading.current_thread())
        answers.until_waited_for()
        clock.pass_by(GRACE)
        assert over.wait(HUNG)
        return Result(Outcome.PASS, "too late")

    def patient() -> Result:
        assert over.wait(HUNG)
        asked[0].join(HUNG)
        return Result(Outcome.PASS, "after it")

    probes = ToyProbe("late", late, deadline=0), ToyProbe("patient", patient)
    found = verdicts(host, *probes, heard=lambda _: over.set())
    assert [(event.id, event.result.outcome) for event in found] == [
        ("late", Outcome.UNKNOWN),
        ("patient", Outcome.PASS),
    ]


def test_so_many_are_asked_at_once_and_no_more(host: ToyHost, answers: Queue) -> None:
    together, lock, ended = threading.Barrier(SIDE_BY_SIDE, timeout=HUNG), threading.Lock(), 0
    free: list[int] = []

    def busy() -> Result:
        nonlocal ended
        with lock:
            free.append(ended)
        together.wait()
        # by then all are being asked that are asked without waiting
        answers.until_waited_for()
        with lock:
            ended += 1
        return Result(Outcome.PASS, "done")

    found = verdicts(host, *(ToyProbe(f"busy{n}", busy) for n in range(3 * SIDE_BY_SIDE)))
    assert [event.result.said for event in found] == ["done"] * 3 * SIDE_BY_SIDE
    # whoever comes later takes the place of one that has ended
    assert all(gone > number - SIDE_BY_SIDE for number, gone in enumerate(sorted(free)))


def test_those_that_only_wait_do_not_hold_up_the_rest(
    host: ToyHost, clock: Clock, answers: Queue
) -> None:
    stop, all_asked = threading.Event(), threading.Barrier(SIDE_BY_SIDE, timeout=HUNG)

    def waiting() -> Result:
        if all_asked.wait() == 0:
            answers.until_waited_for()
            clock.pass_by(PATIENCE)
        return Result(Outcome.PASS, "at last" if stop.wait(HUNG) else "nobody else was asked")

    def ends_the_waiting() -> Result:
        stop.set()
        return Result(Outcome.PASS, "asked meanwhile")

    slow_ones = [ToyProbe(f"slow{n}", waiting) for n in range(SIDE_BY_SIDE)]
    found = verdicts(host, *slow_ones, ToyProbe("last", ends_the_waiting))
    assert {event.result.said for event in found} == {"at last", "asked meanwhile"}


def test_the_time_of_a_probe_begins_when_it_is_asked(
    host: ToyHost, clock: Clock, answers: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "PATIENCE", 60)
    all_asked = threading.Barrier(SIDE_BY_SIDE, lambda: clock.pass_by(GRACE + 20), HUNG)

    def slow() -> Result:
        all_asked.wait()
        return Result(Outcome.PASS, "done")

    def last() -> Result:
        answers.until_waited_for()
        return Result(Outcome.PASS, "in its own time")

    ahead = [ToyProbe(f"slow{n}", slow, deadline=30) for n in range(SIDE_BY_SIDE)]
    found = verdicts(host, *ahead, ToyProbe("last", last, deadline=0))
    assert {event.id: event.result.outcome for event in found}["last"] is Outcome.PASS


@pytest.mark.parametrize(
    "error", [ValueError("boom"), HostRefused("no way", hint="try"), RecursionError("deep")]
)
def test_a_probe_that_raises_is_unknown(host: ToyHost, error: Exception) -> None:
    def raising() -> Result:
        raise error

    found = verdicts(host, ToyProbe("broken", raising), ToyProbe("well"))
    broken, well = sorted(found, key=lambda event: event.id)
    assert broken.result.outcome is Outcome.UNKNOWN
    assert "could not ask" in broken.result.said
    assert str(error) in broken.result.said
    assert well.result.outcome is Outcome.PASS


class Joined(threading.Thread):
    """A thread that knows when somebody waits for its end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.awaited = threading.Event()

    def join(self, timeout: float | None = None) -> None:
        self.awaited.set()
        super().join(timeout)


def stopped(host: ToyHost, probe: ToyProbe) -> None:
    """A run that is stopped after its first verdict, while this is being asked."""
    events = ask_all(host, [("step", probe), ("step", ToyProbe("quick"))])
    assert isinstance(events, Generator)
    next(event for event in events if isinstance(event, ProbeDone))
    events.close()


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The hosts on which nothing is left that was made to ask from."""
    released: list[object] = []
    monkeypatch.setattr(vantage, "release", released.append)
    return released


def test_a_run_that_is_stopped_leaves_nothing_that_it_asked_from(
    host: ToyHost, released: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "Thread", Joined)
    monkeypatch.setattr(probing, "PARTING", HUNG)
    left: list[int] = []

    def tidies_up() -> Result:
        thread = threading.current_thread()
        assert isinstance(thread, Joined)
        assert thread.awaited.wait(HUNG)
        left.append(len(released))
        return Result(Outcome.PASS, "done")

    assert verdicts(host, ToyProbe("quick"))
    assert released == []
    stopped(host, ToyProbe("tidies", tidies_up))
    assert left == [0]
    assert released == [host]


def test_a_probe_that_never_returns_does_not_hold_up_a_run_that_is_stopped(
    host: ToyHost, released: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "PARTING", 0.1)
    stop, returned = threading.Event(), threading.Event()

    def never() -> Result:
        stop.wait(HUNG)
        returned.set()
        return Result(Outcome.PASS, "too late")

    stopped(host, ToyProbe("never", never))
    assert not returned.is_set()
    stop.set()
    assert released == [host]


def test_a_probe_that_never_returns_does_not_hold_up_the_end_of_the_program(
    tmp_path: Path,
) -> None:
    program = (
        "import threading\n"
        "from pathlib import Path\n"
        "from mailwizard import probing\n"
        "from support.toys import ToyHost, ToyProbe\n"
        "probing.GRACE = 0\n"
        "never = ToyProbe('never', lambda: threading.Event().wait(), deadline=0.1)\n"
        f"events = list(probing.ask_all(ToyHost(Path({str(tmp_path)!r})), [('s', never)]))\n"
        "assert events[-1].result.outcome == 'unknown'\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=HUNG)


def test_where_memory_is_short_they_are_asked_one_by_one(
    host: ToyHost, clock: Clock, answers: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [SPARE]
    monkeypatch.setattr(probing, "memory", lambda _: Memory(4 * SPARE, free[0]))
    lock, now, most = threading.Lock(), 0, 0

    def ask() -> Result:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        answers.until_waited_for()
        with lock:
            now -= 1
        return Result(Outcome.PASS, "alone")

    found = verdicts(host, *(ToyProbe(f"p{n}", ask) for n in range(5)))
    assert [event.result.said for event in found] == ["alone"] * 5
    assert most == 1
