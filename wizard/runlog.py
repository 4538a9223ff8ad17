"""Each step's whole log in a file of its own: every change, line of output and dialogue."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mailwizard import show
from mailwizard.events import Event, ProbeDone
from mailwizard.journal import now


def logged(events: Iterator[Event], path: str) -> Iterator[Event]:
    """The events, each written to the log (0600) before it is handed on."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as log:
        for event in events:
            lines = show.event_line(event, width=None, previews=True)
            if isinstance(event, ProbeDone):
                lines += [f"      {line}" for line in event.result.transcript]
            log.writelines(f"{now()} {line}\n" for line in lines)
            log.flush()
            yield event
