"""Changes to files: one that is all ours, and entries of ours in one that others share."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailwizard.changes import previews
from mailwizard.keyed import keyed_lines, with_keyed_lines, words
from mailwizard.model import Host, Look, Preview, Subject
from mailwizard.subjects import File, Lines, OwnFolder


@dataclass(frozen=True, slots=True)
class FileContent:
    """The file has exactly this text; a new one gets this mode."""

    path: str
    text: str
    mode: int = 0o644

    @property
    def title(self) -> str:
        return f"write {self.path}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        return look.state(self.path).kind == "absent" or look.read(self.path) != self._data

    def preview(self, look: Look) -> Preview:
        return previews.diff(self.path, look.read(self.path), self._data)

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (File(self.path),)

    def apply(self, host: Host) -> None:
        host.write(self.path, self._data, mode=self.mode)

    def shell(self, look: Look) -> str:
        return previews.put_file(self.path, self.text, self.mode)

    @property
    def _data(self) -> bytes:
        return self.text.encode()


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder is there; whoever uses it, it is removed only when it is empty."""

    path: str

    @property
    def title(self) -> str:
        return f"make the folder {self.path}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        return look.state(self.path).kind == "absent"

    def preview(self, look: Look) -> Preview:
        return previews.commands(["mkdir", self.path])

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (OwnFolder(self.path),)

    def apply(self, host: Host) -> None:
        host.make_dir(self.path)

    def shell(self, look: Look) -> str:
        return shlex.join(["mkdir", "-p", self.path])


# a title is a line for a person, however many entries there are
_NAMED = 12


@dataclass(frozen=True, slots=True)
class KeyedEntries:
    """A shared file holds these entries (key -> whole line); nobody else's line is touched."""

    path: str
    separator: str
    entries: Mapping[str, str]

    @property
    def title(self) -> str:
        first, more = list(self.entries)[:_NAMED], len(self.entries) - _NAMED
        others = f" and {more} more" if more > 0 else ""
        return f"set {', '.join(first)}{others} in {self.path}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        return look.read(self.path).decode("utf-8", "surrogateescape") != self._text(look)

    def preview(self, look: Look) -> Preview:
        return previews.diff(self.path, look.read(self.path), self._bytes(look))

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (Lines.of(self.path, self.separator, list(self.entries)),)

    def apply(self, host: Host) -> None:
        host.write(self.path, self._bytes(host))

    def shell(self, look: Look) -> str:
        return "\n".join(
            shlex.join(["put_entry", self.path, self.separator, key.lower(), line])
            for key, line in self.entries.items()
        )

    def _bytes(self, look: Look) -> bytes:
        return self._text(look).encode("utf-8", "surrogateescape")

    def _text(self, look: Look) -> str:
        text = look.read(self.path).decode("utf-8", "surrogateescape")
        now = keyed_lines(text, self.separator)
        # a line that differs by blanks alone says the same, and is somebody else's
        due = {
            key: line
            for key, line in self.entries.items()
            if words(now.get(key.lower(), "")) != words(line)
        }
        return with_keyed_lines(text, self.separator, due) if due else text
