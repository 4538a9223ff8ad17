"""Commands end in time, say what they have to, and touch no terminal."""

from __future__ import annotations

import logging
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.children import alive
from support.clocks import HUNG, until

from mailwizard.errors import CommandFailed
from mailwizard.host import LocalHost, process
from mailwizard.host.process import HALF, TransientUnit
from mailwizard.platform.debian import TRIXIE


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    return LocalHost(TRIXIE, str(tmp_path))


@pytest.mark.parametrize("ignoring", ["", "trap '' TERM; "])
def test_a_timeout_ends_the_whole_group(
    host: LocalHost, tmp_path: Path, ignoring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "begun"

    def monotonic() -> float:
        until(begun.exists)  # its time does not begin before it has
        return time.monotonic()

    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=monotonic))
    monkeypatch.setattr(process, "KILL_AFTER", 0.2)
    script = f"{ignoring}sleep {HUNG:.0f} & echo $! $$ >{begun}-; mv {begun}- {begun}; wait; wait"
    done = host.ask(["sh", "-c", script], timeout=0.1)
    # by itself it would have ended with 0
    assert done.code == 124
    assert "no answer" in done.err
    pids = [int(word) for word in begun.read_text().split()]
    assert len(pids) == 2
    until(lambda: not any(map(alive, pids)), HUNG / 2)


def test_a_missing_program_is_127(host: LocalHost) -> None:
    done = host.ask(["no-such-program"])
    assert (done.code, done.err) == (127, "no-such-program: not installed")
    with pytest.raises(CommandFailed):
        host.run(["no-such-program"])


@pytest.mark.parametrize("word", ["canary\0x", "canary\ud800", "canary" + "x" * 200_000])
def test_what_no_process_can_be_given_is_126_and_not_repeated(host: LocalHost, word: str) -> None:
    done = host.ask(["echo", word])
    assert done.code == 126
    assert "canary" not in done.err + done.out
    with pytest.raises(CommandFailed, match="126"):
        host.run(["echo", word])


def test_output_that_is_no_text_is_shown_as_far_as_it_goes(host: LocalHost) -> None:
    assert host.ask(["printf", r"a\377\376b\303\274"]).out == "a\ufffd\ufffdbü"


WORDS = ["-n", "--", "-e", "$(id)", "`id`", "*", "~", ";id", "a b", "", "'", "%s", "\n", "ü☃"]


@pytest.mark.parametrize("word", WORDS)
def test_words_arrive_as_they_are(host: LocalHost, word: str) -> None:
    assert host.ask(["printf", "<%s>", word]).out == f"<{word}>"


def test_a_child_has_no_terminal_and_no_pager(host: LocalHost) -> None:
    done = host.ask(["sh", "-c", "tty; (: >/dev/tty) 2>&1; test -t 1 || echo plain; echo $PAGER"])
    assert "not a tty" in done.out
    assert "/dev/tty" in done.out
    assert done.out.splitlines()[-2:] == ["plain", "cat"]


def test_standard_input_arrives_and_is_closed(host: LocalHost) -> None:
    assert host.ask(["cat"], stdin="größe\n" * 50_000).out == "größe\n" * 50_000
    assert host.ask(["cat"]).out == ""


def test_very_much_output_is_kept_at_both_ends(host: LocalHost) -> None:
    script = "printf begin; head -c 50000000 /dev/zero | tr '\\0' x; printf end"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = host.ask(["sh", "-c", script]).out
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert out.startswith("beginxxx")
    assert out.endswith("xxxend")
    assert f"({50_000_008 - 2 * HALF} bytes left out)" in out
    assert len(out) < 2 * HALF + 100
    assert grown < 100_000


def test_output_below_the_limit_is_whole(host: LocalHost) -> None:
    out = host.ask(["sh", "-c", f"head -c {2 * HALF} /dev/zero"]).out
    assert len(out) == 2 * HALF


def test_a_killed_command_is_a_failure(host: LocalHost) -> None:
    done = host.ask(["sh", "-c", "kill -9 $$"])
    assert done.code == -signal.SIGKILL
    assert not done.ok


def test_a_failure_shows_the_last_lines_inert(host: LocalHost) -> None:
    script = "for i in $(seq 60); do echo $i; done; printf '\\033]0;x\\007\\n' >&2; exit 3"
    with pytest.raises(CommandFailed) as caught:
        host.run(["sh", "-c", script])
    assert caught.value.code == 3
    assert caught.value.tail[-2:] == ("60", "^[]0;x^G")
    assert len(caught.value.tail) == 25
    host.run(["sh", "-c", "exit 3"], ok=(0, 3))


def test_no_log_of_a_caller_sees_the_arguments(
    host: LocalHost, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        host.ask(["echo", "canary"])
    logging.getLogger("sh").setLevel(logging.WARNING)
    assert "canary" not in caplog.text


def test_an_unfinished_command_does_not_hold_up_the_end_of_the_program(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    program = (
        "import os, threading\n"
        "from mailwizard.host import LocalHost\n"
        "from mailwizard.platform.debian import TRIXIE\n"
        "from support.clocks import until\n"
        "host = LocalHost(TRIXIE, '/nonexistent')\n"
        f"unfinished = ['sh', '-c', 'echo $$ >{begun}-; mv {begun}- {begun}; exec sleep 600']\n"
        "ask = lambda: host.ask(unfinished, timeout=600)\n"
        "threading.Thread(target=ask, daemon=True).start()\n"
        f"until(lambda: os.path.exists('{begun}'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=HUNG)
        assert alive(int(begun.read_text()))
    finally:
        os.kill(int(begun.read_text()), signal.SIGKILL)


def test_a_detached_log_is_read_to_its_last_line_and_in_blocks(tmp_path: Path) -> None:
    log = tmp_path / "unit.log"
    log.write_bytes(b"old\n")
    unit = TransientUnit("unit", str(log), None)
    unit._offset = 4
    with log.open("ab") as file:
        file.write(b"one\n\x1b[2Jtwo\nunfin")
    assert list(unit._fresh(complete=False)) == ["one", "^[[2Jtwo"]
    assert list(unit._fresh(complete=False)) == []
    with log.open("ab") as file:
        file.write(b"ished\nlast")
    assert list(unit._fresh(complete=True)) == ["unfinished", "last"]
    with log.open("ab") as file:
        file.write(b"x" * 10_000_000)
    blocks = list(unit._fresh(complete=False))
    assert len(blocks) > 100
    assert max(map(len, blocks)) < 3000


def test_what_the_starter_of_a_unit_says_itself_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "unit.log"
    log.touch()
    said = "Failed to start transient service unit: it was already loaded"
    starter = process.start_watched(["sh", "-c", f"echo '{said}' >&2; exit 1"])
    unit = TransientUnit("unit", str(log), starter)
    assert (list(unit.lines()), unit.code) == ([said], 1)
