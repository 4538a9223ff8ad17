"""The one package transaction, running behind the questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from textual.message_pump import MessagePump

from mailwizard.events import ChangeDone, Failed, Output, Waiting
from mailwizard.tui.contract import EngineFace
from mailwizard.tui.desk import Desk, Said, Stream
from mailwizard.tui.textpane import Lines
from mailwizard.tui.words import seen


class Packages:
    """Starts the transaction, follows it, and lets others wait for its end."""

    def __init__(self, engine: EngineFace, target: MessagePump, clock: Callable[[], float]) -> None:
        self.lines = Lines()
        self.failed: Failed | None = None
        self.stream: Stream | None = None
        self._engine = engine
        self._target = target
        self._clock = clock
        self._desk: Desk | None = None
        self._wanted: tuple[str, ...] = ()
        self._waiting = ""
        self._began = self._took = 0.0
        self._over = asyncio.Event()
        self._over.set()

    @property
    def running(self) -> bool:
        return self.stream is not None

    def request(self, step_ids: Sequence[str]) -> None:
        """Put the packages of these steps in place, after a run that is in progress."""
        self._wanted = tuple(step_ids)
        if not self.running and self._wanted:
            self._start()

    async def finished(self) -> Failed | None:
        """Wait for the end; what went wrong, if anything did."""
        await self._over.wait()
        return self.failed

    def said(self, message: Said) -> None:
        """Take in what the transaction reports."""
        for event in message.events:
            if isinstance(event, Failed):
                self.failed = event
                self.lines.add(map(seen, [event.message, event.hint, *event.tail]))
            elif isinstance(event, Waiting):
                self._waiting = seen(event.reason)
                self.lines.add([f"waiting: {event.reason}"])
            elif isinstance(event, ChangeDone):
                self._took = event.seconds
        new = [seen(event.line) for event in message.events if isinstance(event, Output)]
        if new:
            self._waiting = ""
            self.lines.add(new)
        if message.ended:
            self.stream = None
            if self._wanted:
                self._start()
            else:
                self._took = self._took or self._clock() - self._began
                self._over.set()

    def status(self) -> str:
        """One line for the foot of the screen; empty when there is nothing to say."""
        if self.running:
            seconds = int(self._clock() - self._began)
            return f"Packages {seconds:>3} s   {self._waiting or self.lines.last}"
        if self.failed is not None:
            return "Packages FAILED: F6 shows why; Apply tries again"
        return f"Packages are in place ({self._took:.0f} s)" if self._took else ""

    def close(self, patience: float) -> None:
        """Stop at the next safe point."""
        if self.stream is not None:
            self.stream.stop()
        if self._desk is not None:
            self._desk.close(patience)

    def _start(self) -> None:
        steps, self._wanted = self._wanted, ()
        self.failed = None
        self._began = self._clock()
        self._over.clear()
        self._desk = self._desk or Desk("packages")
        self.stream = Stream(self._target, "packages", partial(self._engine.prepare, steps))
        self.stream.start(self._desk)
