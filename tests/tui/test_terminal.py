"""In a real pseudo-terminal: it comes back as it was, and only known sequences were sent."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.clocks import HUNG

from mailwizard.terminal import terminal_problem

ROOT = Path(__file__).resolve().parents[2]
LEFT_ALTERNATE_SCREEN = b"\x1b[?1049l"
CURSOR_SHOWN = b"\x1b[?25h"


class Terminal:
    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.master = master
        self.process = process
        self.said = b""

    def begin(self) -> None:
        """Press F10 and see the first step: it can be pressed when this is said above it."""
        self.read_until(b"packages are in place")
        self.press(b"\x1b[21~")
        self.read_until(b"needed")

    def read_until(self, wanted: bytes) -> None:
        end = time.monotonic() + HUNG
        while wanted not in self.said and time.monotonic() < end:
            self._read(0.1)
        assert wanted in self.said, self.said[-2000:]

    def press(self, keys: bytes) -> None:
        self.said = b""
        os.write(self.master, keys)

    def ended(self) -> int:
        end = time.monotonic() + HUNG
        while self.process.poll() is None and time.monotonic() < end:
            self._read(0.1)
        self._read(0.1)
        code = self.process.poll()
        assert code is not None, "it did not end"
        return code

    def _read(self, seconds: float) -> None:
        with suppress(OSError):
            if select.select([self.master], [], [], seconds)[0]:
                self.said += os.read(self.master, 65536)


@contextmanager
def terminal(
    *args: str, size: tuple[int, int] = (80, 24), env: dict[str, str] | None = None
) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    kept = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "COLORFGBG"}}
    paths = f"{ROOT / 'tests'}:{ROOT / '.package'}"
    process = subprocess.Popen(
        [sys.executable, "-m", "tui", *args],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**kept, "PYTHONPATH": paths, "TERM": "xterm-256color", **(env or {})},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no thread yet
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        with suppress(OSError):
            os.close(master)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_restores_the_terminal(number: signal.Signals) -> None:
    with terminal() as tty:
        tty.read_until(b"Begin")
        tty.said = b""
        tty.process.send_signal(number)
        assert tty.ended() == 128 + number
        assert LEFT_ALTERNATE_SCREEN in tty.said
        assert CURSOR_SHOWN in tty.said


def test_a_signal_while_a_command_runs_does_not_wait_for_it_for_ever() -> None:
    with terminal("hold") as tty:
        tty.begin()
        tty.press(b"\x1b[21~")
        tty.read_until(b"Not yet")
        tty.press(b"\x1b[C\r")
        tty.read_until(b"Output")
        tty.said = b""
        tty.process.send_signal(signal.SIGTERM)
        tty.read_until(LEFT_ALTERNATE_SCREEN)
        assert tty.ended() == 128 + signal.SIGTERM


def test_a_terminal_that_goes_away_ends_it() -> None:
    with terminal() as tty:
        tty.read_until(b"Begin")
        os.close(tty.master)
        assert tty.process.wait(HUNG) == 128 + signal.SIGHUP


def test_a_fault_of_ours_restores_the_terminal_and_prints_no_values() -> None:
    with terminal("crash") as tty:
        tty.begin()
        tty.press(b"\x1b[21~")
        tty.read_until(b"Not yet")
        tty.press(b"\x1b[C\r")
        assert tty.ended() == 1
        after = tty.said.partition(LEFT_ALTERNATE_SCREEN)[2]
        assert b"Run `mailwizard` to go on." in after
        assert b"canary77" not in after
        assert b"Traceback" not in after


@pytest.mark.parametrize("env", [{"TERM": "linux"}, {"NO_COLOR": "1"}, {"TERM": "xterm-256color"}])
def test_only_the_terminals_own_colours_are_sent(env: dict[str, str]) -> None:
    with terminal(env=env) as tty:
        tty.begin()
        tty.process.terminate()
        tty.ended()
        assert not re.search(rb"\x1b\[[0-9;]*[34]8;[25];", tty.said)
        if "NO_COLOR" in env:
            assert not re.search(rb"\x1b\[(?:[0-9;]*;)?[349][0-7]m", tty.said)


@pytest.mark.parametrize(
    ("environ", "ttys", "size", "said"),
    [
        ({"TERM": "xterm"}, (True, True), (80, 24), None),
        ({"TERM": "linux"}, (True, True), (80, 23), None),
        ({"TERM": "xterm"}, (True, True), (0, 0), None),
        ({"TERM": "xterm"}, (False, True), (80, 24), "input is not a terminal"),
        ({"TERM": "xterm"}, (True, False), (80, 24), "output is not a terminal"),
        ({"TERM": "dumb"}, (True, True), (80, 24), "'dumb'"),
        ({}, (True, True), (80, 24), "TERM is not set"),
        ({"TERM": "xterm"}, (True, True), (40, 24), "40x24"),
        ({"TERM": "xterm"}, (True, True), (80, 10), "80x10"),
    ],
)
def test_why_it_cannot_run_here(
    environ: dict[str, str], ttys: tuple[bool, bool], size: tuple[int, int], said: str | None
) -> None:
    problem = terminal_problem(environ, *ttys, size)
    if said is None:
        assert problem is None
    else:
        assert problem is not None
        assert said in problem
        assert "--plain" in problem


def test_the_way_in_is_cheap() -> None:
    code = (
        "import sys, mailwizard.tui, mailwizard.terminal; "
        "assert not {'textual', 'rich', 'sh', 'mailwizard.plain'} & set(sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".package")}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


def test_the_face_loads_no_engine_and_starts_no_process() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".package")}
    code = (
        "import sys, mailwizard.tui.app; "
        "foreign = {'sh', 'mailwizard.plain', 'mailwizard.host', 'questionary', 'jinja2'}; "
        "assert not foreign & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    for path in (ROOT / "wizard" / "tui").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\b(subprocess|os\.system|import sh|popen)\b", text), path
