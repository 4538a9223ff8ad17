"""What stood in the answers once and does not any more goes from files that others share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from mailwizard.changes import EntriesGone, KeyedEntries
from mailwizard.journal import Entry, Journal
from mailwizard.keyed import keyed_lines, words
from mailwizard.model import Change, Image
from mailwizard.subjects import Lines
from mailwizard.subjects.images import content


def with_gone(journal: Journal, step: str, changes: Iterable[Change]) -> Iterator[Change]:
    """The changes of a step, each list of entries followed by what is in it no longer."""
    for change in changes:
        yield change
        if isinstance(change, KeyedEntries):
            ours, before = _left(journal.entries(step), change)
            if ours:
                yield EntriesGone(change.path, change.separator, ours, before)


def _left(
    entries: Iterable[Entry], change: KeyedEntries
) -> tuple[Mapping[str, str], Mapping[str, str | None]]:
    """What was left there by us and is wanted no more, and what was there before us."""
    wanted = {key.lower() for key in change.entries}
    ours: dict[str, str] = {}
    before: dict[str, str | None] = {}
    for entry in entries:
        for place, subject in enumerate(entry.subjects):
            keys = _keys(subject, change)
            old = _lines(entry.before[place], change) if keys else {}
            new = _lines(entry.after[place], change) if keys and entry.after else {}
            for key in keys - wanted:
                before.setdefault(key, old.get(key))
                # what somebody edited and chose to keep is his
                ours[key] = new.get(key, "") if entry.state == "done" else ""
    due = {key: line for key, line in ours.items() if line and not _same(line, before[key])}
    return dict(sorted(due.items())), {key: before[key] for key in due}


def _keys(subject: object, change: KeyedEntries) -> set[str]:
    if not isinstance(subject, Lines):
        return set()
    path, separator, keys = json.loads(subject.name)
    return set(keys) if (path, separator) == (change.path, change.separator) else set()


def _lines(image: Image, change: KeyedEntries) -> dict[str, str]:
    text = content(image).decode("utf-8", "surrogateescape")
    return keyed_lines(text, change.separator)


def _same(line: str, before: str | None) -> bool:
    return words(line) == words(before or "")
