"""The name servers and an engine whose steps need records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dnsworld import ANSWERS, STEPS, World, made_world

from mailwizard.answers import Answers
from mailwizard.engine import Engine
from mailwizard.journal import Journal
from mailwizard.probes import nameserver


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Whoever answers has time for it, on a busy machine too."""
    monkeypatch.setattr(nameserver, "SECONDS", 20)
    with made_world(tmp_path) as world:
        yield world


@pytest.fixture
def impatient(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """For those who do not answer."""
    monkeypatch.setattr(nameserver, "SECONDS", 2)


@pytest.fixture
def engine(world: World, tmp_path: Path) -> Iterator[Engine]:
    journal = Journal(str(tmp_path / "journal.db"), "machine", read_only=True)
    yield Engine(STEPS, Answers.from_text(ANSWERS, STEPS), world.host, journal)
    journal.close()
