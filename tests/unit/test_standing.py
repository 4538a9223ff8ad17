"""Commands that stay answer line for line; whatever they do instead is no answer, and ends them."""

from __future__ import annotations

import gc
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.children import gone
from support.clocks import HUNG, until

from mailwizard.host import LocalHost, standing
from mailwizard.host.standing import NO_ANSWER, _speaks
from mailwizard.model import Completed
from mailwizard.platform.debian import TRIXIE

# Answers with its process; a question of two letters says what it does instead.
SCRIPT = """
import os, signal, sys, time
for line in sys.stdin:
    number, asked = line.split()
    if asked == "hang":
        time.sleep(60)
    if asked == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    if asked == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if asked == "leave":
        sys.exit()
    if asked == "raise":
        raise ValueError("the reason")
    if asked == "half":
        os.write(1, f"{number} {os.getpid()}".encode())
        sys.exit(0)
    if asked == "stuck":
        os.write(1, f"{number} {os.getpid()}".encode())
        time.sleep(60)
    if asked == "closed":
        os.close(1)
        time.sleep(60)
    if asked == "much":
        os.write(1, b"x" * 5_000_000)
    if asked == "two":
        os.write(1, f"{number} {os.getpid()}\\n{int(number) + 1} 1\\n".encode())
        continue
    if asked == "other":
        number = int(number) - 1
    if asked == "bare":
        os.write(1, b"\\n")
        continue
    if asked == "chatter":
        sys.stderr.write("x" * 5_000_000)
    while asked.startswith("until:") and not os.path.exists(asked[6:]):
        time.sleep(0.01)
    if asked == "unasked":
        os.write(1, f"{number} {os.getpid()}\\n".encode())
        time.sleep(0.2)
        number = int(number) + 1
    print(number, os.getpid(), flush=True)
"""
ARGV = [sys.executable, "-I", "-c", SCRIPT]


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    return LocalHost(TRIXIE, str(tmp_path))


def pid_of(done: Completed) -> int:
    assert done.ok, done
    return int(done.out)


def test_the_same_process_answers_again_and_again(host: LocalHost) -> None:
    first = pid_of(host.consult(ARGV, "one"))
    assert {pid_of(host.consult(ARGV, word)) for word in ("two_", "x" * 900_000, "ü")} == {first}
    other = [*ARGV, "another"]
    assert pid_of(host.consult(other, "one")) != first
    assert pid_of(host.consult(ARGV, "chatter")) == first


@pytest.mark.parametrize(
    ("asked", "code", "why"),
    [
        ("hang", 124, "no answer in time"),
        ("deaf", 124, "no answer in time"),
        ("stuck", 124, "no answer in time"),
        ("die", -9, "ended by signal 9"),
        ("leave", NO_ANSWER, "without an answer"),
        ("half", NO_ANSWER, "without an answer"),
        ("raise", 1, "ValueError: the reason"),
        ("much", NO_ANSWER, "no answer"),
        ("two", NO_ANSWER, "no answer"),
        ("other", NO_ANSWER, "no answer"),
        ("bare", NO_ANSWER, "no answer"),
    ],
)
def test_no_answer_is_a_code_and_the_next_is_begun_anew(
    host: LocalHost, asked: str, code: int, why: str
) -> None:
    first = pid_of(host.consult(ARGV, "one"))
    done = host.consult(ARGV, asked, timeout=1 if code == 124 else HUNG)
    assert (done.code, why in done.err, done.out) == (code, True, "")
    assert gone(first)
    assert pid_of(host.consult(ARGV, "one")) != first


def test_one_that_closes_its_output_is_ended(host: LocalHost) -> None:
    first = pid_of(host.consult(ARGV, "one"))
    done = host.consult(ARGV, "closed", timeout=1)
    assert not done.ok
    assert gone(first)


def test_one_that_ended_meanwhile_or_speaks_unasked_is_not_asked(host: LocalHost) -> None:
    first = pid_of(host.consult(ARGV, "one"))
    os.kill(first, signal.SIGKILL)
    assert gone(first)
    second = pid_of(host.consult(ARGV, "unasked"))
    assert second != first
    (process,) = host._on_call._begun
    until(lambda: _speaks(process))
    # what it said would be taken for the answer to this question
    assert pid_of(host.consult(ARGV, "one")) != second
    assert gone(second)


def test_an_answer_without_end_is_not_kept(host: LocalHost) -> None:
    endless = [sys.executable, "-c", "while True: print(end='x' * 100_000)"]
    done = host.consult(endless, "one", timeout=HUNG)
    assert (done.code, done.out) == (NO_ANSWER, "")


def test_what_cannot_be_started_is_a_code(host: LocalHost) -> None:
    assert host.consult(["no-such-program"], "one").code == 127
    assert host.consult(["echo", "a\0b"], "one").code == 126
    assert host.consult(["true"], "one").code == NO_ANSWER
    assert host.consult(["false"], "x" * 10_000_000).code == 1


def test_quick_questions_share_one_process(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "PATIENCE", HUNG)
    with ThreadPoolExecutor(max_workers=40) as pool:
        told = list(pool.map(lambda word: host.consult(ARGV, word), ["one"] * 40))
    assert len({pid_of(done) for done in told}) == 1


def test_who_waits_for_a_slow_answer_is_answered_by_another(
    host: LocalHost, tmp_path: Path
) -> None:
    end = tmp_path / "end"
    with ThreadPoolExecutor(max_workers=1) as pool:
        slow = pool.submit(host.consult, ARGV, f"until:{end}", timeout=HUNG)
        until(lambda: host._on_call._begun)
        others = {pid_of(host.consult(ARGV, word)) for word in ("one", "1", "2")}
        assert not slow.done()
        end.touch()
        assert len(others | {pid_of(slow.result())}) == 2


def test_none_is_left_when_nobody_can_ask_any_more(tmp_path: Path) -> None:
    host = LocalHost(TRIXIE, str(tmp_path))
    pid = pid_of(host.consult(ARGV, "one"))
    del host
    gc.collect()
    assert gone(pid)
