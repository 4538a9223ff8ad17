"""Undo: before-images put back newest first, then the units brought in line with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailwizard.errors import WizardError
from mailwizard.events import Event, Undone
from mailwizard.journal import Entry, Journal
from mailwizard.model import Host, Image, Subject
from mailwizard.subjects import InstalledPackages, Unit
from mailwizard.trouble import sentence


def undo(
    journal: Journal, host: Host, entries: Sequence[Entry], *, packages: bool = False
) -> Iterator[Event]:
    """Everything these entries touched is as it was; killed half-way, a second undo ends the same.

    A subject edited by hand since is left alone and named as a problem; its entry stays. Each
    entry is struck out as soon as it is put back: a second undo must not take the older image of
    the same file for an edit by hand. Those of units wait until their unit is as it was.
    """
    waiting: list[int] = []
    units: dict[str, tuple[Entry, Subject, Image]] = {}
    for entry in sorted(entries, key=lambda entry: entry.id, reverse=True):
        problem = _put_back(host, entry, packages, units)
        yield Undone(entry.step, entry.title, problem)
        if any(isinstance(subject, Unit) for subject in entry.subjects):
            waiting += [] if problem else [entry.id]
        elif not problem:
            journal.undone([entry.id])
    for entry, unit, before in units.values():
        try:
            unit.restore(host, before, None)
        except WizardError as failed:
            waiting = [number for number in waiting if number != entry.id]
            yield Undone(entry.step, f"{unit.name} as it was", failed.message)
    if waiting:
        journal.undone(waiting)


def _put_back(
    host: Host,
    entry: Entry,
    packages: bool,
    units: dict[str, tuple[Entry, Subject, Image]],
) -> str:
    """Restore one entry; returns the problem, empty when there was none."""
    if entry.state == "kept":
        return ""
    after = entry.after or (None,) * len(entry.subjects)
    problems: list[str] = []
    for subject, before, left in reversed(
        list(zip(entry.subjects, entry.before, after, strict=True))
    ):
        if isinstance(subject, Unit):
            # the oldest image counts: how the unit was before we came
            units[subject.name] = (entry, subject, before)
        elif packages or not isinstance(subject, InstalledPackages):
            try:
                subject.restore(host, before, left)
            except WizardError as failed:
                problems.append(failed.message)
            except OSError as failed:
                # its folder is gone with its package, it is immutable: the rest is put back
                problems.append(sentence(failed, subject.name))
    return "; ".join(problems)
