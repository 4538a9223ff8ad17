"""The command palette: what can be done from here, each by its name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from textual.app import SystemCommand
from textual.screen import Screen

from mailwizard.stages import State
from mailwizard.tui.frame import Frame

if TYPE_CHECKING:
    from mailwizard.tui.app import WizardApp


def reachable(app: WizardApp) -> Iterator[str]:
    """The steps one may go to: every one up to the first that is not verified."""
    for step in app.engine.steps:
        yield step.id
        if app.states[step.id] not in {State.VERIFIED, State.SKIPPED}:
            return


def commands(app: WizardApp, screen: Screen[object]) -> Iterator[SystemCommand]:
    """The commands that make sense on this screen; a dialog is answered before one goes away."""
    if isinstance(screen, Frame):
        if not app.busy:
            titles = {step.id: step.title for step in app.engine.steps}
            for step_id in reachable(app):
                go = partial(app.go_to, step_id)
                yield SystemCommand(f"Go to: {titles[step_id]}", "Show this step", go)
            if step := getattr(screen, "step", None):
                undo = partial(app.action_undo_step, step.id)
                yield SystemCommand("Undo this step", "Put back what it changed", undo)
        yield SystemCommand("DNS records", "Needed ones and answers", screen.action_dns)
        yield SystemCommand("Signing keys", "Which sign, change them", screen.action_keys)
    yield SystemCommand("Help", "This field, this step, the keys", app.action_help)
    yield SystemCommand("Shell", "A shell, and back", app.action_shell)
    yield SystemCommand("Package log", "What the package manager says", app.open_package_log)
    yield SystemCommand("Redraw", "Paint the screen anew", app.action_redraw)
    yield SystemCommand("Theme", "Choose other colours", app.action_change_theme)
    yield SystemCommand("Quit", "Leave; everything is saved", app.ask_quit)
