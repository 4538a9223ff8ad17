"""The signing keys, line by line: where they stand, a change of them, and the way back."""

from __future__ import annotations

from collections.abc import Iterable

from mailwizard.errors import WizardError
from mailwizard.events import Event
from mailwizard.plain.contract import Engine
from mailwizard.plain.terminal import Terminal


def signing_keys(engine: Engine, terminal: Terminal) -> None:
    """Show the keys and offer what can be done, until the person has seen enough."""
    from mailwizard.dkim.command import lines

    while True:
        terminal.heading("The signing keys")
        try:
            found = engine.signing_keys()
        except WizardError as error:
            terminal.problem(error)
            return
        terminal.lines(lines(found, colour=terminal.colour, width=terminal.width))
        go = "Make a new key" if found.rotation is None else "Go on with the change"
        choices = ["Nothing, back", go, *(["Take the new key back"] if found.undoable else [])]
        picked = terminal.choose("What shall be done?", choices)
        if picked == 0:
            return
        _follow(engine.rotate_key() if picked == 1 else engine.abandon_key(), terminal)


def _follow(events: Iterable[Event], terminal: Terminal) -> None:
    try:
        for event in events:
            terminal.event(event)
    except WizardError as error:
        terminal.problem(error)
