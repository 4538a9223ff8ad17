"""The application: which screen is shown, what runs, signals, and faults of our own."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import ClassVar

from textual import events, on, work
from textual.actions import SkipAction
from textual.app import App, SuspendNotSupported, SystemCommand
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import OptionList

from mailwizard.errors import WizardError
from mailwizard.events import Proposed
from mailwizard.heard import Heard
from mailwizard.stages import State
from mailwizard.terminal import SMALLEST
from mailwizard.trouble import understood
from mailwizard.tui import crash, words
from mailwizard.tui.contract import EngineFace
from mailwizard.tui.desk import BEAT, Desk, Said, Stream
from mailwizard.tui.dialogs import AskQuit, Notice
from mailwizard.tui.frame import Frame
from mailwizard.tui.packages import Packages
from mailwizard.tui.palette import commands
from mailwizard.tui.signals import Exits
from mailwizard.tui.small import FITS, TooSmall, told
from mailwizard.tui.textpane import Lines, LogScreen
from mailwizard.tui.theme import theme_for
from mailwizard.tui.widgets import HasCursor

PATIENCE = 5.0
"""Seconds that a command in hand gets to end after the screen is gone."""


class WizardApp(App[None]):
    """Owns the two threads that call the engine; screens ask and tell through it."""

    CSS_PATH = "app.tcss"
    TITLE = "mailwizard"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - declared so by the library
        (0, "-narrow"),
        (100, "-wide"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", priority=True, show=False),
        Binding("f2", "shell", priority=True, show=False),
        Binding("f3,ctrl+l", "redraw", priority=True, show=False),
        Binding("ctrl+q", "quit", priority=True, show=False),
        Binding("ctrl+c", "interrupt", priority=True, show=False),
    ]

    def __init__(
        self,
        engine: EngineFace,
        *,
        host: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # The library chooses how to obey NO_COLOR before it knows the theme: for one with colours
        # of its own it would print black on black here.
        super().__init__(ansi_color=True)
        self.theme = theme_for(os.environ)
        self.set_reactive(App.ansi_color, None)
        self.animation_level = "none"
        self.engine = engine
        self.host = host
        self.desk = Desk("engine")
        self.clock = clock
        self.packages = Packages(engine, self, clock)
        self.states: dict[str, State] = {step.id: State.PENDING for step in engine.steps}
        self.heard = Heard()
        self.stream: Stream | None = None
        self.consent: tuple[str, ...] = ()
        self.agreed: set[str] = set()
        self.exits = Exits(self.stop, self.close)
        self.crash_said = ""
        self._since = 0.0
        self._said = ""
        self._said_left = 0

    @property
    def busy(self) -> bool:
        """Whether something changes the host, or tests it, right now."""
        return self.stream is not None

    async def on_mount(self) -> None:
        self.exits.loop = asyncio.get_running_loop()
        self.set_interval(1.0, self._tick)
        self.set_interval(BEAT, self._beat)
        from mailwizard.tui.welcome import WelcomeScreen

        await self.push_screen(WelcomeScreen(tests=True))
        self.check_size(self.size)

    # What runs

    def begin(self, stream: Stream) -> None:
        """Start a stream; Esc is inert until it ends."""
        self.stream = stream
        self._since = self.clock()
        stream.start(self.desk)

    def end(self, event: Said) -> None:
        """A stream has ended; a fault of ours in it is a fault of ours here."""
        self.stream = None
        if event.crash is not None:
            raise event.crash

    @on(Said)
    def _packages_said(self, event: Said) -> None:
        if event.stream is not self.packages.stream:
            return
        self.packages.said(event)
        self.show_status()
        if event.crash is not None:
            raise event.crash

    async def bring_packages(self, step_ids: Sequence[str] = ()) -> None:
        """Start the transaction if all that is missing was agreed to, and none runs."""
        wanted = tuple(step_ids) or self.consent
        if not wanted or self.packages.running:
            return
        missing = await self.desk.ask(partial(self.engine.missing_packages, wanted))
        if missing and self.agreed.issuperset(missing):
            self.packages.request(wanted)
        elif not missing and not self.packages.running:
            self.packages.failed = None  # somebody has mended it meanwhile

    async def reload_states(self) -> None:
        """Ask where every step stands."""
        states = await self.desk.ask(self.engine.states)
        self.states = {status.id: status.state for status in states}

    @work(group="proposed")
    async def switch_on(self, proposed: Proposed) -> None:
        """Let a step that a check proposes take its turn; it can be skipped there."""
        await self.desk.tell(partial(self.engine.set_enabled, proposed.proposal, True))
        await self.reload_states()
        self.say(f"{proposed.title} is switched on: {proposed.reason}")

    def _beat(self) -> None:
        for stream in (self.stream, self.packages.stream):
            if stream is not None:
                stream.flush()

    # What is said at the foot of the screen

    def say(self, text: str) -> None:
        """Show a sentence for some seconds."""
        self._said, self._said_left = words.seen(text), 8
        self.show_status()

    def _tick(self) -> None:
        self._said_left -= 1
        self.show_status()

    def show_status(self) -> None:
        """Bring the status line up to date."""
        text = self._said if self._said_left > 0 else self._working() or self.packages.status()
        for screen in self.screen_stack:
            if isinstance(screen, Frame) and screen.is_mounted:
                screen.show_status(words.fit(text, self.size.width - 2))

    def _working(self) -> str:
        """Silence is read as a hang: say that it works, and for how long."""
        seconds = int(self.clock() - self._since)
        return f"Working, {seconds} s" if self.busy and seconds > 1 else ""

    def copy_out(self, name: str, text: str, note: Callable[[str], None] | None = None) -> None:
        """Copy by OSC 52 and into a file, because a terminal may refuse the first silently."""
        self.copy_to_clipboard(text)
        lines = len(text.splitlines())
        said = f"Copied {lines} line{'s' if lines != 1 else ''}"
        try:
            said += f"; also in {self.engine.save_text(name, text)}"
        except (OSError, WizardError) as error:
            said += f"; not written to a file: {error}"
        (note or self.say)(said)

    def open_package_log(self) -> None:
        """Show what the package manager says."""
        if not self.packages.lines.total:
            self.say("Nothing has run yet.")
            return
        self.open_log("Packages", self.packages.lines, "packages")

    def open_log(self, title: str, lines: Lines, step_id: str) -> None:
        """Show a log that may still grow."""
        path = partial(self.engine.log_path, step_id)
        self.push_screen(LogScreen(title, lines, path, name=f"{step_id}-log"))

    # Where we are

    @work(exclusive=True, group="go")
    async def go_to(self, step_id: str | None) -> None:
        """Show a step, or the end when there is none.

        Runs as the application's worker: a screen's own would be cancelled with its screen.
        """
        await self._show(step_id)

    def _may_leave(self) -> bool:
        """Whether the screen may go; the end of what it runs would reach nobody."""
        if self.busy:
            self.say(words.AT_WORK)
            return False
        for screen in self.screen_stack:
            if isinstance(screen, Frame):
                screen.let_go()
        return True

    async def _show(self, step_id: str | None) -> None:
        from mailwizard.tui.finish import FinishScreen
        from mailwizard.tui.step import StepScreen

        screen: Frame = FinishScreen()
        for step in self.engine.steps:
            if step.id == step_id:
                screen = StepScreen(step)
        if self._may_leave():
            await self.switch_screen(screen)

    @work(exclusive=True, group="go")
    async def go_beside(self, step_id: str, by: int) -> None:
        """Show the next or the previous step that was not skipped."""
        skipped = {name for name, state in self.states.items() if state is State.SKIPPED}
        chosen = [s.id for s in self.engine.steps if s.id == step_id or s.id not in skipped]
        index = chosen.index(step_id) + by
        if index < 0:
            from mailwizard.tui.welcome import WelcomeScreen

            if self._may_leave():
                await self.switch_screen(WelcomeScreen())
        else:
            await self._show(chosen[index] if index < len(chosen) else None)

    @work(exclusive=True, group="go")
    async def go_on(self) -> None:
        """Show the first step that is not verified, or the end; packages come meanwhile."""
        await self.bring_packages()
        await self._show(await self.desk.ask(self.engine.next_step))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        return commands(self, screen)

    # Keys that work everywhere

    def action_help(self) -> None:
        """Help for the focused field, the step and the keys."""
        from mailwizard.tui.help import HelpScreen, help_text

        if isinstance(self.screen, Frame):
            self.push_screen(HelpScreen("Help", help_text(self.screen), name="help"))

    def action_shell(self) -> None:
        """Hand the terminal to a shell until it ends."""
        try:
            with self.suspend():
                self.engine.shell()
        except SuspendNotSupported:
            self.say("This terminal cannot be handed over; open a second one.")
        self.action_redraw()
        self.on_app_focus()

    def on_app_focus(self) -> None:
        """Judge the answers again: what was wrong may have been mended in a shell meanwhile."""
        for screen in self.screen_stack:
            if isinstance(screen, Frame):
                screen.judge_anew()

    @work(exclusive=True, group="undo")
    async def action_undo_step(self, step_id: str) -> None:
        """Ask, undo, and show the step anew."""
        from mailwizard.tui.undo import UndoScreen

        if self._may_leave() and await self.push_screen_wait(UndoScreen(step_id)):
            await self._show(step_id)

    def action_redraw(self) -> None:
        """Paint everything anew."""
        self.screen.refresh(repaint=True, layout=True)

    async def action_quit(self) -> None:
        """Ask before leaving, once."""
        if not isinstance(self.screen, AskQuit):
            self.ask_quit()

    def action_interrupt(self) -> None:
        """Ask before leaving, and a second time is a yes; what is selected is copied instead."""
        focused = self.screen.focused
        if getattr(focused, "selected_text", "") or self.screen.get_selected_text():
            raise SkipAction
        if isinstance(self.screen, AskQuit):
            self.screen.dismiss(True)
        else:
            self.ask_quit()

    @work(exclusive=True, group="quit")
    async def ask_quit(self) -> None:
        """Leave when that is confirmed."""
        if await self.push_screen_wait(AskQuit(self.busy or self.packages.running)):
            self.leave()

    def leave(self) -> None:
        """End with the exit code that the steps deserve."""
        self.exit(return_code=1 if State.FAILED in self.states.values() else 0)

    # The real cursor follows the focus, for screen readers and braille displays

    @on(events.DescendantFocus)
    @on(OptionList.OptionHighlighted)
    def place_cursor(self) -> None:
        """Put the terminal's own cursor where the reader is."""
        self._cursor_to_focus()
        self.call_after_refresh(self._cursor_to_focus)

    def _cursor_to_focus(self) -> None:
        focused = self.screen.focused if self.screen_stack else None
        if focused is None or not isinstance(focused, HasCursor):
            return
        position = focused.content_region.offset + focused.cursor_inside()
        if position != self.cursor_position:
            self.cursor_position = position
            focused.refresh()  # the position is sent with the next paint only

    # Size, signals, and faults

    def on_resize(self, event: events.Resize) -> None:
        self.check_size(event.size)

    def check_size(self, size: Size) -> None:
        """Cover everything while nothing fits."""
        if not any(isinstance(screen, Frame) for screen in self.screen_stack):
            return
        small = size.width < SMALLEST[0] or size.height < SMALLEST[1]
        shown = next((s for s in self.screen_stack if isinstance(s, TooSmall)), None)
        if small and shown is None:
            self.push_screen(TooSmall())
        elif not small and shown is self.screen:
            self.pop_screen()
        if not small and ((text := told(size)) or self._said.endswith(FITS)):
            self.say(text)

    def stop(self, code: int) -> None:
        """End because somebody outside said so."""
        self.exit(return_code=code)

    def _handle_exception(self, error: Exception) -> None:
        error = getattr(error, "error", error)  # what failed inside a worker
        if said := understood(error):
            self.push_screen(Notice(said))
            return
        # The library would print the values of local variables, secrets among them.
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
            self.crash_said = crash.report(self.engine, error)
        self._close_messages_no_wait()

    def close(self) -> None:
        """Let both threads come to a safe point."""
        if self.stream is not None:
            self.stream.stop()
        self.desk.close(PATIENCE)
        self.packages.close(PATIENCE)


def run(engine: EngineFace, *, host: str = "") -> int:
    """Run until left, stopped or broken; the terminal is as it was before, whichever it is."""
    app = WizardApp(engine, host=host or os.uname().nodename)
    try:
        with app.exits.installed():
            app.run()
    finally:
        if app.busy:
            _tell("Stopping at the next safe point ...")
        app.close()
    if app.crash_said:
        _tell(app.crash_said)
    return app.return_code or 0


def _tell(text: str) -> None:
    with suppress(OSError):  # the terminal may be gone
        print(text, file=sys.stderr, flush=True)
