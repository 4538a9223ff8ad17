"""Fields that must not hide or lose what is in them, and forms that look again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import pytest
from textual.events import AppFocus
from textual.pilot import Pilot
from textual.widgets import Input

from mailwizard.events import Event
from mailwizard.stages import StepPlan
from mailwizard.tui.app import WizardApp
from mailwizard.tui.area import Area
from mailwizard.tui.dialogs import ConfirmApply
from mailwizard.tui.phases import Phase
from mailwizard.tui.records import DnsScreen
from mailwizard.tui.small import FITS
from mailwizard.tui.textpane import LogScreen
from tui.fake_engine import FakeEngine
from tui.walks import apply, at_rest, at_step, go_to, phase, ready, text, until, wizard

pytestmark = pytest.mark.asyncio
LONG = "https://acme.example.net/an/authority/with/a/very/long/address/of/its/own/directory"


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
async def test_a_value_longer_than_its_field_is_seen_while_it_is_typed_and_after(
    size: tuple[int, int],
) -> None:
    engine = FakeEngine(values={"certificates": {"directory": LONG}})
    async with WizardApp(engine).run_test(size=size) as pilot:
        screen = await go_to(pilot, "certificates")
        field = next(one for one in screen.query(Input) if one.value == LONG)
        field.focus()
        await pilot.press("home")
        assert LONG[:20] in text(pilot)
        await pilot.press("end", *"/x9")
        await pilot.pause()
        assert f"{LONG[-15:]}/x9" in text(pilot)
        await pilot.press("tab")
        await pilot.pause()
        assert f"{LONG[-15:]}/x9" in text(pilot)


async def test_no_widget_of_a_form_takes_a_function_key_of_its_screen() -> None:
    engine = FakeEngine(packages_in_place=True)
    seen = set()
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        for step in engine.steps:
            wizard(pilot).go_to(step.id)
            screen = await at_step(pilot, step.id)
            await at_rest(pilot)
            for widget in screen.query("*:can-focus"):
                keys = widget._bindings.key_to_bindings
                assert not [key for key in keys if re.fullmatch(r"f\d+", key)], widget
                seen.add(type(widget).__name__)
    assert {"Area", "Line", "Radio", "Toggle", "Push", "Rows"} <= seen


async def test_f6_and_f7_in_a_table_do_what_the_footer_says_and_nothing_is_lost() -> None:
    engine = FakeEngine(packages_in_place=True)
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        screen = await go_to(pilot, "aliases")
        area = screen.query(Area).first()
        area.focus()
        before = area.text
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(pilot.app.screen, DnsScreen))
        await pilot.press("escape", "q")
        await pilot.pause()
        assert area.text in (f"q{before}", f"{before}q")
        await pilot.press("f6")
        await until(pilot, lambda: "Nothing has run yet." in text(pilot))
        assert not isinstance(pilot.app.screen, LogScreen)
        # keys of an editor are still there
        await pilot.press("ctrl+a", "ctrl+k", "z")
        await pilot.pause()
        assert "z" in area.text


async def complains(pilot: Pilot[None], engine: FakeEngine) -> None:
    """A login that is not there yet stops the form."""
    screen = await go_to(pilot, "hostname")
    await until(pilot, lambda: "does not point there" in text(pilot))
    assert screen.query_one("#apply").disabled


@pytest.mark.parametrize("way", ["shell", "focus", "tab"])
async def test_what_was_mended_outside_is_seen_at_once(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mended(FakeEngine):
        def complaints(self, step_id: str) -> list[tuple[str, str]]:
            return [] if mended else super().complaints(step_id)

        def shell(self) -> None:
            mended.append("by hand")

    mended: list[str] = []
    engine = Mended(values={"hostname": {"address": "192.0.2.99"}}, packages_in_place=True)
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await complains(pilot, engine)
        app = wizard(pilot)
        if way == "shell":
            monkeypatch.setattr(app, "suspend", nullcontext)
            await pilot.press("f2")
        else:
            engine.shell()
            await (pilot.press("tab") if way == "tab" else app._on_message(AppFocus()))
        await until(pilot, lambda: "does not point there" not in text(pilot))
        await until(pilot, lambda: not app.screen.query_one("#apply").disabled)


async def test_the_note_about_a_small_terminal_goes_when_it_has_grown() -> None:
    async with WizardApp(FakeEngine()).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: FITS in text(pilot))
        await pilot.resize_terminal(200, 60)
        await until(pilot, lambda: FITS not in text(pilot))
        wizard(pilot).say("Something else.")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "Something else." in text(pilot))


class Certbot(FakeEngine):
    """An ACME certificate needs a package more."""

    def missing_packages(self, step_ids: Sequence[str]) -> tuple[str, ...]:
        missing = super().missing_packages(step_ids)
        acme = self.values.get("certificates", {}).get("source") == "acme"
        brought = "certbot" in self.calls
        return (*missing, "certbot") if acme and not brought else missing

    def prepare(self, step_ids: Sequence[str]) -> Iterator[Event]:
        if "certbot" in self.missing_packages(step_ids):
            self.calls.append("certbot")
        yield from super().prepare(step_ids)


@pytest.mark.parametrize("agreed", [True, False])
async def test_a_package_more_is_brought_with_the_step_after_its_own_consent(agreed: bool) -> None:
    engine = Certbot()
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("f10")
        await at_step(pilot, "hostname")
        await until(pilot, lambda: engine.packages_in_place)
        await at_rest(pilot)
        wizard(pilot).go_to("certificates")
        await at_step(pilot, "certificates")
        await pilot.press("right")
        await until(pilot, lambda: "set certificates.source=acme" in engine.calls)
        await at_rest(pilot)
        assert "certbot" not in engine.calls
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmApply))
        assert "Packages to install first: certbot" in text(pilot)
        await pilot.press(*(["right", "enter"] if agreed else ["enter"]))
        if agreed:
            await phase(pilot, Phase.OPEN)
        await at_rest(pilot)
    assert ("certbot" in engine.calls) is agreed
    assert ("apply certificates" in engine.calls) is agreed


async def test_packages_alone_are_consented_to_as_well() -> None:
    class Settled(FakeEngine):
        def plan(self, step_id: str) -> StepPlan:
            return StepPlan(self._step(step_id), ())

    engine = Settled(left=["2 messages wait in the queue of exim4"])
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "postfix")
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmApply))
        assert "2 messages wait in the queue of exim4" in text(pilot)
        assert not [call for call in engine.calls if call.startswith("prepare")]
        await pilot.press("escape")
        await at_rest(pilot)
        assert not [call for call in engine.calls if call.startswith("prepare")]
        await apply(pilot)
        await phase(pilot, Phase.OPEN)
    assert "prepare postfix" in engine.calls
