"""Undo: before-images put back newest first, then the units brought in line, accounts last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailwizard.errors import WizardError
from mailwizard.events import Event, Undone
from mailwizard.journal import Entry, Journal
from mailwizard.model import Host, Image, Subject
from mailwizard.subjects import Account, InstalledPackages, Unit, WaitingMail
from mailwizard.trouble import sentence

# Their oldest image counts: how they were before we came. A daemon may run as somebody whose
# account is ours (userdel(8), exit value 8): it is stopped, or started anew, before the account is
# removed. Mail that waits is sent on its way again by a Postfix that knows the old way.
LAST = (Unit, WaitingMail, Account)


def undo(
    journal: Journal, host: Host, entries: Sequence[Entry], *, packages: bool = False
) -> Iterator[Event]:
    """Everything these entries touched is as it was; killed half-way, a second undo ends the same.

    A subject edited by hand since is left alone and named as a problem; its entry stays. Each
    entry is struck out as soon as it is put back: a second undo must not take the older image of
    the same file for an edit by hand. Those of units and accounts wait until these are as before.
    """
    waiting: list[int] = []
    last: dict[tuple[str, str], tuple[Entry, Subject, Image]] = {}
    for entry in sorted(entries, key=lambda entry: entry.id, reverse=True):
        problem = _put_back(host, entry, packages, last)
        yield Undone(entry.step, entry.title, problem)
        if any(isinstance(subject, LAST) for subject in entry.subjects):
            waiting += [] if problem else [entry.id]
        elif not problem:
            journal.undone([entry.id])
    for entry, subject, before in sorted(last.values(), key=lambda found: _place(found[1])):
        if isinstance(subject, Unit):
            _rebase(journal, entries, entry, subject, before)
        try:
            subject.restore(host, before, None)
        except WizardError as failed:
            waiting = [number for number in waiting if number != entry.id]
            yield Undone(entry.step, f"{subject.name} as it was", failed.message)
    if waiting:
        journal.undone(waiting)


def _rebase(
    journal: Journal, undone: Sequence[Entry], entry: Entry, subject: Subject, before: Image
) -> None:
    """Steps that stand found a unit as we had left it: what they put back is what was before us.

    Where it does not run any more as they had left it, that is no edit by hand, and their verdicts
    are older than that.
    """
    gone = {each.id for each in undone}
    for other in journal.entries():
        if other.id in gone or subject not in other.subjects:
            continue
        place = other.subjects.index(subject)
        found, left = other.before, other.after
        if other.id > entry.id:
            found = _with(found, place, before)
        if left is not None and _runs(left[place]) != _runs(before):
            left = _with(left, place, before)
            journal.forget_gates(other.step)
        if (found, left) != (other.before, other.after):
            journal.rebased(other.id, found, left)


def _with(images: Sequence[Image], place: int, image: Image) -> tuple[Image, ...]:
    return (*images[:place], image, *images[place + 1 :])


def _runs(unit: Image) -> tuple[str, bool]:
    return unit["enabled"], unit["active"]


def _place(subject: Subject) -> int:
    return next(n for n, kind in enumerate(LAST) if isinstance(subject, kind))


def _put_back(
    host: Host,
    entry: Entry,
    packages: bool,
    last: dict[tuple[str, str], tuple[Entry, Subject, Image]],
) -> str:
    """Restore one entry; returns the problem, empty when there was none."""
    if entry.state == "kept":
        return ""
    after = entry.after or (None,) * len(entry.subjects)
    problems: list[str] = []
    for subject, before, left in reversed(
        list(zip(entry.subjects, entry.before, after, strict=True))
    ):
        if isinstance(subject, LAST):
            last[subject.kind, subject.name] = (entry, subject, before)
        elif packages or not isinstance(subject, InstalledPackages):
            try:
                subject.restore(host, before, left)
            except WizardError as failed:
                problems.append(failed.message)
            except OSError as failed:
                # its folder is gone with its package, it is immutable: the rest is put back
                problems.append(sentence(failed, subject.name))
    return "; ".join(problems)
