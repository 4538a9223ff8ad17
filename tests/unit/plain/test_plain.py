"""The line face, in a real terminal of its own, as a person drives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.clocks import HUNG
from support.person import FAKE, ROOT, Person

Start = Callable[..., Person]
DO = "What shall be done with hostname?"
APPLY = "Apply these changes"
REPAIR = "hostname is not done. What next?"


@pytest.fixture(params=["dumb", "xterm"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    people: list[Person] = []

    def begin(*arguments: str) -> Person:
        person = Person(tmp_path / "memory.json", request.param, *arguments)
        people.append(person)
        return person

    yield begin
    for person in people:
        person.child.close(force=True)
        if person.term == "dumb":  # what line editing redraws elsewhere is not lines
            shown = person.log.getvalue()
            assert "\x1b" not in shown
            assert [line for line in shown.splitlines() if len(line) > 80] == []


def test_the_whole_walk(start: Start) -> None:
    person = start()
    person.types("", "Number, or Enter")
    person.picks("Yes", "Install them?")
    person.sees("Proposed: this host calls itself so.")
    person.types("", "[mail.example.org]")
    person.types("", "[none]")
    person.sees("+smtpd_relay_restrictions")
    person.sees("systemctl restart postfix")
    person.sees("(already so)")
    person.picks(APPLY, DO)
    person.sees("done  relay limits (0.2 s)")
    person.sees("ok    SMTP-06  refuses to relay: 554 5.7.1")
    person.sees("?     DNS-01")
    person.sees("What to do:   Open port 53.")
    person.sees("hostname: the gate is open")
    person.sees("Every step is verified")
    person.sees("Mail from the world cannot arrive yet: 1 DNS record is not right.")
    person.sees("Still open:")
    person.sees("?     MX: timed out after 5 s")
    person.sees("mailwizard undo STEP")
    assert person.ends() == 0
    assert person.kept["answers"] == {"hostname.fqdn": "mail.example.org"} | {"hostname.port": None}
    calls = ["apply hostname []", "probe hostname", "gate hostname", "look up"]
    assert person.kept["calls"][-4:] == calls


def test_the_records_are_shown_and_asked_for_again(start: Start) -> None:
    person = start()
    person.begins()
    person.picks("DNS records", DO)
    person.sees("FAIL  example.org")
    person.sees("In the zone example.org:  @ 3600 IN MX 10 mail.example.org.")
    person.sees("steps ahead add theirs, such as the DKIM key")
    person.picks("Ask again", "DNS records. What next?")
    person.sees("ok    example.org")
    person.picks("Go on", "DNS records. What next?")
    person.picks(APPLY, DO)
    assert person.ends() == 0


def test_no_records_while_an_answer_is_missing(start: Start) -> None:
    first = start("gate-fail")
    first.begins()
    first.picks(APPLY, DO)
    first.picks("Stop here", REPAIR)
    assert first.ends() == 1
    person = start("unanswered")
    person.picks("DNS records", "What next?")
    person.sees("No record is known yet: they begin with this host's full name.")
    person.picks("Stop here", "What next?")


def test_a_wrong_answer_is_explained_and_asked_again(start: Start) -> None:
    person = start()
    person.types("9", "Number, or Enter")
    person.sees("type a number from 1 to 2")
    person.types("1", "Number, or Enter")
    person.sees("cannot be left out")
    person.types("", "Number, or Enter")
    person.types("yes", "Number [1-2]")
    person.sees("Type a number from 1 to 2.")
    person.types("1", "Number [1-2]")
    person.types("?", "[mail.example.org]")
    person.sees("In an answer file: fqdn")
    for wrong in ("no spaces allowed", "-dash", "refused.example.org", "-"):
        person.types(wrong, "[mail.example.org]")
        person.sees("Not accepted:")
        person.sees("Right is:")
    person.types("mx.example.org", "[mail.example.org]")
    person.types("13", "[none]")
    person.sees("13 brings bad luck")
    person.types("25", "[13]")
    person.picks("Stop here", DO)
    person.sees("is saved")
    assert person.ends() == 0
    assert person.kept["answers"] == {"hostname.fqdn": "mx.example.org", "hostname.port": 25}


def test_going_back_and_forth(start: Start) -> None:
    person = start()
    person.begins()
    person.picks("Show the changes again", DO)
    person.sees("relay limits")
    person.types("4", "Number [1-")
    person.types("", "[mail.example.org]")
    person.types("<", "[none]")
    person.types("<", "[mail.example.org]")
    person.sees("This is the first step.")
    person.sees("Step 1 of 1")
    person.child.sendcontrol("c")
    assert person.ends() == 130


def test_a_failing_gate_then_everything_that_can_be_done_about_it(start: Start) -> None:
    person = start("gate-fail", "dependents")
    person.begins()
    person.picks(APPLY, DO)
    person.sees("FAIL  SMTP-06")
    person.sees("It is:        250 2.1.5 Ok")
    person.sees("It should be: 5xx")
    person.sees("By hand:      swaks")
    person.sees("the gate is closed")
    person.picks("Show the dialogue", REPAIR)
    person.picks("FAIL: SMTP-06", "The dialogue of which check?")
    person.sees("> RCPT TO:<x@example.net>")
    person.types("7", "Number [1-9]")
    person.types("6", "Number [1-9]")
    person.sees("build on it: relay")
    person.picks("No, leave it", "Put back everything")
    person.types("1", "Number [1-9]")
    person.sees("the gate is open")
    assert person.ends() == 0
    assert "shell" in person.kept["calls"]
    assert person.kept["calls"][-3:] == ["probe hostname", "gate hostname", "look up"]


def test_undo_leads_back_to_the_questions(start: Start) -> None:
    person = start("gate-fail")
    person.begins()
    person.picks(APPLY, DO)
    person.picks("Undo this step", REPAIR)
    person.picks("Yes", "Put back everything")
    person.sees("relay limits: put back")
    person.types("", "[mail.example.org]")
    person.types("", "[none]")
    person.picks(APPLY, DO)
    assert person.ends() == 0
    assert "undo hostname" in person.kept["calls"]


def test_a_change_that_fails_names_its_log_and_can_be_tried_again(start: Start) -> None:
    person = start("apply-fail")
    person.begins()
    person.picks(APPLY, DO)
    person.sees("| fatal: x")
    person.sees("Read it.")
    person.sees("/var/lib/mailwizard/log/hostname.log")
    person.picks("Try again", REPAIR)
    assert person.ends() == 0


def test_mail_that_another_server_has_not_sent_is_told_before_it_goes(start: Start) -> None:
    person = start("mail-left")
    person.types("", "Number, or Enter")
    person.sees("2 messages wait in the queue of exim4, which Postfix replaces.")
    person.picks("No, stop here", "Install them?")
    assert person.ends() == 0


def test_packages_that_do_not_come(start: Start) -> None:
    person = start("packages-fail")
    person.begins()
    person.sees("E: no route")
    person.sees("Look for DNS.")
    person.picks("Try again", REPAIR)
    person.sees("Packages are in place.")
    assert person.ends() == 0


def test_a_package_that_cannot_be_had_holds_up_its_own_step_alone(start: Start) -> None:
    person = start("relay-packages")
    person.types("2", "Number, or Enter")
    person.begins()
    person.sees("Packages are not in place.")
    person.picks("Try again", REPAIR)
    person.sees("Packages are in place.")
    person.types("hush", "[none yet, not shown]")
    person.sees("Packages are not in place.")
    person.picks("Leave relay out", "relay is not done. What next?")
    assert person.ends() == 0
    assert "enabled relay False" in person.kept["calls"]


def test_a_step_that_is_set_up_is_undone_and_not_left_out(start: Start) -> None:
    first = start("--yes")
    first.types("2", "Number, or Enter")
    first.types("", "Number, or Enter")
    first.types("", "[mail.example.org]")
    first.types("", "[none]")
    first.types("hush", "[none yet, not shown]")
    assert first.ends() == 0
    second = start()
    second.picks("Choose the steps anew", "What next?")
    second.types("2", "Number, or Enter")
    second.sees("relay is set up already; undo it instead.")
    second.types("", "Number, or Enter")
    second.types("", "[mail.example.org]")
    second.types("", "[none]")
    second.picks("Apply", DO)
    second.types("", "[the one that is kept]")
    second.picks("Undo this step", "What shall be done with relay?")
    second.picks("Yes", "Put back everything")
    second.types("", "[the one that is kept]")
    second.picks("Leave relay out", "What shall be done with relay?")
    assert second.ends() == 0
    assert second.kept["calls"].index("undo relay") < second.kept["calls"].index(
        "enabled relay False"
    )


@pytest.mark.parametrize(
    ("choice", "call"),
    [
        ("Keep what is there", "apply hostname []"),
        ("Replace it", "apply hostname ['relay limits']"),
    ],
)
def test_edits_by_hand_are_the_persons_to_decide(start: Start, choice: str, call: str) -> None:
    person = start("drift", "--yes")
    person.types("", "Number, or Enter")
    person.types("", "[mail.example.org]")
    person.types("", "[none]")
    person.sees("a: edited by hand")
    person.picks(choice, "Whose version shall it be?")
    assert person.ends() == 0
    assert call in person.kept["calls"]
    assert ("keep relay limits" in person.kept["calls"]) == choice.startswith("Keep")


def test_a_secret_is_never_shown(start: Start) -> None:
    person = start("--yes")
    person.types("2", "Number, or Enter")
    person.sees("on, optional")
    person.types("", "Number, or Enter")
    person.types("", "[mail.example.org]")
    person.types("", "[none]")
    person.types("hush-hush", "[none yet, not shown]")
    assert person.ends() == 0
    assert "hush-hush" not in person.log.getvalue() + person.memory.read_text()
    assert "secret password" in person.kept["calls"]


def test_the_next_start_checks_again_and_goes_on(start: Start) -> None:
    first = start("gate-fail")
    first.begins()
    first.picks(APPLY, DO)
    first.picks("Stop here", REPAIR)
    assert first.ends() == 1
    second = start("gate-fail")
    second.sees("checked again first")
    second.sees("FAIL  SMTP-06")
    second.picks("Go on with hostname", "What next?")
    second.types("", "[mail.example.org]")
    second.types("", "[none]")
    second.picks(APPLY, DO)
    assert second.ends() == 0
    third = start()
    third.picks("Undo a step", "What next?")
    third.picks("hostname", "Take back which step?")
    third.picks("Yes", "Put back everything")
    assert third.ends() == 0
    assert third.kept["calls"][-1] == "undo hostname"


def test_a_signing_key_is_changed_and_taken_back(start: Start) -> None:
    first = start()
    first.begins()
    first.picks(APPLY, DO)
    assert first.ends() == 0
    second = start()
    second.picks("The signing keys", "What next?")
    second.sees("no key is being changed")
    second.picks("Make a new key", "What shall be done?")
    second.sees("mw202611 takes the place of mw202511")
    second.sees("mw202611 waits for its record")
    second.picks("Take the new key back", "What shall be done?")
    second.sees("mw202611 is gone")
    second.picks("Nothing, back", "What shall be done?")
    second.picks("Undo a step", "What next?")
    second.picks("None of them", "Take back which step?")
    second.picks("Go to one step", "What next?")
    second.picks("None of them", "Which step?")
    second.picks("Stop here", "What next?")
    assert second.ends() == 0
    assert second.kept["calls"][-2:] == ["rotate", "abandon"]


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 130)], ids=["Ctrl+C", "Ctrl+D"])
def test_stopping_at_a_prompt_asks_nothing(start: Start, key: str, code: int) -> None:
    person = start()
    person.types("", "Number, or Enter")
    person.picks("Yes", "Install them?")
    person.types("mx.example.org", "[mail.example.org]")
    person.sees("[none]")
    person.sees(":")
    person.child.send(key)
    person.sees("is saved")
    person.sees("sudo mailwizard --plain")
    assert person.ends() == code
    assert person.kept["answers"] == {"hostname.fqdn": "mx.example.org"}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
@pytest.mark.parametrize("busy", [False, True], ids=["at a prompt", "at work"])
def test_a_signal_saves_and_says_so(start: Start, number: int, code: int, busy: bool) -> None:
    person = start("slow")
    person.begins()
    person.sees(DO)
    person.sees("Number [1-")
    person.sees(":")
    if busy:
        person.child.send("1\r")
        person.sees("do    relay limits")
    person.child.kill(number)
    person.sees("is saved")
    assert person.ends() == code


def test_a_stop_that_gets_lost_is_repeated(start: Start) -> None:
    person = start("slow", "deaf")
    person.begins()
    person.picks(APPLY, DO)
    person.sees("do    relay limits")
    person.child.kill(signal.SIGTERM)
    person.sees("is saved")
    assert person.ends() == 143


def test_a_terminal_that_goes_away(start: Start) -> None:
    person = start()
    person.begins()
    person.sees(DO)
    person.sees("Number [1-")
    vars(person.child)["ptyproc"].delayafterclose = 1
    person.child.close()
    assert person.child.exitstatus == 129


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("crash", ("This is a defect in mailwizard", "/var/lib/mailwizard/crash.txt")),
        ("full", ("/var/lib/mailwizard/x cannot be written: no space left", "Make room")),
    ],
)
def test_a_defect_is_told_from_a_mistake(start: Start, fault: str, said: tuple[str, str]) -> None:
    person = start(fault)
    person.types("", "Number, or Enter")
    person.picks("Yes", "Install them?")
    for words in said:
        person.sees(words)
    assert person.ends() == 1


def test_nobody_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, FAKE, tmp_path / "memory.json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HUNG,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / ".package")},
    )
    assert done.returncode == 2
    assert "apply -a" in done.stderr
