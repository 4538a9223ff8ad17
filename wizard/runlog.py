"""Each step's whole log in a file of its own: every change, line of output and dialogue."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from typing import IO

from mailwizard import show
from mailwizard.events import Event, ProbeDone
from mailwizard.journal import now


def logged(events: Iterator[Event], path: Callable[[str], str]) -> Iterator[Event]:
    """The events, each written to its step's log (0600) before it is handed on."""
    logs: dict[str, IO[str]] = {}
    with contextlib.ExitStack() as opened:
        # where no line can be written they end now, not when Python does: threads stand still then
        opened.callback(_end, events)
        for event in events:
            if event.step not in logs:
                handle = os.open(path(event.step), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                logs[event.step] = opened.enter_context(os.fdopen(handle, "a", encoding="utf-8"))
            lines = show.event_line(event, width=None, previews=True)
            if isinstance(event, ProbeDone):
                lines += [f"      {line}" for line in event.result.transcript]
            logs[event.step].writelines(f"{now()} {line}\n" for line in lines)
            logs[event.step].flush()
            yield event


def _end(events: Iterator[Event]) -> None:
    if isinstance(events, Generator):
        events.close()
