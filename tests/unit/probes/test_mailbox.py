"""A test message is taken out whole, as its owner, although others are at work in the mailbox."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.clocks import HUNG, until
from support.recorded import RecordedHost

from mailwizard.model import Completed
from mailwizard.probes import mailbox
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.dialogue import Transcript

HEAD, BODY = b"Return-Path: <>\nX-Mailwizard: mark-1\n\n", b"the body\n"


@pytest.fixture
def box(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "Maildir" / name).mkdir(parents=True)
    return tmp_path / "Maildir"


def argv(box: Path, seconds: float, mode: str = "one", most: int = 1000) -> list[str]:
    words = ["mark-1", str(box), str(seconds), str(most), mode]
    return [sys.executable, "-I", "-S", "-c", mailbox._LOOK, *words]


def look(box: Path, seconds: float, mode: str = "one", most: int = 1000) -> tuple[int, list[str]]:
    words = argv(box, seconds, mode, most)
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@contextmanager
def looking(box: Path, seconds: float, mode: str = "one") -> Iterator[subprocess.Popen[str]]:
    words = argv(box, seconds, mode)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        yield process


def left(box: Path) -> list[Path]:
    return [path for path in box.rglob("*") if path.is_file()]


def test_it_is_taken_whole_and_nothing_stays(box: Path) -> None:
    (box / "new/1.x.host").write_bytes(HEAD + BODY)
    (box / "new/2.x.host").write_bytes(b"Subject: somebody's\n\nmail\n")
    code, (row,) = look(box, 0)
    found = mailbox._read(row)
    assert code == 0
    assert (found.path, found.message) == (f"{box}/new/1.x.host", HEAD + BODY)
    assert found.digest == hashlib.sha256(BODY).hexdigest()
    assert left(box) == [box / "new/2.x.host"], "what is not ours stays where it was"


def test_of_a_large_one_the_beginning_is_told(box: Path) -> None:
    (box / "cur/1.x.host:2,S").write_bytes(HEAD + BODY * 1000)
    _, (row,) = look(box, 0, most=100)
    assert mailbox._read(row).message == (HEAD + BODY * 1000)[:100]


def test_a_message_that_comes_while_it_waits_is_found(box: Path) -> None:
    with looking(box, HUNG) as process:
        # it waits when it sleeps in the kernel, and not for a file
        until(lambda: "nanosleep" in Path(f"/proc/{process.pid}/wchan").read_text())
        (box / "tmp/1").write_bytes(HEAD + BODY)
        (box / "tmp/1").rename(box / "new/1")
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert mailbox._read(out.strip()).path == f"{box}/new/1"


def test_a_message_that_moves_is_taken_whole(box: Path) -> None:
    """As soon as a mail program opens the mailbox, what is new is moved to cur (maildir(5))."""
    stop = threading.Event()

    def opens() -> None:
        while not stop.is_set():
            for path in (box / "new").iterdir():
                path.rename(box / "cur" / f"{path.name}:2,")

    reader = threading.Thread(target=opens)
    reader.start()
    try:
        for number in range(20):
            (box / "tmp" / f"{number}").write_bytes(HEAD + BODY)
            (box / "tmp" / f"{number}").rename(box / "new" / f"{number}")
            code, (row,) = look(box, 10)
            assert code == 0
            assert mailbox._read(row).message == HEAD + BODY
    finally:
        stop.set()
        reader.join()
    assert left(box) == []


def test_every_one_that_comes_is_taken_on_wish(box: Path) -> None:
    for number in range(3):
        (box / "new" / f"{number}").write_bytes(HEAD + BODY)
    code, rows = look(box, 0.2, "every")
    assert (code, len(rows), left(box)) == (0, 3, [])


def test_a_link_is_not_followed_and_a_pipe_does_not_hold_it_up(box: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(HEAD + BODY)
    (box / "new/link").symlink_to(secret)
    subprocess.run(["mkfifo", str(box / "new/pipe")], check=True)
    assert look(box, 0.2) == (1, [])
    assert secret.read_bytes() == HEAD + BODY


def test_without_a_mailbox_nothing_is_found(tmp_path: Path) -> None:
    assert look(tmp_path / "none", 0.1) == (1, [])


class Host(RecordedHost):
    """A host on which the look ends so."""

    def __init__(self, ended: Completed) -> None:
        super().__init__()
        self.answers["getent passwd alice"] = Completed((), 0, "alice:x:7:8::/home/alice:/bin/sh\n")
        self.ended = ended

    def _answer(self, argv: Sequence[str], stdin: str) -> Completed | None:
        return self.ended if argv[0] == "setpriv" else super()._answer(argv, stdin)


@pytest.mark.parametrize(
    "ended",
    [
        Completed((), 127, "", "setpriv: not installed"),
        Completed((), 0, "nonsense\n"),
        Completed((), 0, "bmV3LzE=\n"),
        Completed((), 0, "bmV3LzE= bWVzc2FnZQ== bW9yZQ==\n"),
        Completed((), 0, "bmV3LzE= \x1b[2J\n"),
    ],
)
def test_nobody_is_blamed_when_nobody_could_look(ended: Completed) -> None:
    with pytest.raises(CannotAsk, match="mailbox of alice could not be looked into"):
        mailbox.take_out(Host(ended), "alice", "mark-1", wait=0, transcript=Transcript())
