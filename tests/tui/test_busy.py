"""Packages, steps and dialogs that work at the same time never take each other's place."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest
from support.clocks import HUNG
from textual.command import CommandPalette
from textual.widgets import Static

from mailwizard.errors import BadAnswer
from mailwizard.events import Event, Failed
from mailwizard.stages import State, StepPlan
from mailwizard.tui import words
from mailwizard.tui.app import WizardApp
from mailwizard.tui.phases import Phase
from mailwizard.tui.step import StepScreen
from mailwizard.tui.welcome import WelcomeScreen
from tui.fake_engine import FakeEngine
from tui.walks import apply, at_step, go_to, phase, ready, text, until, wizard

pytestmark = pytest.mark.asyncio


async def test_packages_that_somebody_else_put_in_place_are_not_called_failed_for_ever() -> None:
    engine = FakeEngine(prepare_fails=Failed("packages", "dpkg was interrupted", "Mend it."))
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        await pilot.press("f10")
        await at_step(pilot, "hostname")
        await until(pilot, lambda: "Packages FAILED" in text(pilot))
        engine.packages_in_place = True
        await apply(pilot)
        await phase(pilot, Phase.OPEN)
        await until(pilot, lambda: "Packages FAILED" not in text(pilot))


async def test_what_an_undo_says_is_not_taken_for_the_packages() -> None:
    class Refusing(FakeEngine):
        def undo(self, step_ids: Sequence[str], *, packages: bool = False) -> Iterator[Event]:
            yield Failed("hostname", "somebody edited it since", "Look at it.")

    engine = Refusing(prepare_hold=threading.Event())
    engine.state["hostname"] = State.VERIFIED
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        await pilot.press("f10")
        await at_step(pilot, "postfix")
        wizard(pilot).action_undo_step("hostname")
        await until(pilot, lambda: "Undo this step" in text(pilot))
        await pilot.press("right", "enter")
        await until(pilot, lambda: "could not be restored" in text(pilot))
        assert wizard(pilot).packages.running
        assert wizard(pilot).packages.failed is None
        assert engine.prepare_hold is not None
        engine.prepare_hold.set()
        await until(pilot, lambda: not wizard(pilot).packages.running)


async def test_what_a_key_change_says_is_not_taken_for_the_packages() -> None:
    engine = FakeEngine(prepare_hold=threading.Event())
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        await pilot.press("f10")
        await at_step(pilot, "hostname")
        await pilot.press("f9")
        await until(pilot, lambda: "no key is being changed" in text(pilot))
        await pilot.press("f10")
        await until(pilot, lambda: pilot.app.screen.query("#go"))
        await pilot.press("right", "enter")
        await until(pilot, lambda: "Whoever runs the zone" in text(pilot))
        assert wizard(pilot).packages.running
        assert engine.prepare_hold is not None
        engine.prepare_hold.set()


async def test_a_step_that_begins_beneath_the_palette_is_not_left() -> None:
    engine = FakeEngine(prepare_hold=threading.Event(), hold=threading.Event())
    engine.state["hostname"] = State.VERIFIED
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        await pilot.press("f10")
        screen = await at_step(pilot, "postfix")
        await apply(pilot)
        await phase(pilot, Phase.WAITING)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(pilot.app.screen, CommandPalette))
        assert engine.prepare_hold is not None
        engine.prepare_hold.set()
        await phase(pilot, Phase.RUNNING)
        wizard(pilot).go_to("hostname")
        wizard(pilot).go_beside("postfix", -1)
        wizard(pilot).action_undo_step("postfix")
        await pilot.press("escape")
        await until(pilot, lambda: words.AT_WORK in text(pilot))
        assert pilot.app.screen is screen
        assert engine.hold is not None
        engine.hold.set()
        await phase(pilot, Phase.OPEN)
        assert not wizard(pilot).busy


async def test_a_step_that_is_left_while_it_asks_for_packages_does_not_begin() -> None:
    asked, answer = threading.Event(), threading.Event()

    class Slow(FakeEngine):
        def missing_packages(self, step_ids: Sequence[str]) -> tuple[str, ...]:
            if step_ids == ("postfix",):
                asked.set()
                answer.wait(HUNG)
            return ()

    engine = Slow(packages_in_place=True)
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "postfix")
        await apply(pilot)
        await until(pilot, asked.is_set)
        await pilot.press("escape")
        await until(pilot, lambda: any(one.name == "_leave" for one in pilot.app.workers))
        answer.set()
        await at_step(pilot, "hostname")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, WelcomeScreen))
    assert not [call for call in engine.calls if call.startswith("apply")]


@pytest.mark.parametrize("way", ["go to", "undo"])
async def test_what_waits_for_packages_does_not_begin_once_it_is_left(way: str) -> None:
    engine = FakeEngine(prepare_hold=threading.Event())
    engine.state["hostname"] = State.VERIFIED
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        await pilot.press("f10")
        await at_step(pilot, "postfix")
        await apply(pilot)
        await phase(pilot, Phase.WAITING)
        if way == "undo":
            wizard(pilot).action_undo_step("postfix")
            await until(pilot, lambda: "Undo this step" in text(pilot))
        else:
            wizard(pilot).go_to("hostname")
            await at_step(pilot, "hostname")
        assert engine.prepare_hold is not None
        engine.prepare_hold.set()
        await until(pilot, lambda: not wizard(pilot).packages.running)
        await phase(pilot, Phase.ASKING)
        assert not wizard(pilot).busy
    assert not [call for call in engine.calls if call.startswith("apply")]


async def test_a_step_does_not_begin_while_a_key_is_changed_above_it() -> None:
    turning = threading.Event()

    class Turning(FakeEngine):
        def rotate_key(self) -> Iterator[Event]:
            turning.wait(HUNG)
            yield from super().rotate_key()

    engine = Turning(prepare_hold=threading.Event())
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        await pilot.press("f10")
        await at_step(pilot, "hostname")
        await apply(pilot)
        await phase(pilot, Phase.WAITING)
        await pilot.press("f9")
        await until(pilot, lambda: "no key is being changed" in text(pilot))
        await pilot.press("f10")
        await until(pilot, lambda: pilot.app.screen.query("#go"))
        await pilot.press("right", "enter")
        await until(pilot, lambda: wizard(pilot).busy)
        assert engine.prepare_hold is not None
        engine.prepare_hold.set()
        await phase(pilot, Phase.ASKING)
        turning.set()
        await until(pilot, lambda: not wizard(pilot).busy)
    assert "apply hostname" not in engine.calls


async def test_one_does_not_go_elsewhere_from_within_a_dialog() -> None:
    async with WizardApp(FakeEngine(packages_in_place=True)).run_test() as pilot:
        screen = await go_to(pilot, "hostname")
        assert any(c.title.startswith("Go to") for c in pilot.app.get_system_commands(screen))
        await pilot.press("f10")
        await until(pilot, lambda: pilot.app.screen.query("#go"))
        offered = [c.title for c in pilot.app.get_system_commands(pilot.app.screen)]
        assert not [title for title in offered if title.startswith("Go to")]


class LeavesLast(Static):
    """Keeps a screen that is being removed half taken apart until the answer is there."""

    def __init__(self, answer: threading.Event) -> None:
        super().__init__()
        self._answer = answer

    async def on_unmount(self) -> None:
        waits = [one for one in self.app.workers if isinstance(one.node, StepScreen)]
        assert any(one.is_running for one in waits)
        self._answer.set()
        while any(one.is_running for one in waits):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("refused", [False, True])
async def test_an_answer_for_a_screen_that_is_just_being_left_is_dropped(refused: bool) -> None:
    asked, answer = threading.Event(), threading.Event()

    class Slow(FakeEngine):
        def plan(self, step_id: str) -> StepPlan:
            if step_id == "postfix":
                asked.set()
                answer.wait(HUNG)
                if refused:
                    raise BadAnswer("hostname.fqdn", "is needed")
            return super().plan(step_id)

    async with WizardApp(Slow(packages_in_place=True)).run_test() as pilot:
        await ready(pilot)
        wizard(pilot).go_to("postfix")
        await until(pilot, asked.is_set)
        await pilot.app.screen.mount(LeavesLast(answer))
        wizard(pilot).go_to("hostname")
        await at_step(pilot, "hostname")
