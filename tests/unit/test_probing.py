"""Probes are asked side by side; none outlasts its deadline or breaks or holds up the walk."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from support.toys import ToyHost, ToyProbe

from mailwizard import probing
from mailwizard.errors import HostRefused
from mailwizard.events import ProbeDone, ProbeStarted
from mailwizard.model import Outcome, Result
from mailwizard.probes import vantage
from mailwizard.probing import GRACE, SIDE_BY_SIDE, ask_all


@pytest.fixture
def host(tmp_path: Path) -> ToyHost:
    return ToyHost(tmp_path)


def verdicts(host: ToyHost, *probes: ToyProbe) -> list[ProbeDone]:
    events = list(ask_all(host, [("step", probe) for probe in probes]))
    started = [event.id for event in events if isinstance(event, ProbeStarted)]
    assert started == [probe.id for probe in probes]
    return [event for event in events if isinstance(event, ProbeDone)]


def slow(seconds: float) -> Result:
    time.sleep(seconds)
    return Result(Outcome.PASS, "late")


def test_nothing_to_ask(host: ToyHost) -> None:
    assert verdicts(host) == []


def test_verdicts_come_in_the_order_of_the_answers(host: ToyHost) -> None:
    begun = time.monotonic()
    quick, later = ToyProbe("quick"), ToyProbe("later", lambda: slow(0.3))
    assert [event.id for event in verdicts(host, later, later, quick)] == [
        "quick",
        "later",
        "later",
    ]
    assert time.monotonic() - begun < 0.6


def test_a_probe_that_never_returns_is_unknown_in_time(host: ToyHost) -> None:
    stop = threading.Event()

    def never() -> Result:
        stop.wait(20)
        return Result(Outcome.PASS, "too late")

    begun = time.monotonic()
    found = verdicts(host, ToyProbe("never", never, deadline=0.1), ToyProbe("quick"))
    assert time.monotonic() - begun < 0.1 + GRACE + 0.5
    stop.set()
    assert [(event.id, event.result.outcome) for event in found] == [
        ("quick", Outcome.PASS),
        ("never", Outcome.UNKNOWN),
    ]
    assert "no verdict within" in found[1].result.said


def test_an_answer_after_the_deadline_does_not_count(host: ToyHost) -> None:
    late = ToyProbe("late", lambda: slow(1.2), deadline=0)
    patient = ToyProbe("patient", lambda: slow(1.5), deadline=5)
    found = verdicts(host, late, patient)
    assert [(event.id, event.result.outcome) for event in found] == [
        ("late", Outcome.UNKNOWN),
        ("patient", Outcome.PASS),
    ]


def test_so_many_are_asked_at_once_and_no_more(
    host: ToyHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "PATIENCE", 60)
    lock, now, most = threading.Lock(), 0, 0
    together = threading.Barrier(SIDE_BY_SIDE, timeout=20)

    def busy() -> Result:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait()
        time.sleep(0.1)
        with lock:
            now -= 1
        return Result(Outcome.PASS, "done")

    found = verdicts(
        host, *(ToyProbe(f"busy{n}", busy, deadline=30) for n in range(3 * SIDE_BY_SIDE))
    )
    assert [event.result.said for event in found] == ["done"] * 3 * SIDE_BY_SIDE
    assert most == SIDE_BY_SIDE


def test_those_that_only_wait_do_not_hold_up_the_rest(host: ToyHost) -> None:
    stop = threading.Event()

    def waiting() -> Result:
        return Result(Outcome.PASS, "at last" if stop.wait(10) else "nobody else was asked")

    def ends_the_waiting() -> Result:
        stop.set()
        return Result(Outcome.PASS, "asked meanwhile")

    slow_ones = [ToyProbe(f"slow{n}", waiting, deadline=30) for n in range(SIDE_BY_SIDE)]
    found = verdicts(host, *slow_ones, ToyProbe("last", ends_the_waiting))
    assert {event.result.said for event in found} == {"at last", "asked meanwhile"}


def test_the_time_of_a_probe_begins_when_it_is_asked(
    host: ToyHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "PATIENCE", 60)
    longer = GRACE + 0.5
    ahead = [ToyProbe(f"slow{n}", lambda: slow(longer), deadline=30) for n in range(SIDE_BY_SIDE)]
    last = verdicts(host, *ahead, ToyProbe("last", lambda: slow(0.3), deadline=0))
    assert {event.id: event.result.outcome for event in last}["last"] is Outcome.PASS


@pytest.mark.parametrize(
    "error", [ValueError("boom"), HostRefused("no way", hint="try"), RecursionError("deep")]
)
def test_a_probe_that_raises_is_unknown(host: ToyHost, error: Exception) -> None:
    def raising() -> Result:
        raise error

    broken, well = verdicts(host, ToyProbe("broken", raising), ToyProbe("well", lambda: slow(0.1)))
    assert broken.result.outcome is Outcome.UNKNOWN
    assert "could not ask" in broken.result.said
    assert str(error) in broken.result.said
    assert well.result.outcome is Outcome.PASS


def test_a_run_that_is_stopped_leaves_nothing_that_it_asked_from(
    host: ToyHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[object] = []
    monkeypatch.setattr(vantage, "release", released.append)
    stop, tidy = threading.Event(), threading.Event()

    def tidies_up() -> Result:
        time.sleep(0.4)
        tidy.set()
        return Result(Outcome.PASS, "done")

    def never() -> Result:
        stop.wait(20)
        return Result(Outcome.PASS, "too late")

    assert verdicts(host, ToyProbe("quick"))
    assert released == []
    asked = [ToyProbe("never", never, deadline=20), ToyProbe("tidies", tidies_up)]
    events = ask_all(host, [("step", probe) for probe in (*asked, ToyProbe("quick"))])
    assert isinstance(events, Generator)
    next(event for event in events if isinstance(event, ProbeDone))
    begun = time.monotonic()
    events.close()
    assert time.monotonic() - begun < probing.PARTING + 0.5
    assert tidy.is_set()
    assert released == [host]
    stop.set()


def test_a_probe_that_never_returns_does_not_hold_up_the_end_of_the_program(
    tmp_path: Path,
) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from mailwizard.probing import ask_all\n"
        "from support.toys import ToyHost, ToyProbe\n"
        "never = ToyProbe('never', lambda: time.sleep(30), deadline=0.1)\n"
        f"events = list(ask_all(ToyHost(Path({str(tmp_path)!r})), [('s', never)]))\n"
        "assert events[-1].result.outcome == 'unknown'\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=20)
    assert time.monotonic() - begun < 10
