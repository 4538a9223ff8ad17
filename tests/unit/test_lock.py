"""One run at a time: the lock dies with its process and names its holder (R9)."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mailwizard.errors import HostRefused, Locked
from mailwizard.lock import held

HOLDER = """
import os, sys, time
from mailwizard.lock import held
with held(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def start(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "SUDO_USER": "alice\x1b"}
    argv = [sys.executable, "-c", HOLDER, str(folder)]
    pipe = subprocess.PIPE
    holder = subprocess.Popen(argv, env=environment, stdin=pipe, stdout=pipe, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_the_second_run_is_told_who_holds_it_and_a_kill_frees_it(tmp_path: Path) -> None:
    holder = start(tmp_path)
    try:
        with pytest.raises(Locked) as caught, held(str(tmp_path)):
            raise AssertionError
        assert f"pid {holder.pid}, alice^[ on no terminal, since 20" in caught.value.message
        assert caught.value.exit_code == 4
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with held(str(tmp_path)):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_the_file_alone_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text('{"pid": 1, "user": "root", "terminal": "x", "since": "y"}' * 9)
    with held(str(tmp_path)):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
        with pytest.raises(Locked), held(str(tmp_path)):
            raise AssertionError
    with held(str(tmp_path)):
        pass


def test_a_child_does_not_keep_it(tmp_path: Path) -> None:
    with held(str(tmp_path)):
        argv = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
        child = subprocess.Popen(argv, close_fds=False, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"here\n"
    try:
        with held(str(tmp_path)):
            pass
    finally:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"{}", b'"x"', b"7"])
def test_whatever_the_file_holds_the_refusal_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    handle = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    os.write(handle, content)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(Locked, match="only just begun"), held(str(tmp_path)):
        raise AssertionError
    os.close(handle)


def test_a_file_system_without_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", cannot)
    with pytest.raises(HostRefused, match="cannot lock"), held(str(tmp_path)):
        raise AssertionError
