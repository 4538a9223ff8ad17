"""The exported script does without the edits that were kept here, and says so."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from support.replaying import replay
from support.toys import World, done

from mailwizard import fields, unattended
from mailwizard.changes import FileContent, LookupMap
from mailwizard.export import script
from mailwizard.model import Context, Question


def chosen(path: str | None, _context: Context) -> str | None:
    return path


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_kept_as_edited_is_made_as_ours_and_named(world: World) -> None:
    mine, other = (str(world.path(name)) for name in ("mine", "other"))
    world.extra["one"] = [FileContent(mine, "ours\n"), FileContent(other, "ours too\n")]
    done(unattended.run(world.engine, ["one"]))
    assert list(script.unlike(world.engine)) == []
    assert script.OURS not in script.text(world.engine)
    Path(mine).write_text("by hand\n")
    left_out = "one is left out of the script: edited by hand since"
    assert list(script.unlike(world.engine)) == [left_out]
    world.engine.keep("one", [f"write {mine}"])
    world.extra["one"].append(LookupMap(other))
    text = script.text(world.engine)
    # what builds on the file finds it
    assert f"put_file {mine} " in text
    assert "by hand\n" not in text
    assert f"compile_map postmap hash {other}" in text
    assert f"say 'write {mine}: {script.OURS}'" in text
    assert list(script.unlike(world.engine)) == [f"one: write {mine}: {script.OURS}"]


def test_a_run_that_was_cut_short_is_noted_between_its_ends(world: World) -> None:
    done(unattended.run(world.engine, ["one"]))
    lines = script.text(world.engine).splitlines()
    begin, end = lines.index("begin"), lines.index("end")
    steps = [number for number, line in enumerate(lines) if line == "changed=$unfinished"]
    assert begin < min(steps)
    assert max(steps) < lines.index("headline 'Proof'") < end


def test_what_only_the_administrator_can_bring_must_be_there(world: World, tmp_path: Path) -> None:
    there, gone, unused = (str(tmp_path / name) for name in ("chain.pem", "key.pem", "unused"))
    given = {"chain": there, "key": gone, "unused": unused, "none": None}
    asked = [
        Question(name, name, fields.Path(), partial(chosen, given[name]), optional=True)
        for name in given
    ]
    world.text["one"] = f"{there} {gone}\n"
    world.engine.steps = (replace(world.engine.steps[0], questions=tuple(asked)),)
    done(unattended.run(world.engine, ["one"]))
    lines = script.text(world.engine).splitlines()
    needed = [line for line in lines if line.startswith("needs ")]
    assert needed == [f"needs {there}", f"needs {gone}"]
    assert lines.index(needed[-1]) < lines.index("begin")
    Path(there).touch()
    ended = replay("\n".join([*needed, "echo went on"]), tmp_path)
    assert (ended.returncode, ended.stdout) == (3, b"")
    assert ended.stderr.decode().startswith(f"refused: {gone} is not here; bring it")
    Path(gone).touch()
    assert replay("\n".join([*needed, "echo went on"]), tmp_path).stdout == b"went on\n"
