"""The line face: the same walk as numbered questions, for serial consoles and screen readers."""

from __future__ import annotations

import sys
from contextlib import suppress

from mailwizard.plain.contract import Engine
from mailwizard.plain.terminal import Halt, Leave, Terminal, signals_halt
from mailwizard.plain.walk import Walk
from mailwizard.trouble import understood

__all__ = ["run_plain"]

_NOBODY_THERE = (
    "mailwizard: standard input is not a terminal, so nobody can answer.\n"
    "Without a person: mailwizard apply -a ANSWERS --yes\n"
    "An example answer file: mailwizard answers\n"
)


def run_plain(engine: Engine, *, assume_yes: bool = False) -> int:
    """Walk through the steps with the person at the terminal; the exit code of the program."""
    if not sys.stdin.isatty():
        sys.stderr.write(_NOBODY_THERE)
        return 2
    terminal = Terminal()
    try:
        with signals_halt():
            return _walk(engine, terminal, assume_yes)
    except KeyboardInterrupt as stop:
        halt = stop if isinstance(stop, Halt) else Halt()
        with suppress(Halt):
            _say_saved(terminal)
        return halt.exit_code


def _walk(engine: Engine, terminal: Terminal, assume_yes: bool) -> int:
    walk = Walk(engine, terminal, assume_yes)
    try:
        return walk.run()
    except Leave:
        _say_saved(terminal)
        return walk.exit_code()
    except Exception as error:
        if said := understood(error):
            terminal.problem(said)
            return said.exit_code
        terminal.say("\nThis is a defect in mailwizard, not in what you answered:")
        terminal.say(f"  {type(error).__name__}: {error}")
        terminal.say(f"A report for its authors is in {engine.report_crash(error)}")
        _say_saved(terminal)
        return 1


def _say_saved(terminal: Terminal) -> None:
    terminal.say("\nStopped. Every answer and every change made so far is saved.")
    terminal.say("To go on where you are now: sudo mailwizard --plain")
