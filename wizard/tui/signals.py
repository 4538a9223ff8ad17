"""Signals: the terminal is restored, the engine stops at a safe point, the exit code says why."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

GRACE = 3.0
"""Seconds to leave in order; writing to a terminal that is gone or stopped may block for ever."""


class Exits:
    """Turns a signal into an orderly exit, and into a forced one if that does not come about."""

    def __init__(self, leave: Callable[[int], None], give_up: Callable[[], None]) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._leave = leave
        self._give_up = give_up
        self._left = threading.Event()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals for the length of the block.

        Not the event loop's own way: a loop that waits for a dead terminal would never hear of it.
        """
        before = {number: signal.signal(number, self._stop) for number in SIGNALS}
        try:
            yield
        finally:
            self._left.set()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        code = 128 + number
        if self.loop is None:
            raise SystemExit(code)
        threading.Thread(target=self._force, args=(code,), daemon=True).start()
        self.loop.call_soon_threadsafe(self._leave, code)

    def _force(self, code: int) -> None:
        if not self._left.wait(GRACE):
            self._give_up()
            os._exit(code)
