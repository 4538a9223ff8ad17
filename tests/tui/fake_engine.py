"""An engine that changes nothing, with realistic answers and knobs for what goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailwizard.dkim import Standing
from mailwizard.dnsdesk import Finding
from mailwizard.errors import BadAnswer, BadUsage, WizardError
from mailwizard.events import (
    AlreadySo,
    ChangeDone,
    ChangeStarted,
    Event,
    Failed,
    Gate,
    Output,
    ProbeDone,
    ProbeStarted,
    Undone,
)
from mailwizard.model import Outcome, Record, Result, SecretRef, Step, worst
from mailwizard.stages import Drift, PlanItem, State, StepPlan, StepStatus
from tui import fake_dns, fake_keys, fake_steps
from tui.fake_steps import PROBES, STEPS


@dataclass
class FakeEngine:
    """Remembers what it was asked to do in `calls`."""

    steps: tuple[Step, ...] = STEPS
    calls: list[str] = field(default_factory=list)
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    state: dict[str, State] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    """Verdicts by probe id that replace the good ones."""
    why: dict[str, dict[str, str]] = field(default_factory=dict)
    drift: Drift | None = None
    apply_fails: Failed | None = None
    apply_raises: Exception | None = None
    apply_lines: int = 3
    hold: threading.Event | None = None
    """Where given, `apply` waits for it after its first line."""
    prepare_hold: threading.Event | None = None
    prepare_fails: Failed | None = None
    packages_in_place: bool = False
    left: list[str] = field(default_factory=list)
    """What is said of mail in another server's queue."""
    applied: set[str] = field(default_factory=set)
    dns: list[list[Finding]] = field(default_factory=fake_dns.findings)
    """What each look hears; the last one again and again."""
    keys_refused: BadUsage | None = None
    keys: int = 0
    """How far the change of the signing key is (fake_keys.WAY)."""
    saved: dict[str, str] = field(default_factory=dict)
    crashes: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        for step in self.steps:
            off = step.id in fake_steps.OFF
            self.state.setdefault(step.id, State.SKIPPED if off else State.PENDING)

    def set_answer(self, step_id: str, key: str, value: Any) -> None:
        self.calls.append(f"set {step_id}.{key}={value}")
        if value == "refused.example.org":
            raise BadAnswer(f"{step_id}.{key}", "that name belongs to somebody else")
        self.values.setdefault(step_id, {})[key] = value
        if self.state[step_id] is State.VERIFIED:
            self.state[step_id] = State.APPLIED
        self.applied.discard(step_id)

    def keep_secret(self, step_id: str, key: str, typed: str) -> None:
        self.calls.append(f"secret {step_id}.{key} of {len(typed)}")
        ref = SecretRef(file=f"/var/lib/mailwizard/secrets/{step_id}.{key}")
        self.values.setdefault(step_id, {})[key] = ref

    def set_enabled(self, step_id: str, on: bool) -> None:
        self.calls.append(f"enable {step_id} {on}")
        self.state[step_id] = State.PENDING if on else State.SKIPPED

    def reasons(self, step_id: str) -> dict[str, str]:
        return self.why.get(step_id, {})

    def defaults(self, step_id: str) -> dict[str, Any]:
        return {**fake_steps.DEFAULTS.get(step_id, {}), **self.values.get(step_id, {})}

    def complaints(self, step_id: str) -> list[tuple[str, str]]:
        if self.defaults(step_id).get("address") == "192.0.2.99":
            return [("address", "mail.example.org does not point there; set its A record first")]
        return []

    def plan(self, step_id: str) -> StepPlan:
        step = self._step(step_id)
        items = fake_steps.items(step_id, applied=step_id in self.applied)
        if self.drift is not None and step_id not in self.applied:
            first = items[0]
            drifted = PlanItem(first.title, True, first.preview, self.drift)
            items = (drifted, *items[1:])
        return StepPlan(step, items)

    def mail_left(self, missing: Sequence[str]) -> list[str]:
        return list(self.left)

    def missing_packages(self, step_ids: Sequence[str]) -> tuple[str, ...]:
        return () if self.packages_in_place else fake_steps.PACKAGES

    def prepare(self, step_ids: Sequence[str]) -> Iterator[Event]:
        self.calls.append("prepare " + " ".join(step_ids))
        for line in fake_steps.APT:
            yield Output("packages", line)
        if self.prepare_hold is not None:
            self.prepare_hold.wait()
        if self.prepare_fails is not None:
            failed, self.prepare_fails = self.prepare_fails, None
            yield failed
            return
        self.packages_in_place = True
        yield ChangeDone("packages", "packages", 41.0)

    def keep(self, step_id: str, titles: Iterable[str]) -> None:
        self.calls.append(f"keep {step_id} {','.join(sorted(titles))}")

    def apply(self, step_id: str, *, overwrite: frozenset[str] = frozenset()) -> Iterator[Event]:
        self.calls.append(f"apply {step_id} {','.join(sorted(overwrite))}".strip())
        if self.apply_raises is not None:
            raise self.apply_raises
        for item in fake_steps.items(step_id, applied=step_id in self.applied):
            if not item.needed:
                yield AlreadySo(step_id, item.title)
                continue
            yield ChangeStarted(step_id, item.title, item.preview.text, item.preview.is_diff)
            yield from self._lines(step_id)
            if self.hold is not None:
                self.hold.wait()
            if self.apply_fails is not None:
                failed, self.apply_fails = self.apply_fails, None
                self.state[step_id] = State.FAILED
                yield failed
                return
            yield ChangeDone(step_id, item.title, 0.2)
        self.applied.add(step_id)
        self.state[step_id] = State.APPLIED

    def _lines(self, step_id: str) -> Iterator[Event]:
        for number in range(self.apply_lines):
            yield Output(step_id, fake_steps.OUTPUT[number % len(fake_steps.OUTPUT)])

    def probe(self, *step_ids: str) -> Iterator[Event]:
        self.calls.append(f"probe {' '.join(step_ids)}")
        for step_id in step_ids:
            yield from self._probe(step_id)

    def _probe(self, step_id: str) -> Iterator[Event]:
        probes = PROBES.get(step_id, PROBES["postfix"])
        for name, title, by_hand, _ in probes:
            yield ProbeStarted(step_id, name, title, by_hand)
        outcomes = []
        for name, title, by_hand, good in probes:
            result = self.results.get(name, good)
            outcomes.append(result.outcome)
            yield ProbeDone(step_id, name, title, by_hand, result, 0.1)
        verdict = worst(outcomes)
        opened = verdict is not Outcome.FAIL
        self.state[step_id] = State.VERIFIED if opened else State.FAILED
        yield Gate(step_id, opened, str(verdict), 2, 1.4)

    def undo(self, step_ids: Sequence[str], *, packages: bool = False) -> Iterator[Event]:
        self.calls.append(f"undo {' '.join(step_ids)} packages={packages}")
        for step_id in reversed(list(step_ids)):
            for item in fake_steps.items(step_id, applied=False):
                yield Undone(step_id, item.title)
            self.state[step_id] = State.PENDING
            self.applied.discard(step_id)

    def removable_packages(self, step_ids: Sequence[str]) -> tuple[str, ...]:
        standing = {step_id for step_id, state in self.state.items() if state is State.VERIFIED}
        return () if standing - set(step_ids) else ("postfix", "dovecot-imapd")

    def dependents(self, step_ids: Sequence[str]) -> tuple[str, ...]:
        gone = set(step_ids)
        left_out = {State.PENDING, State.SKIPPED}
        for step in self.steps:
            if gone & set(step.needs) and self.state[step.id] not in left_out:
                gone.add(step.id)
        return tuple(step.id for step in self.steps if step.id in gone - set(step_ids))

    def states(self) -> list[StepStatus]:
        return [StepStatus(step.id, self.state[step.id]) for step in self.steps]

    def next_step(self) -> str | None:
        ready = {State.VERIFIED, State.SKIPPED}
        return next((step.id for step in self.steps if self.state[step.id] not in ready), None)

    def records(self) -> list[Record]:
        return [one.record for one in self.dns[0]]

    def look_up(self, records: Sequence[Record], *, patient: bool = False) -> list[Finding]:
        self.calls.append(f"look up {len(records)}{' patiently' if patient else ''}")
        return self.dns.pop(0) if len(self.dns) > 1 else self.dns[0]

    def signing_keys(self) -> Standing:
        if self.keys_refused is not None:
            raise self.keys_refused
        return fake_keys.WAY[self.keys]

    def rotate_key(self) -> Iterator[Event]:
        self.calls.append("rotate")
        yield from fake_keys.rotating(self.keys)
        self.keys += 1

    def abandon_key(self) -> Iterator[Event]:
        self.calls.append("abandon")
        yield from fake_keys.taken_back()
        self.keys = 0

    def log_path(self, step_id: str) -> str:
        return f"/var/lib/mailwizard/log/{step_id}.log"

    def save_text(self, name: str, text: str) -> str:
        self.saved[name] = text
        return f"/var/lib/mailwizard/copied/{name}"

    def shell(self) -> None:
        self.calls.append("shell")

    def report_crash(self, error: BaseException) -> str:
        self.crashes.append(error)
        return "/var/lib/mailwizard/crash-20250101T000000Z.txt"

    def _step(self, step_id: str) -> Step:
        found = next((step for step in self.steps if step.id == step_id), None)
        if found is None:
            raise WizardError(f"there is no step {step_id}")
        return found
