"""The one place where a process begins: argv, no shell, no terminal, bounded output, an end."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mailwizard.model import Completed
from mailwizard.sanitise import lines

if TYPE_CHECKING:
    import sh

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
KILL_AFTER = KEPT_OPEN = 2.0
BLOCK, HALF = 64 * 2**10, 4 * 2**20


class Bounded:
    """Output as it comes: all of it, or of very much the head and the tail (R27)."""

    def __init__(self) -> None:
        self._head, self._tail, self._size = bytearray(), bytearray(), 0

    def add(self, chunk: bytes) -> None:
        room = HALF - len(self._head)
        self._size += len(chunk)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > 2 * HALF:
            del self._tail[:-HALF]

    def text(self) -> str:
        tail = self._tail[-HALF:]
        lost = self._size - len(self._head) - len(tail)
        gap = f"\n… ({lost} bytes left out)\n".encode() if lost else b""
        return (self._head + gap + tail).decode("utf-8", "replace")


def start(
    argv: Sequence[str], stdin: str, timeout: float | None, env: Mapping[str, str] | None
) -> Completed:
    """Run to the end; what cannot be started is a code, as in sh(1).

    Not by sh, which forks all of this process and keeps three threads: the hundreds of short
    questions that are asked of a host would take eight times as much of its processor.
    """
    try:
        given = stdin.encode("utf-8", "surrogateescape")
    except ValueError:
        return _unfit(argv)
    process = begin(argv, env)
    if isinstance(process, Completed):
        return process
    out, err = Bounded(), Bounded()
    try:
        ended = _converse(process, given, out, err, timeout)
    finally:
        # after a signal to us it runs on by itself, as each command does that was begun
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
    if not ended:
        end_group(process)
        return Completed(tuple(argv), TIMED_OUT, "", f"no answer within {timeout:.0f} s")
    return Completed(tuple(argv), process.wait(), out.text(), err.text())


def begin(
    argv: Sequence[str], env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes] | Completed:
    """The process, with three pipes and no terminal; or as a code why it cannot be started."""
    program = shutil.which(argv[0], path=SEARCH)
    if program is None:
        return Completed(tuple(argv), NOT_FOUND, "", f"{argv[0]}: not installed")
    try:
        return subprocess.Popen(
            [program, *argv[1:]],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # without a controlling terminal a child cannot write over the screen
            start_new_session=True,
            env={**os.environ, **QUIET, "PATH": SEARCH, **(env or {})},
        )
    except (OSError, ValueError):
        return _unfit(argv)


def _unfit(argv: Sequence[str]) -> Completed:
    # not the system's message: that would repeat the arguments
    return Completed(
        tuple(argv), NOT_STARTED, "", f"{argv[0]}: cannot be started with such arguments"
    )


def _converse(
    process: subprocess.Popen[bytes],
    stdin: bytes,
    out: Bounded,
    err: Bounded,
    timeout: float | None,
) -> bool:
    """Write and read until the process has ended; False when its time was over before.

    A grandchild that keeps the output open is heard for another KEPT_OPEN seconds.
    """
    assert process.stdin
    assert process.stdout
    assert process.stderr
    over = None if timeout is None else time.monotonic() + timeout
    ended, rest = os.pidfd_open(process.pid), memoryview(stdin)
    with open(ended, "rb"), selectors.DefaultSelector() as pipes:
        pipes.register(ended, selectors.EVENT_READ)
        pipes.register(process.stdout, selectors.EVENT_READ, out)
        pipes.register(process.stderr, selectors.EVENT_READ, err)
        pipes.register(process.stdin, selectors.EVENT_WRITE)
        while pipes.get_map():
            ready = pipes.select(None if over is None else max(0, over - time.monotonic()))
            if not ready:
                return process.poll() is not None
            for key, _ in ready:
                if key.fileobj == ended:
                    pipes.unregister(ended)
                    over = time.monotonic() + KEPT_OPEN
                elif key.fileobj is process.stdin:
                    rest = write_some(key.fd, rest)
                    if not rest:
                        pipes.unregister(process.stdin)
                        process.stdin.close()
                elif chunk := os.read(key.fd, BLOCK):
                    key.data.add(chunk)
                else:
                    pipes.unregister(key.fileobj)
    return True


def write_some(pipe: int, rest: memoryview) -> memoryview:
    """What is left to write after one write that does not block (pipe(7), PIPE_BUF)."""
    try:
        return rest[os.write(pipe, rest[: select.PIPE_BUF]) :]
    except BrokenPipeError:
        return rest[:0]


def end_group(process: subprocess.Popen[bytes]) -> None:
    """The process and all that it started are gone afterwards."""
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILL_AFTER)


def start_watched(argv: Sequence[str]) -> sh.RunningCommand:
    """systemd-run in the background: it only watches, the unit lives without it."""
    import sh

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
    import sh

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
                yield from self._starter()
                return
            time.sleep(0.1)

    def _running(self) -> bool:
        import sh

        if self._process is None:
            state = start(["systemctl", "is-active", self.unit], "", 10, None).out.strip()
            return state in ("active", "activating", "deactivating")
        if self._process.is_alive():
            return True
        with contextlib.suppress(sh.ErrorReturnCode):
            self._process.wait()
        self.code = int(self._process.exit_code)
        return False

    def _starter(self) -> Iterator[str]:
        """What systemd-run said itself: why it could not begin is in no log of ours."""
        if self._process is not None:
            yield from lines(self._process.process.stderr)

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
