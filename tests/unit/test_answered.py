"""An answer is given again while the files it depends on are what they were, and never longer."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mailwizard.host import LocalHost
from mailwizard.host.answered import Answered
from mailwizard.model import Completed
from mailwizard.platform.debian import TRIXIE


class Asked:
    """A question whose answer is what the file holds; it counts how often it was asked."""

    def __init__(self, path: Path, *, code: int = 0) -> None:
        self.path, self.code, self.times = path, code, 0

    def __call__(self) -> Completed:
        self.times += 1
        return Completed(("postconf",), self.code, self.path.read_text())


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    path = tmp_path / "main.cf"
    path.write_text("one")
    return Asked(path)


def say(answered: Answered, asked: Asked) -> str:
    return answered.get("question", [str(asked.path)], asked).out


def test_it_is_asked_once_for_one_state(asked: Asked) -> None:
    answered = Answered()
    assert [say(answered, asked), say(answered, asked)] == ["one", "one"]
    assert asked.times == 1


def other_bytes(path: Path) -> None:
    path.write_text("two")


def another_file(path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_text("two")
    new.replace(path)


def same_size_and_time(path: Path) -> None:
    """As an editor does that puts the old time back."""
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("edit", [other_bytes, another_file, same_size_and_time])
def test_another_hand_is_seen(asked: Asked, edit: Callable[[Path], None]) -> None:
    answered = Answered()
    say(answered, asked)
    edit(asked.path)
    assert say(answered, asked) == "two"


def test_what_was_written_while_it_was_asked_is_not_kept(asked: Asked) -> None:
    answered = Answered()

    def slow() -> Completed:
        heard = asked()
        asked.path.write_text("two!")
        return heard

    assert answered.get("question", [str(asked.path)], slow).out == "one"
    assert say(answered, asked) == "two!"


def test_a_failure_is_asked_again(asked: Asked) -> None:
    answered, asked.code = Answered(), 1
    say(answered, asked)
    say(answered, asked)
    assert asked.times == 2


def test_a_file_that_comes_is_another_state(asked: Asked, tmp_path: Path) -> None:
    answered, more = Answered(), tmp_path / "master.cf"
    files = [str(asked.path), str(more)]
    answered.get("question", files, asked)
    more.write_text("")
    answered.get("question", files, asked)
    assert asked.times == 2


def test_who_asks_the_same_at_the_same_time_waits_for_the_answer(asked: Asked) -> None:
    answered, go = Answered(), threading.Event()

    def slow() -> Completed:
        go.wait(10)
        return asked()

    def ask() -> None:
        answered.get("question", [str(asked.path)], slow)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert asked.times == 1


def test_a_host_that_writes_a_file_asks_again_what_it_decides(tmp_path: Path) -> None:
    """The command counts how often it is run: its answer is the number."""
    host, count, main = LocalHost(TRIXIE, str(tmp_path)), tmp_path / "count", f"{tmp_path}/main.cf"
    question = ["sh", "-c", f"echo x >>{count}; wc -l <{count}"]

    def answer(stdin: str = "") -> str:
        return host.ask(question, stdin=stdin, of=(main,)).out.strip()

    assert [answer(), answer()] == ["1", "1"]
    host.write(main, b"myhostname = mail.example.test\n")
    assert answer() == "2"
    host.run(["rm", main])
    assert answer() == "3"
    assert answer("another question") == "4"
    assert host.ask(question).out.strip() == "5", "what says nothing of files is always asked"
