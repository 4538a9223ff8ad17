"""The name servers and an engine whose steps need records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dnsworld import ANSWERS, STEPS, World, made_world

from mailwizard.answers import Answers
from mailwizard.engine import Engine
from mailwizard.journal import Journal


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with made_world(tmp_path) as world:
        yield world


@pytest.fixture
def engine(world: World, tmp_path: Path) -> Iterator[Engine]:
    journal = Journal(str(tmp_path / "journal.db"), "machine", read_only=True)
    yield Engine(STEPS, Answers.from_text(ANSWERS, STEPS), world.host, journal)
    journal.close()
