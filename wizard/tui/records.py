"""DNS records on F7: each one the steps need, how it stands, and a wait until the world has it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static

from mailwizard.dnsdesk.finding import Finding
from mailwizard.dnsdesk.how import How
from mailwizard.dnsdesk.text import described, summary, table, word
from mailwizard.dnsdesk.waiting import late, pause
from mailwizard.model import Outcome
from mailwizard.stages import State
from mailwizard.tui import words
from mailwizard.tui.desk import Desk
from mailwizard.tui.frame import Dialog, Keys, paragraphs
from mailwizard.tui.textpane import TextScreen
from mailwizard.tui.widgets import KeyLine, Rows

STYLES = {
    "ok": words.VERDICT[Outcome.PASS],
    "wait": ("wait", "bold"),
    "?": words.VERDICT[Outcome.UNKNOWN],
    "warn": words.VERDICT[Outcome.WARN],
    "FAIL": words.VERDICT[Outcome.FAIL],
}
NAME = 40
"""Columns for the owner and the type."""


class DnsScreen(Dialog[None]):
    """Asked on a thread of its own, so that the steps go on meanwhile; changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "look", show=False),
        Binding("f7", "back", show=False),
        Binding("c,f8", "copy", show=False),
        Binding("f10", "wait", show=False),
    ]
    KEYS: ClassVar[Keys] = (
        ("Esc", "back"), ("Enter", "details"), ("F5", "ask again"), ("F8", "copy"),
        ("F10", "wait"),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__("DNS records")
        self._desk = Desk("dns")
        self._found: Sequence[Finding] = ()
        self._waiting = self._asking = False
        self._left = 0

    def body(self) -> ComposeResult:
        yield paragraphs("", id="dns-said")
        yield Rows(id="dns-rows")
        yield Static("", classes="box-note", markup=False)
        yield KeyLine(self.KEYS)

    def on_mount(self) -> None:
        self.add_class("full")
        self.query_one(Rows).focus()
        self.set_interval(1.0, self._tick)
        self.action_look()

    def on_unmount(self) -> None:
        self._desk.close(0)

    def action_look(self) -> None:
        """Ask all servers again."""
        if not self._asking:
            self._asking = True
            self._say("Asking the zones' own servers, this host's resolver and public ones ...")
            self._look()

    @work(exclusive=True)
    async def _look(self) -> None:
        engine = self.wizard.engine
        if records := await self.wizard.desk.ask(engine.records):
            look = partial(engine.look_up, records, patient=self._waiting)
            self._show(await self._desk.ask(look))
        else:
            self._say("No record is known yet: they begin with this host's full name.")
        self._asking = False

    def _show(self, found: Sequence[Finding]) -> None:
        self._found = found
        self._say(f"{summary(found)}{self._to_come()}")
        rows = [(str(place), _row(one)) for place, one in enumerate(found)]
        self.query_one(Rows).fill(rows)
        due = late(found)
        self._left = int(pause(due)) if due else 0
        if self._waiting and not due:
            self._waiting = False
            self._note("Nothing is left to wait for.")

    def _to_come(self) -> str:
        """That the steps ahead need more, the key that signs mail among it."""
        ahead = State.PENDING in self.wizard.states.values()
        return "\nFrom the answers so far; steps ahead add theirs, such as the DKIM key." * ahead

    def action_wait(self) -> None:
        """Ask again and again until every server has what is required; once more: stop."""
        self._waiting = not self._waiting and bool(late(self._found))
        self._note("" if self._waiting else "Not waiting.")

    def _tick(self) -> None:
        if not self._waiting or self._asking:
            return
        self._left -= 1
        self._note(f"Waiting until all servers have it: asked again in {self._left} s. F10 stops.")
        if self._left <= 0:
            self.action_look()

    @on(OptionList.OptionSelected)
    def _open(self) -> None:
        place = self.query_one(Rows).highlighted
        if place is not None:
            found = self._found[place]
            records = [one.record for one in self._found]
            text = Content("\n\n".join(map(words.seen, described(found, records))))
            title = f"{found.record.owner} {found.record.type}"
            self.app.push_screen(TextScreen(words.seen(title), text, name="dns-record"))

    def action_copy(self) -> None:
        """Copy all of it."""
        self.wizard.copy_out("dns", "\n".join(table(self._found)) + "\n", self._note)

    def _say(self, text: str) -> None:
        self.query_one("#dns-said", Static).update(words.seen(text))

    def _note(self, text: str) -> None:
        self.query_one(".box-note", Static).update(text)


def _row(found: Finding) -> Content:
    note = str(found.how or found.outcome)
    if kept := [view.ttl for view in found.views if view.how is How.CACHED and view.ttl]:
        note += f", up to {max(kept)} s"
    return words.row(STYLES[word(found)], f"{found.record.owner} {found.record.type}", note, NAME)
