"""What is said when the program itself is at fault."""

from __future__ import annotations

from mailwizard.tui.contract import EngineFace


def report(engine: EngineFace, error: Exception) -> str:
    """Have the fault written down; give the sentence that says where, and never fail."""
    said = "mailwizard stopped over a fault of its own; everything up to here is saved."
    try:
        said += f" Report: {engine.report_crash(error)}."
    except Exception as second:
        said += f" No report could be written ({type(second).__name__})."
    return f"{said} Run `mailwizard` to go on."
