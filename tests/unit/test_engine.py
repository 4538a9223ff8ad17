"""plan, apply, probe and undo over toy steps: the gate, resume and restoration."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier

import pytest
from support.clocks import HUNG
from support.toys import ToyProbe, World, done, gate, of, state

from mailwizard import commands, platform, unattended
from mailwizard.answers import Answers
from mailwizard.changes import FileContent
from mailwizard.commands import _say
from mailwizard.errors import BadUsage, CommandFailed, ProofFailed
from mailwizard.events import (
    AlreadySo,
    ChangeDone,
    Failed,
    Finished,
    Gate,
    Proposed,
    Undone,
)
from mailwizard.export import script
from mailwizard.making import make
from mailwizard.model import Host, Look, Outcome, Preview, Result, Subject
from mailwizard.stages import State
from mailwizard.subjects import File


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@dataclass(frozen=True)
class Breaking:
    """Writes its file, then fails as told."""

    path: str
    error: BaseException
    title: str = "break"
    follows: str = ""

    def needed(self, look: Look) -> bool:
        return True

    def preview(self, look: Look) -> Preview:
        return Preview("break it")

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (File(self.path),)

    def apply(self, host: Host) -> None:
        host.write(self.path, b"half\n")
        raise self.error

    def shell(self, look: Look) -> str:
        return "false"


def test_from_nothing_to_verified_and_a_second_run_changes_nothing(world: World) -> None:
    engine = world.engine
    assert state(world) is State.PENDING
    assert len(engine.plan("one").pending) == 3
    first = done(engine.apply("one"))
    assert len(of(ChangeDone, first)) == 3
    assert state(world) is State.APPLIED
    assert gate(done(engine.probe("one"))).open
    assert state(world) is State.VERIFIED
    before, ran = world.files(), list(world.host.ran)
    times = {p: p.stat().st_mtime_ns for p in world.root.iterdir() if p.is_file()}
    assert engine.plan("one").pending == ()
    second = done(engine.apply("one"))
    assert of(ChangeDone, second) == []
    assert len(of(AlreadySo, second)) == 3
    assert (world.files(), world.host.ran) == (before, ran)
    assert {p: p.stat().st_mtime_ns for p in world.root.iterdir() if p.is_file()} == times


def test_the_next_step_is_the_first_that_is_not_verified(world: World) -> None:
    assert world.engine.next_step() == "one"
    for name in ("one", "two"):
        done(world.engine.apply(name))
        done(world.engine.probe(name))
    assert world.engine.next_step() is None
    assert [s.state for s in world.engine.states()] == [State.VERIFIED] * 2 + [State.SKIPPED]


@pytest.mark.parametrize(
    ("outcome", "is_open"),
    [
        (Outcome.PASS, True),
        (Outcome.WARN, True),
        (Outcome.UNKNOWN, True),
        (Outcome.SKIPPED, True),
        (Outcome.FAIL, False),
    ],
)
def test_a_fail_alone_closes_the_gate(world: World, outcome: Outcome, is_open: bool) -> None:
    world.probes["one"] = [ToyProbe("a"), ToyProbe("b", outcome)]
    events = done(unattended.run(world.engine, ["one", "two"]))
    assert gate(events).open is is_open
    assert gate(events).outcome == max(outcome, Outcome.PASS, key=lambda o: o.severity)
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.code == (0 if is_open else 1)
    assert world.path("two").exists() is is_open
    # what a closed gate found wrong is there to be looked at
    assert world.path("one").exists()
    assert state(world) is (State.VERIFIED if is_open else State.FAILED)


def test_what_could_not_be_asked_is_named_at_the_end(world: World) -> None:
    def last_words() -> str:
        finished = done(unattended.run(world.engine, ["one", "two"]))[-1]
        assert isinstance(finished, Finished)
        assert finished.code == 0
        return finished.said

    world.probes["one"] = [ToyProbe("SMTP-06", Outcome.UNKNOWN, critical=True), ToyProbe("b")]
    rest = "could not be asked: SMTP-06."
    for _ in ("the first run", "nothing is to be changed"):
        assert last_words() == f"Every step is applied and no check fails, but 1 check {rest}"
    world.probes["two"] = [ToyProbe("c", Outcome.UNKNOWN)]
    assert "but 2 checks could not be asked: SMTP-06, c." in last_words()
    world.probes = {}
    assert last_words() == "Every step is applied and its checks hold."


def test_with_nothing_to_change_all_steps_are_asked_at_once(world: World) -> None:
    done(unattended.run(world.engine, ["one", "two"]))
    both = Barrier(2, timeout=HUNG)

    def meets() -> Result:
        both.wait()
        return Result(Outcome.PASS, "so it is")

    world.probes = {"one": [ToyProbe("a", meets)], "two": [ToyProbe("b", meets)]}
    events = done(unattended.run(world.engine, ["one", "two"]))
    assert [(e.step, e.outcome) for e in events if isinstance(e, Gate)] == [
        ("one", Outcome.PASS),
        ("two", Outcome.PASS),
    ]
    assert "b" in Path(world.engine.log_path("two")).read_text()
    world.probes = {"two": [ToyProbe("b", Outcome.FAIL)]}
    finished = done(unattended.run(world.engine, ["one", "two"]))[-1]
    assert isinstance(finished, Finished)
    assert (finished.step, finished.code) == ("two", 1)
    assert [state(world, step) for step in ("one", "two")] == [State.VERIFIED, State.FAILED]


def test_a_way_on_is_proposed_until_somebody_decides(world: World) -> None:
    blocked = Result(Outcome.WARN, "port 25 is blocked", suggests="more")
    world.probes["one"] = [ToyProbe("a", lambda: blocked)]
    engine = world.engine

    def proposed() -> list[tuple[str, str]]:
        heard = done(engine.probe("one"))
        return [(e.proposal, e.reason) for e in heard if isinstance(e, Proposed)]

    assert proposed() == [("more", "port 25 is blocked")]
    for decision in (False, True):
        engine.set_enabled("more", decision)
        assert proposed() == []


def test_a_critical_fail_goes_back_to_what_last_passed(world: World) -> None:
    done(unattended.run(world.engine, ["one"]))
    before = world.files()
    world.text["one"] = "an open relay\n"
    world.probes["one"] = [ToyProbe("relay", Outcome.FAIL, critical=True)]
    done(world.engine.apply("one"))
    assert world.files() != before
    events = done(world.engine.probe("one"))
    assert not gate(events).open
    assert of(Undone, events)
    assert world.files() == before
    assert world.host.ran[-1][1] == "restart"
    assert state(world) is State.FAILED


def test_critical_probes_of_steps_before_are_asked_at_every_gate(world: World) -> None:
    done(unattended.run(world.engine, ["one"]))
    world.probes["one"] = [ToyProbe("relay", Outcome.FAIL, critical=True), ToyProbe("other")]
    done(world.engine.apply("two"))
    events = done(world.engine.probe("two"))
    assert not gate(events).open
    assert not world.path("two").exists()
    assert world.path("one").exists()
    assert [p.id for p in world.engine.probes("two", with_critical=True)] == ["two-probe", "relay"]


def test_a_failed_proof_puts_everything_of_this_run_back(world: World) -> None:
    world.extra["one"] = [Breaking(str(world.path("b")), ProofFailed("no", ("why",), hint="H."))]
    events = done(world.engine.apply("one"))
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert (failed.message, failed.tail) == ("no", ("why",))
    assert failed.hint == "H. The previous configuration was put back."
    assert world.files() == {}


def test_any_other_failure_stays_to_be_mended(world: World) -> None:
    error = CommandFailed(("postfix", "x"), 3, ("last line",))
    world.extra["one"] = [Breaking(str(world.path("b")), error)]
    events = done(unattended.run(world.engine, ["one"]))
    assert of(Failed, events) or any(isinstance(e, Failed) for e in events)
    assert isinstance(events[-1], Finished)
    assert events[-1].code == 1
    assert world.files()["b.conf"] == "half\n"
    assert not any(isinstance(e, Gate) for e in events)
    assert state(world) is State.PENDING


def test_a_change_that_does_not_stick_is_a_failure(world: World) -> None:
    @dataclass(frozen=True)
    class Vain(Breaking):
        def apply(self, host: Host) -> None:
            return

    world.extra["one"] = [Vain(str(world.path("b")), ValueError())]
    failed = done(world.engine.apply("one"))[-1]
    assert isinstance(failed, Failed)
    assert "does not show it" in failed.message


def test_a_run_that_was_killed_is_taken_up_and_ends_verified(world: World) -> None:
    world.extra["one"] = [Breaking(str(world.path("b")), KeyboardInterrupt())]
    with pytest.raises(KeyboardInterrupt):
        done(world.engine.apply("one"))
    assert state(world) is State.PENDING
    # the same change, needed no more by its own account
    world.extra["one"] = [FileContent(str(world.path("b")), "half\n")]
    engine = world.opened()
    done(unattended.run(engine, ["one"]))
    assert state(world) is State.VERIFIED
    assert engine.next_step() == "two"
    done(engine.undo(["one"]))
    assert world.files() == {}


def test_a_change_cut_short_is_due_again_though_it_looks_done(world: World) -> None:
    done(world.engine.apply("one"))
    change = FileContent(str(world.path("one")), "1\n")
    subjects = tuple(change.subjects(world.host))
    images = [subject.capture(world.host) for subject in subjects]
    entry = world.engine.journal.intend("one", change.title, subjects, images, "")
    assert not change.needed(world.host)
    pending = world.engine.plan("one").pending
    assert [item.title for item in pending] == [change.title, "put postfix into service"]
    done(world.engine.apply("one"))
    assert world.engine.plan("one").pending == ()
    assert [e.state for e in world.engine.journal.entries() if e.id == entry] == ["intent"]
    assert state(world) is State.APPLIED


def test_a_step_is_undone_before_it_is_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = world.engine
    engine.set_enabled("more", True)
    done(unattended.run(engine, ["one", "two", "more"]))
    engine.set_enabled("more", False)
    assert state(world, "more") is State.APPLIED
    assert engine.next_step() is None
    with pytest.raises(BadUsage, match="'more' is left out"):
        engine.plan("more")
    assert list(script.unlike(engine)) == [
        "more is left out of the script: switched off in the answers"
    ]
    assert "Step more" not in script.text(engine)
    before = world.files()
    monkeypatch.setattr(commands, "STEPS", engine.steps)
    monkeypatch.setattr(commands, "_looking", lambda *_: engine)
    monkeypatch.setattr(commands, "_host_to_change", lambda _: world.host)
    monkeypatch.setattr(platform, "machine_id", lambda: "host-1")
    monkeypatch.setattr(Answers, "load", lambda *_: engine.answers)
    asked = argparse.Namespace(
        answers="", steps=[], yes=True, json=False, unproven=False, accepted=False
    )
    for command in (commands.plan, commands.apply):
        with pytest.raises(BadUsage) as refused:
            command(asked)
        said = "more is switched off in the answers but still set up on this host"
        assert refused.value.message == said
        assert refused.value.hint == "Undo it first: mailwizard undo more"
        assert refused.value.exit_code == 2
    assert world.files() == before
    done(engine.undo(["more"]))
    assert state(world, "more") is State.SKIPPED
    assert [command(asked) for command in (commands.plan, commands.apply)] == [0, 0]


def test_undo_is_exact_newest_first_and_units_last(world: World) -> None:
    world.path("one").write_text("before\n")
    world.host.units["postfix.service"] = ("enabled", "active")
    done(unattended.run(world.engine, ["one"]))
    world.text["one"] = "later\n"
    done(unattended.run(world.engine, ["one"]))
    world.host.ran.clear()
    events = done(world.engine.undo(["one"]))
    ids = [e.id for e in world.engine.journal.entries()]
    assert ids == []
    assert of(Undone, events)[0] == "put postfix into service"
    assert of(Undone, events)[-1] == f"write {world.path('one')}"
    assert [argv[1] for argv in world.host.ran] == ["reset-failed", "restart"]
    assert world.files() == {"one.conf": "before\n"}
    assert state(world) is State.PENDING
    assert done(world.engine.undo(["one"])) == []


def test_undo_leaves_edits_by_hand_says_so_and_exits_1(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    done(unattended.run(world.engine, ["one"]))
    world.path("one").write_text("by hand\n")
    assert _say(world.engine.undo(["one"]), as_json=False) == 1
    assert "edited by hand" in capsys.readouterr().out
    assert world.files() == {"one.conf": "by hand\n"}
    world.path("one").write_text("1\n")
    assert _say(world.engine.undo(["one"]), as_json=True) == 0
    assert world.files() == {}


def test_what_was_built_on_a_step_goes_with_it(world: World) -> None:
    assert world.engine.dependents(["one"]) == ()
    done(unattended.run(world.engine, ["one", "two"]))
    assert world.engine.dependents(["one"]) == ("two",)
    assert world.engine.dependents(["one", "two"]) == ()
    assert world.engine.dependents(["two"]) == ()


def test_recovery_sweeps_half_written_files(world: World) -> None:
    done(world.engine.apply("one"))
    (world.root / ".one.conf.mailwizard-new").write_text("half")
    (world.root / ".other.mailwizard-new").write_text("not ours")
    world.opened().recover()
    assert {p.name for p in world.root.glob(".*")} == {".other.mailwizard-new"}


def test_what_was_done_beside_a_step_goes_back_with_it(world: World) -> None:
    engine = world.opened()
    path = str(world.path("beside"))
    make(engine.host, engine.journal, "one.beside", FileContent(path, "ours"))
    assert [event.problem for event in engine.undo(["two"]) if isinstance(event, Undone)] == []
    assert Path(path).exists()
    list(engine.undo(["one"]))
    assert not Path(path).exists()
    assert engine.journal.entries() == []
