"""Files that are wholly ours, and files that a tool makes from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.errors import HandEdited
from mailwizard.model import Host, Image, Look
from mailwizard.subjects.images import file_image, fingerprint, put_back


@dataclass(frozen=True, slots=True)
class File:
    """A whole file of ours: content, rights, link-ness, or its absence."""

    kind: ClassVar[str] = "file"
    name: str

    def capture(self, look: Look) -> Image:
        return file_image(look, self.name)

    def parts(self, image: Image) -> Mapping[str, str]:
        return {self.name: fingerprint(image)}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        now = fingerprint(self.capture(host))
        if now == fingerprint(before):
            return
        if after is not None and now != fingerprint(after):
            raise HandEdited(
                f"{self.name} was edited by hand since",
                hint="It was left as it is. Take your edits out and undo again, or keep it so.",
            )
        put_back(host, self.name, before)


@dataclass(frozen=True, slots=True)
class Generated:
    """A file that a tool makes from another (a map, a database): restored, never drifted."""

    kind: ClassVar[str] = "generated"
    name: str

    def capture(self, look: Look) -> Image:
        return file_image(look, self.name)

    def parts(self, image: Image) -> Mapping[str, str]:
        return {}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        put_back(host, self.name, before)
