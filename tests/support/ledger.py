"""What the processors work for while tests run real hosts: which kind of work, and how often.

All that is used between two moments, by the hosts and by the test process with what it starts, is
put down to the kind of work that was at hand. So a daemon's work behind a test's back is the
test's, and nothing is counted twice or left out.
"""

from __future__ import annotations

import atexit
import os
import re
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from lab import cgroups, images
from lab.errors import LabError
from lab.host import Host
from support.applied import Prepared

LAYERS, BOOTS = "layers made", "boots and ends of hosts"
PACKAGES, KILLED = "packages came or went", "runs cut short at a point"
FAULTS, ASKED, SCRIPT = "faults made and mended", "probes of a bench", "the exported script"
OTHER, REST = "other commands on hosts", "the tests themselves"
PROGRAM = "mailwizard"
COMMANDS = ("apply", "check", "plan", "undo", "status", "export", "dkim", "dns", "answers")
# a start of the program, however it is wrapped, and what follows
STARTED = re.compile(r"mailwizard/mailwizard'?(?: ([^|&;\n]*)|$)")
KINDS = {
    r"/(killing|sweeping|drifting|undone)\.py": KILLED,
    r"kit\.sh": FAULTS,
    r"asker\.py": ASKED,
    r"replay\.sh": SCRIPT,
}
GROUP = "mwtests"
Clock = Callable[[], tuple[float, float]]


def kind_of(argv: Sequence[str] | str) -> str:
    """Tell what kind of work a command on a host is."""
    line = argv if isinstance(argv, str) else shlex.join(argv)
    for pattern, kind in KINDS.items():
        if re.search(pattern, line):
            return kind
    if (started := STARTED.search(line)) is None:
        return OTHER
    words = [word.strip("'\"") for word in (started[1] or "").split()]
    return f"{PROGRAM} {next((word for word in words if word in COMMANDS), '(other)')}"


@dataclass
class Entry:
    """What one kind of work has cost: of the hosts, of the tests, and how often it was done."""

    hosts: float = 0
    tests: float = 0
    times: int = 0

    def add(self, hosts: float, tests: float, times: int) -> None:
        self.hosts += hosts
        self.tests += tests
        self.times += times

    @property
    def seconds(self) -> float:
        return self.hosts + self.tests


Taken = dict[str, list[float]]


@dataclass
class _Piece:
    kind: str
    whole: bool = False  # what is done meanwhile is part of it


@dataclass
class Ledger:
    """Puts what the clock says down to the work at hand."""

    clock: Clock
    stirred: Callable[[], bool] = lambda: False
    _open: list[_Piece] = field(default_factory=list)
    _behind: list[tuple[str, Callable[[], object]]] = field(default_factory=list)
    _entries: dict[str, Entry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._read = self.clock()

    @contextmanager
    def doing(self, kind: str, *, whole: bool = False, times: int = 1) -> Iterator[None]:
        """Put what is used in this block down to a kind; nested, the inner one counts."""
        piece = _Piece(kind, whole)
        with self._lock:
            self._charge()
            self._open.append(piece)
        try:
            yield
        finally:
            with self._lock:
                under = self._charge() if self._open[-1] is piece else kind
                self._open.remove(piece)
                if not any(other.whole for other in self._open):
                    self._entry(under).times += times

    def behind(self, kind: str, ended: Callable[[], object]) -> None:
        """Put what is used between pieces down to this kind, until `ended` gives a value."""
        with self._lock:
            self._charge()
            self._behind.append((kind, ended))
            self._entry(kind).times += 1

    def take(self) -> Taken:
        """Give what was used since the last time, by kind: hosts, tests, times."""
        with self._lock:
            self._charge()
            taken = {k: [e.hosts, e.tests, e.times] for k, e in self._entries.items()}
            self._entries.clear()
            return taken

    def _charge(self) -> str:
        now, before = self.clock(), self._read
        self._read = now
        kind = self._at_hand()
        self._entry(kind).add(now[0] - before[0], now[1] - before[1], 0)
        self._behind = [(name, ended) for name, ended in self._behind if ended() is None]
        return kind

    def _at_hand(self) -> str:
        stirred = self.stirred()
        for piece in self._open:
            if piece.whole:
                return piece.kind
        if stirred:
            return PACKAGES
        if self._open:
            return self._open[-1].kind
        return self._behind[-1][0] if self._behind else REST

    def _entry(self, kind: str) -> Entry:
        return self._entries.setdefault(kind, Entry())


class Installed:
    """Tells whether packages came or went on a host that runs, since it was last asked."""

    def __init__(self) -> None:
        self._seen: dict[Path, int] = {}

    def see(self, host: Host) -> None:
        """Keep an eye on one more host."""
        status = host.root / "var/lib/dpkg/status"
        self._seen[status] = _changed(status)

    def __call__(self) -> bool:
        now = {status: _changed(status) for status in self._seen}
        found = any(after not in {0, self._seen[status]} for status, after in now.items())
        self._seen = {status: after for status, after in now.items() if after}
        return found


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def begin() -> Ledger:
    """Give the ledger of this process, which counts from now on whatever the lab does."""
    installed = Installed()
    ledger = Ledger(_clock(), installed)
    _watch(ledger, installed)
    return ledger


def _clock() -> Clock:
    # Not by getrusage: it says of a child that went into a host what the host has used.
    name = f"{GROUP}{os.getpid()}"
    before = []
    with suppress(OSError, LabError):
        for left in cgroups.named(GROUP):
            if not Path("/proc", left.removeprefix(GROUP)).exists():
                cgroups.leave(left, [])
        before = cgroups.enter(name)
    if not before:
        return lambda: (0.0, sum(os.times()[:4]))
    atexit.register(cgroups.leave, name, before)
    return lambda: (cgroups.spent(), cgroups.seconds(name))


def _watch(ledger: Ledger, installed: Installed) -> None:
    def booting(host: Host, *_: object) -> AbstractContextManager[None]:
        installed.see(host)
        return ledger.doing(BOOTS)

    for where, name in (
        *((images, "base"), (images, "layer")),
        *((Prepared, "ready"), (Prepared, "applied")),
    ):
        _around(where, name, lambda *_: ledger.doing(LAYERS, whole=True, times=0))
    for name in ("__init__", "stop", "kill", "close"):
        _around(Host, name, lambda *_: ledger.doing(BOOTS, times=0))
    _around(Host, "boot", booting)
    _around(Host, "run", lambda _, argv: ledger.doing(kind_of(argv)))
    start = Host.popen

    @wraps(start)
    def popen(self: Host, argv: Sequence[str] | str, **options: Any) -> subprocess.Popen[bytes]:
        process = start(self, argv, **options)
        if (kind := kind_of(argv)) != OTHER:
            ledger.behind(kind, process.poll)
        return process

    _replace(Host, "popen", popen)


def _around(where: Any, name: str, doing: Callable[..., Any]) -> None:
    act = getattr(where, name)

    @wraps(act)
    def counted(*args: Any, **options: Any) -> Any:
        with doing(*args):
            return act(*args, **options)

    _replace(where, name, counted)


def _replace(where: Any, name: str, act: Callable[..., Any]) -> None:
    setattr(where, name, act)
