"""A host out of a table: recorded files and command answers in, what was done to it out."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from support.programs import Program

from mailwizard.errors import CommandFailed
from mailwizard.model import Completed, FileState, SecretRef
from mailwizard.platform.base import Distribution
from mailwizard.platform.debian import TRIXIE


@dataclass
class Written:
    """A file as the change left it."""

    data: bytes
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)
    mtime_ns: int = 0


@dataclass
class RecordedLook:
    """A host to look at: nothing but what was recorded is there."""

    platform: Distribution = TRIXIE
    files: dict[str, Written] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    answers: dict[str, Completed] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    programs: dict[str, Program] = field(default_factory=dict)
    memory: dict[str, str] = field(default_factory=dict)

    def read(self, path: str) -> bytes:
        found = self.files.get(path)
        return found.data if found else b""

    def state(self, path: str) -> FileState:
        if path in self.files:
            file = self.files[path]
            uid, gid = file.owner
            return FileState("file", file.mode, uid, gid, file.mtime_ns, len(file.data))
        return FileState("dir", 0o755) if self._is_folder(path) else FileState("absent")

    def list(self, path: str) -> Sequence[str]:
        start = path.rstrip("/") + "/"
        inside = [name for name in (*self.files, *self.folders) if name.startswith(start)]
        return sorted({name.removeprefix(start).split("/")[0] for name in inside})

    def ask(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        **_: object,
    ) -> Completed:
        self.asked.append(tuple(argv))
        missing = Completed(tuple(argv), 127, "", f"{argv[0]}: not recorded")
        return self._answer(argv, stdin) or missing

    def consult(self, argv: Sequence[str], line: str, **_: object) -> Completed:
        return self.ask(argv, stdin=line)

    def which(self, program: str) -> str:
        there = {argv.split()[0] for argv in self.answers} | set(self.programs)
        return f"/usr/bin/{program}" if program in there else ""

    @contextlib.contextmanager
    def draft(self, files: Mapping[str, bytes]) -> Iterator[str]:
        folder = "/run/mailwizard-draft"
        drafted = {f"{folder}/{name}": Written(data) for name, data in files.items()}
        self.files |= drafted
        try:
            yield folder
        finally:
            for path in [path for path in self.files if path.startswith(folder + "/")]:
                del self.files[path]

    def _answer(self, argv: Sequence[str], stdin: str) -> Completed | None:
        """The recorded answer, or what a simulated program does."""
        if known := self.answers.get(shlex.join(argv)):
            return known
        program = self.programs.get(argv[0])
        return program(self, argv, stdin) if program else self._parameters(argv)

    def _parameters(self, argv: Sequence[str]) -> Completed | None:
        """What postconf says of some parameters, or of all, where it is recorded for some."""
        options = argv[:3] if argv[1:2] == ["-c"] else argv[:1]
        options = [*options, *(["-x"] if "-x" in argv else [])]
        told = {
            line.partition(" =")[0]: line
            for command, answer in self.answers.items()
            if argv[0] == "postconf" and shlex.split(command)[: len(options)] == options
            for line in answer.out.splitlines()
        }
        names = argv[len(options) :] or list(told)
        rows = [told[name] for name in names if name in told]
        return Completed(tuple(argv), 0, "".join(f"{row}\n" for row in rows)) if told else None

    def _is_folder(self, path: str) -> bool:
        inside = path.rstrip("/") + "/"
        return path in self.folders or any(name.startswith(inside) for name in self.files)


@dataclass(frozen=True)
class RecordedRun:
    """A long command that has ended already."""

    done: Completed

    def lines(self) -> Iterator[str]:
        yield from self.done.out.splitlines()

    @property
    def code(self) -> int | None:
        return self.done.code

    @property
    def log(self) -> str:
        return "/var/lib/mailwizard/recorded.log"


@dataclass
class RecordedHost(RecordedLook):
    """A host to be changed: it keeps what was written, and lists what was run."""

    ran: list[tuple[str, ...]] = field(default_factory=list)
    stdin: list[str] = field(default_factory=list)
    written: dict[str, Written] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    secrets: Mapping[str, str] = field(default_factory=dict)
    aside: dict[str, bytes] = field(default_factory=dict)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        ok: Sequence[int] = (0,),
        **_: object,
    ) -> Completed:
        self.ran.append(tuple(argv))
        self.stdin.append(stdin)
        done = self._answer(argv, stdin) or Completed(tuple(argv), 0)
        if done.code not in ok:
            raise CommandFailed(tuple(argv), done.code, tuple(done.err.splitlines()))
        return done

    def start_detached(
        self,
        unit: str,
        argv: Sequence[str],
        **_: object,
    ) -> RecordedRun:
        return RecordedRun(self.run(argv, ok=range(256)))

    def write(
        self,
        path: str,
        data: bytes,
        *,
        mode: int = 0o644,
        owner: tuple[int, int] | None = None,
        mtime_ns: int | None = None,
    ) -> None:
        old = self.files.get(path)
        kept = Written(
            data,
            old.mode if old else mode,
            owner or (old.owner if old else (0, 0)),
            mtime_ns or 2 * 10**18,
        )
        self.files[path] = self.written[path] = kept

    def restore(self, path: str, state: FileState, data: bytes) -> None:
        self.files[path] = Written(data, state.mode, (state.uid, state.gid), state.mtime_ns)

    def remove(self, path: str) -> None:
        self.removed.append(path)
        self.files.pop(path, None)

    def make_dir(self, path: str, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> None:
        self.folders.add(path)

    def keep(self, name: str, data: bytes) -> None:
        self.aside[name] = data

    def kept(self, name: str) -> bytes:
        return self.aside.get(name, b"")

    def secret(self, ref: SecretRef, *, lines: bool = False) -> str:
        return self.secrets[ref.env or ref.file]


def recorded(facts: Mapping[str, Any], platform: Distribution) -> RecordedHost:
    """The host that a case's tables describe."""
    commands = {
        argv: Completed(tuple(shlex.split(argv)), *_recorded_answer(answer))
        for argv, answer in facts.get("commands", {}).items()
    }
    files = {path: _recorded_file(file) for path, file in facts.get("files", {}).items()}
    return RecordedHost(platform, files, set(facts.get("folders", ())), commands)


def _recorded_file(file: str | Mapping[str, Any]) -> Written:
    if isinstance(file, str):
        return Written(file.encode())
    return Written(file["text"].encode(), file["mode"])


def _recorded_answer(answer: str | Mapping[str, Any]) -> tuple[int, str, str]:
    if isinstance(answer, str):
        return 0, answer, ""
    return answer.get("code", 0), answer.get("out", ""), answer.get("err", "")
