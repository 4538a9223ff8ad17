"""One change: written down before, made, read back, written down after."""

from __future__ import annotations

from mailwizard.errors import ReadBackFailed
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.model import Change
from mailwizard.subjects import SecretFile


def make(host: LocalHost, journal: Journal, step_id: str, change: Change) -> None:
    """One change: written down, made, read back, written down (R1); raises ReadBackFailed."""
    subjects = tuple(change.subjects(host))
    for subject in subjects:
        if isinstance(subject, SecretFile):
            subject.preserve(host)
    before = [subject.capture(host) for subject in subjects]
    entry = journal.intend(step_id, change.title, subjects, before, change.shell(host))
    change.apply(host)
    if change.needed(host):
        raise ReadBackFailed(
            f"{change.title}: made, but the host does not show it",
            hint="Somebody else may be writing the same file. Try again.",
        )
    journal.done(entry, [subject.capture(host) for subject in subjects])
