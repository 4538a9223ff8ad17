"""What a step is doing, and which buttons and keys there are then."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """What the step is doing; decides which buttons there are."""

    ASKING = "asking"
    WAITING = "waiting"
    RUNNING = "running"
    OPEN = "open"
    CLOSED = "closed"
    BROKEN = "broken"


BUTTONS = {
    Phase.ASKING: {"back", "skip", "undo", "apply", "next"},
    Phase.WAITING: {"answers"},
    Phase.RUNNING: set(),
    Phase.OPEN: {"answers", "again", "undo", "next"},
    Phase.CLOSED: {"answers", "again", "retry", "undo", "shell", "next"},
    Phase.BROKEN: {"answers", "again", "retry", "undo", "shell", "next"},
}

ALL_BUTTONS = 72
"""Columns for all of a closed gate; with fewer the shell is left to its key, F2."""

ASK_KEYS = (
    ("Esc", "back"), ("F1", "help"), ("F2", "shell"), ("F6", "log"),
    ("F10", "apply"), ("^P", "commands"), ("^Q", "quit"),
)  # fmt: skip
ASK_KEYS_AGAIN = (*ASK_KEYS[:3], ("F5", "check"), *ASK_KEYS[3:])
RUN_KEYS = (
    ("Esc", "back"), ("F1", "help"), ("F2", "shell"), ("F5", "check"), ("F6", "log"),
    ("F8", "copy"), ("F10", "next"), ("^Q", "quit"),
)  # fmt: skip


def apply_label(pending: int) -> str:
    """What the button says that starts the changes, or only the checks."""
    return f"Apply {pending} change{'s' * (pending != 1)}" if pending else "Run the checks"
