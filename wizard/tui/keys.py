"""Signing keys on F9: which sign, which wait for their record, and how one follows another."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static

from mailwizard.dnsdesk.text import described
from mailwizard.errors import BadUsage
from mailwizard.events import (
    ChangeDone,
    Event,
    Failed,
    Finished,
    Gate,
    KeyStage,
    ProbeDone,
    Undone,
)
from mailwizard.model import Outcome
from mailwizard.tui import words
from mailwizard.tui.desk import BEAT, Said, Stream
from mailwizard.tui.dialogs import Confirm
from mailwizard.tui.frame import Dialog, Keys, paragraphs
from mailwizard.tui.textpane import TextScreen
from mailwizard.tui.widgets import KeyLine, Rows

if TYPE_CHECKING:
    from mailwizard.dkim import Standing

WORDS = {
    "active": words.VERDICT[Outcome.PASS],
    "published": words.VERDICT[Outcome.PASS],
    "pending": ("wait", "bold"),
    "retiring": ("wait", "bold"),
}
DONE, BAD = words.VERDICT[Outcome.PASS], words.VERDICT[Outcome.FAIL]
NAME = 30
"""Columns for the name of a key, or of what was done."""
CHANGE = (
    "A new key is made beside the one that signs.\n\n"
    "It signs only when every server of your zone, and this host's resolver, answer its record;\n"
    "until then the old key goes on signing. Then a message is sent and its signature verified:\n"
    "if that fails the old key signs again.\n\n"
    "The old record stays published until no mail signed with it can be on its way."
)
BACK = "The new key does not sign yet: it goes, and the one that signs goes on signing."


class KeysScreen(Dialog[None]):
    """Looks and acts through the engine's own thread, as everything that changes the host."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "look", show=False),
        Binding("f9", "back", show=False),
        Binding("f4", "take_back", show=False),
        Binding("c,f8", "copy", show=False),
        Binding("f10", "change", show=False),
    ]
    KEYS: ClassVar[Keys] = (
        ("Esc", "back"), ("Enter", "record"), ("F5", "look again"), ("F8", "copy"),
        ("F4", "take back"), ("F10", "change"),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__("Signing keys (DKIM)")
        self._found: Standing | None = None
        self._stream: Stream | None = None
        self._looking = False

    def body(self) -> ComposeResult:
        yield paragraphs("", id="keys-said")
        yield Rows(id="keys-rows")
        yield Rows(id="keys-run")
        yield Static("", classes="box-note", markup=False)
        yield KeyLine(self.KEYS)

    def on_mount(self) -> None:
        self.add_class("full")
        self.query_one("#keys-run").display = False
        self.query_one("#keys-rows").focus()
        self.set_interval(BEAT, self._beat)
        self.action_look()

    def _beat(self) -> None:
        if self._stream is not None:
            self._stream.flush()

    def action_look(self) -> None:
        """Look again where each key stands."""
        if not self._looking and self._stream is None:
            self._looking = True
            self._say("Looking at the keys, and at their records ...")
            self._look()

    @work(exclusive=True)
    async def _look(self) -> None:
        try:
            found = await self.wizard.desk.ask(self.wizard.engine.signing_keys)
        except BadUsage:
            self._say(
                "No key signs yet: the step that signs mail makes one; F7 has its record then."
            )
        else:
            self._found = found
            self._say(here(found.said))
            rows = [(f"{one.selector}.{one.domain}", one) for one in found.rows]
            self.query_one("#keys-rows", Rows).fill(
                [
                    (name, words.row(WORDS.get(one.state, (".", "dim")), name, said, NAME))
                    for name, one in rows
                    for said in [f"{one.state}; {one.note}"]
                ]
            )
            gone = [f"{one.owner} TXT may be taken out." for one in found.spent]
            self._note(" ".join(gone))
        self._looking = False

    @on(OptionList.OptionSelected, "#keys-rows")
    def _open(self, event: OptionList.OptionSelected) -> None:
        """The record of a key that waits for it, as it is to be entered."""
        name = str(event.option.id)
        for one in self._found.findings if self._found else ():
            if one.record.owner.replace("._domainkey", "") == name:
                text = Content("\n\n".join(map(words.seen, described(one, [one.record]))))
                self.app.push_screen(TextScreen(f"{one.record.owner} TXT", text, name="dkim"))
                return
        self._note("Only a key that waits for its record has one to be entered.")

    def action_copy(self) -> None:
        """Copy the records that are waited for, as lines of a zone file."""
        found = self._found.findings if self._found else ()
        lines = [f'{one.record.owner}. IN TXT "{one.record.value}"' for one in found]
        if lines:
            self.wizard.copy_out("dkim", "\n".join(lines) + "\n", self._note)
        else:
            self._note("No record is waited for.")

    @work(exclusive=True, group="act")
    async def action_change(self) -> None:
        """Begin to change the key, or go on with it; asks first."""
        found = self._found
        if found is None or self._is_busy():
            return
        new = found.rotation is None
        said = CHANGE if new else here(found.said)
        go = "Make a new key" if new else "Go on"
        question = Confirm("Change the signing key?", Content(said), safe="Not now", go=go)
        if await self.app.push_screen_wait(question):
            self._run(Stream(self, "authentication", self.wizard.engine.rotate_key))

    @work(exclusive=True, group="act")
    async def action_take_back(self) -> None:
        """Take away a key that does not sign yet; asks first."""
        if self._found is None or self._is_busy():
            return
        if not self._found.undoable:
            self._note("There is no key that could be taken back.")
            return
        question = Confirm("Take the new key back?", Content(BACK), safe="Keep it", go="Take back")
        if await self.app.push_screen_wait(question):
            self._run(Stream(self, "authentication", self.wizard.engine.abandon_key))

    def _is_busy(self) -> bool:
        if self.wizard.busy:
            self._note(words.AT_WORK)
        return self.wizard.busy

    def _run(self, stream: Stream) -> None:
        if self._is_busy():
            return
        self._stream = stream
        shown = self.query_one("#keys-run", Rows)
        shown.clear_options()
        shown.display = True
        self._note("")
        self._say("Working ...")
        self.wizard.begin(stream)

    @on(Said)
    def _said(self, event: Said) -> None:
        event.stop()
        shown = self.query_one("#keys-run", Rows)
        for happened in event.events:
            if row := told(happened):
                shown.put(str(shown.option_count), row)
        shown.scroll_end(animate=False)
        if event.ended:
            self._stream = None
            self.wizard.end(event)
            self.action_look()

    def action_back(self) -> None:
        if self._stream is None:
            self.dismiss(None)

    def _say(self, text: str) -> None:
        self.query_one("#keys-said", Static).update(words.seen(text))

    def _note(self, text: str) -> None:
        self.query_one(".box-note", Static).update(words.seen(text))


def here(said: str) -> str:
    """The sentence with the key of this screen for the command."""
    return said.replace("mailwizard dkim rotate", "F10")


def told(event: Event) -> Content | None:
    """One line of what was done; None for what needs none."""
    line = partial(words.row, title_width=NAME)
    match event:
        case KeyStage():
            return line(DONE, event.sentence, "")
        case ChangeDone() | Undone(problem=""):
            return line(DONE, event.title, "")
        case Undone():
            return line(BAD, event.title, event.problem)
        case ProbeDone():
            return line(words.VERDICT[event.result.outcome], event.title, event.result.said)
        case Failed():
            return line(BAD, f"{event.message} {event.hint}", "")
        case Gate():
            return line(DONE if event.open else BAD, "All checks of this step", event.outcome)
        case Finished(code=1):
            return line(BAD, here(event.said), "")
    return None
