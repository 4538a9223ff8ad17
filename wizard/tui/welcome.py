"""The first screen: what will happen, what is wanted, and consent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Button, OptionList, Static

from mailwizard.errors import BadUsage
from mailwizard.model import Step
from mailwizard.stages import State
from mailwizard.tui import words
from mailwizard.tui.frame import Frame
from mailwizard.tui.runview import Section
from mailwizard.tui.widgets import ButtonRow, Push, Rows

FIRST = (
    "This host becomes a mail server. Each step asks, shows every change before it\n"
    "is made, and tests the running services; if they pass, the next step opens."
)


class WelcomeScreen(Frame):
    """Nothing on the host has changed before consent is given here."""

    KEYS = (
        ("arrows", "move"), ("Space", "on/off"), ("Tab", "buttons"), ("F1", "help"),
        ("F6", "log"), ("F10", "begin"), ("^Q", "quit"),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("space", "flip", show=False),
        Binding("f6", "log", show=False),
        Binding("f10", "begin", show=False),
        Binding("question_mark", "app.help", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._chosen: set[str] = set()
        self._goes_on_at: str | None = None
        self._ready = False

    def body(self) -> ComposeResult:
        yield Static(FIRST, id="explain", markup=False)
        yield Section("Steps", "steps-head")
        yield Rows(id="steps")
        yield Static("", id="consent", markup=False)
        with ButtonRow(id="buttons", classes="buttons"):
            yield Push("Quit", "quit")
            yield Push("Begin", "begin", disabled=True)

    def on_mount(self) -> None:
        self.query_one("#steps").focus()
        self._load()

    @work(exclusive=True, group="load")
    async def _load(self) -> None:
        await self.wizard.reload_states()
        states = self.wizard.states
        self._goes_on_at = await self.wizard.desk.ask(self.wizard.engine.next_step)
        self._chosen = {name for name, state in states.items() if state is not State.SKIPPED}
        self._show_rows()
        self._show_resume()
        self._look_for_missing()

    @property
    def _begun(self) -> bool:
        return any(s not in {State.PENDING, State.SKIPPED} for s in self.wizard.states.values())

    def _show_rows(self) -> None:
        width = max(len(step.title) for step in self.wizard.engine.steps) + 2
        rows = [(step.id, self._row(step, width)) for step in self.wizard.engine.steps]
        self.query_one("#steps", Rows).fill(rows)
        self.show_steps(None, "")
        self.query_one("#steps-head", Section).show(f"{len(self._chosen)} of {len(rows)} chosen")

    def _row(self, step: Step, width: int) -> Content:
        tick = "[x]" if step.id in self._chosen else "[ ]"
        box = Content(tick if step.optional else " . ")
        state = self.wizard.states[step.id]
        quiet = "optional" if step.optional else ""
        said: Content = Content.styled(quiet, "dim")
        if state not in {State.PENDING, State.SKIPPED}:
            said = words.mark(words.STATE[state]) + Content.styled(quiet, "dim")
        return Content.assemble(box, "  ", words.fit(step.title, width)) + said

    def _show_resume(self) -> None:
        if not self._begun:
            return
        states = list(self.wizard.states.values())
        verified = states.count(State.VERIFIED)
        titles = {step.id: step.title for step in self.wizard.engine.steps}
        if self._goes_on_at is None:
            text = f"Welcome back. All {verified} chosen steps are verified."
        else:
            title = titles[self._goes_on_at]
            text = f"Welcome back. {verified} steps are verified; it goes on at “{title}”."
        self.query_one("#explain", Static).update(
            Content.assemble((text, "bold"), "\nWhat is there was looked at anew.")
        )
        self.query_one("#begin", Push).rename("Go on" if self._goes_on_at else "Show the summary")

    @work(exclusive=True, group="missing")
    async def _look_for_missing(self) -> None:
        missing = partial(self.wizard.engine.missing_packages, self._wanted())
        try:
            said = self._consent(await self.wizard.desk.ask(missing))
        except BadUsage:
            said = Content("The packages are installed while you answer; none is started.")
        self.query_one("#consent", Static).update(said)
        self.query_one("#begin", Push).disabled = False
        self._ready = True

    def _consent(self, missing: Sequence[str]) -> Content:
        if self.wizard.packages.running:
            return Content("The packages are being installed; F6 shows the log.")
        if not missing:
            return Content("All packages are in place.")
        what = f"{len(missing)} packages are" if len(missing) > 1 else f"{missing[0]} is"
        return Content.assemble(
            ("With your consent ", "bold"), f"{what} installed while you answer; none is started."
        )

    def _wanted(self) -> tuple[str, ...]:
        return tuple(s.id for s in self.wizard.engine.steps if s.id in self._chosen)

    @on(OptionList.OptionSelected)
    def action_flip(self) -> None:
        """Turn an optional step on or off."""
        rows = self.query_one("#steps", Rows)
        if not rows.has_focus:
            return
        step = next(step for step in self.wizard.engine.steps if step.id == rows.chosen)
        if not step.optional:
            self.wizard.say(f"{step.title} belongs to every mail server.")
        elif self.wizard.states[step.id] not in {State.PENDING, State.SKIPPED}:
            self.wizard.say(f"{step.title} is set up already; undo it on its own screen.")
        else:
            self._set(step.id, step.id not in self._chosen)

    @work(group="set")
    async def _set(self, step_id: str, on: bool) -> None:
        (self._chosen.add if on else self._chosen.discard)(step_id)
        await self.wizard.desk.tell(partial(self.wizard.engine.set_enabled, step_id, on))
        await self.wizard.reload_states()
        self._show_rows()
        self._look_for_missing()

    @on(Button.Pressed, "#quit")
    def _quit(self) -> None:
        self.wizard.ask_quit()

    @on(Button.Pressed, "#begin")
    def action_begin(self) -> None:
        """Consent: install in the background and go to the first step that is not verified."""
        if self._ready:
            self.wizard.consent = self._wanted()
            self.wizard.go_on()
