"""The DNS records on F7: seen, opened, copied, waited for."""

from __future__ import annotations

import pytest

from mailwizard.stages import State
from mailwizard.tui.app import WizardApp
from mailwizard.tui.records import DnsScreen
from mailwizard.tui.step import StepScreen
from tui import fake_dns
from tui.fake_engine import FakeEngine
from tui.walks import at_step, go_to, ready, text, until, wizard

pytestmark = pytest.mark.asyncio


async def test_each_record_is_shown_opened_and_copied() -> None:
    engine = FakeEngine()
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "postfix")
        await pilot.press("f7")
        await until(pilot, lambda: "4 records" in text(pilot))
        lines = text(pilot).splitlines()
        rows = [
            line.split() for line in lines if line.split()[:1] in (["wait"], ["FAIL"], ["warn"])
        ]
        assert [(row[0], row[2]) for row in rows] == [
            ("wait", "A"), ("FAIL", "PTR"), ("FAIL", "MX"), ("warn", "SRV"),
        ]  # fmt: skip
        assert "suffix doubled" in text(pilot)
        assert "old answer cached, up to 212 s" in text(pilot)
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: "in the zone example.org, in full example.org." in text(pilot))
        assert "end the name with a dot" in text(pilot)
        await pilot.press("escape", "f8")
        await until(pilot, lambda: "Copied" in text(pilot))
        assert "_imaps._tcp 3600 IN SRV 0 1 993 mail.example.org." in " ".join(
            engine.saved["dns"].split()
        )
        await pilot.press("f5")
        await until(pilot, lambda: "4 records: 4 right." in text(pilot))
        await pilot.press("f7")
        await at_step(pilot, "postfix")


async def test_waiting_asks_again_by_itself_until_all_is_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mailwizard.tui.records.pause", lambda _due: 1)
    engine = FakeEngine()
    engine.dns.insert(1, engine.dns[0])
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("f7")
        await until(pilot, lambda: "4 records" in text(pilot))
        await pilot.press("f10")
        await until(pilot, lambda: "asked again in" in text(pilot))
        await until(pilot, lambda: "Nothing is left to wait for" in text(pilot))
    asked = [call for call in engine.calls if call.startswith("look up")]
    assert asked == ["look up 4", "look up 4 patiently", "look up 4 patiently"]


async def test_waiting_is_stopped_by_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("f7")
        await until(pilot, lambda: "4 records" in text(pilot))
        await pilot.press("f10")
        await until(pilot, lambda: "asked again in" in text(pilot))
        await pilot.press("f10")
        await until(pilot, lambda: "Not waiting." in text(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, DnsScreen))
    assert engine.calls.count("look up 4") == 1


async def test_records_are_there_from_the_first_answer_on_and_the_rest_is_announced() -> None:
    engine = FakeEngine(dns=[[]])
    async with WizardApp(engine).run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "postfix")
        await pilot.press("f7")
        await until(pilot, lambda: "begin with this host's full name" in text(pilot))
        engine.dns = fake_dns.findings()
        await pilot.press("f5")
        await until(pilot, lambda: "4 records" in text(pilot))
        assert "steps ahead add theirs, such as the DKIM key" in text(pilot)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, StepScreen)
        engine.state = dict.fromkeys(engine.state, State.VERIFIED)
        await wizard(pilot).reload_states()
        await pilot.press("f7")
        await until(pilot, lambda: "4 records: 4 right." in text(pilot))
        assert "steps ahead" not in text(pilot)
