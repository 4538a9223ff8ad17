"""The exported script leaves out what the administrator keeps as he edited it, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.toys import World, done

from mailwizard import unattended
from mailwizard.changes import FileContent, LookupMap
from mailwizard.export import script


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_kept_as_edited_is_left_out_and_named(world: World) -> None:
    mine, other = (str(world.path(name)) for name in ("mine", "other"))
    world.extra["one"] = [FileContent(mine, "ours\n"), FileContent(other, "ours too\n")]
    done(unattended.run(world.engine, ["one"]))
    assert f"put_file {mine} " in script.text(world.engine)
    assert list(script.left_out(world.engine)) == []
    Path(mine).write_text("by hand\n")
    assert list(script.left_out(world.engine)) == [("one", "edited by hand since")]
    world.engine.keep("one", [f"write {mine}"])
    # on another host there is nothing to compile
    Path(f"{mine}.db").touch()
    world.extra["one"].append(LookupMap(mine))
    text = script.text(world.engine)
    assert f"put_file {mine} " not in text
    assert f"put_file {other} " in text
    assert f"postmap hash {mine}" not in text
    assert f"left out: write {mine} (edited by hand" in text
    why = "edited by hand, and kept so"
    assert list(script.left_out(world.engine)) == [
        (f"one: write {mine}", why),
        (f"one: compile {mine}", why),
    ]


def test_what_follows_another_file_is_not_left_out(world: World) -> None:
    mine = str(world.path("one"))
    done(unattended.run(world.engine, ["one"]))
    world.path("one").write_text("by hand\n")
    world.engine.keep("one", [f"write {mine}"])
    world.extra["one"] = [FileContent(f"{mine}.other", "x\n"), LookupMap(f"{mine}.other")]
    assert f"compile_map postmap hash {mine}.other" in script.text(world.engine)
