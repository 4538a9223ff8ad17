"""Signing keys changed without a message that nobody can verify: `mailwizard dkim`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mailwizard.dkim.machine import Machine
from mailwizard.dkim.standing import Standing, standing, utc
from mailwizard.dkim.work import EngineWork
from mailwizard.events import Event

if TYPE_CHECKING:
    from mailwizard.engine import Engine

__all__ = ["Standing", "abandon", "machine", "rotate", "standing"]


def machine(engine: Engine) -> Machine:
    """The stages over this engine, by this host's clock."""
    return Machine(EngineWork(engine), utc)


def rotate(engine: Engine) -> Iterator[Event]:
    """A key change begun, or gone on with as far as it goes; the last event is Finished."""
    stages = machine(engine)
    yield from stages.prepare()
    yield from stages.advance()


def abandon(engine: Engine) -> Iterator[Event]:
    """A key that does not sign yet is taken away again; raises BadUsage when it does."""
    yield from machine(engine).abandon()
