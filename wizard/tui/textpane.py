"""Long texts: a pane to scroll in, and the screens that show a transcript or a log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from rich.cells import chop_cells
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer
from textual.content import Content
from textual.geometry import Offset
from textual.widgets import Log, Static

from mailwizard.tui.frame import Dialog, Keys
from mailwizard.tui.widgets import KeyLine

KEPT = 5000
"""Lines kept in memory and on the screen; the whole output is in the log file."""


def folded(lines: Iterable[str], width: int) -> list[str]:
    """The lines in pieces that fit, so that no end of a line is out of sight."""
    return [piece for line in lines for piece in chop_cells(line, max(width, 20)) or [""]]


class Lines:
    """The last lines of something that runs, and how many came before them."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.total = 0

    def add(self, lines: Iterable[str]) -> None:
        """Append a batch."""
        before = len(self.kept)
        self.kept.extend(lines)
        self.total += len(self.kept) - before
        if len(self.kept) > 2 * KEPT:
            del self.kept[:-KEPT]

    def since(self, total: int) -> list[str]:
        """The lines after the first so many."""
        new = self.total - total
        return self.kept[-new:] if new > 0 else []

    @property
    def last(self) -> str:
        return self.kept[-1] if self.kept else ""


class TextPane(ScrollableContainer, can_focus=True):
    """A text to scroll in with the arrows; long lines wrap."""

    def __init__(self, text: Content, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes="textpane")
        self.text = text

    def compose(self) -> ComposeResult:
        yield Static(self.text, markup=False)

    def cursor_inside(self) -> Offset:
        return Offset(0, 0)


class TextScreen(Dialog[None]):
    """One long text over the whole screen; c or F8 copies it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c,f8", "copy", show=False),
        Binding("f6,q", "back", show=False),
    ]
    KEYS: ClassVar[Keys] = (("Esc", "back"), ("arrows", "scroll"), ("F8", "copy"), ("F2", "shell"))

    def __init__(self, title: str, text: Content, *, name: str) -> None:
        super().__init__(title)
        self._text = text
        self._file = name

    def body(self) -> ComposeResult:
        yield TextPane(self._text)
        yield Static("", classes="box-note", markup=False)
        yield KeyLine(self.KEYS)

    def on_mount(self) -> None:
        self.add_class("full")
        self.query_one(TextPane).focus()

    def action_copy(self) -> None:
        self.wizard.copy_out(self._file, self._text.plain, self._note)

    def _note(self, text: str) -> None:
        self.query_one(".box-note", Static).update(text)


class LogScreen(Dialog[None]):
    """A log that may still grow, with the name of the file that holds all of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c,f8", "copy", show=False),
        Binding("f6,q", "back", show=False),
    ]
    KEYS = (("Esc", "back"), ("arrows", "scroll"), ("End", "follow"), ("F8", "copy"))

    def __init__(self, title: str, lines: Lines, path: Callable[[], str], *, name: str) -> None:
        super().__init__(title)
        self._lines = lines
        self._path = path
        self._file = name
        self._shown = 0

    def body(self) -> ComposeResult:
        yield Log(max_lines=KEPT)
        yield Static("", classes="box-note", markup=False)
        yield KeyLine(self.KEYS)

    def on_mount(self) -> None:
        self.add_class("full")
        self.query_one(Log).focus()
        self.call_after_refresh(self._more)
        self.set_interval(0.1, self._more)
        self._note(f"All of it: {self._path()}")

    def _more(self) -> None:
        new = self._lines.since(self._shown)
        self._shown = self._lines.total
        for log in self.query(Log):  # none while the screen is being left
            log.write_lines(folded(new, log.size.width - 1))

    def action_copy(self) -> None:
        self.wizard.copy_out(self._file, "\n".join(self._lines.kept) + "\n", self._note)

    def _note(self, text: str) -> None:
        self.query_one(".box-note", Static).update(text)
