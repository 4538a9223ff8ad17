"""The whole walk by keys alone, on a small and on a wide terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from support.clocks import HUNG
from textual.widgets import Input

from mailwizard.errors import BadAnswer
from mailwizard.events import Event, Failed
from mailwizard.model import SecretRef
from mailwizard.stages import State, StepPlan
from mailwizard.tui.app import WizardApp
from mailwizard.tui.dialogs import Notice
from mailwizard.tui.finish import FinishScreen
from mailwizard.tui.phases import Phase
from mailwizard.tui.step import StepScreen
from mailwizard.tui.welcome import WelcomeScreen
from tui import fake_steps
from tui.fake_engine import FakeEngine
from tui.walks import (
    DRIFT,
    apply,
    at_rest,
    at_step,
    focused,
    go_to,
    phase,
    ready,
    text,
    until,
    wizard,
)

pytestmark = pytest.mark.asyncio
SIZES = [(80, 24), (120, 40), (80, 23)]


@pytest.mark.parametrize("size", SIZES)
async def test_from_consent_to_the_summary(size: tuple[int, int]) -> None:
    engine = FakeEngine()
    engine.values["relay"] = {"password": SecretRef(env="RELAY_PASSWORD")}
    async with WizardApp(engine).run_test(size=size) as pilot:
        await ready(pilot)
        assert not [call for call in engine.calls if call.startswith(("prepare", "apply"))]
        await pilot.press("f10")
        for step in engine.steps:
            if engine.state[step.id] is State.SKIPPED:
                continue
            await at_step(pilot, step.id)
            await apply(pilot)
            await phase(pilot, Phase.OPEN)
            await pilot.press("f10")
        await until(pilot, lambda: isinstance(pilot.app.screen, FinishScreen))
        await until(pilot, lambda: "verified by live tests" in text(pilot))
        await pilot.press("f10")
    assert pilot.app.return_code == 0
    applied = [call.split()[1] for call in engine.calls if call.startswith("apply")]
    assert applied == [s.id for s in engine.steps if engine.state[s.id] is State.VERIFIED]
    assert len([call for call in engine.calls if call.startswith("prepare")]) == 1


async def test_nothing_is_asked_of_the_host_before_consent() -> None:
    engine = FakeEngine()
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        await pilot.press("escape", "enter", "space")
        await until(pilot, lambda: "belongs to every mail server" in text(pilot))
        await at_rest(pilot)
    assert engine.calls == []


async def test_mail_that_another_server_has_not_sent_is_told_before_consent() -> None:
    said = "2 messages wait in the queue of exim4"
    async with WizardApp(FakeEngine(left=[said])).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        assert said in text(pilot)


async def test_optional_steps_are_toggled_and_others_are_not() -> None:
    engine = FakeEngine()
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        await pilot.press("space", *["down"] * 6, "space")
        await until(pilot, lambda: "[x]  Relay host" in text(pilot))
    assert engine.calls == ["enable relay True"]


async def test_resume_goes_on_at_the_first_unverified_step() -> None:
    engine = FakeEngine(packages_in_place=True)
    engine.state["hostname"] = engine.state["postfix"] = State.VERIFIED
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        assert "2 steps are verified; it goes on at “Aliases”" in text(pilot)
        await pilot.press("f10")
        await at_step(pilot, "aliases")
    assert not [call for call in engine.calls if call.startswith("prepare")]


async def test_resume_trusts_nothing_that_it_has_not_tested_again() -> None:
    answer = threading.Event()

    class Slow(FakeEngine):
        def probe(self, *step_ids: str) -> Iterator[Event]:
            answer.wait(HUNG)
            yield from super().probe(*step_ids)

    engine = Slow(packages_in_place=True, results={"SMTP-06": fake_steps.RELAY_OPEN})
    engine.state["hostname"] = engine.state["postfix"] = State.VERIFIED
    async with WizardApp(engine).run_test() as pilot:
        await until(pilot, lambda: "What is there is tested again" in text(pilot))
        await pilot.press("f10", "f5")
        answer.set()
        await ready(pilot)
        assert engine.calls == ["probe hostname postfix"]
        assert "tested again just now: 7 checks, 1 failed." in text(pilot)
        assert "1 step is verified; it goes on at “Postfix basics”" in text(pilot)
        engine.results.clear()
        await pilot.press("f5")
        await until(pilot, lambda: "7 checks, none failed." in text(pilot))
        await ready(pilot)
        await pilot.press("f10")
        await at_step(pilot, "aliases")
        wizard(pilot).go_to("hostname")
        await at_step(pilot, "hostname")
        await pilot.press("escape")
        await ready(pilot)
        assert "verified when last tested" in text(pilot)
    assert engine.calls.count("probe hostname postfix") == 2


async def test_what_cannot_be_tested_again_is_said() -> None:
    class Unsure(FakeEngine):
        def probe(self, *step_ids: str) -> Iterator[Event]:
            raise BadAnswer("hostname.fqdn", "is needed")

    engine = Unsure(packages_in_place=True)
    engine.state["hostname"] = State.VERIFIED
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        assert "It could not be tested again: hostname.fqdn: is needed" in text(pilot)


async def test_what_is_typed_is_judged_at_once_and_saved_soon() -> None:
    engine = FakeEngine()
    async with WizardApp(engine).run_test() as pilot:
        screen = await go_to(pilot, "hostname")
        await pilot.press("end", *"x_y")
        assert "!!" in text(pilot)
        await until(pilot, lambda: screen.query_one("#apply").disabled)
        assert not [call for call in engine.calls if call.startswith("set") and "_" in call]
        await pilot.press(*["backspace"] * 3)
        await pilot.press("home", "n")
        await until(pilot, lambda: "set hostname.fqdn=nmail.example.org" in engine.calls)
        await until(pilot, lambda: not screen.query_one("#apply").disabled)


async def test_a_refusal_of_the_engine_stands_beside_the_field() -> None:
    engine = FakeEngine()
    async with WizardApp(engine).run_test() as pilot:
        screen = await go_to(pilot, "hostname")
        screen.query_one(Input).value = "refused.example.org"
        await until(pilot, lambda: "belongs to somebody else" in text(pilot))
        assert screen.query_one("#apply").disabled


async def test_a_complaint_over_several_answers_stands_beside_its_field() -> None:
    engine = FakeEngine(values={"hostname": {"address": "192.0.2.99"}})
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        wizard(pilot).go_to("hostname")
        await until(pilot, lambda: "does not point there" in text(pilot))
        await pilot.press("f10")
        await until(pilot, lambda: "Something is not right yet" in text(pilot))
        await at_rest(pilot)
    assert not [call for call in engine.calls if call.startswith("apply")]


async def test_why_something_is_not_proposed_is_said_beside_its_question() -> None:
    why = "Not proposed: this host has 2.0 GiB of memory, ClamAV wants 3 GiB or more."
    engine = FakeEngine(why={"amavis": {"virus": why}})
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "amavis")
        await pilot.press("down")
        await until(pilot, lambda: why in " ".join(text(pilot).split()))
        assert "twice that during an update." in " ".join(text(pilot).split())


async def test_a_typed_secret_never_reaches_screen_or_answers() -> None:
    engine = FakeEngine()
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "relay")
        await pilot.press("down", "down", "down", *"canary77")
        await until(pilot, lambda: "secret relay.password of 8" in engine.calls)
        assert "canary77" not in text(pilot)
    assert not [call for call in engine.calls if "canary77" in call]


async def test_apply_asks_first_and_the_safe_button_has_the_focus() -> None:
    engine = FakeEngine(packages_in_place=True)
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "hostname")
        await pilot.press("f10")
        await until(pilot, lambda: pilot.app.screen.query("#go"))
        assert focused(pilot).id == "safe"
        assert "+192.0.2.25 mail.example.org mail" in text(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, StepScreen))
        await at_rest(pilot)
    assert not [call for call in engine.calls if call.startswith("apply")]


async def test_apply_waits_for_the_packages() -> None:
    engine = FakeEngine(prepare_hold=threading.Event())
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        await pilot.press("f10")
        await at_step(pilot, "hostname")
        await apply(pilot)
        await phase(pilot, Phase.WAITING)
        assert "apply hostname" not in engine.calls
        assert engine.prepare_hold is not None
        engine.prepare_hold.set()
        await phase(pilot, Phase.OPEN)


async def test_packages_that_failed_are_tried_again_with_the_step() -> None:
    failed = Failed("packages", "no space left in /var", "Free 200 MB, then retry.", ("E: write",))
    engine = FakeEngine(prepare_fails=failed)
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        await pilot.press("f10")
        await at_step(pilot, "hostname")
        await until(pilot, lambda: "Packages FAILED" in text(pilot))
        await apply(pilot)
        await phase(pilot, Phase.OPEN)
    assert len([call for call in engine.calls if call.startswith("prepare")]) == 2


@pytest.mark.parametrize(
    ("keys", "calls"),
    [
        (["enter"], {"keep postfix parameters in main.cf", "apply postfix"}),
        (["right", "enter"], {"apply postfix parameters in main.cf"}),
    ],
)
async def test_keep_and_replace_are_told_to_the_engine(keys: list[str], calls: set[str]) -> None:
    engine = FakeEngine(drift=DRIFT, packages_in_place=True)
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "postfix")
        await pilot.press("f10")
        await until(pilot, lambda: pilot.app.screen.query("#keep"))
        assert "10.0.0.0/8" in text(pilot)
        await pilot.press(*keys)
        await until(pilot, lambda: pilot.app.screen.query("#go"))
        await pilot.press("right", "enter")
        await phase(pilot, Phase.OPEN)
    assert calls <= set(engine.calls)


async def test_skipping_is_said_and_goes_on() -> None:
    engine = FakeEngine(packages_in_place=True)
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "amavis")
        pilot.app.screen.query_one("#skip").focus()
        await pilot.press("enter")
        await at_step(pilot, "authentication")
        assert "is skipped" in text(pilot)
    assert engine.state["amavis"] is State.SKIPPED


async def test_back_keeps_the_answers() -> None:
    engine = FakeEngine()
    async with WizardApp(engine).run_test() as pilot:
        await go_to(pilot, "postfix")
        await pilot.press("end", *", example.com", "escape")
        await at_step(pilot, "hostname")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, WelcomeScreen))
    assert engine.values["postfix"]["domains"] == ["example.org", "example.net", "example.com"]


async def test_an_answer_of_an_earlier_step_that_became_wrong_is_named_with_the_way_there() -> None:
    class Spoilt(FakeEngine):
        def plan(self, step_id: str) -> StepPlan:
            raise BadAnswer("aliases.root", "nobody here is called carol", hint="Look at it.")

    engine = Spoilt(packages_in_place=True)
    async with WizardApp(engine).run_test() as pilot:
        await ready(pilot)
        wizard(pilot).go_to("dovecot")
        await until(pilot, lambda: "nobody here is called carol" in text(pilot))
        assert "Go to: Aliases" in text(pilot)
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(pilot.app.screen, Notice))
        assert "aliases.root: nobody here is called carol" in text(pilot)
        assert "Go to: Aliases" in text(pilot)
        await pilot.press("escape")
        assert "beside the field" not in text(pilot)


async def test_a_step_that_is_set_up_is_undone_or_tested_and_not_skipped() -> None:
    engine = FakeEngine(packages_in_place=True)
    engine.state["amavis"] = State.VERIFIED
    engine.applied.add("amavis")
    async with WizardApp(engine).run_test() as pilot:
        screen = await go_to(pilot, "amavis")
        assert not screen.query_one("#skip").display
        assert "[ Undo step ]" in text(pilot)
        assert "F5 check" in text(pilot)
        engine.calls.clear()
        await pilot.press("f5")
        await phase(pilot, Phase.OPEN)
        assert engine.calls == ["probe amavis"]
        await pilot.press("escape")
        await phase(pilot, Phase.ASKING)
        screen.query_one("#undo").focus()
        await pilot.press("enter")
        await until(pilot, lambda: "Keep everything" in text(pilot))


async def test_a_step_that_is_not_set_up_cannot_be_tested_yet() -> None:
    engine = FakeEngine(packages_in_place=True)
    async with WizardApp(engine).run_test() as pilot:
        screen = await go_to(pilot, "amavis")
        assert not screen.query_one("#undo").display
        await pilot.press("f5")
        await until(pilot, lambda: "nothing to check" in text(pilot))
    assert not [call for call in engine.calls if call.startswith("probe")]


@pytest.mark.parametrize(("width", "shown"), [(60, False), (80, True)])
async def test_no_button_of_a_closed_gate_lies_under_another(width: int, shown: bool) -> None:
    engine = FakeEngine(results={"SMTP-06": fake_steps.RELAY_OPEN}, packages_in_place=True)
    async with WizardApp(engine).run_test(size=(width, 24)) as pilot:
        screen = await go_to(pilot, "postfix")
        await apply(pilot)
        await phase(pilot, Phase.CLOSED)
        await until(pilot, lambda: "Dialogue" in text(pilot))
        await pilot.press("escape")
        buttons = [b.region for b in screen.query("#buttons Push") if b.display]
        assert screen.query_one("#shell").display is shown
        assert not [b for b in buttons for other in buttons if b != other and b.overlaps(other)]
