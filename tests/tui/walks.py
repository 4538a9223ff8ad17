"""The ways through the program that screenshots and tests share."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from support.clocks import HUNG
from textual.pilot import Pilot
from textual.widget import Widget

from mailwizard.events import Failed
from mailwizard.model import Outcome, Result
from mailwizard.stages import Drift, State
from mailwizard.tui.app import WizardApp
from mailwizard.tui.phases import Phase
from mailwizard.tui.step import StepScreen
from tui import fake_steps
from tui.fake_engine import FakeEngine

HOST = "mail.example.org"


async def until(pilot: Pilot[None], true: Callable[[], object]) -> None:
    """Wait for something that another thread brings about."""
    end = time.monotonic() + HUNG
    while time.monotonic() < end:
        await pilot.pause()
        if true():
            await pilot.pause()
            return
        assert pilot.app.is_running, "it has ended"
        await asyncio.sleep(0.02)
    raise AssertionError(f"never came true; screen: {pilot.app.screen}\n{text(pilot)}")


async def at_rest(pilot: Pilot[None]) -> None:
    """Nothing is being asked, saved or decided."""
    await until(pilot, lambda: not any(one.is_running for one in pilot.app.workers))


def wizard(pilot: Pilot[None]) -> WizardApp:
    assert isinstance(pilot.app, WizardApp)
    return pilot.app


def text(pilot: Pilot[None]) -> str:
    """What a person sees, line by line."""
    screen = pilot.app.screen
    strips = screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def focused(pilot: Pilot[None]) -> Widget:
    widget = pilot.app.screen.focused
    assert widget is not None
    return widget


async def ready(pilot: Pilot[None]) -> None:
    """The first screen is complete."""
    await until(pilot, lambda: not pilot.app.screen.query_one("#begin").disabled)


async def at_step(pilot: Pilot[None], step_id: str) -> StepScreen:
    """The form and the plan of this step are complete."""

    def there() -> bool:
        screen = pilot.app.screen
        return (
            isinstance(screen, StepScreen)
            and screen.step.id == step_id
            and (screen._plan is not None or "first" in str(text(pilot)))
            and screen.focused is not None
        )

    await until(pilot, there)
    screen = pilot.app.screen
    assert isinstance(screen, StepScreen)
    return screen


async def go_to(pilot: Pilot[None], step_id: str) -> StepScreen:
    await ready(pilot)
    wizard(pilot).go_to(step_id)
    return await at_step(pilot, step_id)


async def phase(pilot: Pilot[None], wanted: Phase) -> None:
    def there() -> bool:
        screens = [s for s in pilot.app.screen_stack if isinstance(s, StepScreen)]
        return bool(screens) and screens[-1].phase is wanted

    await until(pilot, there)


async def apply(pilot: Pilot[None]) -> None:
    """Apply, and confirm it."""
    await pilot.press("f10")
    await until(pilot, lambda: pilot.app.screen.query("#go"))
    await pilot.press("right", "enter")


@dataclass
class Shot:
    engine: Callable[[], FakeEngine]
    walk: Callable[[Pilot[None]], Awaitable[None]]
    size: tuple[int, int] = (80, 24)


def _resumed() -> FakeEngine:
    engine = FakeEngine(packages_in_place=True)
    for step_id in ("hostname", "postfix", "aliases"):
        engine.state[step_id] = State.VERIFIED
        engine.applied.add(step_id)
    engine.state["dovecot"] = State.FAILED
    engine.results["IMAP-01"] = Result(Outcome.FAIL, "nothing listens there")
    return engine


def _finished() -> FakeEngine:
    engine = _resumed()
    engine.results.clear()
    for step in engine.steps:
        if engine.state[step.id] is not State.SKIPPED:
            engine.state[step.id] = State.VERIFIED
    return engine


def _relay_open() -> FakeEngine:
    return FakeEngine(results={"SMTP-06": fake_steps.RELAY_OPEN})


def _broken() -> FakeEngine:
    tail = (
        "postfix: fatal: /etc/postfix/main.cf, line 12: missing '=' after attribute name",
        "postfix.service: Main process exited, code=exited, status=1/FAILURE",
    )
    hint = "The previous configuration was put back. Correct the answers, then retry."
    said = "Postfix refused its configuration; it was never reloaded"
    return FakeEngine(apply_fails=Failed("postfix", said, hint, tail))


DRIFT = Drift(
    ("main.cf: mynetworks",),
    "mynetworks = 127.0.0.0/8 [::1]/128",
    "mynetworks = 127.0.0.0/8 [::1]/128 10.0.0.0/8",
    "mynetworks = 127.0.0.0/8 [::1]/128 192.0.2.0/28",
    "",
)


async def _form(pilot: Pilot[None]) -> None:
    await ready(pilot)
    await pilot.press("f10")
    await at_step(pilot, "hostname")
    await until(pilot, lambda: "Setting up" in text(pilot))


async def _wrong(pilot: Pilot[None]) -> None:
    await go_to(pilot, "hostname")
    await pilot.press("end", *["backspace"] * 12)
    await until(pilot, lambda: "answer the questions first" in text(pilot))


async def _table(pilot: Pilot[None]) -> None:
    await go_to(pilot, "aliases")


async def _choice(pilot: Pilot[None]) -> None:
    await go_to(pilot, "certificates")


async def _secret(pilot: Pilot[None]) -> None:
    await go_to(pilot, "relay")
    await pilot.press("down", "down", "down", *"geheim")
    engine = wizard(pilot).engine
    assert isinstance(engine, FakeEngine)
    await until(pilot, lambda: "secret relay.password of 6" in engine.calls)
    await at_rest(pilot)


async def _confirm(pilot: Pilot[None]) -> None:
    await go_to(pilot, "postfix")
    await pilot.press("f10")
    await until(pilot, lambda: pilot.app.screen.query("#go"))


async def _running(pilot: Pilot[None]) -> None:
    await go_to(pilot, "postfix")
    await apply(pilot)
    await phase(pilot, Phase.RUNNING)
    await until(pilot, lambda: "mail queue is empty" in text(pilot))


async def _open(pilot: Pilot[None]) -> None:
    await go_to(pilot, "postfix")
    await apply(pilot)
    await phase(pilot, Phase.OPEN)


async def _transcript(pilot: Pilot[None]) -> None:
    await go_to(pilot, "postfix")
    await apply(pilot)
    await phase(pilot, Phase.CLOSED)
    await until(pilot, lambda: "Dialogue" in text(pilot))


async def _closed(pilot: Pilot[None]) -> None:
    await _transcript(pilot)
    await pilot.press("escape")
    await until(pilot, lambda: isinstance(pilot.app.screen, StepScreen))


async def _failed(pilot: Pilot[None]) -> None:
    await go_to(pilot, "postfix")
    await apply(pilot)
    await phase(pilot, Phase.BROKEN)


async def _drift(pilot: Pilot[None]) -> None:
    await go_to(pilot, "postfix")
    await pilot.press("f10")
    await until(pilot, lambda: pilot.app.screen.query("#keep"))


async def _undo(pilot: Pilot[None]) -> None:
    await go_to(pilot, "postfix")
    wizard(pilot).action_undo_step("postfix")
    await until(pilot, lambda: "Undo 3 steps" in text(pilot))


async def _log(pilot: Pilot[None]) -> None:
    await ready(pilot)
    await pilot.press("f10")
    await at_step(pilot, "hostname")
    await until(pilot, lambda: wizard(pilot).packages.lines.total >= 4)
    await pilot.press("f6")
    await until(pilot, lambda: "Setting up" in text(pilot))


async def _quit(pilot: Pilot[None]) -> None:
    await go_to(pilot, "hostname")
    await pilot.press("ctrl+q")
    await until(pilot, lambda: "Leave" in text(pilot))


async def _help(pilot: Pilot[None]) -> None:
    await go_to(pilot, "postfix")
    await pilot.press("f1")
    await until(pilot, lambda: "Right is" in text(pilot))


async def _dns(pilot: Pilot[None]) -> None:
    await go_to(pilot, "postfix")
    await pilot.press("f7")
    await until(pilot, lambda: "4 records" in text(pilot))


async def _dns_record(pilot: Pilot[None]) -> None:
    await _dns(pilot)
    await pilot.press("down", "down", "enter")
    await until(pilot, lambda: "in full" in text(pilot))


async def _keys(pilot: Pilot[None]) -> None:
    await go_to(pilot, "postfix")
    await pilot.press("f9")
    await until(pilot, lambda: "Whoever runs the zone" in text(pilot))


async def _keys_changed(pilot: Pilot[None]) -> None:
    await _keys(pilot)
    await pilot.press("f10")
    await until(pilot, lambda: pilot.app.screen.query("#go"))
    await pilot.press("right", "enter")
    await until(pilot, lambda: "published until" in text(pilot) and "signatures" in text(pilot))


async def _finish(pilot: Pilot[None]) -> None:
    await ready(pilot)
    await pilot.press("f10")
    await until(pilot, lambda: "From now on" in text(pilot) and "cannot arrive" in text(pilot))


async def _small(pilot: Pilot[None]) -> None:
    await until(pilot, lambda: "too small" in text(pilot))


def _held() -> FakeEngine:
    return FakeEngine(packages_in_place=True, hold=threading.Event())


SHOTS: dict[str, Shot] = {
    "welcome": Shot(FakeEngine, ready),
    "welcome-wide": Shot(FakeEngine, ready, (120, 40)),
    "welcome-again": Shot(_resumed, ready),
    "step": Shot(lambda: FakeEngine(prepare_hold=threading.Event()), _form),
    "step-wide": Shot(_resumed, _table, (120, 40)),
    "step-wrong": Shot(FakeEngine, _wrong),
    "step-table": Shot(FakeEngine, _table),
    "step-choice": Shot(FakeEngine, _choice),
    "step-secret": Shot(FakeEngine, _secret),
    "confirm": Shot(lambda: FakeEngine(packages_in_place=True), _confirm),
    "running": Shot(_held, _running),
    "gate-open": Shot(FakeEngine, _open),
    "gate-closed": Shot(_relay_open, _closed),
    "gate-closed-wide": Shot(_relay_open, _closed, (120, 40)),
    "transcript": Shot(_relay_open, _transcript),
    "failed": Shot(_broken, _failed),
    "drift": Shot(lambda: FakeEngine(drift=DRIFT), _drift),
    "undo": Shot(_resumed, _undo),
    "log": Shot(FakeEngine, _log),
    "quit": Shot(FakeEngine, _quit),
    "help": Shot(FakeEngine, _help),
    "dns": Shot(FakeEngine, _dns),
    "dns-record": Shot(FakeEngine, _dns_record),
    "keys": Shot(lambda: FakeEngine(keys=1), _keys),
    "keys-changed": Shot(lambda: FakeEngine(keys=1), _keys_changed),
    "finish": Shot(_finished, _finish),
    "small": Shot(FakeEngine, _small, (50, 12)),
}

GOOD = Result(Outcome.PASS, "fine")
