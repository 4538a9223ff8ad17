"""One package transaction in the background while questions are being answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from queue import SimpleQueue

from mailwizard.errors import WizardError
from mailwizard.events import Event, Failed, Output
from mailwizard.plain.contract import Engine
from mailwizard.plain.terminal import Leave, Terminal

_SHOWN_OF_THE_PAST = 20


class Packages:
    """Fetches in the background; says nothing until somebody waits for it.

    The thread is a daemon: a terminal that went away must not wait for a package manager.
    """

    def __init__(
        self, engine: Engine, terminal: Terminal, wanted: Callable[[], Sequence[str]]
    ) -> None:
        self._engine = engine
        self._terminal = terminal
        self._wanted = wanted
        self._agreed: set[str] = set()
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._crash: BaseException | None = None
        self._under_way = self._failed = False

    def offer(self, *own: str, assume_yes: bool) -> None:
        """Name what is missing, ask for consent once for each package, and begin; raises Leave.

        Those of all steps come together; once that failed, the step in hand brings its own.
        """
        steps = own if own and self._failed else tuple(self._wanted())
        if self._under_way or not (missing := self._engine.missing_packages(steps)):
            return
        new = [name for name in missing if name not in self._agreed]
        if new and not assume_yes:
            self._ask(new)
        self._agreed.update(missing)
        self._under_way = True
        work = threading.Thread(target=self._work, args=(steps,), name="packages", daemon=True)
        work.start()
        self._terminal.say("The packages are being installed; you can go on meanwhile.")

    def _ask(self, missing: Sequence[str]) -> None:
        self._terminal.heading(f"Packages to be installed: {len(missing)}")
        self._terminal.say(", ".join(missing))
        for sentence in self._engine.mail_left(missing):
            self._terminal.say(f"\n{sentence}")
        self._terminal.say("\nIt is done in the background. No service is started by it.")
        if self._terminal.choose("Install them?", ("Yes, install them", "No, stop here")):
            raise Leave

    def wait(self) -> bool:
        """Show the transaction to its end, if one is under way; whether it went well."""
        if not self._under_way:
            return True
        self._terminal.say("\nThe packages, before this step goes on:")
        well = True
        for event in self._arriving():
            well = well and not isinstance(event, Failed)
            self._terminal.event(event)
        self._under_way = False
        self._failed = self._failed or not well
        if self._crash is not None:
            raise self._crash
        self._terminal.say("Packages are in place." if well else "Packages are not in place.")
        return well

    def _arriving(self) -> Iterator[Event]:
        """Yield events to the end; of output long past only its end: serial lines are slow."""
        past = [self._events.get() for _ in range(self._events.qsize())]
        if len(past) > _SHOWN_OF_THE_PAST:
            self._terminal.say(f"What came before is in {self._engine.log_path('packages')}")
            older, past = past[:-_SHOWN_OF_THE_PAST], past[-_SHOWN_OF_THE_PAST:]
            past = [event for event in older if not isinstance(event, Output)] + past
        for event in chain(past, iter(self._events.get, None)):
            if event is None:
                return
            yield event

    def _work(self, steps: Sequence[str]) -> None:
        try:
            for event in self._engine.prepare(steps):
                self._events.put(event)
        except WizardError as error:
            tail = tuple(getattr(error, "tail", ()))
            self._events.put(Failed("packages", error.message, error.hint, tail))
        except BaseException as error:  # raised again where somebody waits
            self._crash = error
        self._events.put(None)
