"""An engine without a host: two steps, a file for its memory, and faults on demand.

Run as a program it starts the line face: fake_engine.py MEMORY [FAULT...] [--yes]
"""

from __future__ import annotations

import errno
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mailwizard import streams
from mailwizard.dkim.stages import Rotation, Stage
from mailwizard.dkim.standing import KeyRow, Standing
from mailwizard.dnsdesk import Finding, Verdict
from mailwizard.errors import BadAnswer, CommandFailed
from mailwizard.events import (
    AlreadySo,
    ChangeDone,
    ChangeStarted,
    Event,
    Failed,
    Finished,
    Gate,
    KeyStage,
    Output,
    ProbeDone,
    ProbeStarted,
    StepStarted,
    Undone,
)
from mailwizard.fields import HostName, Integer, SecretField
from mailwizard.model import Context, Outcome, Preview, Question, Record, Result, Step
from mailwizard.plain import run_plain
from mailwizard.stages import Drift, PlanItem, State, StepPlan, StepStatus

LEFT = "2 messages wait in the queue of exim4, which Postfix replaces."
LONG = "smtpd_relay_restrictions = " + ", ".join(f"check_something_{n}" for n in range(12))
DIFF = f"--- /etc/postfix/main.cf\n+++ /etc/postfix/main.cf\n@@ -1 +1 @@\n-a = b\n+{LONG}\n"


def _fixed(value: Any) -> Any:
    def default(_context: Context) -> Any:
        return value

    return default


def _nothing(_context: Context) -> Iterator[Any]:
    return iter(())


STEPS = (
    Step(
        id="hostname",
        title="The name of this host",
        explain="""
            Other mail servers know this host by its full name. It stands in the greeting, in
            every Received line, and it must have an address that points back to it.

                220 mail.example.org ESMTP
            """,
        questions=(
            Question("fqdn", "Full host name", HostName(), _fixed("mail.example.org"), "The name."),
            Question("port", "Port", Integer(1, 99), _fixed(None), optional=True),
        ),
        plan=_nothing,
        probes=_nothing,
    ),
    Step(
        id="relay",
        title="Mail through a provider",
        explain="The provider takes our mail.",
        questions=(Question("password", "Password", SecretField(), _fixed(None), secret=True),),
        plan=_nothing,
        probes=_nothing,
        optional=True,
        needs=("hostname",),
    ),
)


