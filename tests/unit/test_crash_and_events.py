"""A crash is a private report without the values of variables; every event is a line of JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mailwizard import events
from mailwizard.crash import report
from mailwizard.host import LocalHost
from mailwizard.model import Outcome, Result, SecretRef
from mailwizard.platform.debian import TRIXIE

CANARY = "canary-7f3a9"


def crash(host: LocalHost, secret: str) -> str:
    local = {"password": secret}
    try:
        raise RuntimeError(f"\x1b]0;x\x07 could not use {host.secret(SecretRef(env='PW'))!s}")
    except RuntimeError as error:
        assert local
        return report(host, error)


def test_the_report_is_private_inert_and_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PW", CANARY)
    host = LocalHost(TRIXIE, str(tmp_path))
    path = Path(crash(host, CANARY))
    text = path.read_text()
    assert path.parent == tmp_path
    assert path.stat().st_mode & 0o777 == 0o600
    assert CANARY not in text
    assert "^[]0;x^G could not use (a secret)" in text
    assert "RuntimeError" in text
    assert "in crash" in text
    assert "mailwizard" in text
    assert "\x1b" not in text


def test_the_command_line_is_counted_and_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["mailwizard", CANARY])
    path = report(LocalHost(TRIXIE, str(tmp_path)), ValueError("x"))
    assert CANARY not in Path(path).read_text()
    assert os.path.dirname(path) == str(tmp_path)  # noqa: PTH120


RESULT = Result(Outcome.FAIL, "said \udcff", "expected", "fix", ("C: QUIT", "S: 221"))
EVENTS: list[events.Event] = [
    events.StepStarted("postfix", "Postfix"),
    events.ChangeStarted("postfix", "set", "-a\n+b", True),
    events.ChangeDone("postfix", "set", 0.5),
    events.AlreadySo("postfix", "set"),
    events.Output("packages", "line"),
    events.Waiting("packages", "apt"),
    events.Drifted("postfix", "set", ("main.cf a",), "diff"),
    events.ProbeStarted("postfix", "SMTP-06", "relay", "swaks"),
    events.ProbeDone("postfix", "SMTP-06", "relay", "swaks", RESULT, 1.5),
    events.Proposed("hostname", "relay", "Relay host", "port 25 is blocked"),
    events.Gate("postfix", False, Outcome.FAIL, 3, 2.0),
    events.Failed("postfix", "message", "hint", ("tail",)),
    events.Undone("postfix", "set", "problem"),
    events.KeyStage("authentication", "mw202611", "pending", "said"),
    events.Finished("", 1, "said"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_event_is_a_line_of_json(event: events.Event) -> None:
    line = json.dumps(event.as_json())
    assert "\n" not in line
    told = json.loads(line)
    assert told["event"] == event.name
    assert told["step"] == event.step
    assert told.get("outcome", "fail") == "fail"


def test_no_event_is_left_out() -> None:
    known = {kind.name for kind in events.Event.__subclasses__()}
    assert {event.name for event in EVENTS} == known
