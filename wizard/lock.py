"""One run at a time: a lock that dies with its process and names its holder (R9)."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator

from mailwizard.errors import HostRefused, Locked
from mailwizard.journal import now
from mailwizard.sanitise import clean


def _holder() -> dict[str, str | int]:
    terminal = "no terminal"
    with contextlib.suppress(OSError):
        terminal = os.ttyname(0)
    user = os.environ.get("SUDO_USER") or os.environ.get("USER") or str(os.getuid())
    return {"pid": os.getpid(), "user": user, "terminal": terminal, "since": now()}


@contextlib.contextmanager
def held(state_dir: str) -> Iterator[None]:
    """The lock, for the length of the block; raises Locked, which names the holder."""
    # Python opens with O_CLOEXEC: no child keeps the lock alive
    handle = os.open(f"{state_dir}/lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _locked(os.pread(handle, 4096, 0)) from None
        except OSError as error:
            raise HostRefused(
                f"{state_dir} is on a file system that cannot lock: {error.strerror}",
                hint="Without a lock two runs could mix. Name another folder with --state.",
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(_holder()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _locked(data: bytes) -> Locked:
    try:
        who = json.loads(data)
        by = clean(f"pid {who['pid']}, {who['user']} on {who['terminal']}, since {who['since']}")
    except (ValueError, KeyError, TypeError):
        by = "a run that has only just begun"
    return Locked(
        f"another run of mailwizard is at work: {by}",
        hint="Wait for it, or look on with `mailwizard status`.",
    )
