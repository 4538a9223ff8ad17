"""The clock that brings old rules back unless a change is confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from support.recorded import RecordedHost, Written

from mailwizard.changes import guard
from mailwizard.errors import CommandFailed, ProofFailed
from mailwizard.model import Completed, Host, Outcome, Probe, Result


@dataclass(frozen=True)
class Confirms:
    """A confirmation of this outcome."""

    outcome: Outcome
    id: ClassVar[str] = "X"
    title: ClassVar[str] = "x"
    by_hand: ClassVar[str] = "x"
    deadline: ClassVar[float] = 1.0
    critical: ClassVar[bool] = False

    def ask(self, host: Host) -> Result:
        return Result(self.outcome, "nobody comes in", fix="Let them in.")


@dataclass
class GuardedHost(RecordedHost):
    """A host on which the script that goes back removes itself, as it does."""

    reverted: list[str] = field(default_factory=list)

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        done = super().run(argv, **options)
        if done.argv == ("/bin/sh", guard.SCRIPT):
            self.reverted.append(self.read(guard.SCRIPT).decode())
            self.files = {p: f for p, f in self.files.items() if not p.startswith(guard.FOLDER)}
        return done


def guarded(host: Host, *confirm: Probe) -> None:
    def enforce() -> None:
        host.run(["new"])

    guard.guarded(host, "undo it", {"old": b"rules"}, enforce, confirm)


def test_the_clock_runs_before_the_change_and_stops_after_its_confirmation() -> None:
    host = GuardedHost()
    guarded(host, Confirms(Outcome.PASS))
    programs = [argv[0] for argv in host.ran]
    assert programs.index("systemd-run") < programs.index("new") < len(programs) - 1
    assert host.ran[-1] == ("systemctl", "stop", f"{guard.UNIT}.timer")
    assert host.reverted == []
    assert not any(path.startswith(guard.FOLDER) for path in host.files)


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.UNKNOWN, Outcome.WARN, Outcome.SKIPPED])
def test_what_is_not_confirmed_goes_back_at_once(outcome: Outcome) -> None:
    host = GuardedHost()
    with pytest.raises(ProofFailed, match="nobody comes in") as failed:
        guarded(host, Confirms(outcome))
    assert failed.value.hint == "The rules are as they were before. Let them in."
    assert len(host.reverted) == 1
    assert "undo it\n" in host.reverted[0]


def test_a_change_that_breaks_half_way_goes_back() -> None:
    host = GuardedHost()
    host.answers = {"new": Completed(("new",), 1, "", "no such rule")}
    with pytest.raises(ProofFailed, match="`new` ended with code 1"):
        guarded(host)
    assert len(host.reverted) == 1


def test_what_a_killed_run_left_goes_back_before_the_next_change() -> None:
    host = GuardedHost(files={guard.SCRIPT: Written(b"the old undo\n")})
    guarded(host, Confirms(Outcome.PASS))
    assert host.reverted == ["the old undo\n"]
    assert host.ran.index(("/bin/sh", guard.SCRIPT)) < host.ran.index(("new",))


def test_a_clock_that_does_not_start_lets_nothing_change() -> None:
    host = GuardedHost()
    line = " ".join(guard.arming())
    host.answers = {line: Completed(tuple(guard.arming()), 1, "", "no systemd")}
    with pytest.raises(CommandFailed):
        guarded(host)
    assert ("new",) not in host.ran


def test_a_confirmation_that_came_too_late_is_none() -> None:
    host = GuardedHost()
    gone = Completed((), 5, "", f"Failed to stop {guard.UNIT}.timer: not loaded.")
    host.answers[f"systemctl stop {guard.UNIT}.timer"] = gone

    def late() -> None:
        host.run(["/bin/sh", guard.SCRIPT])

    with pytest.raises(ProofFailed, match="longer than 60 s"):
        guard.guarded(host, "undo it", {}, late, ())
