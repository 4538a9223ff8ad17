"""The one place where a process begins: argv, no shell, no terminal, bounded output, an end."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import sh

from mailwizard.model import Completed
from mailwizard.sanitise import lines

if TYPE_CHECKING:
    from typing_extensions import Buffer

# argv may be logged by sh at INFO; nothing of ours belongs into a caller's log
logging.getLogger("sh").setLevel(logging.WARNING)

QUIET = {
    "LC_ALL": "C.UTF-8",
    "PAGER": "cat",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
    "DEBIAN_FRONTEND": "noninteractive",
}
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ANY_CODE = tuple(range(256))
TIMED_OUT, NOT_STARTED, NOT_FOUND = 124, 126, 127
KILL_AFTER = 2.0
BLOCK, HALF = 64 * 2**10, 4 * 2**20


class _Bounded(io.BytesIO):
    """Output as it comes: all of it, or of very much the head and the tail (R27)."""

    def __init__(self) -> None:
        super().__init__()
        self._head, self._tail, self._size = bytearray(), bytearray(), 0

    def write(self, chunk: Buffer, /) -> int:
        chunk = bytes(chunk)
        room = HALF - len(self._head)
        self._size += len(chunk)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > 2 * HALF:
            del self._tail[:-HALF]
        return len(chunk)

    def text(self) -> str:
        tail = self._tail[-HALF:]
        lost = self._size - len(self._head) - len(tail)
        gap = f"\n… ({lost} bytes left out)\n".encode() if lost else b""
        return (self._head + gap + tail).decode("utf-8", "replace")


def start(
    argv: Sequence[str], stdin: str, timeout: float | None, env: Mapping[str, str] | None
) -> Completed:
    """Run to the end; what cannot be started is a code, as in sh(1)."""
    program = shutil.which(argv[0], path=SEARCH)
    if program is None:
        return Completed(tuple(argv), NOT_FOUND, "", f"{argv[0]}: not installed")
    out, err = _Bounded(), _Bounded()
    try:
        running = sh.Command(program)(
            *argv[1:],
            _in=stdin,
            _out=out,
            _err=err,
            _out_bufsize=BLOCK,
            _err_bufsize=BLOCK,
            _no_out=True,
            _no_err=True,
            _tty_out=False,
            # without a controlling terminal a child cannot write over the screen
            _new_session=True,
            _bg=True,
            _bg_exc=False,
            _return_cmd=True,
            _ok_code=ANY_CODE,
            _env={**os.environ, **QUIET, "PATH": SEARCH, **(env or {})},
        )
    except (sh.ForkException, OSError, ValueError):
        # not its message: that would repeat the arguments
        return Completed(
            tuple(argv), NOT_STARTED, "", f"{argv[0]}: cannot be started with such arguments"
        )
    expired = _finish(running, timeout)
    if expired:
        return Completed(tuple(argv), TIMED_OUT, "", f"no answer within {timeout:.0f} s")
    return Completed(tuple(argv), int(running.exit_code), out.text(), err.text())


def _finish(running: sh.RunningCommand, timeout: float | None) -> bool:
    """Wait for the command; True when its time was over and it had to be ended."""
    expired, over = threading.Event(), threading.Event()
    if timeout is not None:
        # sh's own _timeout polls, and makes every command last a tenth of a second
        watch = (running, timeout, expired, over)
        threading.Thread(target=_watch, args=watch, daemon=True).start()
    with contextlib.suppress(sh.ErrorReturnCode):
        running.wait()
    over.set()
    return expired.is_set()


def _watch(
    running: sh.RunningCommand, timeout: float, expired: threading.Event, over: threading.Event
) -> None:
    if over.wait(timeout):
        return
    expired.set()
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            running.signal_group(ending)
        if over.wait(KILL_AFTER):
            return


def start_watched(argv: Sequence[str]) -> sh.RunningCommand:
    """systemd-run in the background: it only watches, the unit lives without it."""
    return sh.Command(shutil.which(argv[0], path=SEARCH) or argv[0])(
        *argv[1:],
        _bg=True,
        _bg_exc=False,
        _in="",
        _tty_out=False,
        _new_session=True,
        _ok_code=ANY_CODE,
        _return_cmd=True,
    )


def shell() -> None:
    """The administrator's shell on this terminal, until it ends."""
    program = os.environ.get("SHELL", "/bin/sh")
    sh.Command(program)("-i", _fg=True, _ok_code=ANY_CODE)


class TransientUnit:
    """A command in a systemd unit of its own; whoever watches may die (model.Detached)."""

    def __init__(self, unit: str, log: str, process: sh.RunningCommand | None) -> None:
        self.unit = unit
        self.log = log
        self.code: int | None = None
        self._process = process
        self._offset = os.path.getsize(log) if process is not None else 0

    def lines(self) -> Iterator[str]:
        while True:
            running = self._running()
            yield from self._fresh(complete=not running)
            if not running:
                return
            time.sleep(0.1)

    def _running(self) -> bool:
        if self._process is None:
            state = start(["systemctl", "is-active", self.unit], "", 10, None).out.strip()
            return state in ("active", "activating", "deactivating")
        if self._process.is_alive():
            return True
        with contextlib.suppress(sh.ErrorReturnCode):
            self._process.wait()
        self.code = int(self._process.exit_code)
        return False

    def _fresh(self, *, complete: bool) -> Iterator[str]:
        """What was added to the log, in whole lines; of a line without end a block at a time."""
        with open(self.log, "rb") as file:
            file.seek(self._offset)
            while data := file.read(BLOCK):
                whole = data.rfind(b"\n") + 1
                if not whole and len(data) < BLOCK and not complete:
                    return
                self._offset += whole or len(data)
                yield from lines(data[: whole or None])
                file.seek(self._offset)
