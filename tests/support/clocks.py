"""A clock that goes on only when a test says so, and a queue that waits by it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty
from typing import Any

HUNG = 60.0
"""Seconds of the real clock that nothing here takes; they only end a test that hangs."""


def until(true: Callable[[], object], seconds: float = HUNG, *, every: float = 0.01) -> None:
    """Return when it is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(every)


class Clock:
    """Stands where a module of the program has `time`; begins at nought and stands still."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def pass_by(self, seconds: float) -> None:
        with self.changed:
            self._now += seconds
            self.changed.notify_all()

    def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)


class Queue:
    """As queue.SimpleQueue for one who reads; its timeouts are the clock's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._items: deque[Any] = deque()
        self._waited_for = False

    def until_waited_for(self) -> None:
        """Return when the one who reads waits, and there is nothing yet."""
        with self._clock.changed:
            assert self._clock.changed.wait_for(lambda: self._waited_for, HUNG)

    def put(self, item: Any) -> None:
        with self._clock.changed:
            self._items.append(item)
            self._clock.changed.notify_all()

    def get(self, timeout: float) -> Any:
        with self._clock.changed:
            until = self._clock.monotonic() + timeout
            if not self._items and timeout:
                self._wait(until)
            if not self._items:
                raise Empty
            return self._items.popleft()

    def _wait(self, until: float) -> None:
        changed = self._clock.changed
        self._waited_for = True
        changed.notify_all()
        over = changed.wait_for(lambda: self._items or self._clock.monotonic() >= until, HUNG)
        self._waited_for = False
        assert over, "nothing comes, and the clock stands still"
