"""The last screen: what works, what is still open, and how to look after it later."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Button, OptionList, Static

from mailwizard import closing
from mailwizard.events import ProbeDone
from mailwizard.model import Outcome
from mailwizard.stages import State
from mailwizard.tui import words
from mailwizard.tui.desk import Desk
from mailwizard.tui.frame import Frame
from mailwizard.tui.runview import CHECK, Section
from mailwizard.tui.textpane import TextScreen
from mailwizard.tui.widgets import ButtonRow, Push, Rows

LATER = (
    ("mailwizard check", "tests everything again, at any time"),
    ("mailwizard status", "says where each step stands"),
    ("mailwizard dns", "each DNS record, and what is answered"),
    ("mailwizard undo STEP", "puts back what a step changed"),
    ("mailwizard export --format sh", "one script that does the same elsewhere"),
    ("mailwizard export --format answers", "the answers, for an unattended run"),
)
DNS = "dns"
"""The row of the DNS records; others are named by their step or check."""


class FinishScreen(Frame):
    """Reached when every chosen step is verified; says no more than was proved."""

    KEYS = (
        ("Esc", "back"), ("Enter", "details"), ("F1", "help"), ("F5", "ask again"),
        ("F7", "DNS"), ("F8", "copy"), ("^Q", "quit"),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("f5", "look", show=False),
        Binding("f8", "copy", show=False),
        Binding("f10", "done", show=False),
        Binding("question_mark", "app.help", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._desk = Desk("finish")
        self._steps = ""
        self._dns = Outcome.UNKNOWN, "The DNS is being asked ..."
        self._points: Sequence[ProbeDone] = ()

    def body(self) -> ComposeResult:
        yield Static("", id="explain", markup=False)
        yield Section("Still open", "open-head")
        yield Rows(id="open")
        yield Section("From now on", "later-head")
        lines = [Content.assemble((f"  {command:<36}", "bold"), does) for command, does in LATER]
        yield Static(Content("\n").join(lines), markup=False)
        with ButtonRow(id="buttons", classes="buttons"):
            yield Push("Back", "back")
            yield Push("Done", "done")

    def on_mount(self) -> None:
        self.query_one("#done").focus()
        self._load()

    def on_unmount(self) -> None:
        self._desk.close(0)

    @work(exclusive=True)
    async def _load(self) -> None:
        await self.wizard.reload_states()
        states, steps = self.wizard.states, self.wizard.engine.steps
        verified = list(states.values()).count(State.VERIFIED)
        self._steps = f"{verified} steps are verified by live tests."
        if self._open_steps:
            titles = ", ".join(s.title for s in steps if s.id in self._open_steps)
            self._steps = f"{verified} steps are verified. Not yet: {titles}."
        # of the DNS records the DNS itself is asked, here and now
        heard = closing.open_points(self.wizard.heard.verdicts)
        self._points = [one for one in heard if not one.id.startswith(f"{closing.RECORDS}:")]
        self.show_steps(None, "Summary")
        self._show()
        await self._look()

    @property
    def _open_steps(self) -> tuple[str, ...]:
        closed = {State.VERIFIED, State.SKIPPED}
        return tuple(name for name, state in self.wizard.states.items() if state not in closed)

    @work(exclusive=True)
    async def action_look(self) -> None:
        """Ask the DNS again."""
        self._dns = Outcome.UNKNOWN, "The DNS is being asked ..."
        self._show()
        await self._look()

    async def _look(self) -> None:
        engine = self.wizard.engine
        records = await self.wizard.desk.ask(engine.records)
        self._dns = closing.dns_verdict(await self._desk.ask(partial(engine.look_up, records)))
        self._show()

    def _show(self) -> None:
        outcome, said = self._dns
        style = "bold ansi_red" if outcome is Outcome.WARN else "bold"
        self.query_one("#explain", Static).update(
            Content.assemble((self._steps, "bold"), "\n", (said, style))
        )
        rows = list(self._rows())
        self.query_one("#open", Rows).fill(rows)
        self.query_one("#open").display = bool(rows)
        self.query_one("#open-head", Section).show(
            f"{len(rows)}: Enter shows what to do" if rows else "nothing"
        )

    def _rows(self) -> Sequence[tuple[str, Content]]:
        titles = {step.id: step.title for step in self.wizard.engine.steps}
        states = self.wizard.states
        rows = [
            (name, words.row(words.STATE[states[name]], titles[name], "not verified", CHECK))
            for name in self._open_steps
        ]
        outcome, said = self._dns
        if outcome is not Outcome.PASS:
            rows.append((DNS, words.row(words.VERDICT[outcome], "DNS records", said, CHECK)))
        rows += [
            (
                one.id,
                words.row(words.VERDICT[one.result.outcome], one.title, one.result.said, CHECK),
            )
            for one in self._points
        ]
        return rows

    @on(OptionList.OptionSelected)
    def _opened(self, event: OptionList.OptionSelected) -> None:
        name = event.option_id or ""
        if name == DNS:
            self.action_dns()
        elif name in self._open_steps:
            self.wizard.go_to(name)
        else:
            done = next(one for one in self._points if one.id == name)
            text = words.transcript(done, min(self.size.width, 100))
            self.app.push_screen(TextScreen(f"Check {done.id}", text, name=f"check-{done.id}"))

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
        rows = "\n".join(content.plain for _, content in self._rows()) or "Nothing is open."
        later = "\n".join(f"{command:<36}{does}" for command, does in LATER)
        said = f"{self._steps}\n{self._dns[1]}\n\n{rows}\n\n{later}\n"
        self.wizard.copy_out("summary", said)
