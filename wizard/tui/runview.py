"""What happens to a step as it happens: changes, live output, and checks arriving one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Log, Static

from mailwizard.events import (
    AlreadySo,
    ChangeDone,
    ChangeStarted,
    Drifted,
    Event,
    Failed,
    Gate,
    Output,
    ProbeDone,
    ProbeStarted,
    Undone,
    Waiting,
)
from mailwizard.model import Outcome
from mailwizard.tui import words
from mailwizard.tui.textpane import Lines, folded
from mailwizard.tui.widgets import Rows

CHANGE, CHECK = 50, 36
"""Columns for the titles of changes, whose remarks are short, and of checks, whose are not."""

BUSY = ("..", "bold")


class Section(Static):
    """A heading with a count at its right end."""

    def __init__(self, title: str, id: str) -> None:  # noqa: A002
        super().__init__(markup=False, id=id, classes="section")
        self._title = title
        self._right = ""

    def show(self, right: str, title: str = "") -> None:
        """Show a count, and perhaps another title."""
        self._right = right
        self._title = title or self._title
        self.refresh()

    def render(self) -> Content:
        room = max(self.size.width - len(self._right), 1)
        left = Content.styled(words.fit(self._title, room), "bold")
        return left + Content.styled(self._right, "dim")


class RunView(Vertical):
    """Follows a stream of events; remembers previews, verdicts and output for later reading."""

    def __init__(self) -> None:
        super().__init__(id="run")
        self.output = Lines()
        self.previews: dict[str, Content] = {}
        self.verdicts: dict[str, ProbeDone] = {}
        self.failed: Failed | None = None
        self.gate: Gate | None = None
        self._in_hand = ""
        self._made = self._already = 0

    def compose(self) -> ComposeResult:
        yield Section("Changes", "changes-head")
        yield Rows(id="changes")
        yield Section("Output", "output-head")
        log = Log(max_lines=1000, id="output")
        log.can_focus = False
        yield log
        yield Section("Checks", "checks-head")
        yield Rows(id="checks")
        yield Static("", id="said", markup=False)

    @property
    def changes(self) -> Rows:
        return self.query_one("#changes", Rows)

    @property
    def checks(self) -> Rows:
        return self.query_one("#checks", Rows)

    def begin(self, *, checks_only: bool = False) -> None:
        """Forget the last run, or only its checks."""
        self.failed = self.gate = None
        self.verdicts.clear()
        self.checks.clear_options()
        self.say("")
        self.query_one("#checks-head", Section).show("")
        self.show_parts(output=not checks_only, checks=checks_only)
        if not checks_only:
            self.output = Lines()
            self.previews.clear()
            self._made = self._already = 0
            self.changes.clear_options()
            self.query_one("#output", Log).clear()
            self.query_one("#changes-head", Section).show("")

    def show_parts(self, *, output: bool, checks: bool) -> None:
        """Which parts take the room."""
        self.set_class(checks, "-checking")
        for name, shown in (("output", output), ("checks", checks)):
            self.query_one(f"#{name}").display = shown
            self.query_one(f"#{name}-head").display = shown

    def say(self, text: str | Content) -> None:
        """The sentence below everything."""
        said = self.query_one("#said", Static)
        said.update(text)
        said.display = bool(text)

    def write(self, lines: Sequence[str]) -> None:
        """Show a batch of output."""
        lines = [words.seen(line) for line in lines]
        self.output.add(lines)
        # This view may not be laid out yet; what it stands in is.
        width = self.query_ancestor("#body", Vertical).content_size.width - 3
        self.query_one("#output", Log).write_lines(folded(lines, width))

    def take(self, events: Sequence[Event]) -> None:
        """Show what happened; runs of output are written at once."""
        lines: list[str] = []
        for event in events:
            if isinstance(event, Output):
                lines.append(event.line)
                continue
            if lines:
                self.write(lines)
                lines = []
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event)
        if lines:
            self.write(lines)

    def first_failed(self) -> ProbeDone | None:
        """The first check that failed."""
        fails = (done for done in self.verdicts.values() if done.result.outcome is Outcome.FAIL)
        return next(fails, None)

    def _change_started(self, event: ChangeStarted) -> None:
        self._in_hand = event.title
        shown = words.diff(event.preview) if event.is_diff else Content(words.seen(event.preview))
        self.previews[event.title] = shown
        self._change(BUSY, event.title, "")

    def _change_done(self, event: ChangeDone) -> None:
        self._in_hand = ""
        self._made += 1
        took = f"{event.seconds:.1f} s" if event.seconds >= 0.05 else ""
        self._change(words.VERDICT[Outcome.PASS], event.title, took)

    def _already_so(self, event: AlreadySo) -> None:
        self._already += 1
        self._change(("ok", "dim"), event.title, "already so")

    def _drifted(self, event: Drifted) -> None:
        self.previews[event.title] = words.diff(event.diff)
        self._change(("edit", "bold ansi_magenta"), event.title, "edited by hand, kept")

    def _undone(self, event: Undone) -> None:
        word = words.VERDICT[Outcome.FAIL if event.problem else Outcome.PASS]
        self._change(word, event.title, event.problem or "restored")

    def _change(self, word: tuple[str, str], title: str, note: str) -> None:
        self.changes.put(title, words.row(word, title, note, CHANGE))
        self.changes.scroll_end(animate=False)
        count = [f"{self._made} made" if self._made else "", f"{self._already} already so"]
        self.query_one("#changes-head", Section).show(
            ", ".join(part for part in count if part and not part.startswith("0"))
        )

    def _waiting(self, event: Waiting) -> None:
        self.say(words.seen(f"Waiting: {event.reason}"))

    def _probe_started(self, event: ProbeStarted) -> None:
        self.show_parts(output=False, checks=True)
        self.say("")
        self.checks.put(event.id, words.row(BUSY, event.title, "", CHECK))

    def _probe_done(self, event: ProbeDone) -> None:
        self.verdicts[event.id] = event
        word = words.VERDICT[event.result.outcome]
        self.checks.put(event.id, words.row(word, event.title, event.result.said, CHECK))
        self.query_one("#checks-head", Section).show(self._count())

    def _count(self) -> str:
        outcomes = [done.result.outcome for done in self.verdicts.values()]
        order = sorted(Outcome, key=lambda outcome: (outcome is not Outcome.PASS, outcome.severity))
        seen = [outcome for outcome in order if outcome in outcomes]
        return ", ".join(f"{outcomes.count(o)} {words.VERDICT[o][0]}" for o in seen)

    def _gate(self, event: Gate) -> None:
        self.gate = event

    def _failed(self, event: Failed) -> None:
        self.failed = event
        if self._in_hand:
            self._change(words.VERDICT[Outcome.FAIL], self._in_hand, "stopped here")
        self.show_parts(output=True, checks=False)
        tail = [line for line in event.tail if line not in self.output.kept[-len(event.tail) :]]
        self.write(tail)
        hint = f"\n{words.seen(event.hint)}" if event.hint else ""
        message = words.seen(event.message)
        self.say(Content.assemble(("Stopped. ", "bold ansi_red"), message, hint))


_HANDLERS: dict[type[Event], Callable[[RunView, Any], None]] = {
    ChangeStarted: RunView._change_started,
    ChangeDone: RunView._change_done,
    AlreadySo: RunView._already_so,
    Drifted: RunView._drifted,
    Undone: RunView._undone,
    Waiting: RunView._waiting,
    ProbeStarted: RunView._probe_started,
    ProbeDone: RunView._probe_done,
    Gate: RunView._gate,
    Failed: RunView._failed,
}
