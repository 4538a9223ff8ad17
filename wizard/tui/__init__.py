"""The full-screen face: the same engine, on one terminal screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailwizard.tui.contract import EngineFace


def run_tui(engine: EngineFace, *, host: str = "") -> int:
    """Walk through the steps on the screen; the exit code of the command line."""
    from mailwizard.tui.app import run

    return run(engine, host=host)
