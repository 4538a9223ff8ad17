"""What is exported, put where the caller wants it."""

from __future__ import annotations

import os
from pathlib import Path

from mailwizard.errors import BadUsage
from mailwizard.host import write_private


def save(output: str, text: str) -> None:
    """A file for the caller alone, in a folder of anybody, whole or not at all; raises BadUsage."""
    place = Path(output)
    try:
        # a terminal or a pipe (/dev/stdout) is written to, and never replaced
        if place.exists() and not place.is_file():
            place.write_text(text, encoding="utf-8")
        else:
            write_private(os.path.realpath(output), text.encode())
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        hint = f"Name another place, or print it: mailwizard export ... >{output}"
        raise BadUsage(f"{output} cannot be written: {why}", hint=hint) from error