class FakeEngine:
    def __init__(self, memory: Path, faults: Sequence[str]) -> None:
        self.steps = STEPS
        self.faults = set(faults)
        self._memory = memory
        self.kept: dict[str, Any] = {"answers": {}, "states": {}, "calls": [], "off": ["relay"]}
        if memory.exists():
            self.kept = json.loads(memory.read_text())

    def _note(self, call: str) -> None:
        self.kept["calls"].append(call)
        self._memory.write_text(json.dumps(self.kept))

    def set_answer(self, step_id: str, key: str, value: Any) -> None:
        if value == "refused.example.org":
            raise BadAnswer(f"{step_id}.{key}", "this name belongs to another host")
        self.kept["answers"][f"{step_id}.{key}"] = value
        self._note(f"answer {key}")

    def keep_secret(self, step_id: str, key: str, typed: str) -> None:
        self.kept["answers"][f"{step_id}.{key}"] = f"secret of {len(typed)}"
        self._note(f"secret {key}")

    def set_enabled(self, step_id: str, on: bool) -> None:
        self.kept["off"] = [] if on else [step_id]
        self._note(f"enabled {step_id} {on}")

    def reasons(self, step_id: str) -> dict[str, str]:
        return {"fqdn": "Proposed: this host calls itself so."} if step_id == "hostname" else {}

    def defaults(self, step_id: str) -> dict[str, Any]:
        if "crash" in self.faults:
            raise RuntimeError("a defect")
        if "full" in self.faults:
            raise OSError(errno.ENOSPC, "No space left on device", "/var/lib/mailwizard/x")
        step = next(step for step in self.steps if step.id == step_id)
        given = self.kept["answers"]
        context: Any = None
        return {
            q.name: given.get(f"{step_id}.{q.name}", q.default(context)) for q in step.questions
        }

    def complaints(self, step_id: str) -> list[tuple[str, str]]:
        wrong = self.kept["answers"].get("hostname.port") == 13
        return [("hostname.port", "13 brings bad luck; any other is right")] if wrong else []

    def plan(self, step_id: str) -> StepPlan:
        step = next(step for step in self.steps if step.id == step_id)
        drift = Drift(("main.cf:a",), "a: b", "a: edited by hand", DIFF, DIFF)
        drifted = "drift" in self.faults and "keep relay limits" not in self.kept["calls"]
        return StepPlan(
            step,
            (
                PlanItem("relay limits", True, Preview(DIFF, True), drift if drifted else None),
                PlanItem("the service runs", True, Preview("systemctl restart postfix")),
                PlanItem("the name stands in /etc/hosts", False, Preview("")),
            ),
        )

    def mail_left(self, missing: Sequence[str]) -> list[str]:
        return [LEFT] if "mail-left" in self.faults else []

    def missing_packages(self, step_ids: Sequence[str]) -> tuple[str, ...]:
        relay = "relay-packages" in self.faults and "relay" in step_ids
        more = ("no-such-package",) if relay else ()
        if "packages" in self.kept["states"]:
            return more
        return ("postfix", "postfix-lmdb", "swaks", *more)

    def prepare(self, step_ids: Sequence[str]) -> Iterator[Event]:
        for number in range(60):
            yield Output("packages", f"Unpacking number {number} " + "x" * 120)
        relay = "relay-packages" in self.faults and "relay" in step_ids
        if relay or self._once("packages-fail"):
            raise CommandFailed(("apt-get", "install"), 100, ("E: no route",), hint="Look for DNS.")
        self.kept["states"]["packages"] = "here"

    def _once(self, fault: str) -> bool:
        there = fault in self.faults
        self.faults.discard(fault)
        return there

    def apply(self, step_id: str, *, overwrite: frozenset[str] = frozenset()) -> Iterator[Event]:
        self._note(f"apply {step_id} {sorted(overwrite)}")
        yield StepStarted(step_id, "The step")
        yield ChangeStarted(step_id, "relay limits", DIFF, True)
        while "slow" in self.faults:
            with suppress(*[KeyboardInterrupt] * self._once("deaf")):
                time.sleep(60)
        if self._once("apply-fail"):
            yield Failed(step_id, "`postfix check` ended with code 1", "Read it.", ("fatal: x",))
            return
        yield ChangeDone(step_id, "relay limits", 0.21)
        yield AlreadySo(step_id, "the name stands in /etc/hosts")

    def keep(self, step_id: str, titles: Sequence[str]) -> None:
        self._note(f"keep {' '.join(titles)}")

    def probe(self, step_id: str) -> Iterator[Event]:
        self._note(f"probe {step_id}")
        failing = self._once("gate-fail")
        relay = Result(
            Outcome.FAIL if failing else Outcome.PASS,
            "250 2.1.5 Ok" if failing else "554 5.7.1 Relay access denied",
            "5xx" if failing else "",
            "Put reject_unauth_destination first." if failing else "",
            ("> RCPT TO:<x@example.net>", "< 250 2.1.5 Ok " + "long " * 30),
        )
        dns = Result(Outcome.UNKNOWN, "timed out after 5 s", "an answer", "Open port 53.")
        for id_, title, result in (("SMTP-06", "refuses to relay", relay), ("DNS-01", "MX", dns)):
            yield ProbeStarted(step_id, id_, title, "swaks --to x@example.net")
            yield ProbeDone(step_id, id_, title, "swaks --to x@example.net", result, 0.1)
        self.kept["states"][step_id] = "failed" if failing else "verified"
        self._note(f"gate {step_id}")
        yield Gate(step_id, not failing, "fail" if failing else "unknown", 1, 2.5)

    def undo(self, step_ids: Sequence[str], *, packages: bool = False) -> Iterator[Event]:
        for step_id in step_ids:
            self.kept["states"].pop(step_id, None)
            self._note(f"undo {step_id}")
            yield Undone(step_id, "relay limits")

    def dependents(self, step_ids: Sequence[str]) -> tuple[str, ...]:
        return ("relay",) if "dependents" in self.faults else ()

    def states(self) -> list[StepStatus]:
        def state(step: Step) -> State:
            if step.id in self.kept["off"]:
                return State.SKIPPED
            return State(self.kept["states"].get(step.id, "pending"))

        return [StepStatus(step.id, state(step), "2025-01-31T10:00:00Z") for step in self.steps]

    def next_step(self) -> str | None:
        ready = (State.VERIFIED, State.SKIPPED)
        return next((status.id for status in self.states() if status.state not in ready), None)

    def signing_keys(self) -> Standing:
        rows = (KeyRow("example.org", "mw202511", "active", "signs; 371 days old"),)
        if not self.kept.get("waiting"):
            return Standing(rows, "mw202511 signs; no key is being changed.")
        rotation = Rotation("mw202511", "mw202611", Stage.PENDING, "2026-11-21T12:00:00+00:00")
        return Standing(rows, "mw202511 signs; mw202611 waits for its record.", rotation)

    def rotate_key(self) -> Iterator[Event]:
        self.kept["waiting"] = True
        self._note("rotate")
        yield KeyStage("authentication", "mw202611", "pending", "takes the place of mw202511")
        yield Finished("authentication", 1, "mw202511 goes on signing.")

    def abandon_key(self) -> Iterator[Event]:
        self.kept["waiting"] = False
        self._note("abandon")
        yield Finished("authentication", 0, "mw202611 is gone.")

    def log_path(self, step_id: str) -> str:
        return f"/var/lib/mailwizard/log/{step_id}.log"

    def records(self) -> list[Record]:
        if "unanswered" in self.faults:
            return []
        return [Record("example.org", "MX", "10 mail.example.org.", "Mail is brought here.")]

    def look_up(self, records: Sequence[Record]) -> list[Finding]:
        self._note("look up")
        there = self.kept["calls"].count("look up") > 1
        outcome = Verdict.RIGHT if there else Verdict.ABSENT
        return [Finding(one, outcome, ()) for one in records]

    def shell(self) -> None:
        self._note("shell")

    def report_crash(self, error: BaseException) -> str:
        return "/var/lib/mailwizard/crash.txt"


if __name__ == "__main__":
    engine = FakeEngine(Path(sys.argv[1]), sys.argv[2:])
    code = run_plain(engine, assume_yes="--yes" in sys.argv)
    streams.settle()
    sys.exit(code)
