"""Packages, steps and dialogs that work at the same time never take each other's place."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from mailwizard.events import Event, Failed
from mailwizard.stages import State
from mailwizard.tui.app import WizardApp
from mailwizard.tui.phases import Phase
from tui.fake_engine import FakeEngine
from tui.walks import apply, at_step, phase, ready, text, until, wizard

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
