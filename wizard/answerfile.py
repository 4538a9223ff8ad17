"""Answer files as text: what was answered, and the example with every key."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import tomli_w

from mailwizard.fields import Field
from mailwizard.model import Completed, Context, FileState, Kind, Platform, Question, Step
from mailwizard.platform.debian import TRIXIE

_INTRODUCTION = """\
# Answers for mailwizard (TOML). A line that begins with # is a comment.
# Everything that has a default may be left out. Check with: mailwizard plan -a FILE
"""


_SYSTEM = """\
# Whether to go on where this system is expected to work, but not proven
[system]
"""
SYSTEM, _EXPECTED = "system", "expected"


def dump(
    steps: Sequence[Step], values: Mapping[str, Mapping[str, Any]], accepted: bool = False
) -> str:
    """The values as an answer file with comments; of a secret only the place where it is kept."""
    system = [f"{_SYSTEM}{_EXPECTED} = true\n"] if accepted else []
    parts = [_section(step, values[step.id]) for step in steps if values.get(step.id)]
    return "\n".join([_INTRODUCTION, *system, *parts])


def system_accepted(table: Any) -> tuple[bool, list[tuple[str, str]]]:
    """What the table of the system says, and everything that is wrong with it."""
    if not isinstance(table, dict):
        return False, [(SYSTEM, f"must be a table: a line [{SYSTEM}], and its key below that")]
    wrong = [
        (f"{SYSTEM}.{key}", f"there is no such key; known are: {_EXPECTED}")
        for key in table
        if key != _EXPECTED
    ]
    given = table.get(_EXPECTED, False)
    if not isinstance(given, bool):
        wrong.append((f"{SYSTEM}.{_EXPECTED}", "true or false without quotes is right"))
    return given is True, wrong


def example(steps: Sequence[Step]) -> str:
    """A commented answer file with every key, and its default where no host has to be asked."""
    values: dict[str, dict[str, Any]] = {}
    system = f"{_SYSTEM}# {_EXPECTED} = false  # the default\n"
    return "\n".join([_INTRODUCTION, system, *(_example_section(each, values) for each in steps)])


def as_line(question: Question) -> str:
    """An example of the answer as its line in the file."""
    kind = question.kind
    return as_text(question.name, as_toml(kind, kind.example) if isinstance(kind, Field) else "…")


def as_text(key: str, value: Any) -> str:
    """One `key = value`, with tables on the same line."""
    if isinstance(value, Mapping):
        inside = ", ".join(as_text(name, part) for name, part in value.items())
        return f"{_key(key)} = {{ {inside} }}" if inside else f"{_key(key)} = {{}}"
    if isinstance(value, list | tuple):
        items = ", ".join(as_text("x", item).removeprefix("x = ") for item in value)
        return f"{_key(key)} = [{items}]"
    return tomli_w.dumps({key: value}).rstrip("\n")


def as_toml(kind: Kind, value: Any) -> Any:
    """The value as it stands in the answer file."""
    return kind.toml(value) if isinstance(kind, Field) else value


def _section(step: Step, values: Mapping[str, Any]) -> str:
    lines = [f"# {step.title}", f"[{step.id}]"]
    if "enabled" in values:
        lines.append(as_text("enabled", values["enabled"]))
    tables: list[str] = []
    for question in step.questions:
        if question.name in values and question.name != "enabled":
            target = tables if isinstance(values[question.name], Mapping) else lines
            target += _entry(step, question, values[question.name])
    return "\n".join([*lines, *tables]) + "\n"


def _entry(step: Step, question: Question, value: Any) -> Iterator[str]:
    yield f"# {question.label}"
    if value is None:
        yield as_text(question.name, "")
        return
    shown = _tolerant(question.kind, value)
    if not isinstance(value, Mapping):
        yield as_text(question.name, shown)
        return
    # A table comes last: in TOML, every key after its header would belong to it.
    yield f"[{step.id}.{question.name}]"
    yield from (as_text(name, part) for name, part in shown.items())


def _tolerant(kind: Kind, value: Any) -> Any:
    try:
        return as_toml(kind, kind.check(value))
    except ValueError:
        return value


def _example_section(step: Step, values: dict[str, dict[str, Any]]) -> str:
    title = f"# {step.title}" + (" (may be left out)" if step.optional else "")
    lines = [title, f"[{step.id}]"]
    if step.optional:
        lines.append("# enabled = false")
    values[step.id] = {}
    for question in step.questions:
        if question.name != "enabled":
            default = _default(step, question, values)
            values[step.id][question.name] = _sample(question) if default is None else default
            lines += ["", *_example_entry(question, default)]
    return "\n".join(lines) + "\n"


def _default(step: Step, question: Question, values: Mapping[str, Mapping[str, Any]]) -> Any:
    """The default that follows from the other examples alone."""
    context = Context(step.id, values, Nowhere())
    try:
        found = question.default(context)
        return None if found is None else question.kind.check(found)
    except (LookupError, ValueError):
        return None


def _sample(question: Question) -> Any:
    kind = question.kind
    return kind.check(kind.example) if isinstance(kind, Field) else None


def _example_entry(question: Question, default: Any) -> Iterator[str]:
    yield from _comment(question.label)
    yield from _comment(question.kind.hint)
    if default is None or default in ([], {}):
        yield f"# {as_line(question)}"
    else:
        yield f"# {as_text(question.name, as_toml(question.kind, default))}  # the default"


@dataclass(frozen=True, slots=True)
class Nowhere:
    """A host on which nothing is: what an example can look at."""

    platform: Platform = TRIXIE

    def read(self, path: str) -> bytes:
        return b""

    def state(self, path: str) -> FileState:
        return FileState("absent")

    def list(self, path: str) -> Sequence[str]:
        return ()

    def ask(self, argv: Sequence[str], **_options: Any) -> Completed:
        return Completed(tuple(argv), 127)

    def consult(self, argv: Sequence[str], line: str, **_options: Any) -> Completed:
        return self.ask(argv)

    def which(self, program: str) -> str:
        return ""

    def draft(self, files: Mapping[str, bytes]) -> AbstractContextManager[str]:
        return nullcontext("/nonexistent")


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 96, initial_indent="# ", subsequent_indent="#   ")


def _key(key: str) -> str:
    return tomli_w.dumps({key: 0}).removesuffix(" = 0\n")
