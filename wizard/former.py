"""What earlier answers left in a file that others share: it goes with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from mailwizard.changes.hostname import HOSTS, HostsEntry
from mailwizard.journal import Journal
from mailwizard.keyed import rows, words
from mailwizard.model import Change, Image
from mailwizard.subjects import Lines
from mailwizard.subjects.images import content


def cleared(journal: Journal, change: Change) -> Change:
    """The change; where it maps names, one that also takes back the lines of earlier names."""
    if not isinstance(change, HostsEntry):
        return change
    ours = frozenset(_lines_of_ours(journal))
    return replace(change, former=frozenset(one for one in ours if change.fqdn not in words(one)))


def _lines_of_ours(journal: Journal) -> Iterator[str]:
    """Each line "address, full name, short name" for a name that was nowhere in the file before."""
    for entry in journal.entries():
        for place, subject in enumerate(entry.subjects):
            if subject.kind == Lines.kind and json.loads(subject.name)[0] == HOSTS and entry.after:
                known = set(words(_text(entry.before[place])))
                for line in rows(_text(entry.after[place])):
                    _, *names = words(line) or [""]
                    if len(names) == 2 and names[0] not in known and _is_short(*names):
                        yield line


def _is_short(full: str, short: str) -> bool:
    return full.partition(".")[0] == short


def _text(image: Image) -> str:
    return content(image).decode("utf-8", "surrogateescape")
