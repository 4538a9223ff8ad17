"""What the look into a user's mailbox is asked, and what it tells, for recorded hosts."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from mailwizard.model import Completed


def is_look(argv: Sequence[str]) -> bool:
    """Whether a command looks for a message, as a user."""
    return argv[0] == "setpriv"


def mark_of(argv: Sequence[str]) -> bytes:
    """What it looks for."""
    return argv[argv.index("-c") + 2].encode()


def nothing(argv: Sequence[str]) -> Completed:
    """The message did not come."""
    return Completed(tuple(argv), 1)


def told(argv: Sequence[str], message: bytes) -> Completed:
    """The message, with the line ends of a mailbox."""
    words = (base64.b64encode(word).decode() for word in (b"new/1", message))
    return Completed(tuple(argv), 0, f"{' '.join(words)}\n")
