"""Undo of what several steps share, in whichever order they are undone."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from support.toys import ToyHost

from mailwizard.events import Undone
from mailwizard.journal import Journal
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
