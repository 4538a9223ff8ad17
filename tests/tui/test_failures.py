"""What is offered when something is wrong, and what must never happen then."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
from textual.widgets import Input

from mailwizard.errors import HostRefused
from mailwizard.events import Failed
from mailwizard.model import Outcome, Result
from mailwizard.stages import State
from mailwizard.tui import words
from mailwizard.tui.app import WizardApp
from mailwizard.tui.dialogs import AskQuit, Notice
from mailwizard.tui.help import HelpScreen
from mailwizard.tui.phases import Phase
from mailwizard.tui.small import TooSmall
from mailwizard.tui.step import StepScreen
from mailwizard.tui.textpane import LogScreen, TextScreen
from mailwizard.tui.theme import theme_for
from mailwizard.tui.welcome import WelcomeScreen
from mailwizard.tui.widgets import Toggle
from tui import fake_steps
from tui.fake_engine import FakeEngine
from tui.walks import apply, at_step, focused, go_to, phase, ready, text, until, wizard

pytestmark = pytest.mark.asyncio


def relay_open() -> FakeEngine:
    return FakeEngine(results={"SMTP-06": fake_steps.RELAY_OPEN}, packages_in_place=True)


async def test_the_gate_stays_closed_and_the_failing_check_opens_its_transcript() -> None:
    engine = relay_open()
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "postfix")
        await apply(pilot)
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        for said in ("> RCPT TO:<b@example.net>", "swaks --server", "554 5.7.1", "take the /0"):
            assert said in text(pilot)
        await pilot.press("escape")
        assert isinstance(screen := pilot.app.screen, StepScreen)
        assert screen.query_one("#next").disabled
        assert focused(pilot).id == "checks"
        await pilot.press("f10")
        assert pilot.app.screen is screen
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        await pilot.press("escape")
        engine.results.clear()
        await pilot.press("f5")
        await phase(pilot, Phase.OPEN)
        assert engine.calls.count("apply postfix") == 1
        await pilot.press("f10")
        await at_step(pilot, "aliases")


async def test_unknown_and_warnings_open_the_gate() -> None:
    unknown = Result(Outcome.UNKNOWN, "timed out")
    engine = FakeEngine(results={"SMTP-01": unknown}, packages_in_place=True)
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "postfix")
        await apply(pilot)
        await phase(pilot, Phase.OPEN)


async def test_a_failed_change_offers_answers_retry_undo_and_shell() -> None:
    failed = Failed("postfix", "Postfix refused it", "Correct it, then retry.", ("fatal: line 12",))
    engine = FakeEngine(apply_fails=failed, packages_in_place=True)
    async with WizardApp(engine).run_test() as pilot:
        screen = await go_to(pilot, "postfix")
        await apply(pilot)
        await phase(pilot, Phase.BROKEN)
        shown = {button.id for button in screen.query("#buttons Push") if button.display}
        assert {"answers", "retry", "undo", "shell"} <= shown
        assert "fatal: line 12" in text(pilot)
        assert "Correct it, then retry." in text(pilot)
        assert screen.query_one("#next").disabled
        assert not [call for call in engine.calls if call.startswith("probe")]
        await pilot.press("enter")  # Retry has the focus
        await until(pilot, lambda: pilot.app.screen.query("#go"))
        await pilot.press("right", "enter")
        await phase(pilot, Phase.OPEN)


async def test_undo_names_what_depends_on_it_and_leaves_the_packages() -> None:
    engine = FakeEngine(packages_in_place=True)
    for step_id in ("hostname", "postfix", "aliases"):
        engine.state[step_id] = State.VERIFIED
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "postfix")
        wizard(pilot).action_undo_step("postfix")
        await until(pilot, lambda: "Undo 2 steps" in text(pilot))
        assert "Aliases" in text(pilot)
        assert focused(pilot).id == "safe"
        await pilot.press("right", "enter")
        await until(pilot, lambda: "Restored." in text(pilot))
        await pilot.press("enter")
        await at_step(pilot, "postfix")
    assert "undo postfix aliases packages=False" in engine.calls


@pytest.mark.parametrize("last", [True, False])
async def test_packages_may_go_with_the_last_steps_only(last: bool) -> None:
    engine = FakeEngine(packages_in_place=True)
    for step_id in ("postfix", "aliases") if last else ("hostname", "postfix", "aliases"):
        engine.state[step_id] = State.VERIFIED
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        wizard(pilot).action_undo_step("postfix")
        await until(pilot, lambda: "Undo 2 steps" in text(pilot))
        assert ("2 packages were installed" in text(pilot)) is last
        assert pilot.app.screen.query_one(Toggle).display is last
        if last:
            await pilot.press("shift+tab", "space", "tab")
        await pilot.press("right", "enter")
        await until(pilot, lambda: "Restored." in text(pilot))
    assert f"undo postfix aliases packages={last}" in engine.calls


async def test_escape_is_inert_while_a_command_runs() -> None:
    engine = FakeEngine(packages_in_place=True, hold=threading.Event())
    async with WizardApp(engine).run_test() as pilot:
        screen = await go_to(pilot, "postfix")
        await apply(pilot)
        await phase(pilot, Phase.RUNNING)
        await pilot.press("escape", "escape", "f10", "f5")
        assert pilot.app.screen is screen
        assert screen.phase is Phase.RUNNING
        assert words.AT_WORK in text(pilot)
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(pilot.app.screen, LogScreen))
        await pilot.press("escape")
        assert pilot.app.screen is screen
        assert engine.hold is not None
        engine.hold.set()
        await phase(pilot, Phase.OPEN)


async def test_escape_never_ends_the_run() -> None:
    async with WizardApp(FakeEngine()).run_test() as pilot:
        await ready(pilot)
        await pilot.press(*["escape"] * 5)
        assert isinstance(pilot.app.screen, WelcomeScreen)
        assert "Ctrl+Q leaves" in text(pilot)
        assert pilot.app.is_running


async def test_quit_says_how_to_resume_and_stays_unless_told() -> None:
    async with WizardApp(FakeEngine()).run_test() as pilot:
        await go_to(pilot, "hostname")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskQuit))
        assert "Run `mailwizard` to go on" in text(pilot)
        await pilot.press("ctrl+q", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, StepScreen))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskQuit))
        await pilot.press("right", "enter")
        await pilot.pause()
    assert pilot.app.return_code == 0


@pytest.mark.parametrize(
    "keys", [("ctrl+c", "ctrl+c"), ("ctrl+c", "right", "enter"), ("ctrl+q", "ctrl+q", "ctrl+c")]
)
async def test_ctrl_c_asks_and_a_second_one_is_a_yes(keys: tuple[str, ...]) -> None:
    async with WizardApp(FakeEngine()).run_test() as pilot:
        await ready(pilot)
        await pilot.press(keys[0])
        await until(pilot, lambda: isinstance(pilot.app.screen, AskQuit))
        await pilot.press(*keys[1:])
        await until(pilot, lambda: not pilot.app.is_running)
    assert pilot.app.return_code == 0


async def test_ctrl_c_leaves_from_a_field_and_from_a_dialog() -> None:
    async with WizardApp(FakeEngine()).run_test() as pilot:
        await go_to(pilot, "hostname")
        assert isinstance(pilot.app.focused, Input)
        pilot.app.focused.select_all()
        await pilot.press("ctrl+c")
        assert isinstance(pilot.app.screen, StepScreen)
        assert pilot.app.clipboard == pilot.app.focused.value
        await pilot.press("end", "ctrl+c")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskQuit))
        await pilot.press("escape", "f1")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        await pilot.press("ctrl+c")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskQuit))


async def test_hostile_text_is_only_text() -> None:
    evil = "[red]x[/red] [/] [@click=app.quit()]y[/] \x1b]0;z\x07 [b"
    failed = Result(Outcome.FAIL, evil, evil, evil, (f"< {evil}", evil))
    engine = FakeEngine(results={"SMTP-01": failed}, packages_in_place=True)
    engine.values["postfix"] = {"domains": ["example.org"]}
    fail = Failed("postfix", evil, evil, (evil,))
    async with WizardApp(engine).run_test() as pilot:
        screen = await go_to(pilot, "postfix")
        await apply(pilot)
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        assert "[red]x[/red] [/] [@click=app.quit()]y[/]" in text(pilot)
        assert "\x1b" not in text(pilot)
        await pilot.press("escape")
        screen.run_view.take([fail])
        wizard(pilot).say(evil)
        await pilot.pause()
        assert "[@click=app.quit()]y[/]" in text(pilot)
        assert "\x1b" not in text(pilot)


async def test_copying_goes_to_the_terminal_and_to_a_file_that_is_named() -> None:
    engine = relay_open()
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "postfix")
        await apply(pilot)
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        await pilot.press("c")
        await pilot.pause()
        assert "also in /var/lib/mailwizard/copied/check-SMTP-06" in text(pilot)
        assert "> RCPT TO:<b@example.net>" in pilot.app.clipboard
    assert "> RCPT TO:<b@example.net>" in engine.saved["check-SMTP-06"]


async def test_a_sentence_for_the_reader_is_shown_and_the_run_goes_on() -> None:
    class Refusing(FakeEngine):
        def set_enabled(self, step_id: str, on: bool) -> None:
            raise HostRefused("the disk is full", hint="Free some space.")

    async with WizardApp(Refusing()).run_test() as pilot:
        await ready(pilot)
        await pilot.press(*["down"] * 6, "space")
        await until(pilot, lambda: isinstance(pilot.app.screen, Notice))
        assert "the disk is full" in text(pilot)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, WelcomeScreen)


@pytest.mark.parametrize("place", ["apply", "plan"])
async def test_a_fault_of_ours_is_reported_and_says_how_to_resume(place: str) -> None:
    class Faulty(FakeEngine):
        def missing_packages(self, step_ids: object) -> tuple[str, ...]:
            if place == "plan":
                raise ZeroDivisionError("canary77")
            return ()

    engine = Faulty(apply_raises=KeyError("canary77"), packages_in_place=True)
    app = WizardApp(engine)
    with pytest.raises((KeyError, ZeroDivisionError)):
        async with app.run_test() as pilot:
            await ready(pilot)
            wizard(pilot).go_to("postfix")
            await at_step(pilot, "postfix")
            await apply(pilot)
            await until(pilot, lambda: not app.is_running)
    assert app.return_code == 1
    assert len(engine.crashes) == 1
    assert "Report: /var/lib/mailwizard/crash-" in app.crash_said
    assert "Run `mailwizard`" in app.crash_said
    assert "canary77" not in app.crash_said


FULL = OSError(errno.ENOSPC, "No space left on device", "/var/lib/mailwizard/journal.db")


async def test_a_full_disk_is_no_fault_of_ours_and_the_step_can_be_tried_again() -> None:
    engine = FakeEngine(packages_in_place=True, apply_raises=FULL)
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "postfix")
        await apply(pilot)
        await phase(pilot, Phase.BROKEN)
        assert "journal.db cannot be written: no space left" in text(pilot)
        engine.apply_raises = None
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.query("#go"))
        await pilot.press("right", "enter")
        await phase(pilot, Phase.OPEN)
    assert engine.crashes == []


async def test_an_answer_that_cannot_be_saved_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unwritable(*_given: object) -> None:
        raise FULL

    engine = FakeEngine()
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "hostname")
        monkeypatch.setattr(engine, "set_answer", unwritable)
        await pilot.press("end", "x", "tab")
        await until(pilot, lambda: isinstance(pilot.app.screen, Notice))
        assert "Make room" in text(pilot)
        assert pilot.app.is_running
    assert engine.crashes == []


async def test_a_terminal_that_grew_under_another_screen_is_uncovered() -> None:
    async with WizardApp(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.resize_terminal(40, 10)
        await until(pilot, lambda: isinstance(pilot.app.screen, TooSmall))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(pilot.app.screen, AskQuit))
        await pilot.resize_terminal(80, 24)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, WelcomeScreen))


async def test_a_flood_of_output_is_shown_and_keys_still_work() -> None:
    engine = FakeEngine(packages_in_place=True, apply_lines=20_000)
    async with WizardApp(engine).run_test() as pilot:
        screen = await go_to(pilot, "postfix")
        await apply(pilot)
        await phase(pilot, Phase.OPEN)
        assert screen.run_view.output.total == 40_000
        assert len(screen.run_view.output.kept) <= 10_000
        await pilot.press("f6")
        await until(pilot, lambda: "mail queue is empty" in text(pilot) or "reload" in text(pilot))


async def test_the_real_cursor_follows_the_focus() -> None:
    async with WizardApp(FakeEngine(packages_in_place=True)).run_test() as pilot:
        await ready(pilot)
        lines = text(pilot).splitlines()
        await pilot.pause()
        assert "Host name" in lines[pilot.app.cursor_position.y]
        await pilot.press("down", "down")
        await pilot.pause()
        assert "Aliases" in text(pilot).splitlines()[pilot.app.cursor_position.y]
        await pilot.press("tab")
        await pilot.pause()
        assert "Quit" in text(pilot).splitlines()[pilot.app.cursor_position.y]
        await go_to(pilot, "hostname")
        await pilot.press("down")
        await pilot.pause()
        assert "192.0.2.25" in text(pilot).splitlines()[pilot.app.cursor_position.y]


@pytest.mark.parametrize("size", [(40, 10), (20, 5), (1, 1), (59, 24)])
async def test_a_tiny_terminal_gets_a_sentence_and_comes_back(size: tuple[int, int]) -> None:
    async with WizardApp(FakeEngine()).run_test() as pilot:
        await ready(pilot)
        await pilot.resize_terminal(*size)
        await until(pilot, lambda: isinstance(pilot.app.screen, TooSmall))
        if size[0] > 30:
            assert "This terminal is too small" in text(pilot)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: isinstance(pilot.app.screen, WelcomeScreen))


async def test_help_is_about_the_focused_field() -> None:
    async with WizardApp(FakeEngine()).run_test() as pilot:
        await go_to(pilot, "postfix")
        await pilot.press("down", "f1")
        await until(pilot, lambda: "Hosts here may send to anybody" in text(pilot))
        assert "Postfix receives mail for your domains" in text(pilot)


async def test_the_terminals_own_colours() -> None:
    assert theme_for({}) == "ansi-dark"
    assert theme_for({"COLORFGBG": "15;0"}) == "ansi-dark"
    assert theme_for({"COLORFGBG": "0;15"}) == "ansi-light"
    assert theme_for({"TEXTUAL_THEME": "nord"}) == "nord"


async def test_no_colour_is_fixed_that_a_terminal_could_not_show() -> None:
    sheet = Path(__file__).resolve().parents[2] / "wizard" / "tui" / "app.tcss"
    body = sheet.read_text(encoding="utf-8")
    assert "rgb" not in body
    assert "$" not in body
    colours = {word for word in body.replace(";", " ").split() if word.startswith("ansi_")}
    assert colours <= {"ansi_default", "ansi_red"}
