"""Files that others share with us: we own entries or parameters in them, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mailwizard import maincf
from mailwizard.model import Host, Image, Look
from mailwizard.subjects.images import content, file_image, put_back_exactly


@dataclass(frozen=True, slots=True)
class Lines:
    """A file that others share: we own the entries under some keys, not the file.

    `name` is JSON: the path, the key separator, and the keys that are ours.
    """

    kind: ClassVar[str] = "lines"
    name: str

    @classmethod
    def of(cls, path: str, separator: str, keys: Sequence[str]) -> Lines:
        return cls(json.dumps([path, separator, sorted(keys)]))

    def capture(self, look: Look) -> Image:
        path, _, _ = json.loads(self.name)
        return file_image(look, path)

    def parts(self, image: Image) -> Mapping[str, str]:
        path, separator, keys = json.loads(self.name)
        found = keyed_lines(content(image).decode("utf-8", "replace"), separator)
        return {f"{path} {key}": found.get(key, "") for key in keys}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        path, separator, keys = json.loads(self.name)
        now = self.capture(host)
        if put_back_exactly(host, path, now, before, after):
            return
        # others wrote here since: take back our keys, leave theirs
        old = keyed_lines(content(before).decode("utf-8", "replace"), separator)
        text = content(now).decode("utf-8", "replace")
        host.write(path, with_keyed_lines(text, separator, {k: old.get(k) for k in keys}).encode())


def _line_key(line: str, separator: str) -> str | None:
    if not line.strip() or line[0] in "# \t":
        return None
    head = line.split(separator, 1) if separator.strip() else line.split(None, 1)
    return head[0].strip().lower() if len(head) == 2 else None


def keyed_lines(text: str, separator: str) -> dict[str, str]:
    """Each key's line as it stands; the first one counts where a key stands twice."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key = _line_key(line, separator)
        if key is not None:
            found.setdefault(key, line)
    return found


def with_keyed_lines(text: str, separator: str, wanted: Mapping[str, str | None]) -> str:
    """The text with each wanted line in its key's place (None: no such line), others untouched."""
    left = dict(wanted)
    out: list[str] = []
    skipping = False
    for line in text.splitlines():
        key = _line_key(line, separator)
        if key is None and skipping and line[:1] in (" ", "\t") and line.strip():
            continue
        skipping = key in wanted
        if key is None or key not in wanted:
            out.append(line)
        elif (replacement := left.pop(key, None)) is not None:
            out.append(replacement)
    out += [line for line in left.values() if line is not None]
    return "\n".join(out) + "\n" if out else ""


@dataclass(frozen=True, slots=True)
class MainCf:
    """Parameters in main.cf: ours by name; `name` is JSON: the path and the parameters."""

    kind: ClassVar[str] = "main.cf"
    name: str

    @classmethod
    def of(cls, path: str, parameters: Sequence[str]) -> MainCf:
        return cls(json.dumps([path, sorted(parameters)]))

    def capture(self, look: Look) -> Image:
        return file_image(look, json.loads(self.name)[0])

    def parts(self, image: Image) -> Mapping[str, str]:
        path, names = json.loads(self.name)
        values = maincf.parse(content(image).decode("utf-8", "replace"))
        return {f"{path} {name}": values.get(name, "") for name in names}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        path, names = json.loads(self.name)
        now = self.capture(host)
        if put_back_exactly(host, path, now, before, after):
            return
        old = maincf.parse(content(before).decode("utf-8", "replace"))
        text = content(now).decode("utf-8", "replace")
        edited = maincf.edited(text, {name: old.get(name) for name in names})
        host.write(path, edited.encode(), mtime_ns=maincf.backdated())


@dataclass(frozen=True, slots=True)
class MasterCf:
    """Options of master.cf services; `name` is JSON: the path and service/type/parameter names."""

    kind: ClassVar[str] = "master.cf"
    name: str

    @classmethod
    def of(cls, path: str, parameters: Sequence[str]) -> MasterCf:
        return cls(json.dumps([path, sorted(parameters)]))

    def capture(self, look: Look) -> Image:
        path, names = json.loads(self.name)
        return file_image(look, path) | {"values": maincf.master_values(look, names)}

    def parts(self, image: Image) -> Mapping[str, str]:
        path, names = json.loads(self.name)
        return {f"{path} {name}": image["values"].get(name, "") for name in names}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        path, names = json.loads(self.name)
        if put_back_exactly(host, path, self.capture(host), before, after):
            return
        wanted = {name: before["values"].get(name) for name in names}
        host.write(path, maincf.edited_master(host, host.read(path), wanted))
