"""The last screen: no more is claimed than what was proved, and each open point leads on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from textual.pilot import Pilot

from mailwizard.events import Event
from mailwizard.model import Outcome, Result
from mailwizard.stages import State
from mailwizard.tui.app import WizardApp
from mailwizard.tui.finish import FinishScreen
from mailwizard.tui.records import DnsScreen
from mailwizard.tui.textpane import TextScreen
from tui import fake_dns
from tui.fake_engine import FakeEngine
from tui.walks import GOOD, at_step, go_to, ready, text, until, wizard

pytestmark = pytest.mark.asyncio
SLOW = Result(Outcome.WARN, "the answer took 9 s", "1 s", "Ask the provider.", ("> EHLO x",))


def finished(**more: Result) -> FakeEngine:
    engine = FakeEngine(packages_in_place=True, results=dict(more))
    for step_id, state in engine.state.items():
        if state is not State.SKIPPED:
            engine.state[step_id] = State.VERIFIED
            engine.applied.add(step_id)
    return engine


async def at_the_end(pilot: Pilot[None]) -> None:
    await ready(pilot)
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(pilot.app.screen, FinishScreen))
    await until(pilot, lambda: "DNS record" in text(pilot).splitlines()[3])


async def test_missing_records_and_warnings_are_told_before_anything_else() -> None:
    engine = finished(**{"SMTP-01": SLOW})
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await at_the_end(pilot)
        shown = text(pilot)
        assert "10 steps are verified by live tests." in shown
        assert "Mail from the world cannot arrive yet: 3 DNS records are not right." in shown
        assert "the answer took 9 s" in shown
        await pilot.press("shift+tab", "shift+tab", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DnsScreen))
        await pilot.press("escape", "down", "down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        assert "Ask the provider." in text(pilot)
        await pilot.press("escape", "f8")
        await until(pilot, lambda: "summary" in engine.saved)
    assert "the answer took 9 s" in engine.saved["summary"]
    assert "cannot arrive yet" in engine.saved["summary"]


async def test_with_all_of_it_right_nothing_is_open() -> None:
    engine = finished(**{"DNS-03": GOOD, "SMTP-09": GOOD})
    engine.dns = [engine.dns[0], fake_dns.findings()[1]]
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await at_the_end(pilot)
        assert "cannot arrive yet" in text(pilot)
        await pilot.press("f5")
        await until(pilot, lambda: "The DNS holds every record that is needed." in text(pilot))
        head = next(line for line in text(pilot).splitlines() if "Still open" in line)
        assert head.split()[-1] == "nothing"


async def test_a_step_with_changes_to_make_is_not_done_however_well_its_checks_went() -> None:
    class Behind(FakeEngine):
        def _probe(self, step_id: str) -> Iterator[Event]:
            yield from super()._probe(step_id)
            if step_id == "certificates" and step_id not in self.applied:
                self.state[step_id] = State.APPLIED

    engine = finished()
    engine.__class__ = Behind
    engine.applied.discard("certificates")
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        assert "it goes on at “Certificates”" in text(pilot)
        screen = await go_to(pilot, "certificates")
        await pilot.press("f5")
        await until(pilot, lambda: "changes are still to be made" in text(pilot))
        assert screen.query_one("#next").disabled
        await pilot.press("f10")
        assert pilot.app.screen is screen
        wizard(pilot).go_to(None)
        await until(pilot, lambda: "Not yet: Certificates." in text(pilot))
        await until(pilot, lambda: "DNS record" in text(pilot).splitlines()[3])
        await pilot.press("shift+tab", "shift+tab", "enter")
        await at_step(pilot, "certificates")
