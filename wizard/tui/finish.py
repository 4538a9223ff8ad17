"""The last screen: what stands, and how to look after it later."""

from __future__ import annotations

from itertools import zip_longest
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Button, Static

from mailwizard.stages import State
from mailwizard.tui import words
from mailwizard.tui.frame import Frame
from mailwizard.tui.runview import Section
from mailwizard.tui.textpane import TextPane
from mailwizard.tui.widgets import ButtonRow, Push

LATER = (
    ("mailwizard check", "tests everything again, at any time"),
    ("mailwizard status", "says where each step stands"),
    ("mailwizard dns", "each DNS record, and what is answered"),
    ("mailwizard undo STEP", "puts back what a step changed"),
    ("mailwizard export --format sh", "one script that does the same elsewhere"),
    ("mailwizard export --format answers", "the answers, for an unattended run"),
)


class FinishScreen(Frame):
    """Reached when every chosen step is verified."""

    KEYS = (
        ("Esc", "back"), ("Tab", "move"), ("F1", "help"), ("F2", "shell"), ("F8", "copy"),
        ("^P", "commands"), ("^Q", "quit"),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("f8", "copy", show=False),
        Binding("f10", "done", show=False),
        Binding("question_mark", "app.help", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._text = Content("")

    def body(self) -> ComposeResult:
        yield Static("", id="explain", markup=False)
        yield Section("Steps", "steps-head")
        yield TextPane(self._text, id="summary")
        yield Section("From now on", "later-head")
        lines = [Content.assemble((f"  {command:<36}", "bold"), does) for command, does in LATER]
        yield Static(Content("\n").join(lines), markup=False)
        with ButtonRow(id="buttons", classes="buttons"):
            yield Push("Back", "back")
            yield Push("Done", "done")

    def on_mount(self) -> None:
        self.query_one("#done").focus()
        self._load()

    @work(exclusive=True)
    async def _load(self) -> None:
        await self.wizard.reload_states()
        states = self.wizard.states
        steps = self.wizard.engine.steps
        rows = [
            words.mark(words.STATE[states[step.id]]) + Content(words.fit(step.title, 32))
            for step in steps
        ]
        half = (len(rows) + 1) // 2
        pairs = zip_longest(rows[:half], rows[half:], fillvalue=Content(""))
        self._text = Content("\n").join(left + right for left, right in pairs)
        self.query_one("#summary Static", Static).update(self._text)
        verified = list(states.values()).count(State.VERIFIED)
        open_steps = [s.title for s in steps if states[s.id] not in {State.VERIFIED, State.SKIPPED}]
        said = f"This mail server is set up: {verified} steps are verified by live tests."
        if open_steps:
            said = f"{verified} steps are verified. Not yet: {', '.join(open_steps)}."
        self.query_one("#explain", Static).update(Content.styled(said, "bold"))
        self.query_one("#steps-head", Section).show(f"{verified} verified")
        self.show_steps(None, "Summary")

    @on(Button.Pressed, "#done")
    def action_done(self) -> None:
        """Leave."""
        self.wizard.leave()

    @on(Button.Pressed, "#back")
    def action_back(self) -> None:
        steps = self.wizard.engine.steps
        chosen = [s.id for s in steps if self.wizard.states[s.id] is not State.SKIPPED]
        self.wizard.go_to(chosen[-1])

    def action_copy(self) -> None:
        """Copy the summary."""
        later = "\n".join(f"{command:<36}{does}" for command, does in LATER)
        self.wizard.copy_out("summary", f"{self._text.plain}\n\n{later}\n")
