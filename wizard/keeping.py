"""Edits by hand that the administrator chose to keep (R13)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Protocol, runtime_checkable

from mailwizard.journal import Journal
from mailwizard.model import Change, Host, Look, Probe

KEPT = "kept"


@runtime_checkable
class ReadsBack(Protocol):
    """A probe that compares what was set; what is kept as somebody edited it is no failure."""

    def besides(self, kept: Collection[str]) -> Probe:
        """The same, where these parts (as subjects name them) are kept."""
        ...


def keep(journal: Journal, host: Host, step: str, changes: Iterable[Change]) -> None:
    """What these changes would write over stands; they are not due while it lasts."""
    for change in changes:
        subjects = tuple(change.subjects(host))
        images = [subject.capture(host) for subject in subjects]
        entry = journal.intend(step, change.title, subjects, images, "")
        journal.done(entry, images, KEPT)


def is_kept(journal: Journal, look: Look, change: Change) -> bool:
    """True when what the change writes to is as it was when it was chosen to be kept."""
    names = {(s.kind, s.name) for s in change.subjects(look)}
    for entry in journal.entries():
        same = {(s.kind, s.name) for s in entry.subjects} == names
        if entry.state == KEPT and same and entry.after is not None:
            now = [s.parts(s.capture(look)) for s in entry.subjects]
            kept = [s.parts(image) for s, image in zip(entry.subjects, entry.after, strict=True)]
            if now == kept:
                return True
    return False


def besides(journal: Journal, look: Look, probes: Iterable[Probe]) -> Iterator[Probe]:
    """The probes, those that read back told what is kept."""
    kept = _parts(journal, look)
    for probe in probes:
        yield probe.besides(kept) if kept and isinstance(probe, ReadsBack) else probe


def _parts(journal: Journal, look: Look) -> set[str]:
    """The parts that are as they were when they were chosen to be kept, and not ours since."""
    entries = journal.entries()
    kept = {(s.kind, s.name): s for e in entries if e.state == KEPT for s in e.subjects}
    if not kept:
        return set()
    newest: dict[str, tuple[str, str]] = {}
    for entry in entries:
        for subject, image in zip(entry.subjects, entry.after or entry.before, strict=True):
            parts = subject.parts(image).items()
            newest.update({part: (entry.state, value) for part, value in parts})
    now = [subject.parts(subject.capture(look)) for subject in kept.values()]
    return {p for parts in now for p, value in parts.items() if newest[p] == (KEPT, value)}
