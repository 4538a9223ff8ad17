"""What had no verdict for want of a later step is asked once more when that step is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.toys import ToyProbe, World, done, state

from mailwizard import unattended
from mailwizard.events import Finished, Gate, Proposed
from mailwizard.model import Outcome, Result
from mailwizard.stages import State


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_a_later_step_mends_is_asked_once_more(world: World) -> None:
    engine, asked = world.engine, list[str]()
    engine.set_enabled("more", True)

    def waits(name: str, then: Outcome) -> Callable[[], Result]:
        def answer() -> Result:
            asked.append(name)
            made = world.path("more").exists()
            return Result(then if made else Outcome.UNKNOWN, "a wall", suggests="more")

        return answer

    def run(then: Outcome) -> tuple[list[tuple[str, str]], str, int]:
        world.probes["one"] = [
            ToyProbe("a", waits("a", then)),
            ToyProbe("critical", waits("critical", Outcome.PASS), critical=True),
            ToyProbe("b", Outcome.WARN),
        ]
        world.probes["two"] = [ToyProbe("c", waits("c", Outcome.PASS))]
        events = done(unattended.run(engine, ["one", "two", "more"]))
        last = events[-1]
        assert isinstance(last, Finished)
        gates = [(e.step, e.outcome) for e in events if isinstance(e, Gate)]
        return gates[3:], last.said, last.code

    again, said, code = run(Outcome.PASS)
    assert again == [("one", Outcome.WARN), ("two", Outcome.PASS)]
    told = "Every step is applied and no check fails, but 1 check warns: b."
    assert (code, said) == (0, f"{told} 3 checks were asked once more at the end.")
    # the critical one once at each gate before, and then for all
    assert sorted(asked) == ["a", "a", "c", "c", *["critical"] * 4]
    assert [state(world, step) for step in ("one", "two", "more")] == [State.VERIFIED] * 3
    # with nothing left to be made nothing is asked twice
    asked.clear()
    assert run(Outcome.PASS)[0] == []
    assert sorted(asked) == ["a", "c", "critical"]


def test_what_fails_when_it_is_asked_once_more_closes_its_gate(world: World) -> None:
    world.engine.set_enabled("more", True)

    def answer() -> Result:
        found = Outcome.FAIL if world.path("more").exists() else Outcome.UNKNOWN
        return Result(found, "a wall", suggests="more")

    world.probes["one"] = [ToyProbe("a", answer)]
    last = done(unattended.run(world.engine, ["one", "two", "more"]))[-1]
    assert isinstance(last, Finished)
    said = "Every step is applied, but the checks of one fail, asked once more."
    assert (last.step, last.code, last.said) == ("one", 1, said)
    assert [state(world, step) for step in ("one", "more")] == [State.FAILED, State.VERIFIED]


def test_a_way_on_is_proposed_once_for_many_checks(world: World) -> None:
    blocked = Result(Outcome.UNKNOWN, "a wall", suggests="more")
    world.probes["one"] = [ToyProbe(name, lambda: blocked) for name in "abc"]
    heard = done(world.engine.probe("one"))
    assert len([e for e in heard if isinstance(e, Proposed)]) == 1
    # nobody switched it on: nothing is waited for
    last = done(unattended.run(world.engine, ["one", "two"]))[-1]
    assert isinstance(last, Finished)
    assert last.said.endswith("but 3 checks could not be asked: a, b, c.")
