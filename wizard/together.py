"""Files of several steps that one daemon reads: where it refuses them, they are renewed together.

A new release of the daemon can want another syntax of all of them. Renewed step by step, each step
would have its own new file judged beside the others' old ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from mailwizard import planning
from mailwizard.errors import NotContent, ProofFailed
from mailwizard.events import Event
from mailwizard.model import Change
from mailwizard.subjects import path_of
from mailwizard.undoing import undo

if TYPE_CHECKING:
    from mailwizard.engine import Engine

Making = Callable[[str, planning.Pending], Iterator[Event]]


@runtime_checkable
class ReadsTogether(Protocol):
    """A change that brings files into service, of whichever step they are."""

    @property
    def reads(self) -> str:
        """The role of the folder they are in; empty where that is nobody else's."""
        ...


def made_together(
    engine: Engine, step_id: str, item: planning.Pending, make: Making
) -> Iterator[Event]:
    """The change is made; before it what other steps have due in that folder, if they must."""
    try:
        yield from make(step_id, item)
    except NotContent:
        beside = list(_beside(engine, step_id, item.change))
        if not beside:
            raise
        try:
            for other, theirs in beside:
                yield from make(other, theirs)
            yield from make(step_id, item)
        except ProofFailed:
            # one configuration, put back as one
            for other in dict.fromkeys(other for other, _ in beside):
                yield from undo(engine.journal, engine.host, engine.journal.since_gate(other))
            raise


def _beside(engine: Engine, step_id: str, change: Change) -> Iterator[tuple[str, planning.Pending]]:
    """What is due in the folder for steps that stand; an edit by hand is not written over."""
    role = change.reads if isinstance(change, ReadsTogether) else ""
    folder = f"{engine.host.platform.path(role)}/" if role else ""
    for step in engine.wanted():
        entries = engine.journal.entries(step.id) if folder and step.id != step_id else []
        written = (path_of(subject) for entry in entries for subject in entry.subjects)
        if not any(path.startswith(folder) for path in written):
            continue
        for item in planning.pending(engine.journal, engine.context(step.id), step):
            paths = [path_of(subject) for subject in item.change.subjects(engine.host)]
            if item.due and not item.drift and paths and all(p.startswith(folder) for p in paths):
                yield step.id, item
