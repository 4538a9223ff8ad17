"""One control group for each machine: in a shared one they would end each other's services.

Groups of version 2 count processor time too, whichever version systemd keeps its units in.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from lab.errors import LabError

_lock = threading.Lock()
_running: set[str] = set()  # the machines of this process
_gone = [0.0]  # what those used that have ended


def roots() -> list[Path]:
    """Find the hierarchies in which systemd keeps its units, be it version 1, 2 or both."""
    found = [place for place, _ in _mounted()]
    if not found:
        raise LabError("no control groups are mounted here: systemd cannot be started")
    return found


def _mounted() -> Iterator[tuple[Path, bool]]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        kind, _, options = right.split()[:3]
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options):
            yield Path(left.split()[4]), kind == "cgroup2"


@cache
def counting() -> tuple[Path, ...]:
    """Find the hierarchies that count processor time: version 2, if it is mounted."""
    return tuple(place for place, counts in _mounted() if counts)


def create(name: str) -> list[Path]:
    """Make the groups of a machine."""
    groups = [root / name for root in roots()]
    for group in groups:
        group.mkdir()
    with _lock:
        _running.add(name)
    return groups


def seconds(name: str) -> float:
    """Give the processor-seconds of a group's processes, of those that have ended too."""
    microseconds = 0
    for root in counting():
        with suppress(FileNotFoundError):
            microseconds += int((root / name / "cpu.stat").read_text().split()[1])
    return microseconds / 1e6


def spent() -> float:
    """Give the processor-seconds of all machines that this process has run."""
    with _lock:
        return _gone[0] + sum(map(seconds, _running))


def named(prefix: str) -> list[str]:
    """List the machines whose groups exist."""
    return sorted({path.name for root in roots() for path in root.glob(f"{prefix}*")})


def processes(name: str) -> Iterator[int]:
    """Give the processes of a machine."""
    for root in roots():
        for procs in (root / name).rglob("cgroup.procs"):
            with suppress(FileNotFoundError, OSError):
                yield from (int(pid) for pid in procs.read_text().split() if pid != "0")


def leader(name: str) -> int | None:
    """Find the machine's process 1 as the build machine numbers it."""
    depth = len(_namespaced("self")) + 1
    for pid in processes(name):
        with suppress(FileNotFoundError, ProcessLookupError):
            numbers = _namespaced(str(pid))
            if len(numbers) == depth and numbers[-1] == "1":
                return pid
    return None


def _namespaced(pid: str) -> list[str]:
    status = Path("/proc", pid, "status").read_text()
    return next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]


def kill(name: str) -> None:
    """End all processes of a machine at once, its process 1 first."""
    deadline = time.monotonic() + 20
    while pids := set(processes(name)):
        first = leader(name)
        for pid in [first] if first else pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise LabError(f"machine {name} cannot be ended, left: {sorted(pids)}")
        time.sleep(0.01)


def remove(name: str) -> None:
    """End what still runs in a machine and remove its groups."""
    kill(name)
    with _lock:
        if name in _running:
            _running.remove(name)
            _gone[0] += seconds(name)
    for root in roots():
        if not (root / name).is_dir():
            continue
        for folder, _, _ in os.walk(root / name, topdown=False):
            with suppress(FileNotFoundError):
                Path(folder).rmdir()


def enter(name: str) -> list[Path]:
    """Move this process into a group of its own, and give where it was: what it starts counts."""
    before = []
    for root in counting():
        mine = next(line for line in _own() if line.startswith("0::"))
        before.append(root / mine.removeprefix("0::/") / "cgroup.procs")
        (root / name).mkdir()
        (root / name / "cgroup.procs").write_text("0")
    return before


def _own() -> list[str]:
    return Path("/proc/self/cgroup").read_text().splitlines()


def leave(name: str, before: list[Path]) -> None:
    """Move this process back to where it was, and remove the group that it made."""
    for procs in before:
        with suppress(OSError):
            procs.write_text("0")
    for root in counting():
        with suppress(OSError):
            (root / name).rmdir()
