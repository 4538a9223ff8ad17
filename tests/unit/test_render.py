"""Values are data: never a template, never a line of their own (R19)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import jinja2
import pytest

from mailwizard import render as module
from mailwizard.render import HEADER, render


@pytest.fixture(autouse=True)
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "one.j2").write_text("# {{ header }}\nname = {{ value }}\n")
    module._environment.cache_clear()
    monkeypatch.setattr(module, "files", lambda _package: tmp_path)
    yield
    module._environment.cache_clear()


@pytest.mark.parametrize(
    "value",
    ["{{ 7 * 7 }}", "{{ ''.__class__ }}", "{% raw %}", "${x}", "$x", "<b>&amp;</b>", "größe", ""],
)
def test_a_value_is_not_a_template(value: str) -> None:
    assert render("one.j2", value=value) == f"# {HEADER}\nname = {value}\n"


@pytest.mark.parametrize("char", ["\n", "\r", "\0", "\x1b", "\x7f", "\x85", "\x0b"])
def test_a_control_character_is_refused_and_the_value_not_repeated(char: str) -> None:
    for value in (f"canary{char}permit", PurePosixPath(f"canary{char}")):
        with pytest.raises(ValueError, match="control character") as caught:
            render("one.j2", value=value)
        assert "canary" not in str(caught.value)


def test_a_name_that_is_missing_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("one.j2")


def test_other_values_are_shown_as_they_are() -> None:
    assert "name = 25\n" in render("one.j2", value=25)
    assert json.loads(render("one.j2", value=[1, 2]).split(" = ")[1]) == [1, 2]
