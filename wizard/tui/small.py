"""What is shown where nothing fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

from mailwizard.terminal import SMALLEST

if TYPE_CHECKING:
    from mailwizard.tui.app import WizardApp


FITS = "all of it fits from 80x24 on."


def told(size: Size) -> str:
    """That not all of it fits; empty where it does."""
    small = size.width < 80 or size.height < 24
    return f"This terminal is {size.width}x{size.height}; {FITS}" if small else ""


class TooSmall(ModalScreen[None]):
    """Covers everything until the terminal is larger; what runs goes on."""

    def on_screen_resume(self) -> None:
        # it may have grown while another screen lay above this one
        cast("WizardApp", self.app).check_size(self.app.size)

    def compose(self) -> ComposeResult:
        width, height = SMALLEST
        yield Static(
            f"This terminal is too small. Make it at least {width}x{height}, better 80x24, "
            "or leave with Ctrl+Q and run mailwizard --plain. Nothing is lost.",
            markup=False,
        )
