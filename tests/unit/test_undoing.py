"""Undo of what several steps share, in whichever order they are undone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.toys import ToyHost

from mailwizard.changes import SigningKey
from mailwizard.events import Undone
from mailwizard.journal import Journal
from mailwizard.model import Image, Subject
from mailwizard.subjects import Unit
from mailwizard.undoing import undo

STEPS = ("first", "second", "third")
BEFORE = ("disabled", "inactive")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(str(tmp_path / "journal.db"), "machine")


@pytest.fixture
def host(tmp_path: Path) -> ToyHost:
    return ToyHost(tmp_path)


@pytest.mark.parametrize("order", itertools.permutations(STEPS))
def test_a_unit_of_several_steps_ends_as_it_was_before_all_of_them(
    host: ToyHost, journal: Journal, order: tuple[str, ...]
) -> None:
    unit = Unit("amavis.service")
    host.units[unit.name] = BEFORE
    for step in STEPS:
        entry = journal.intend(step, "put it into service", [unit], [unit.capture(host)], "")
        host.units[unit.name] = ("enabled", "active")
        journal.done(entry, [unit.capture(host)])
    for step in order:
        events = list(undo(journal, host, journal.entries(step)))
        assert [event.problem for event in events if isinstance(event, Undone)] == [""]
    assert host.units[unit.name] == BEFORE
    assert journal.entries() == []


def test_a_unit_put_back_beneath_a_step_that_stands_is_no_edit_by_hand(
    host: ToyHost, journal: Journal
) -> None:
    unit = Unit("amavis.service")
    host.units[unit.name] = BEFORE
    for step in STEPS[:2]:
        entry = journal.intend(step, "put it into service", [unit], [unit.capture(host)], "")
        host.units[unit.name] = ("enabled", "active")
        journal.done(entry, [unit.capture(host)])
        journal.gate(step, True, "pass")
    list(undo(journal, host, journal.entries("first")))
    assert host.units[unit.name] == BEFORE
    assert journal.left_behind() == unit.parts(unit.capture(host))
    assert journal.last_gate("second") is None, "its verdict was about a unit that ran"


def test_a_unit_that_runs_on_keeps_the_verdicts_of_those_who_use_it(
    host: ToyHost, journal: Journal
) -> None:
    unit = Unit("postfix.service")
    host.units[unit.name] = ("enabled", "active")
    for step in STEPS:
        entry = journal.intend(step, "put it into service", [unit], [unit.capture(host)], "")
        journal.done(entry, [unit.capture(host)])
        journal.gate(step, True, "pass")
    list(undo(journal, host, journal.entries("second")))
    assert all(journal.last_gate(step) for step in STEPS)


def test_somebody_elses_key_stays_in_our_folder_and_is_no_problem(
    host: ToyHost, journal: Journal, tmp_path: Path
) -> None:
    own = tmp_path / "mailwizard/dkim/example.org.mw.pem"
    subjects = SigningKey(str(own), "amavis").subjects(host)
    entry = journal.intend("authentication", "make the key", subjects, images(host, subjects), "")
    own.parent.mkdir(parents=True)
    own.write_text("ours")
    journal.done(entry, images(host, subjects))
    (theirs := own.with_name("other.pem")).write_text("theirs")
    events = list(undo(journal, host, journal.entries()))
    assert [event.problem for event in events if isinstance(event, Undone)] == [""]
    assert not own.exists()
    assert theirs.read_text() == "theirs"


def images(host: ToyHost, subjects: Sequence[Subject]) -> list[Image]:
    return [subject.capture(host) for subject in subjects]
