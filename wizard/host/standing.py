"""Commands that stay: begun with the first question, asked line by line, gone with this run.

A line in is a number, a blank and the question; a line out is that number, a blank and the answer.
So what is said late, or unasked, is never taken for the answer to something else.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import subprocess
import time
import weakref
from collections.abc import Sequence
from threading import Condition

from mailwizard.host.process import (
    BLOCK,
    KILL_AFTER,
    TIMED_OUT,
    Bounded,
    begin,
    end_group,
    write_some,
)
from mailwizard.model import Completed

NO_ANSWER = 125
LONGEST = 2**20
# a question that takes long must not hold up the others: they get a process of their own
PATIENCE = 0.5

Process = subprocess.Popen[bytes]
Argv = tuple[str, ...]


class OnCall:
    """The commands that stay, shared by all threads of a run; none outlives it."""

    def __init__(self) -> None:
        self._idle: dict[Argv, list[_Standing]] = {}
        self._freed = Condition()
        self._begun: set[Process] = set()
        weakref.finalize(self, _dismiss, self._begun)

    def ask(self, argv: Sequence[str], line: str, timeout: float) -> Completed:
        """The line that is answered; without one a code, and the command is gone."""
        over = time.monotonic() + timeout
        one = self._taken(tuple(argv))
        try:
            return one.ask(line, over)
        finally:
            with self._freed:
                self._idle[one.argv].append(one)
                self._freed.notify_all()

    def _taken(self, argv: Argv) -> _Standing:
        with self._freed:
            if argv not in self._idle:
                self._idle[argv] = [_Standing(argv, self._begun)]
            idle = self._idle[argv]
            self._freed.wait_for(lambda: idle, PATIENCE)
            return idle.pop() if idle else _Standing(argv, self._begun)


class _Standing:
    """One command that stays; it answers one question at a time, and is begun anew when gone."""

    def __init__(self, argv: Argv, begun: set[Process]) -> None:
        self.argv = argv
        self._begun = begun
        self._process: Process | None = None
        self._number = 0

    def ask(self, line: str, over: float) -> Completed:
        if self._process and _speaks(self._process):
            self._end()
        if not self._process:
            process = begin(self.argv)
            if isinstance(process, Completed):
                return process
            self._process = process
            self._begun.add(process)
        done = None
        try:
            done = self._answer(self._process, line, over)
        finally:
            if not done or not done.ok:
                self._end()
        return done

    def _answer(self, process: Process, line: str, over: float) -> Completed:
        self._number += 1
        question = f"{self._number} {line}\n".encode()
        out, err = bytearray(), Bounded()
        if not _heard(process, question, out, err, over):
            return Completed(self.argv, TIMED_OUT, "", "no answer in time")
        said, end, more = out.partition(b"\n")
        number, _, answer = said.partition(b" ")
        if not end and len(out) < LONGEST:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(KILL_AFTER)
            code = process.poll() or NO_ANSWER
            why = err.text() or "it ended without an answer"
            return Completed(self.argv, code, "", f"ended by signal {-code}" if code < 0 else why)
        if not end or more or number != b"%d" % self._number:
            return Completed(self.argv, NO_ANSWER, "", "what it says is no answer")
        return Completed(self.argv, 0, answer.decode("utf-8", "replace"), err.text())

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
        if process.poll() is None:
            end_group(process)
        self._begun.discard(process)


def _speaks(process: Process) -> bool:
    """Whether it says something that it was not asked, or has ended."""
    assert process.stdout
    watch = select.poll()
    watch.register(process.stdout, select.POLLIN)
    return bool(watch.poll(0))


def _heard(process: Process, question: bytes, out: bytearray, err: Bounded, over: float) -> bool:
    """Write and read until there is a line, or no more to come; False when the time was over."""
    assert process.stdin
    assert process.stdout
    assert process.stderr
    rest = memoryview(question)
    with selectors.DefaultSelector() as pipes:
        pipes.register(process.stdin, selectors.EVENT_WRITE)
        pipes.register(process.stdout, selectors.EVENT_READ, out.extend)
        pipes.register(process.stderr, selectors.EVENT_READ, err.add)
        while pipes.get_map() and len(out) < LONGEST and (rest or b"\n" not in out):
            ready = pipes.select(max(0, over - time.monotonic()))
            if not ready:
                return False
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    rest = write_some(key.fd, rest)
                    if not rest:
                        pipes.unregister(process.stdin)
                elif chunk := os.read(key.fd, BLOCK):
                    key.data(chunk)
                else:
                    pipes.unregister(key.fileobj)
    return True


def _dismiss(begun: set[Process]) -> None:
    """At the end of the run, whatever they are busy with."""
    for process in tuple(begun):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
