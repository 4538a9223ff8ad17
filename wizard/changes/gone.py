"""Entries of ours in a shared file that the answers do not hold any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailwizard.changes import previews
from mailwizard.keyed import keyed_lines, with_keyed_lines, words
from mailwizard.model import Host, Look, Preview, Subject
from mailwizard.subjects import Lines


@dataclass(frozen=True, slots=True)
class EntriesGone:
    """What we left under these keys is gone, and what was there before us is there again.

    ours: key -> the entry as we left it; before: key -> what was there before, None for nothing.
    An entry that says something else by now is somebody else's, and stays.
    """

    path: str
    separator: str
    ours: Mapping[str, str]
    before: Mapping[str, str | None]

    @property
    def title(self) -> str:
        return f"take {', '.join(self.ours)} out of {self.path}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        return bool(self._due(look))

    def preview(self, look: Look) -> Preview:
        return previews.diff(self.path, look.read(self.path), self._edited(look))

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (Lines.of(self.path, self.separator, list(self.ours)),)

    def apply(self, host: Host) -> None:
        host.write(self.path, self._edited(host))

    def shell(self, look: Look) -> str:
        """Nothing: on another host they never were."""
        return ""

    def _due(self, look: Look) -> dict[str, str | None]:
        now = keyed_lines(_text(look, self.path), self.separator)
        return {
            key: self.before[key]
            for key, line in self.ours.items()
            if words(now.get(key, "")) == words(line)
        }

    def _edited(self, look: Look) -> bytes:
        edited = with_keyed_lines(_text(look, self.path), self.separator, self._due(look))
        return edited.encode("utf-8", "surrogateescape")


def _text(look: Look, path: str) -> str:
    return look.read(path).decode("utf-8", "surrogateescape")
