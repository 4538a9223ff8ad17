"""What certbot keeps for us: a certificate, and an account with the authority."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.model import Host, Image, Look

FOLDER = "/etc/letsencrypt"
# what certbot makes by itself, beside the certificates that it deletes when told to
_ITS_OWN = tuple(f"{FOLDER}/{name}" for name in ("accounts/", "csr/", "keys/", "live/README"))


@dataclass(frozen=True, slots=True)
class AcmeLineage:
    """A certificate that certbot looks after; undo lets certbot forget one that was not there.

    With the last certificate goes the account that it was got with; where others are looked
    after, theirs is left alone.
    """

    kind: ClassVar[str] = "acme"
    name: str

    def capture(self, look: Look) -> Image:
        return {
            "present": look.state(f"{FOLDER}/renewal/{self.name}.conf").kind == "file",
            "paths": sorted(_below(look, FOLDER)),
        }

    def parts(self, image: Image) -> Mapping[str, str]:
        return {f"certificate {self.name}": "present" if image["present"] else ""}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        if not before["present"] and self.capture(host)["present"]:
            host.run(["certbot", "delete", "--non-interactive", "--cert-name", self.name])
        _tidy(host, set(before["paths"]))


def _tidy(host: Host, kept: set[str]) -> None:
    """Take away empty folders that certbot added, and with the last certificate its own files."""
    last = not any(name.endswith(".conf") for name in host.list(f"{FOLDER}/renewal"))
    for path in sorted(set(_below(host, FOLDER)) - kept, reverse=True):
        is_folder = host.state(path).kind == "dir"
        if not host.list(path) if is_folder else last and path.startswith(_ITS_OWN):
            host.remove(path)


def _below(look: Look, folder: str) -> Iterator[str]:
    """Everything in a folder; links are not followed."""
    for name in look.list(folder):
        path = f"{folder}/{name}"
        yield path
        if look.state(path).kind == "dir":
            yield from _below(look, path)
