"""Lookup tables that hold passwords: private from their first byte, shown with dots."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mailwizard.changes import previews
from mailwizard.changes.maps import LookupMap
from mailwizard.errors import BadUsage, ProofFailed, UnfitSecret
from mailwizard.model import FileState, Host, Look, Preview, SecretRef, Subject
from mailwizard.subjects import SecretFile, SecretGenerated

DOTS = "••••••••"
# the exported script writes the same line (templates/export/replay.sh.j2)
HEADER = "# Written by mailwizard. Passwords, as in the compiled table beside it: for root alone."


@dataclass(frozen=True, slots=True)
class Credential:
    """What an account is looked up by, its user name, where its password is kept.

    variable: where the exported script looks for the password before it asks for it.
    """

    key: str
    username: str
    password: SecretRef
    variable: str


@runtime_checkable
class Reveals(Protocol):
    """A host that can be asked for a secret: one that is only looked at cannot."""

    def secret(self, ref: SecretRef) -> str: ...


@dataclass(frozen=True, slots=True)
class SecretTable:
    """The table holds exactly these accounts with their passwords, is private, and is compiled."""

    path: str
    entries: tuple[Credential, ...]

    @property
    def title(self) -> str:
        return f"write the passwords to {self.path} and compile it"

    @property
    def follows(self) -> str:
        return ""

    @property
    def secrets(self) -> Sequence[SecretRef]:
        return [entry.password for entry in self.entries]

    def needed(self, look: Look) -> bool:
        source, compiled = look.state(self.path), look.state(self._compiled(look))
        if not (_is_private(source) and _is_private(compiled)):
            return True
        return compiled.mtime_ns < source.mtime_ns or not self._is_current(look)

    def preview(self, look: Look) -> Preview:
        old = look.read(self.path).decode("utf-8", "replace")
        new = self._with(DOTS for _ in self.entries)
        shown = previews.diff(self.path, "\n".join(_masked(old)).encode(), new.encode())
        same = f"# {self.path}: the passwords in it are replaced, and nobody but root can read it"
        return shown if shown.text else Preview(same)

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (SecretFile(self.path), SecretGenerated(self._compiled(look)))

    def apply(self, host: Host) -> None:
        # read first: without the passwords nothing is touched
        text = self._with(_password(host, entry) for entry in self.entries)
        for path in (self.path, self._compiled(host)):
            if host.state(path).kind != "absent" and not _is_private(host.state(path)):
                # a file that others may read would keep its mode
                host.remove(path)
        host.write(self.path, text.encode(), mode=0o600)
        # postmap gives the compiled table no more rights than its source has
        done = host.run(["postmap", f"{host.platform.map_type}:{self.path}"], ok=range(256))
        if not done.ok or done.err.strip():
            # not repeated: it may quote the line that holds the password
            raise ProofFailed(
                f"postmap complains about {self.path}",
                hint=f"See what it says: postmap {host.platform.map_type}:{self.path}",
            )

    def shell(self, look: Look) -> str:
        words = [w for each in self.entries for w in (each.key, each.username, each.variable)]
        return shlex.join(["secret_table", look.platform.map_type, self.path, *words])

    def _compiled(self, look: Look) -> str:
        return LookupMap(self.path).compiled(look)

    def _with(self, passwords: Iterator[str]) -> str:
        both = zip(self.entries, passwords, strict=True)
        lines = [f"{each.key}\t{each.username}:{password}" for each, password in both]
        return "\n".join([HEADER, *lines]) + "\n"

    def _is_current(self, look: Look) -> bool:
        """Whether it is what would be written; where a password cannot be had now, but for that."""
        there = look.read(self.path).decode("utf-8", "replace")
        if isinstance(look, Reveals):
            try:
                passwords = [look.secret(entry.password) for entry in self.entries]
            except UnfitSecret:
                return False
            except BadUsage:
                pass  # an environment variable of another day: what is there stays
            else:
                return there == self._with(iter(passwords))
        return list(_masked(there)) == list(_masked(self._with(DOTS for _ in self.entries)))


@dataclass(frozen=True, slots=True)
class SecretTableGone:
    """A table of passwords that we wrote is there no more, nor what was compiled from it."""

    path: str

    @property
    def title(self) -> str:
        return f"remove the passwords in {self.path}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        return look.read(self.path).startswith(f"{HEADER}\n".encode())

    def preview(self, look: Look) -> Preview:
        return previews.commands(["rm", "-f", *self._files(look)])

    def subjects(self, look: Look) -> Sequence[Subject]:
        compiled, source = self._files(look)
        return (SecretFile(source), SecretGenerated(compiled))

    def apply(self, host: Host) -> None:
        # the source last: by it a run that was cut short is known
        for path in self._files(host):
            host.remove(path)

    def shell(self, look: Look) -> str:
        read = shlex.join(["head", "-n", "1", self.path])
        gone = shlex.join(["rm", "-f", *self._files(look)])
        return f'[ "$({read} 2>/dev/null)" != {shlex.quote(HEADER)} ] || {gone}'

    def _files(self, look: Look) -> tuple[str, str]:
        return LookupMap(self.path).compiled(look), self.path


def _is_private(state: FileState) -> bool:
    return state.kind == "file" and not state.mode & 0o077 and state.uid == 0


def _password(host: Reveals, entry: Credential) -> str:
    password = host.secret(entry.password)
    if password.endswith(" "):
        raise BadUsage(
            f"the password of {entry.username} for {entry.key} ends with a blank, which Postfix "
            "would cut off",
            hint="Is the blank part of it? Then have the provider set one without.",
        )
    return password


def _masked(text: str) -> Iterator[str]:
    """The table's lines as they may be shown."""
    # not splitlines(): it also cuts at characters that a password may hold
    for line in text.removesuffix("\n").split("\n"):
        key, _, value = line.replace("\t", " ", 1).partition(" ")
        username, colon, _ = value.strip().partition(":")
        if line == HEADER or not line.strip():
            yield line
        elif not key or key.startswith("#") or not colon:
            # a comment may be an entry that was put out of use, a blank goes on with a password
            yield f"{'#' if key.startswith('#') else key}\t{DOTS}"
        else:
            yield f"{key}\t{username}:{DOTS}"
