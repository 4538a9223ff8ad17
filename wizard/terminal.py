"""Whether the full-screen face can run in this terminal; asks the standard library only."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

SMALLEST = (60, 16)
"""Columns and rows below which nothing useful fits; made for 80x24, which tmux makes 80x23."""

_PLAIN = "`mailwizard --plain` asks the same questions line by line"
_CANNOT_DRAW = frozenset({"", "dumb", "unknown", "network", "dialup", "su"})


def terminal_problem(
    environ: Mapping[str, str],
    stdin_tty: bool,
    stdout_tty: bool,
    size: tuple[int, int] | None = None,
) -> str | None:
    """Why the full-screen face cannot run here and what to do instead; None when it can."""
    if not stdin_tty:
        return (
            f"standard input is not a terminal; {_PLAIN}, `mailwizard apply -a FILE` asks nothing"
        )
    if not stdout_tty:
        return f"the output is not a terminal; {_PLAIN}, `mailwizard apply -a FILE` asks nothing"
    term = environ.get("TERM", "")
    if term in _CANNOT_DRAW:
        said = f"TERM is {term!r}" if term else "TERM is not set"
        return f"{said}, so nothing can be placed on this screen; {_PLAIN}"
    if size is not None and _too_small(size):
        (columns, rows), (wide, high) = size, SMALLEST
        return (
            f"this terminal is {columns}x{rows}, below {wide}x{high}; {_PLAIN}, or make it larger"
        )
    return None


def problem_here() -> str | None:
    """The same, asked of the terminal this process has (the screen is drawn on standard error)."""
    drawable = sys.stdout.isatty() and sys.stderr.isatty()
    size: tuple[int, int] | None
    try:
        size = tuple(os.get_terminal_size(sys.stderr.fileno()))  # type: ignore[assignment]
    except (OSError, ValueError):
        size = None
    return terminal_problem(os.environ, sys.stdin.isatty(), drawable, size)


def _too_small(size: tuple[int, int]) -> bool:
    # A serial console reports 0x0 until somebody tells it: unknown is not small.
    return 0 not in size and (size[0] < SMALLEST[0] or size[1] < SMALLEST[1])
