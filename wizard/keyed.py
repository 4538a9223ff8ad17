"""Files that many share, one entry a line under a key: aliases(5), hosts(5).

Where entries have a visible separator, a line that begins with a blank goes on with the entry
above; comments and empty lines between them do not end it (postconf(5), DESCRIPTION).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

BLANKS = " \t\r"
_BETWEEN = re.compile(r"[ \t\r\n]+")


def rows(text: str) -> list[str]:
    """The text's lines; nothing but a newline ends one, whatever str.splitlines thinks."""
    return text.removesuffix("\n").split("\n") if text else []


def words(entry: str) -> list[str]:
    """What the entry says: two that differ in blanks alone say the same."""
    return [word for word in _BETWEEN.split(entry) if word]


def _lines(text: str, separator: str) -> Iterator[tuple[str | None, str]]:
    """(the key whose entry the line belongs to or "", the line); None for comments and blanks."""
    key = ""
    for line in rows(text):
        plain = line.strip(BLANKS)
        if not plain or plain.startswith("#"):
            yield None, line
            continue
        if not separator.strip():
            first, *others = words(line)
            key = first.lower() if others else ""
        elif line[0] not in BLANKS:
            head, found, _ = line.partition(separator)
            key = head.strip(BLANKS).lower() if found else ""
        yield key, line


def keyed_lines(text: str, separator: str) -> dict[str, str]:
    """Each key's lines as they stand, joined by newlines."""
    found: dict[str, list[str]] = {}
    for key, line in _lines(text, separator):
        if key:
            found.setdefault(key, []).append(line.rstrip(BLANKS))
    return {key: "\n".join(lines) for key, lines in found.items()}


def with_keyed_lines(text: str, separator: str, wanted: Mapping[str, str | None]) -> str:
    """The text with each wanted entry in its key's place (None: none), all others untouched."""
    due = {key.lower(): entry for key, entry in wanted.items()}
    left = dict(due)
    out: list[str] = []
    for key, line in _lines(text, separator):
        if key is None or key not in due:
            out.append(line)
        elif (replacement := left.pop(key, None)) is not None:
            out.append(replacement)
    out += [entry for entry in left.values() if entry is not None]
    return "\n".join(out) + "\n" if out else ""
