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

from mailwizard.events import Failed, ProbeDone, Proposed
from mailwizard.model import Outcome, Step
from mailwizard.stages import NOT_BEGUN, State
from mailwizard.tui import words
from mailwizard.tui.desk import Said, Stream
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
    KEYS_AGAIN = (
        ("Space", "on/off"), ("Tab", "buttons"), ("F1", "help"), ("F5", "test again"),
        ("F6", "log"), ("F10", "go on"), ("^Q", "quit"),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("f5", "check", show=False),
        Binding("space", "flip", show=False),
        Binding("f6", "log", show=False),
        Binding("f10", "begin", show=False),
        Binding("question_mark", "app.help", show=False),
    ]

    def __init__(self, *, tests: bool = False) -> None:
        super().__init__()
        self._tests = tests
        self._tested = "They were verified when last tested; F5 tests everything again."
        self._heard: list[ProbeDone] = []
        self._failed: Failed | None = None
        self._chosen: set[str] = set()
        self._missing: tuple[str, ...] = ()
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
        """Show where everything stands, then test it: nothing is trusted because a flag says so."""
        await self._show_standing()
        await self._look_for_missing()
        if self._tests and self._begun:
            self.action_check()

    async def _show_standing(self) -> None:
        await self.wizard.reload_states()
        states = self.wizard.states
        self._goes_on_at = await self.wizard.desk.ask(self.wizard.engine.next_step)
        self._chosen = {name for name, state in states.items() if state is not State.SKIPPED}
        self._show_rows()
        if self._begun:
            self.show_keys(self.KEYS_AGAIN)
            self._show_resume()

    @property
    def _begun(self) -> tuple[str, ...]:
        states = self.wizard.states
        return tuple(s.id for s in self.wizard.engine.steps if states[s.id] not in NOT_BEGUN)

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
        if state not in NOT_BEGUN:
            said = words.mark(words.STATE[state]) + Content.styled(quiet, "dim")
        return Content.assemble(box, "  ", words.fit(step.title, width)) + said

    def action_check(self) -> None:
        """Ask the checks of everything that is set up; the states follow what they hear."""
        if self.wizard.busy or not self._begun:
            self.wizard.say(words.AT_WORK if self.wizard.busy else "Nothing is set up yet.")
            return
        self._ready = False
        self.query_one("#begin", Push).disabled = True
        self._heard.clear()
        self._failed = None
        self._tested = "What is there is tested again ..."
        self._show_resume()
        probe = partial(self.wizard.engine.probe, *self._begun)
        self.wizard.begin(Stream(self, self._begun[0], probe))

    @on(Said)
    async def _said(self, event: Said) -> None:
        event.stop()
        self.wizard.heard.take(event.events)
        for one in event.events:
            if isinstance(one, ProbeDone):
                self._heard.append(one)
            elif isinstance(one, Proposed):
                self.wizard.switch_on(one)
            elif isinstance(one, Failed):
                self._failed = one
        self._tested = self._told(ended=event.ended)
        self._show_resume()
        if event.ended:
            self.wizard.end(event)
            await self._show_standing()
            await self._look_for_missing()

    def _told(self, *, ended: bool) -> str:
        if self._failed is not None:
            return words.seen(f"It could not be tested again: {self._failed.message}")
        fails = sum(done.result.outcome is Outcome.FAIL for done in self._heard)
        count = f"{len(self._heard)} checks, {fails or 'none'} failed"
        if ended:
            return f"What is there was tested again just now: {count}."
        return f"What is there is tested again: {count} ..."

    def _show_resume(self) -> None:
        states = list(self.wizard.states.values())
        verified = states.count(State.VERIFIED)
        titles = {step.id: step.title for step in self.wizard.engine.steps}
        if self._goes_on_at is None:
            text = f"Welcome back. All {verified} chosen steps are verified."
        else:
            title = titles[self._goes_on_at]
            are = "step is" if verified == 1 else "steps are"
            text = f"Welcome back. {verified} {are} verified; it goes on at “{title}”."
        self.query_one("#explain", Static).update(
            Content.assemble((text, "bold"), f"\n{self._tested}")
        )
        self.query_one("#begin", Push).rename("Go on" if self._goes_on_at else "Show the summary")

    async def _look_for_missing(self) -> None:
        engine, ask = self.wizard.engine, self.wizard.desk.ask
        missing = self._missing = await ask(partial(engine.missing_packages, self._wanted()))
        left = await ask(partial(engine.mail_left, missing))
        said = Content("\n").join([self._consent(missing), *map(Content, left)])
        self.query_one("#consent", Static).update(said)
        self._ready = not self.wizard.busy
        self.query_one("#begin", Push).disabled = not self._ready

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
        elif self.wizard.states[step.id] not in NOT_BEGUN:
            self.wizard.say(f"{step.title} is set up already; undo it on its own screen.")
        else:
            self._set(step.id, step.id not in self._chosen)

    @work(group="set")
    async def _set(self, step_id: str, on: bool) -> None:
        (self._chosen.add if on else self._chosen.discard)(step_id)
        await self.wizard.desk.tell(partial(self.wizard.engine.set_enabled, step_id, on))
        await self.wizard.reload_states()
        self._show_rows()
        await self._look_for_missing()

    @on(Button.Pressed, "#quit")
    def _quit(self) -> None:
        self.wizard.ask_quit()

    @on(Button.Pressed, "#begin")
    def action_begin(self) -> None:
        """Consent: install in the background and go to the first step that is not verified."""
        if self.wizard.busy:
            self.wizard.say(words.AT_WORK)
        elif self._ready:
            self.wizard.consent = self._wanted()
            self.wizard.agreed.update(self._missing)
            self.wizard.go_on()
