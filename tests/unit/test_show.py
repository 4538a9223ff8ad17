"""Lines for people: verdict words, remedies, widths, and colour only when asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest

from mailwizard import show
from mailwizard.events import (
    AlreadySo,
    ChangeDone,
    ChangeStarted,
    Drifted,
    Event,
    Failed,
    Finished,
    Gate,
    Output,
    ProbeDone,
    ProbeStarted,
    StepStarted,
    Undone,
    Waiting,
)
from mailwizard.model import Outcome, Preview, Result, Step
from mailwizard.stages import Drift, PlanItem, State, StepPlan, StepStatus

LONG = "word " * 60 + "x" * 200
DIFF = f"--- a\n+++ b\n@@ -1 +1 @@\n-old\n+{LONG}"


def _nothing(_context: Any) -> Iterator[Any]:
    return iter(())


def _probe(outcome: Outcome, said: str = "250 Ok", step: str = "postfix") -> ProbeDone:
    result = Result(outcome, said, "554", "Put it first.", ("> RCPT", f"< {LONG}"))
    return ProbeDone(step, "SMTP-06", "refuses to relay", "swaks --to x", result, 0.4)


EVENTS: tuple[Event, ...] = (
    StepStarted("postfix", LONG),
    ChangeStarted("postfix", LONG, DIFF, True),
    ChangeStarted("postfix", LONG, LONG, False),
    ChangeDone("postfix", LONG, 1.25),
    AlreadySo("postfix", LONG),
    Output("packages", LONG),
    Waiting("packages", LONG),
    Drifted("postfix", LONG, ("a", "b"), DIFF),
    ProbeStarted("postfix", "SMTP-06", "t", "h"),
    _probe(Outcome.FAIL, LONG),
    Gate("postfix", False, "fail", 3, 1.0),
    Gate("postfix", True, "pass", 1, 1.0),
    Gate("postfix", True, "unknown", 0, 1.0),
    Failed("postfix", LONG, LONG, (LONG,)),
    Undone("postfix", LONG),
    Undone("postfix", LONG, LONG),
    Finished("", 0, LONG),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
@pytest.mark.parametrize("width", [40, 78])
def test_no_line_is_longer_than_the_width(event: Event, width: int) -> None:
    lines = show.event_line(event, width=width, previews=True)
    assert max(map(len, lines), default=0) <= width
    assert all("\x1b" not in line and "\n" not in line for line in lines)


def test_no_width_leaves_a_line_whole() -> None:
    assert show.event_line(Output("packages", LONG), width=None) == [f"|     {LONG}"]
    assert show.fold("a\nb", None, "- ") == ["- a", "  b"]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_verdict_is_a_word_with_or_without_colour(outcome: Outcome) -> None:
    word = show.VERDICT_WORDS[outcome]
    assert show.result_lines(_probe(outcome))[0].startswith(f"{word:<4}  SMTP-06")
    assert word in show.result_lines(_probe(outcome), colour=True)[0]


def test_a_pass_is_one_line_and_a_failure_says_what_to_do() -> None:
    assert show.result_lines(_probe(Outcome.PASS)) == ["ok    SMTP-06  refuses to relay: 250 Ok"]
    assert show.result_lines(_probe(Outcome.FAIL)) == [
        "FAIL  SMTP-06  refuses to relay",
        "      It is:        250 Ok",
        "      It should be: 554",
        "      What to do:   Put it first.",
        "      By hand:      swaks --to x",
    ]


def test_colour_repeats_the_word() -> None:
    assert show.marked("FAIL", "x", colour=True) == ["\x1b[1;31mFAIL\x1b[0m  x"]
    assert show.diff_lines("+a\n b", colour=True) == ["\x1b[32m  +a\x1b[0m", "   b"]


@pytest.mark.parametrize(
    ("tty", "term", "no_colour", "wanted"),
    [
        (True, "xterm", "", True),
        (True, "xterm", "1", False),
        (True, "dumb", "", False),
        (False, "xterm", "", False),
    ],
)
def test_when_colour_is_wanted(
    monkeypatch: pytest.MonkeyPatch, tty: bool, term: str, no_colour: str, wanted: bool
) -> None:
    stream = StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: tty)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("NO_COLOR", no_colour)
    assert show.colour_wanted(stream) is wanted


def test_a_plan_shows_what_is_needed_and_names_the_rest() -> None:
    drift = Drift(("main.cf:a",), "a: 1", "a: 2", DIFF, DIFF)
    step = Step("postfix", "Postfix", "", (), _nothing, _nothing)
    items = (
        PlanItem("limits", True, Preview("+a = b", True), drift),
        PlanItem("runs", True, Preview("systemctl restart postfix\npostfix check")),
        PlanItem("hosts", False, Preview("never shown")),
    )
    assert show.plan_lines(StepPlan(step, items)) == [
        "postfix: 2 of 3 changes to make.",
        " 1. limits",
        "  +a = b",
        "    Edited by hand since mailwizard wrote it: main.cf:a",
        " 2. runs",
        "  systemctl restart postfix",
        "  postfix check",
        " 3. hosts  (already so)",
    ]
    assert "nothing to change" in show.plan_lines(StepPlan(step, items[2:]))[0]
    why = "Look for viruses: Not proposed: this host has 1.0 GiB of memory."
    assert show.plan_lines(StepPlan(step, items, (why,)))[1] == f"      {why}"


def test_a_drift_shows_three_versions() -> None:
    lines = show.drift_lines(Drift(("main.cf:a",), "a: 1", "a: 2", "a: 3", "+a = 3"))
    text = "\n".join(lines)
    assert all(part in text for part in ("main.cf:a", "a: 1", "a: 2", "a: 3", "+a = 3"))


def test_the_table_of_checks_counts_the_worst_first() -> None:
    lines = show.checks_table(
        [_probe(Outcome.PASS, step="hostname"), _probe(Outcome.PASS), _probe(Outcome.FAIL)]
    )
    assert lines[0] == "hostname"
    assert lines[-1] == "3 checks: 1 FAIL, 2 ok"
    twice = show.checks_table([_probe(Outcome.FAIL), _probe(Outcome.FAIL, step="aliases")])
    assert "FAIL  SMTP-06  refuses to relay: as SMTP-06 says" in twice
    assert "\n".join(twice).count("Put it first.") == 1
    other = replace(_probe(Outcome.PASS), id="SMTP-07")
    unasked = show.checks_table([_probe(Outcome.UNKNOWN), other])
    assert unasked[-2:] == ["2 checks: 1 ?, 1 ok", "1 check could not be asked: SMTP-06."]
    assert show.checks_table([]) == ["0 checks: no checks"]
    absent = replace(_probe(Outcome.WARN), id="DNS-16:postfix")
    assert show.checks_table([absent])[-3:] == [
        "1 check warns: DNS-16:postfix.",
        "Not all mail can come and go yet: the DNS does not hold every record that is",
        "needed. `mailwizard dns` names them.",
    ]


def test_the_status_of_every_state_is_told() -> None:
    states = [
        StepStatus(f"step{n}", state, "2025-01-31T10:20:30Z") for n, state in enumerate(State)
    ]
    lines = show.status_lines([*states, StepStatus("never", State.PENDING)])
    assert lines[2] == "ok    step2  verified by its checks, since 2025-01-31 10:20 UTC"
    assert lines[-1] == "-     never  not set up yet"


def test_prose_is_filled_anew_and_examples_stand_as_they_are() -> None:
    text = "\n    One\n    two.\n\n        220 mail ESMTP\n        250 Ok\n"
    assert show.paragraphs(text) == ["One two.", "", "    220 mail ESMTP", "    250 Ok"]


def test_the_json_of_checks_has_every_key_of_the_api() -> None:
    shown = show.checks_json([_probe(Outcome.FAIL)], Outcome.FAIL)
    assert json.loads(json.dumps(shown))["outcome"] == "fail"
    assert list(shown["checks"][0]) == [
        *("id", "step", "title", "outcome", "said", "expected", "fix", "by_hand"),
        *("transcript", "seconds"),
    ]


def test_the_json_of_a_plan_tells_edits_by_hand() -> None:
    drift = Drift(("main.cf:a",), "", "", "", "")
    step = Step("postfix", "Postfix", "", (), _nothing, _nothing)
    plan = StepPlan(step, (PlanItem("limits", True, Preview("+a", True), drift),))
    shown = json.loads(json.dumps(show.plan_json([plan], ["postfix"], ["mail waits"])))
    change = {"title": "limits", "needed": True, "preview": "+a", "is_diff": True}
    change["edited_by_hand"] = ["main.cf:a"]
    assert shown == {
        "packages": ["postfix"],
        "mail_left": ["mail waits"],
        "steps": [{"id": "postfix", "reasons": [], "changes": [change]}],
    }


def test_the_dialogue_is_shown_whole() -> None:
    lines = show.dialogue_lines(_probe(Outcome.FAIL))
    assert "  > RCPT" in lines
    assert max(map(len, lines)) <= show.WIDTH
