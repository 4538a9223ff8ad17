"""One control group for each machine: in a shared one they would end each other's services."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lab.errors import LabError


def roots() -> list[Path]:
    """Find the hierarchies in which systemd keeps its units, be it version 1, 2 or both."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        kind, _, options = right.split()[:3]
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options):
            found.append(Path(left.split()[4]))
    if not found:
        raise LabError("no control groups are mounted here: systemd cannot be started")
    return found


def create(name: str) -> list[Path]:
    """Make the groups of a machine."""
    groups = [root / name for root in roots()]
    for group in groups:
        group.mkdir()
    return groups


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
    for root in roots():
        if not (root / name).is_dir():
            continue
        for folder, _, _ in os.walk(root / name, topdown=False):
            with suppress(FileNotFoundError):
                Path(folder).rmdir()
