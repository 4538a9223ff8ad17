"""Standard output and standard error, which may be closed, full, or gone with the terminal."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


def give() -> None:
    """Streams that are there, and take every letter.

    One that was closed before we began (`>&-`) is None to Python: let it lead nowhere. A terminal
    shows what it can; what goes into a file or to a program is UTF-8 whatever the locale says.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            # kept open to the end, as the stream that it stands for would be
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="replace")


def complain(*lines: str) -> None:
    """To standard error, as far as anybody is there to read it."""
    try:
        print("\n".join(lines).rstrip(), file=sys.stderr, flush=True)
    except OSError:
        say_no_more(sys.stderr)


def settle() -> None:
    """What is not written yet is written now or never: at exit, failing at it is code 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            say_no_more(stream)


def say_no_more(*streams: TextIO) -> None:
    """What these streams hold leads nowhere, and so does what comes."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
