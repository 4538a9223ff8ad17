"""Commands that stay answer line for line; whatever they do instead is no answer, and ends them."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from support.children import gone

from mailwizard.host import LocalHost
from mailwizard.host.standing import LONGEST, NO_ANSWER, PATIENCE
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
    if asked == "slow":
        time.sleep(1)
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
    done = host.consult(ARGV, asked, timeout=1)
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
    time.sleep(0.5)
    # what it said would be taken for the answer to this question
    assert pid_of(host.consult(ARGV, "one")) != second
    assert gone(second)


def test_an_answer_without_end_is_not_kept(host: LocalHost) -> None:
    endless = [sys.executable, "-c", "while True: print(end='x' * 100_000)"]
    begun = time.monotonic()
    done = host.consult(endless, "one", timeout=20)
    assert (done.code, len(done.out)) == (NO_ANSWER, 0)
    assert time.monotonic() - begun < 10
    assert LONGEST < 2 * 2**20


def test_what_cannot_be_started_is_a_code(host: LocalHost) -> None:
    assert host.consult(["no-such-program"], "one").code == 127
    assert host.consult(["echo", "a\0b"], "one").code == 126
    assert host.consult(["true"], "one").code == NO_ANSWER
    assert host.consult(["false"], "x" * 10_000_000).code == 1


def asked_at_once(host: LocalHost, *words: str) -> list[tuple[str, Completed, float]]:
    """What is answered, and after how long, each asked by a thread of its own."""
    told: list[tuple[str, Completed, float]] = []
    begun = time.monotonic()

    def ask(word: str) -> None:
        done = host.consult(ARGV, word, timeout=4)
        told.append((word, done, time.monotonic() - begun))

    threads = [threading.Thread(target=ask, args=(word,)) for word in words]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_quick_questions_share_one_process(host: LocalHost) -> None:
    first = pid_of(host.consult(ARGV, "one"))
    told = asked_at_once(host, *("one" for _ in range(40)))
    assert {pid_of(done) for _, done, _ in told} == {first}


def test_those_who_wait_for_one_that_hangs_are_answered_by_another(host: LocalHost) -> None:
    told = {word: done for word, done, _ in asked_at_once(host, "hang", "one", "1", "2", "3")}
    order = [word for word, _, _ in asked_at_once(host, "hang", "one", "1", "2", "3")]
    assert told.pop("hang").code == 124
    assert all(done.ok for done in told.values())
    assert order[-1] == "hang"
    assert PATIENCE < 4


def test_none_is_left_when_nobody_can_ask_any_more(tmp_path: Path) -> None:
    host = LocalHost(TRIXIE, str(tmp_path))
    pid = pid_of(host.consult(ARGV, "one"))
    del host
    gc.collect()
    assert gone(pid)
