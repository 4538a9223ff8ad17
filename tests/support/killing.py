"""Runs inside a host under test: the program, killed at its n-th point.

A point is a moment before one of the things that last: a command begins, a finished file takes its
place, a path is removed, a folder is made, the journal is written. Each run is a fork of this
process, so that Python starts once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailwizard import cli, engine, host, journal, making
from mailwizard.changes import service
from mailwizard.probes.carrying import Carries

LOOK = "look:"
KIND = " <- "  # before the kind of the change that the point lies in
PATIENCE = 0.004  # seconds that a command has had when its run is killed in the middle of it


@dataclass
class Countdown:
    """Counts points; at the last one the process is gone."""

    last: int = 0
    during: bool = False
    seen: list[str] = field(default_factory=list)
    looking: bool = False
    kind: str = ""

    def point(self, what: str, *, command: bool = False) -> None:
        told = f"{LOOK} {what}" if self.looking else what
        self.seen.append(f"{told}{KIND}{self.kind}" if self.kind else told)
        if len(self.seen) != self.last:
            return
        if self.during and command:
            _kill_soon()
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(
        self, name: Callable[..., str], act: Callable[..., Any], command: bool
    ) -> Callable[..., Any]:
        """The same operation with a point in front of it."""

        def counted(*args: Any, **options: Any) -> Any:
            self.point(name(*args), command=command)
            return act(*args, **options)

        return counted

    def look(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        """The same question, and points in it are known to change nothing."""

        def asked(*args: Any, **options: Any) -> Any:
            self.looking = True
            try:
                return ask(*args, **options)
            finally:
                self.looking = False

        return asked

    def making(self, make: Callable[..., None]) -> Callable[..., None]:
        """The same change, and points in it bear the name of its kind."""

        def made(host: Any, journal: Any, step: str, change: Any) -> None:
            self.kind = type(change).__name__
            try:
                make(host, journal, step, change)
            finally:
                self.kind = ""

        return made


def kind_of(point: str) -> str:
    """The kind of the change that a point lies in; empty outside of all."""
    return point.partition(KIND)[2]


def _kill_soon() -> None:
    """Another process kills this one, whatever it is doing by then."""
    victim = os.getpid()
    if os.fork() == 0:
        time.sleep(PATIENCE)
        os.kill(victim, signal.SIGKILL)
        os._exit(0)


def _command(argv: Sequence[str], *_: object) -> str:
    return f"command: {' '.join(argv)[:90]}"


def _choke_points() -> Iterator[tuple[Any, str, Callable[..., str], bool]]:
    """(where, attribute, how a point there is called, whether it is a command)."""
    yield host, "_start", _command, True
    yield host, "_start_watched", _command, True
    yield host, "_replace", lambda _new, path: f"file: {path}", False
    yield host.LocalHost, "remove", lambda _self, path: f"remove: {path}", False
    yield host.LocalHost, "make_dir", lambda _self, path, *_: f"folder: {path}", False
    yield journal.Journal, "_write", lambda _self, text, *_: f"journal: {text[:40]}", False
    yield journal.Journal, "_copy", lambda _self: "journal: the good copy", False


def install(countdown: Countdown, *, probes: bool) -> None:
    """Put a point before every choke point of this process's program."""
    for where, attribute, name, command in _choke_points():
        setattr(where, attribute, countdown.before(name, getattr(where, attribute), command))
    look = countdown.look(host.LocalLook.ask)
    host.LocalLook.ask = look  # type: ignore[method-assign]
    making.make = countdown.making(making.make)
    if not probes:
        # a gate with nothing to ask: its records are written all the same
        engine.Engine.probes = lambda *_, **__: []  # type: ignore[method-assign]
        # nor is a message sent after each stage of a daemon
        hold = service._hold
        service._hold = lambda at, proofs: hold(  # type: ignore[assignment]
            at, [proof for proof in proofs if not isinstance(proof, Carries)]
        )


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code, or the signal as a negative number."""

    code: int
    points: list[str]
    said: str

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


def run(argv: Sequence[str], *, last: int = 0, during: bool = False, probes: bool = False) -> Ended:
    """One run of the command line in a process of its own, killed at point `last` (0: never)."""
    said, points = "/run/killing.said", "/run/killing.points"
    child = os.fork()
    if child == 0:
        _become(argv, Countdown(last, during), said, points, probes)
    _, status = os.waitpid(child, 0)
    text = Path(said).read_text(encoding="utf-8", errors="replace")
    seen = Path(points).read_text(encoding="utf-8").splitlines() if os.WIFEXITED(status) else []
    return Ended(os.waitstatus_to_exitcode(status), seen, text)


def _become(
    argv: Sequence[str], countdown: Countdown, said: str, points: str, probes: bool
) -> None:
    handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    code = 99
    try:
        install(countdown, probes=probes)
        code = cli.main(argv)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        Path(points).write_text("\n".join(countdown.seen), encoding="utf-8")
        os._exit(code)


def serve() -> None:
    """Each line in asks for a run, `[PROBES, ARGUMENT...]` as JSON; how it ended is a line out."""
    for line in sys.stdin:
        probes, *argv = json.loads(line)
        ended = run(argv, probes=probes)
        print(json.dumps([ended.code, ended.said]), flush=True)


def main() -> None:
    """`killing.py POINT ARGUMENT...`: one run without probes; its points, unless it was killed."""
    if sys.argv[1:] == ["serve"]:
        serve()
        return
    ended = run(sys.argv[2:], last=int(sys.argv[1]))
    print("\n".join(ended.points))
    print("killed" if ended.killed else ended.said, file=sys.stderr)
    sys.exit(0 if ended.killed else ended.code)


if __name__ == "__main__":
    main()
