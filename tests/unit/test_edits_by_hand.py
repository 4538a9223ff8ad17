"""What the administrator edited: asked about, kept or replaced, and never lost (R13)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.toys import ToyProbe, World, done, of, state

from mailwizard import unattended
from mailwizard.events import (
    Drifted,
    Failed,
    Finished,
)
from mailwizard.stages import State


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_edits_by_hand_stop_the_run_and_keep_every_byte(world: World) -> None:
    done(unattended.run(world.engine, ["one"]))
    world.path("one").write_text("by hand\r\n")
    assert state(world) is State.DRIFTED
    plan = world.engine.plan("one")
    (item,) = plan.drifted
    assert item.drift is not None
    assert item.drift.parts == (str(world.path("one")),)
    before = world.files()
    events = done(unattended.run(world.engine, ["one"]))
    assert of(Drifted, events) == [item.title]
    assert isinstance(events[-1], Finished)
    assert events[-1].code == 1
    assert world.files() == before


def test_kept_edits_are_left_in_peace_until_they_change(world: World) -> None:
    done(unattended.run(world.engine, ["one"]))
    world.path("one").write_text("by hand\n")
    title = f"write {world.path('one')}"
    world.engine.keep("one", [title])
    assert state(world) is not State.DRIFTED
    assert world.engine.plan("one").pending == ()
    done(unattended.run(world.engine, ["one"]))
    assert world.path("one").read_text() == "by hand\n"
    assert state(world) is State.VERIFIED
    world.path("one").write_text("by hand again\n")
    assert world.engine.plan("one").drifted
    done(world.engine.apply("one", overwrite=frozenset([title])))
    assert world.path("one").read_text() == "1\n"


def test_blanks_alone_are_no_edit_in_a_file_that_others_share(world: World) -> None:
    done(unattended.run(world.engine, ["one"]))
    shared = world.root / "shared"
    assert shared.read_text() == "one: 1\n"
    for edited, found in (("one:\t1 \n", State.VERIFIED), ("one:\t2\n", State.DRIFTED)):
        shared.write_text(edited)
        assert state(world) is found
        assert bool(world.engine.plan("one").pending) is (found is State.DRIFTED)


@pytest.mark.parametrize("decision", ["replace", "keep"])
def test_rights_that_somebody_changed_are_asked_about(world: World, decision: str) -> None:
    done(unattended.run(world.engine, ["one"]))
    path = world.path("one")
    title = f"write {path}"
    path.chmod(0o600)
    assert state(world) is State.DRIFTED
    (item,) = world.engine.plan("one").drifted
    assert (item.title, item.needed) == (title, True)
    assert f"chmod 0644 {path}" in item.preview.text
    stopped = done(unattended.run(world.engine, ["one"]))
    assert of(Drifted, stopped) == [title]
    if decision == "keep":
        world.engine.keep("one", [title])
    assert of(Failed, done(world.engine.apply("one", overwrite=frozenset([title])))) == []
    done(world.engine.probe("one"))
    assert path.stat().st_mode & 0o777 == (0o644 if decision == "replace" else 0o600)
    assert path.read_text() == "1\n"
    assert state(world) is State.VERIFIED
    assert world.engine.plan("one").pending == ()


def test_what_reads_back_is_told_what_is_kept(world: World) -> None:
    @dataclass
    class Reader(ToyProbe):
        heard: tuple[str, ...] = ()

        def besides(self, kept: Collection[str]) -> Reader:
            return replace(self, heard=tuple(sorted(kept)))

    def heard() -> tuple[str, ...]:
        (probe,) = world.engine.probes("one")
        assert isinstance(probe, Reader)
        return probe.heard

    world.probes["one"] = [Reader("read-back")]
    done(unattended.run(world.engine, ["one", "two"]))
    path = str(world.path("one"))
    world.path("one").write_text("by hand\n")
    assert heard() == ()
    world.engine.keep("one", [f"write {path}"])
    assert heard() == (path,)
    world.path("one").write_text("by hand again\n")
    assert heard() == ()
    world.path("one").write_text("by hand\n")
    done(world.engine.apply("one"))
    assert heard() == (path,)
    world.path("one").write_text("by hand once more\n")
    done(world.engine.apply("one", overwrite=frozenset([f"write {path}"])))
    assert heard() == ()


def test_somebody_elses_line_in_a_shared_file_is_no_drift(world: World) -> None:
    done(unattended.run(world.engine, ["one"]))
    shared = world.root / "shared"
    shared.write_text("# mine\nother: x\n" + shared.read_text())
    assert state(world) is State.VERIFIED
    assert world.engine.plan("one").pending == ()
    done(world.engine.undo(["one"]))
    assert world.files() == {"shared": "# mine\nother: x\n"}
