"""Undo: what would be restored, what depends on it, and the restoring itself."""

from __future__ import annotations

from functools import partial
from typing import cast

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Static

from mailwizard.events import Failed, Output, Undone
from mailwizard.model import Outcome
from mailwizard.tui import words
from mailwizard.tui.desk import BEAT, Said, Stream
from mailwizard.tui.frame import Dialog, paragraphs
from mailwizard.tui.widgets import ButtonRow, Push, Rows, Toggle


class UndoScreen(Dialog[bool]):
    """Names every step that goes back, asks, and shows each thing as it is restored."""

    SAFE = False

    def __init__(self, step_id: str) -> None:
        super().__init__("Undo")
        self._steps: tuple[str, ...] = (step_id,)
        self._stream: Stream | None = None
        self._done = False
        self._problems = 0

    def body(self) -> ComposeResult:
        yield paragraphs("Looking at what depends on it ...", id="undo-text")
        yield Toggle(False, label="also remove the packages that were installed")
        yield Rows(id="undone")
        with ButtonRow(classes="buttons"):
            yield Push("Keep everything", "safe")
            yield Push("Undo", "go", disabled=True)

    def on_mount(self) -> None:
        self.query_one("#undone").display = False
        self.query_one(Toggle).display = False
        self.query_one("#safe").focus()
        self.set_interval(BEAT, self._beat)
        self._look()

    def _beat(self) -> None:
        if self._stream is not None:
            self._stream.flush()

    @work(exclusive=True)
    async def _look(self) -> None:
        engine = self.wizard.engine
        also = await self.wizard.desk.ask(partial(engine.dependents, self._steps))
        chosen = {*self._steps, *also}
        self._steps = tuple(step.id for step in engine.steps if step.id in chosen)
        titles = {step.id: step.title for step in engine.steps}
        lines = [Content(f"  {titles[step]}") for step in reversed(self._steps)]
        text = "Bytes, owners, modes, links and units become what they were before:"
        if also:
            text = "Later steps build on this one, so they go back with it, last one first:"
        parts = [Content(text), Content(""), *lines]
        count = len(await self.wizard.desk.ask(partial(engine.removable_packages, self._steps)))
        if count:
            parts += [
                Content(""),
                Content(f"{count} packages were installed and can go too."),
            ]
        self.query_one(Toggle).display = bool(count)
        self.query_one("#undo-text", Static).update(Content("\n").join(parts))
        go = self.query_one("#go", Push)
        go.rename("Undo this step" if not also else f"Undo {len(self._steps)} steps")
        go.disabled = False

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "safe":
            self.dismiss(self._done)
        else:
            self._begin()

    def action_back(self) -> None:
        if self._stream is None or self._done:
            self.dismiss(self._done)

    def _begin(self) -> None:
        packages = self.query_one(Toggle).on
        self.query_one(Toggle).display = False
        self.query_one("#go").display = False
        self.query_one("#safe", Push).disabled = True
        self.query_one("#undone").display = True
        self.query_one("#undo-text", Static).update("Restoring ...")
        undo = partial(self.wizard.engine.undo, self._steps, packages=packages)
        self._stream = Stream(self, self._steps[0], undo)
        self.wizard.begin(self._stream)

    @on(Said)
    def _said(self, event: Said) -> None:
        event.stop()
        self.wizard.heard.take(event.events)
        rows = cast("Rows", self.query_one("#undone"))
        for happened in event.events:
            if isinstance(happened, Undone):
                self._problems += bool(happened.problem)
                word = words.VERDICT[Outcome.FAIL if happened.problem else Outcome.PASS]
                rows.put(happened.title, words.row(word, happened.title, happened.problem, 44))
            elif isinstance(happened, Failed):
                self._problems += 1
                text = words.seen(f"{happened.message} {happened.hint}")
                rows.put(text, words.row(words.VERDICT[Outcome.FAIL], text, "", 60))
            elif isinstance(happened, Output):
                self.wizard.say(happened.line)
        rows.scroll_end(animate=False)
        if event.ended:
            self._end(event)

    def _end(self, event: Said) -> None:
        self._done = True
        self.wizard.end(event)
        said = "Restored." if not self._problems else f"{self._problems} could not be restored."
        self.query_one("#undo-text", Static).update(said)
        safe = self.query_one("#safe", Push)
        safe.rename("Close")
        safe.disabled = False
        safe.focus()
