"""Lines out, numbered choices and typed answers in: all that the line face knows of a terminal.

Every way to stop a run (Ctrl+C, Ctrl+D, a hang-up, SIGTERM) leaves here as one exception, `Halt`.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import sys
import termios
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from mailwizard import show, streams
from mailwizard.errors import WizardError
from mailwizard.events import Event

_STOPPING = (signal.SIGHUP, signal.SIGTERM)
_REPEAT = 2.0


class Halt(KeyboardInterrupt):
    """The administrator, or a signal, ends the run.

    Not an Exception: event loops swallow those when they are raised in a signal handler.
    """

    def __init__(self, signal_number: int = signal.SIGINT) -> None:
        super().__init__()
        self.exit_code = 128 + signal_number


class Leave(Exception):
    """The person chose in a menu to stop here."""


@contextmanager
def signals_halt() -> Iterator[None]:
    """Turn a hang-up and SIGTERM into `Halt`; by default either would kill the program."""

    def repeat(number: int) -> Callable[[int, FrameType | None], None]:
        def raise_again(_alarm: int, _frame: FrameType | None) -> None:
            raise Halt(number)

        return raise_again

    def halt(number: int, _frame: FrameType | None) -> None:
        # They come in pairs when a session ends; the second must not cut short the first.
        for each in _STOPPING:
            signal.signal(each, signal.SIG_IGN)
        # What a signal handler raises is lost inside a destructor or a callback: raise until it
        # arrives.
        signal.signal(signal.SIGALRM, repeat(number))
        signal.setitimer(signal.ITIMER_REAL, _REPEAT, _REPEAT)
        raise Halt(number)

    before = {number: signal.signal(number, halt) for number in _STOPPING}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            if signal.getsignal(number) is halt:
                signal.signal(number, handler)


class Terminal:
    """A terminal that is only ever written to at its end."""

    def __init__(self) -> None:
        self.colour = show.colour_wanted(sys.stdout)
        with suppress(AttributeError):
            sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]

    @property
    def width(self) -> int:
        """How long a line may be, as the terminal is now."""
        return max(40, min(show.WIDTH, shutil.get_terminal_size().columns - 1))

    def say(self, text: str = "") -> None:
        """Print prose, folded."""
        self.lines(show.fold(text, self.width))

    def heading(self, text: str) -> None:
        """Print a line that starts something new, underlined for eyes and quiet for ears."""
        self.lines(["", *(folded := show.fold(text, self.width)), "-" * max(map(len, folded))])

    def lines(self, lines: Iterable[str]) -> None:
        """Print lines that are already folded."""
        try:
            for line in lines:
                sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except OSError:
            self._hung_up()

    def event(self, event: Event) -> None:
        """Print an event of the engine as it arrives."""
        self.lines(show.event_line(event, colour=self.colour, width=self.width))

    def problem(self, error: WizardError) -> None:
        """Print what is wrong and what can be done about it."""
        self.lines(show.marked("FAIL", error.message, colour=self.colour, width=self.width))
        self.lines(f"      {line}" for line in show.fold(error.hint, self.width - 6) if error.hint)

    def _hung_up(self) -> None:
        """Write to nowhere from now on."""
        streams.say_no_more(sys.stdout)
        raise Halt(signal.SIGHUP)

    def ask(self, prompt: str, *, secret: bool = False) -> str:
        """Return what is typed, without spaces around it; a long prompt begins above."""
        room = self.width - 30
        *above, last = show.fold(prompt, room) if len(prompt) > room else [prompt]
        self.lines(above)
        try:
            typed = self._edited(last, secret) if self._can_edit() else self._typed(last, secret)
        except EOFError:
            raise Halt(signal.SIGINT if self._is_there() else signal.SIGHUP) from None
        except OSError:
            raise Halt(signal.SIGHUP) from None
        return typed if secret else typed.strip()

    def choose(self, question: str, choices: Sequence[str]) -> int:
        """Return the index of the choice whose number is typed; Enter alone chooses nothing."""
        self.lines(["", *show.fold(question, self.width)])
        for number, choice in enumerate(choices, 1):
            self.lines(show.fold(choice, self.width, f"{number:>3}. "))
        while True:
            typed = self.ask(f"Number [1-{len(choices)}]:")
            if typed.isdecimal() and 1 <= int(typed) <= len(choices):
                return int(typed) - 1
            self.say(f"That is not one of the choices. Type a number from 1 to {len(choices)}.")

    def _can_edit(self) -> bool:
        """Editing within the line moves the cursor, which a dumb terminal cannot."""
        return sys.stdout.isatty() and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}

    def _edited(self, prompt: str, secret: bool) -> str:
        import questionary
        from prompt_toolkit.output import ColorDepth

        ask = questionary.password if secret else questionary.text
        options: dict[str, Any] = {"qmark": "", "color_depth": ColorDepth.DEPTH_1_BIT}
        # A cursor position request is answered late or never on a serial line, and read as typing.
        os.environ.setdefault("PROMPT_TOOLKIT_NO_CPR", "1")
        typed: object = ask(prompt, **options).unsafe_ask()
        if not isinstance(typed, str):
            raise Halt
        return typed

    def _typed(self, prompt: str, secret: bool) -> str:
        if secret:
            return getpass.getpass(prompt + " ")
        return input(prompt + " ")

    def _is_there(self) -> bool:
        try:
            termios.tcgetattr(sys.stdin.fileno())
        except (termios.error, OSError):
            return False
        return True
