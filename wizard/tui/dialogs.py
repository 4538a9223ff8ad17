"""The short questions: the safe answer comes first and has the focus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Button, Static

from mailwizard.errors import WizardError
from mailwizard.stages import PlanItem
from mailwizard.tui import words
from mailwizard.tui.frame import Dialog, paragraphs
from mailwizard.tui.textpane import TextPane
from mailwizard.tui.widgets import ButtonRow, Push


class Confirm(Dialog[bool]):
    """Whether to do it; the text to be read stands above, and scrolls."""

    SAFE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
    ]

    def __init__(self, title: str, text: Content, *, safe: str, go: str, note: str = "") -> None:
        super().__init__(title)
        self._text = text
        self._labels = (safe, go)
        self._note = note

    def body(self) -> ComposeResult:
        yield TextPane(self._text, id="confirm-text")
        if self._note:
            yield paragraphs(self._note, classes="box-note")
        with ButtonRow(classes="buttons"):
            yield Push(self._labels[0], "safe")
            yield Push(self._labels[1], "go")

    def on_mount(self) -> None:
        self.query_one("#safe").focus()

    def action_page(self, by: int) -> None:
        """Scroll the text while a button keeps the focus."""
        pane = self.query_one(TextPane)
        (pane.scroll_page_down if by > 0 else pane.scroll_page_up)(animate=False)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "go")


class ConfirmApply(Confirm):
    """Every change of the step in full, before anything is changed; new packages first."""

    def __init__(
        self,
        title: str,
        items: tuple[PlanItem, ...],
        packages: Sequence[str] = (),
        left: Sequence[str] = (),
    ) -> None:
        count = f"{len(items)} change{'s' if len(items) != 1 else ''}"
        text = words.plan(items)
        if packages:
            names = ", ".join(packages)
            told = "\n".join([f"Packages to install first: {names}", *left])
            text = Content.assemble((told, "bold"), "\n\n", text)
        super().__init__(
            f"{title}: {count} to make",
            text,
            safe="Not yet",
            go=f"Make {count}" if items else "Install, then check",
            note="Each change is recorded first and can be undone. PgUp and PgDn scroll.",
        )

    def on_mount(self) -> None:
        self.add_class("full")
        super().on_mount()


class AskDrift(Dialog[str]):
    """Something of ours was edited by hand: keep it, replace it, or (Esc) decide later."""

    SAFE = ""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("c,f8", "copy", show=False)]

    def __init__(self, item: PlanItem) -> None:
        super().__init__(f"Edited by hand: {item.title}")
        self._item = item
        assert item.drift is not None
        self._drift = item.drift

    def body(self) -> ComposeResult:
        parts = ", ".join(self._drift.parts)
        yield paragraphs(f"Changed since mailwizard wrote it: {parts}. It is yours to decide.")
        yield TextPane(words.three_way(self._drift))
        yield paragraphs("", classes="box-note")
        with ButtonRow(classes="buttons"):
            yield Push("Keep what is there", "keep")
            yield Push("Replace", "replace")
            yield Push("Decide later", "later")

    def on_mount(self) -> None:
        self.add_class("full")
        self.query_one("#keep").focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss({"keep": "keep", "replace": "replace"}.get(event.button.id or "", ""))

    def action_copy(self) -> None:
        text = words.three_way(self._drift).plain
        note = self.query_one(".box-note", Static)
        self.wizard.copy_out("drift", text, note.update)


class AskQuit(Confirm):
    """Leave, knowing that nothing is lost."""

    def __init__(self, busy: bool) -> None:
        lines = "Every answer and every change is saved.\nRun `mailwizard` to go on where you left."
        if busy:
            lines += (
                "\n\nSomething is running. Work that the package manager has begun goes on without"
                "\nthis screen; the step in hand stops at its next safe point."
            )
        super().__init__("Leave mailwizard?", Content(lines), safe="Stay", go="Leave")


class Notice(Dialog[None]):
    """Something could not be done; says what the reader can do."""

    def __init__(self, error: WizardError) -> None:
        super().__init__("That could not be done")
        self._error = error

    def body(self) -> ComposeResult:
        yield paragraphs(words.seen(self._error.message))
        yield paragraphs(words.seen(self._error.hint))
        with ButtonRow(classes="buttons"):
            yield Push("Close", "safe")

    @on(Button.Pressed)
    def _pressed(self) -> None:
        self.dismiss(None)
