"""What stands in the answers no more is taken out of shared files, and nobody else's is."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.toys import World, done

from mailwizard import unattended
from mailwizard.changes import KeyedEntries

BEFORE = "# of this host\nown: dave\nshop: ancient\n"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    path(made).write_text(BEFORE)
    return made


def path(world: World) -> Path:
    return world.root / "table"


def answered(world: World, **entries: str) -> None:
    """The answers hold these entries now."""
    lines = {name: f"{name}: {end}" for name, end in entries.items()}
    world.extra["one"] = [KeyedEntries(str(path(world)), ":", lines)]


def applied(world: World, **entries: str) -> str:
    answered(world, **entries)
    done(unattended.run(world.engine, ["one"]))
    return path(world).read_text()


def test_an_entry_that_is_gone_from_the_answers_goes(world: World) -> None:
    assert applied(world, sales="alice", info="bob") == BEFORE + "sales: alice\ninfo: bob\n"
    path(world).write_text(path(world).read_text() + "later: erin\n")
    answered(world, info="bob")
    item = world.engine.plan("one").pending[0]
    assert item.title == f"take sales out of {path(world)}"
    assert "-sales: alice" in item.preview.text
    assert applied(world, info="bob") == BEFORE + "info: bob\nlater: erin\n"
    assert world.engine.plan("one").pending == ()
    # and comes back when it is answered again
    assert "sales: bob" in applied(world, info="bob", sales="bob")
    assert "sales" not in applied(world, info="bob")


def test_what_was_there_before_us_is_there_again(world: World) -> None:
    assert "shop: alice" in applied(world, shop="alice")
    assert applied(world, info="bob") == BEFORE + "info: bob\n"
    assert world.engine.plan("one").pending == ()


def test_undo_brings_everything_back(world: World) -> None:
    applied(world, shop="alice", sales="alice")
    applied(world, info="bob")
    done(world.engine.undo(["one"]))
    assert path(world).read_text() == BEFORE


def test_what_somebody_made_of_it_is_his(world: World) -> None:
    applied(world, sales="alice", info="bob")
    path(world).write_text(path(world).read_text().replace("sales: alice", "sales: erin"))
    assert "sales: erin" in applied(world, info="bob")
    assert world.engine.plan("one").pending == ()


def test_edits_that_are_kept_stay_when_the_answer_goes(world: World) -> None:
    applied(world, sales="alice")
    path(world).write_text(BEFORE + "sales: erin\n")
    (item,) = world.engine.plan("one").drifted
    world.engine.keep("one", [item.title])
    assert "sales: erin" in applied(world, info="bob")
