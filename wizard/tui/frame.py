"""What every full screen shares: the head line, the steps, the status line, and the keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from mailwizard.model import Step
from mailwizard.stages import State
from mailwizard.tui import words
from mailwizard.tui.widgets import KeyLine

if TYPE_CHECKING:
    from mailwizard.tui.app import WizardApp

R = TypeVar("R")
Keys = Sequence[tuple[str, str]]


class Head(Static):
    """Program and host on the left; how far we are on the right."""

    def __init__(self, host: str) -> None:
        super().__init__(markup=False, id="head")
        self._host = host
        self._right = ""

    def show(self, right: str) -> None:
        """Say how far we are."""
        self._right = right
        self.refresh()

    def render(self) -> Content:
        left = Content.assemble(("mailwizard", "bold"), f"   {self._host}")
        room = self.size.width - len(self._right) - 2
        left = left.truncate(max(room, 10), ellipsis=True, pad=True)
        return left + "  " + Content.styled(self._right, "bold")


class StepBar(Static):
    """The steps around the one in hand, on one line."""

    def __init__(self) -> None:
        super().__init__(markup=False, id="stepbar")
        self._words: list[Content] = []
        self._here = 0

    def show(self, steps: Sequence[Step], states: dict[str, State], here: str | None) -> None:
        """Show each step with its state."""
        self._here = next((n for n, step in enumerate(steps) if step.id == here), 0)
        self._words = []
        for step in steps:
            word = words.HERE if step.id == here else words.STATE[states[step.id]]
            text = (step.id, "bold" if step.id == here else "")
            self._words.append(Content.assemble(word, " ", text))
        self.refresh()

    def render(self) -> Content:
        if not self._words:
            return Content("")
        low = high = self._here
        room = self.size.width - 6
        used = self._words[self._here].cell_length
        # Grow to both sides, behind first by one: where we come from gives the bearing.
        while True:
            grown = False
            for index in (high + 1, low - 1):
                if 0 <= index < len(self._words):
                    more = self._words[index].cell_length + 2
                    if used + more <= room:
                        used += more
                        low, high, grown = min(low, index), max(high, index), True
            if not grown:
                break
        shown = Content("  ").join(self._words[low : high + 1])
        before = ".. " if low else ""
        return Content(before) + shown + ("  .." if high < len(self._words) - 1 else "")


class SideBar(Static):
    """All steps under each other, where the terminal is wide enough."""

    def __init__(self) -> None:
        super().__init__(markup=False, id="sidebar")

    def show(self, steps: Sequence[Step], states: dict[str, State], here: str | None) -> None:
        """Show each step with its state and title."""
        lines = []
        for step in steps:
            word = words.HERE if step.id == here else words.STATE[states[step.id]]
            title = Content.styled(words.fit(step.title, 21), "bold" if step.id == here else "")
            lines.append(words.mark(word) + title)
        self.update(Content("\n").join(lines))


class Frame(Screen[None]):
    """A full screen with head, steps, body, status and keys."""

    KEYS: ClassVar[Keys] = ()
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f7", "dns", show=False),
        Binding("f9", "keys", show=False),
    ]

    @property
    def wizard(self) -> WizardApp:
        return cast("WizardApp", self.app)

    def body(self) -> ComposeResult:
        """What is particular to this screen."""
        yield from ()

    def compose(self) -> ComposeResult:
        yield Head(self.wizard.host)
        yield StepBar()
        yield Static("", id="rule")
        with Horizontal(id="middle"):
            yield SideBar()
            with Vertical(id="body"):
                yield from self.body()
        yield Static("", id="status", markup=False)
        yield KeyLine(self.KEYS)

    def on_screen_resume(self) -> None:
        self.wizard.show_status()

    def judge_anew(self) -> None:
        """The host may be another since; here nothing depends on it."""

    def let_go(self) -> None:
        """What was only waited for does not begin any more."""
        self.workers.cancel_group(self, "apply")

    def show_steps(self, here: str | None, right: str) -> None:
        """Bring the head, the bar and the sidebar up to date."""
        self.query_one(Head).show(right)
        for widget in (self.query_one(StepBar), self.query_one(SideBar)):
            widget.show(self.wizard.engine.steps, self.wizard.states, here)

    def show_status(self, text: str) -> None:
        """Show the status line."""
        for status in self.query("#status").results(Static):  # none while a screen comes or goes
            status.update(text)

    def show_keys(self, keys: Keys) -> None:
        """Show the keys that work now."""
        self.query_one(KeyLine).show(keys)

    def action_back(self) -> None:
        """One level back; here there is none, and Esc never ends the run."""
        self.wizard.say("This is the first screen. Ctrl+Q leaves; everything is saved.")

    def action_dns(self) -> None:
        """Each DNS record beside what is answered."""
        from mailwizard.tui.records import DnsScreen

        self.app.push_screen(DnsScreen())

    def action_keys(self) -> None:
        """Which keys sign mail, and the change of them."""
        from mailwizard.tui.keys import KeysScreen

        self.app.push_screen(KeysScreen())

    def action_log(self) -> None:
        """The whole log of what runs or ran last."""
        self.wizard.open_package_log()


class Dialog(ModalScreen[R]):
    """A box over the screen; Esc gives the safe answer, the safe button has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", show=False)]
    SAFE: ClassVar[object] = None

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    @property
    def wizard(self) -> WizardApp:
        return cast("WizardApp", self.app)

    def body(self) -> ComposeResult:
        """What is particular to this dialog."""
        yield from ()

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Static(self._title, classes="box-title", markup=False)
            yield from self.body()

    def action_back(self) -> None:
        self.dismiss(cast("R", self.SAFE))


def paragraphs(text: str | Content, *, id: str | None = None, classes: str = "") -> Static:  # noqa: A002
    """Running text that is never read as markup."""
    return Static(text, markup=False, id=id, classes=classes)
