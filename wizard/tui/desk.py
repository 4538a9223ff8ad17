"""Where the engine is called: never on the screen's own thread, and one call after the other."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from textual.message import Message
from textual.message_pump import MessagePump
from textual.worker import NoActiveWorker, get_current_worker

from mailwizard.events import Event, Failed, Output
from mailwizard.trouble import understood

T = TypeVar("T")

BEAT = 0.1
"""Seconds between two paints of arriving output."""


class Desk:
    """Runs calls on one thread in the order they were made, so that an older answer never wins.

    The thread is a daemon: a terminal that went away must not wait for a command that hangs.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Queue a call."""
        future: Future[T] = Future()
        self._jobs.put((future, call))
        return future

    async def ask(self, call: Callable[[], T]) -> T:
        """The answer of a call that only looks; dropped if nobody waits for it any more."""
        try:
            return await asyncio.wrap_future(self.submit(call))
        finally:
            _still_there()

    async def tell(self, call: Callable[[], T]) -> T:
        """The answer of a call that must be made even if its caller goes away."""
        answer = await asyncio.shield(asyncio.wrap_future(self.submit(call)))
        _still_there()
        return answer

    def close(self, patience: float) -> bool:
        """Let the call in hand come to its end, up to so many seconds; whether it did."""
        self._jobs.put(None)
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while job := self._jobs.get():
            future, call = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # the caller gets it, whatever it is
                future.set_exception(error)


def _still_there() -> None:
    """Ends a worker whose program or screen is on its way out: it has no place to show anything.

    Textual takes a screen's widgets away first, and cancels its workers after that.
    """
    with suppress(NoActiveWorker):
        node = get_current_worker().node
        # not displayed: true from the moment it is being removed, whatever its style says
        if not (node.app.is_running and node.display):
            raise asyncio.CancelledError


class Said(Message):
    """Events of a stream, in order; the last message of a stream has `ended`."""

    def __init__(
        self, stream: Stream, events: tuple[Event, ...], ended: bool, crash: Exception | None
    ) -> None:
        super().__init__()
        self.stream = stream
        self.events = events
        self.ended = ended
        self.crash = crash


class Stream:
    """An engine iterator on its way to a widget: output in batches, everything else at once."""

    def __init__(
        self, target: MessagePump, step: str, events: Callable[[], Iterator[Event]]
    ) -> None:
        self.step = step
        self.stopped = False
        self._target = target
        self._events = events
        self._waiting: list[Event] = []
        self._lock = threading.Lock()
        self._flushed = 0.0

    def start(self, desk: Desk) -> None:
        """Begin on the desk's thread."""
        desk.submit(self._run)

    def stop(self) -> None:
        """Leave the engine at its next safe point, which is its next event."""
        self.stopped = True

    def flush(self, *, ended: bool = False, crash: Exception | None = None) -> None:
        """Deliver what waits; the screen's clock calls this, so that no line waits for the next."""
        with self._lock:
            events, self._waiting = tuple(self._waiting), []
            self._flushed = time.monotonic()
            if events or ended:
                self._target.post_message(Said(self, events, ended, crash))

    def _put(self, event: Event) -> None:
        with self._lock:
            self._waiting.append(event)
        if not isinstance(event, Output) or time.monotonic() - self._flushed >= BEAT:
            self.flush()

    def _run(self) -> None:
        crash: Exception | None = None
        try:
            for event in self._events():
                self._put(event)
                if self.stopped:
                    break
        except Exception as error:
            if said := understood(error):
                tail = tuple(getattr(said, "tail", ()))
                self._put(Failed(self.step, said.message, said.hint, tail))
            else:
                crash = error
        self.flush(ended=True, crash=crash)
