"""The network namespace that a process of the lab lives in, and the one that it came from."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError

NAMED = Path("/run/netns")
_OWN = Path("/proc/thread-self/ns/net")
_CLONE_NEWNET = 0x40000000
_OUTSIDE = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
_libc = ctypes.CDLL(None, use_errno=True)


def named() -> list[str]:
    """Give the namespaces of this machine that have a name."""
    return [entry.name for entry in NAMED.iterdir()] if NAMED.is_dir() else []


def enter(name: str) -> None:
    """Take this thread, and all that it starts from now on, into a namespace with a name."""
    there = os.open(NAMED / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _move(there)
    finally:
        os.close(there)


def leave() -> None:
    """Take this thread back to where the process began."""
    _move(_OUTSIDE)


def entered() -> bool:
    """Tell whether this thread is elsewhere than where the process began."""
    return not os.path.samestat(_OWN.stat(), os.fstat(_OUTSIDE))


@contextmanager
def outside() -> Iterator[None]:
    """Be where the process began: only there are the machine's own network and its names."""
    here = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        leave()
        yield
    finally:
        _move(here)
        os.close(here)


def _move(there: int) -> None:
    # os.setns is there since Python 3.12 only
    if _libc.setns(there, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise LabError(f"the network namespace cannot be changed: {os.strerror(code)}")
