"""Files that others share with us: we own entries or parameters in them, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mailwizard import maincf
from mailwizard.keyed import keyed_lines, with_keyed_lines, words
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
        return cls(json.dumps([path, separator, sorted({key.lower() for key in keys})]))

    def capture(self, look: Look) -> Image:
        path, _, _ = json.loads(self.name)
        return file_image(look, path)

    def parts(self, image: Image) -> Mapping[str, str]:
        path, separator, keys = json.loads(self.name)
        found = keyed_lines(content(image).decode("utf-8", "replace"), separator)
        return {f"{path} {key}": _said(found.get(key, "")) for key in keys}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        path, separator, keys = json.loads(self.name)
        now = self.capture(host)
        if put_back_exactly(host, path, now, before, after):
            return
        # others wrote here since: take back our keys, leave theirs
        old = keyed_lines(_text(before), separator)
        wanted = {key: old.get(key) for key in keys}
        host.write(path, _bytes(with_keyed_lines(_text(now), separator, wanted)))


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
        return {f"{path} {name}": _said(values.get(name, "")) for name in names}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        path, names = json.loads(self.name)
        now = self.capture(host)
        if put_back_exactly(host, path, now, before, after):
            return
        old = maincf.parse(_text(before))
        edited = maincf.edited(_text(now), {name: old.get(name) for name in names})
        host.write(path, _bytes(edited), mtime_ns=maincf.backdated())


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


def _said(entry: str) -> str:
    """What it says: an edit of blanks alone is none that anybody has to be asked about."""
    return " ".join(words(entry))


def _text(image: Image) -> str:
    """The content as text that _bytes gives back byte by byte, whatever its encoding."""
    return content(image).decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
