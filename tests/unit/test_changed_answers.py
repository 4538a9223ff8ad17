"""Answers that change after they were built on, and complaints that somebody mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.toys import ToyProbe, World, done

import mailwizard.engine
from mailwizard import planning, unattended
from mailwizard.answers import Answers
from mailwizard.engine import Engine
from mailwizard.fields import Text
from mailwizard.model import Outcome, Question
from mailwizard.stages import State


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def asking(world: World, wrong: Sequence[tuple[str, str]] = ()) -> Engine:
    """The engine where the first step has a question, and this to say of its answer."""
    word = Question("word", "Word", Text(), lambda _context: "usual")
    one = replace(world.step("one"), questions=(word,), review=lambda _context: iter(wrong))
    steps = [one, *world.engine.steps[1:]]
    return Engine(steps, Answers.empty(steps), world.host, world.engine.journal)


def test_steps_that_were_built_on_another_answer_show_anew_that_they_hold(world: World) -> None:
    engine = asking(world)
    done(unattended.run(engine, ["one", "two"]))

    def states() -> list[State]:
        return [status.state for status in engine.states()][:2]

    engine.set_answer("one", "word", "usual")
    engine.set_enabled("more", False)
    assert states() == [State.VERIFIED, State.VERIFIED]
    engine.set_answer("one", "word", "another")
    assert states() == [State.APPLIED, State.APPLIED]
    assert engine.next_step() == "one"
    # what the gate let through is still what is gone back to
    before, world.text["one"] = world.files(), "an open relay\n"
    world.probes["one"] = [ToyProbe("relay", Outcome.FAIL, critical=True)]
    done(engine.apply("one"))
    done(engine.probe("one"))
    assert world.files() == before
    world.probes["one"] = [ToyProbe("relay")]
    done(engine.probe("one"))
    assert states() == [State.VERIFIED, State.APPLIED]
    assert engine.next_step() == "two"
    done(engine.probe("two"))
    assert engine.next_step() is None


def test_a_file_with_other_answers_puts_steps_in_doubt(world: World) -> None:
    engine = asking(world)
    done(unattended.run(engine, ["one", "two"]))
    for before, after, state in (
        ({"one": {"word": "a"}}, {"one": {"word": "a"}, "two": {}}, State.VERIFIED),
        ({"one": {"word": "a"}}, {"one": {"word": "b"}}, State.APPLIED),
    ):
        planning.outdate_changed(engine.journal, engine.steps, before, after)
        assert {status.state for status in engine.states()[:2]} == {state}
    done(engine.probe("one"))
    planning.outdate_changed(engine.journal, engine.steps, {}, {"two": {"enabled": True}})
    assert [status.state for status in engine.states()[:2]] == [State.VERIFIED, State.APPLIED]


def test_what_was_wrong_is_looked_into_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [("word", "no such login")]
    engine = asking(world, wrong)
    assert engine.complaints("one") == wrong
    wrong.clear()
    assert engine.complaints("one"), "while somebody types it is not asked again and again"
    monkeypatch.setattr(world.host, "shell", lambda: None)
    engine.shell()
    assert engine.complaints("one") == []
    wrong.append(("word", "gone"))
    monkeypatch.setattr(mailwizard.engine, "STALE", -1.0)
    assert engine.complaints("one") == [], "what was right is not looked into again"
    engine.shell()
    assert engine.complaints("one") == [("word", "gone")]
    wrong.clear()
    assert engine.complaints("one") == []
