"""The signing keys on F9: seen, changed, taken back."""

from __future__ import annotations

import pytest

from mailwizard.errors import BadAnswer
from mailwizard.tui.app import WizardApp
from mailwizard.tui.keys import KeysScreen
from tui import fake_keys
from tui.fake_engine import FakeEngine
from tui.walks import at_step, go_to, text, until

pytestmark = pytest.mark.asyncio


async def test_a_key_is_made_and_waits_for_its_record() -> None:
    engine = FakeEngine()
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "postfix")
        await pilot.press("f9")
        await until(pilot, lambda: "no key is being changed" in text(pilot))
        await pilot.press("f10")
        await until(pilot, lambda: pilot.app.screen.query("#go"))
        # the safe answer has the focus
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, KeysScreen))
        assert "rotate" not in engine.calls
        await pilot.press("f10")
        await until(pilot, lambda: pilot.app.screen.query("#go"))
        await pilot.press("right", "enter")
        await until(pilot, lambda: "Whoever runs the zone" in text(pilot))
        assert f"takes the place of {fake_keys.OLD}" in text(pilot)
        await pilot.press("f8")
        assert fake_keys.KEY in engine.saved["dkim"]
        await pilot.press("down", "enter")
        await until(pilot, lambda: f"Name: {fake_keys.NEW}._domainkey" in text(pilot))
        await pilot.press("escape", "f9")
        await at_step(pilot, "postfix")


async def test_it_goes_on_and_there_is_no_way_back_then() -> None:
    engine = FakeEngine(keys=1)
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "postfix")
        await pilot.press("f9")
        await until(pilot, lambda: "Whoever runs the zone" in text(pilot))
        await pilot.press("f10")
        await until(pilot, lambda: pilot.app.screen.query("#go"))
        await pilot.press("right", "enter")
        await until(pilot, lambda: "published until" in text(pilot))
        assert engine.calls[-1] == "rotate"
        await pilot.press("f4")
        await until(pilot, lambda: "no key that could be taken back" in text(pilot))


async def test_a_key_that_does_not_sign_is_taken_back() -> None:
    engine = FakeEngine(keys=1)
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "postfix")
        await pilot.press("f9")
        await until(pilot, lambda: "Whoever runs the zone" in text(pilot))
        await pilot.press("f4")
        await until(pilot, lambda: pilot.app.screen.query("#go"))
        await pilot.press("right", "enter")
        await until(pilot, lambda: "no key is being changed" in text(pilot))
        assert engine.calls[-1] == "abandon"


async def test_before_there_is_a_key_it_is_said_where_one_comes_from() -> None:
    engine = FakeEngine(keys_refused=BadAnswer("hostname.fqdn", "is needed", hint="Give it."))
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "postfix")
        await pilot.press("f9")
        await until(pilot, lambda: "No key signs yet: the step that signs mail" in text(pilot))
