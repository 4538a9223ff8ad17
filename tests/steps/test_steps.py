"""Each step as data: recorded facts and answers in, every change with its preview and sh out.

A case is a .toml file; beside it stands one .txt file for each system with what is expected.
UPDATE_EXPECTED=1 writes these anew: read the difference before it is committed.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from support import programs, walls
from support.recorded import RecordedHost, recorded

from mailwizard.answers import Answers
from mailwizard.changes import Service
from mailwizard.model import Change, Context
from mailwizard.platform import detect
from mailwizard.steps import STEPS as HOWTO
from mailwizard.steps import relay

# every step there is, in its order
STEPS = HOWTO if relay.STEP in HOWTO else (*HOWTO, relay.STEP)

HERE = Path(__file__).parent
SYSTEMS = {
    "debian-13": "ID=debian\nVERSION_ID=13",
    "debian-12": "ID=debian\nVERSION_ID=12",
    "opensuse-leap-15.6": "ID=opensuse-leap\nVERSION_ID=15.6",
    "el-10": "ID=rocky\nVERSION_ID=10.1",
}
BASE = tomllib.loads((HERE / "facts.toml").read_text())
CASES = sorted(path.relative_to(HERE).with_suffix("") for path in HERE.glob("*/*.toml"))


@dataclass
class Case:
    """One step with its context on one recorded host."""

    step: str
    host: RecordedHost
    context: Context

    def changes(self) -> list[Change]:
        step = next(each for each in STEPS if each.id == self.step)
        return list(step.plan(self.context))


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = merged(base[key], value) if both else value
    return result


def load(case: Path, system: str) -> Case:
    facts = merged(BASE, tomllib.loads((HERE / case).with_suffix(".toml").read_text()))
    host = recorded(facts, detect(SYSTEMS[system]))
    host.programs = {**programs.EVERYWHERE, **programs.POSTFIX}
    if case.parts[0] == "firewall":
        host.programs |= walls.WALLS
    if host.platform.family == "debian":
        host.programs |= programs.DEBCONF
    host.secrets = facts.get("secrets", {})
    host.memory |= facts.get("memory", {})
    host.memory["hostname"] = host.read("/etc/hostname").decode().strip()
    answers = Answers.from_text(tomli_w.dumps(facts["answers"]), STEPS).resolve(STEPS, host)
    return Case(case.parts[0], host, Context(case.parts[0], answers, host))


def unconfirmed(change: Any) -> Change:
    """The change, without the strangers that confirm it."""
    sure: Change = replace(change, confirm=()) if hasattr(change, "confirm") else change
    return sure


def told(case: Case) -> Iterator[str]:
    """What each change says before it is made, and what it did."""
    touched = False
    for change in case.changes():
        yield f"=== {change.title}"
        if not change.needed(case.host) and not (touched and change.follows in {"*", "<"}):
            yield "nothing to do"
            continue
        touched = True
        yield change.preview(case.host).text
        yield "--- sh"
        yield change.shell(case.host)
        # What follows acts on a running daemon, and strangers come over a network: the lab's part.
        if not isinstance(change, Service):
            unconfirmed(change).apply(case.host)
    yield "=== ran"
    for argv, stdin in zip(case.host.ran, case.host.stdin, strict=True):
        yield " ".join(argv)
        yield from (f"    {line}" for line in stdin.splitlines())
    for path, written in sorted(case.host.written.items()):
        yield f"=== {path} {written.mode:04o}"
        yield written.data.decode().rstrip("\n")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("path", CASES, ids=str)
def test_a_step_says_and_does_what_is_expected(path: Path, system: str) -> None:
    case = load(path, system)
    text = "\n".join(told(case)) + "\n"
    kept = HERE / path.parent / f"{path.name}.{system}.txt"
    if os.environ.get("UPDATE_EXPECTED"):
        kept.write_text(text)
    assert text == kept.read_text(), "UPDATE_EXPECTED=1 writes what is expected anew"


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("path", CASES, ids=str)
def test_a_second_run_has_nothing_to_do(path: Path, system: str) -> None:
    case = load(path, system)
    list(told(case))
    left = [change.title for change in case.changes() if change.needed(case.host)]
    services = {change.title for change in case.changes() if isinstance(change, Service)}
    assert set(left) <= services


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("path", CASES, ids=str)
def test_looking_changes_nothing(path: Path, system: str) -> None:
    case = load(path, system)
    before = dict(case.host.files)
    for change in case.changes():
        change.needed(case.host)
        change.preview(case.host)
        change.subjects(case.host)
        change.shell(case.host)
    assert case.host.files == before
    assert not case.host.ran
    assert not case.host.written


def test_every_expectation_belongs_to_a_case() -> None:
    wanted = {f"{case}.{system}.txt" for case in CASES for system in SYSTEMS}
    assert {str(path.relative_to(HERE)) for path in HERE.glob("*/*.txt")} == wanted
