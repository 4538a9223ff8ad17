"""Files that are wholly ours, and files that a tool makes from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from mailwizard.errors import HandEdited
from mailwizard.model import Host, Image, Look
from mailwizard.subjects.images import file_image, fingerprint, put_back, state_of, stated


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
class OwnFolder:
    """A folder that we made: undo removes it, unless others use it by now."""

    kind: ClassVar[str] = "folder"
    name: str

    def capture(self, look: Look) -> Image:
        return {"kind": look.state(self.name).kind}

    def parts(self, image: Image) -> Mapping[str, str]:
        return {}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        if before["kind"] == "absent" and not host.list(self.name):
            host.remove(self.name)


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


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file whose content must not stand in the journal: a copy of the old one is kept apart.

    Only the digest is written down; what was there before is a 0600 file in the state folder.
    """

    kind: ClassVar[str] = "secret-file"
    name: str

    def capture(self, look: Look) -> Image:
        state = look.state(self.name)
        digest = sha256(look.read(self.name)).hexdigest() if state.kind == "file" else ""
        return stated(state) | {"sha256": digest}

    def preserve(self, host: Host) -> None:
        """Keep a private copy of what is there; called before the intent is written down."""
        if host.state(self.name).kind == "file":
            data = host.read(self.name)
            host.keep(sha256(data).hexdigest(), data)

    def parts(self, image: Image) -> Mapping[str, str]:
        rights = f"{image['mode']:o} {image['uid']}:{image['gid']}"
        return {self.name: f"{image['kind']} {rights} {image['sha256'][:16]}"}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        now = self.capture(host)
        if self.parts(now) == self.parts(before):
            return
        if after is not None and self.parts(now) != self.parts(after):
            raise HandEdited(f"{self.name} was changed by hand since", hint="It was left as it is.")
        host.restore(self.name, state_of(before), host.kept(before["sha256"]))


@dataclass(frozen=True, slots=True)
class SecretGenerated(SecretFile):
    """A file that a tool makes from a secret one: kept apart like it, restored, never drifted."""

    kind: ClassVar[str] = "secret-generated"

    def parts(self, image: Image) -> Mapping[str, str]:
        return {}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        host.restore(self.name, state_of(before), host.kept(before["sha256"]))


@dataclass(frozen=True, slots=True)
class SpentKey:
    """A private key that was taken away for good: no copy is kept, and undo does not bring it."""

    kind: ClassVar[str] = "spent-key"
    name: str

    def capture(self, look: Look) -> Image:
        return SecretFile(self.name).capture(look)

    def parts(self, image: Image) -> Mapping[str, str]:
        return SecretFile(self.name).parts(image)

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        """Nothing: others may have learnt by now that it is over."""
