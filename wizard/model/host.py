"""The host as the program sees it: to be looked at, to be changed, and how systems differ."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended: its argv, exit code and (decoded, unsanitised) output."""

    argv: tuple[str, ...]
    code: int
    out: str = ""
    err: str = ""

    @property
    def ok(self) -> bool:
        return self.code == 0


@dataclass(frozen=True, slots=True)
class FileState:
    """A path as it is on disk: kind is "absent", "file", "dir", "link" or "other"."""

    kind: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    size: int = 0
    target: str = ""
    xattrs: tuple[tuple[str, bytes], ...] = ()

    def target_from(self, path: str) -> str:
        """Where a link at this path leads."""
        return posixpath.normpath(posixpath.join(posixpath.dirname(path), self.target))


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is kept; the answer file never holds the secret itself."""

    env: str = ""
    file: str = ""


class Tier(StrEnum):
    """What is known about a system, beyond its names."""

    PROVEN = "proven"
    """Real hosts are set up by the tests."""
    EXPECTED = "expected"
    """Packages of a proven one under other habits, which were tried on look-alike hosts."""
    DATA = "data only"


class Preseed(Protocol):
    """What must be in place before a role's packages are unpacked."""

    @property
    def debconf(self) -> tuple[str, ...]: ...
    @property
    def files(self) -> Mapping[str, str]: ...


class Platform(Protocol):
    """What differs between distributions and versions, as data; a role is e.g. "postfix"."""

    @property
    def family(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def tier(self) -> Tier: ...
    @property
    def dovecot(self) -> str: ...
    @property
    def map_type(self) -> str: ...
    def packages(self, role: str) -> tuple[str, ...]: ...
    def unit(self, role: str) -> str: ...
    def path(self, role: str) -> str: ...
    def user(self, role: str) -> str: ...
    def preseed(self, role: str) -> Preseed: ...


class Look(Protocol):
    """The host, to be looked at: nothing here changes it."""

    @property
    def platform(self) -> Platform: ...
    def read(self, path: str) -> bytes:
        """The file's bytes; empty when it does not exist."""
        ...

    def state(self, path: str) -> FileState: ...
    def list(self, path: str) -> Sequence[str]:
        """Names in a folder, sorted; empty when there is none."""
        ...

    def ask(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        timeout: float = 30,
        env: Mapping[str, str] | None = None,
        of: Sequence[str] = (),
    ) -> Completed:
        """Run a command that changes nothing; a missing program is code 127, a timeout 124.

        of: files that alone decide the answer; while they are what they were, it is given again.
        """
        ...

    def consult(self, argv: Sequence[str], line: str, *, timeout: float = 30) -> Completed:
        """A line for a line, of a command that stays; without an answer a code, as `ask` has it."""
        ...

    def which(self, program: str) -> str: ...
    def draft(self, files: Mapping[str, bytes]) -> AbstractContextManager[str]:
        """A private folder holding these files, removed afterwards."""
        ...


class Detached(Protocol):
    """A command running in a unit of its own; its output is kept in a file."""

    def lines(self) -> Iterator[str]:
        """Sanitised lines as they come, until the command ends."""
        ...

    @property
    def code(self) -> int | None:
        """Its exit code, None when that cannot be known (it ended while nobody watched)."""
        ...

    @property
    def log(self) -> str: ...


class Host(Look, Protocol):
    """The host, to be changed; every call is durable when it returns."""

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        timeout: float = 120,
        env: Mapping[str, str] | None = None,
        ok: Sequence[int] = (0,),
    ) -> Completed:
        """Run a command that changes something; raises CommandFailed unless its code is in ok."""
        ...

    def start_detached(
        self,
        unit: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
    ) -> Detached:
        """A long command in a unit that survives this process, or the one still running."""
        ...

    def write(
        self,
        path: str,
        data: bytes,
        *,
        mode: int = 0o644,
        owner: tuple[int, int] | None = None,
        mtime_ns: int | None = None,
    ) -> None:
        """Replace a file atomically and durably; an existing file keeps mode, owner and link."""
        ...

    def restore(self, path: str, state: FileState, data: bytes) -> None:
        """Make a path exactly what it was: kind, bytes, mode, owner, times, extended attributes."""
        ...

    def remove(self, path: str) -> None: ...
    def keep(self, name: str, data: bytes) -> None:
        """Put a private copy aside, out of the journal."""
        ...

    def kept(self, name: str) -> bytes: ...
    def make_dir(self, path: str, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> None: ...
    def secret(self, ref: SecretRef, *, lines: bool = False) -> str:
        """A secret from its place; one line, unless `lines` allows more (a key file)."""
        ...
