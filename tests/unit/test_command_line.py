"""What the command line says and asks, and what it does with its streams and signals."""

from __future__ import annotations

import argparse
import builtins
import os
import pty
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from support.toys import ToyHost

from mailwizard import commands, consent, platform
from mailwizard.commands import _switched_on
from mailwizard.errors import BadUsage, HostRefused, WizardError
from mailwizard.export.saving import save
from mailwizard.host import LocalLook
from mailwizard.platform import KNOWN

ROOT = Path(__file__).resolve().parents[2]
ENV = {**os.environ, "PYTHONPATH": str(ROOT / ".package")}
STREAMS = "from mailwizard.cli import main; main(['answers']); print('naïve •')"


@pytest.mark.parametrize(("typed", "yes"), [("y", True), ("Yes ", True), ("", False), ("n", False)])
def test_a_question_is_asked_on_standard_error(
    typed: str, yes: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(builtins, "input", lambda: typed)
    assert consent.given("Go on?") is yes
    assert capsys.readouterr() == ("", "Go on? [y/N] ")


def test_the_end_of_input_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended() -> str:
        raise EOFError

    monkeypatch.setattr(builtins, "input", ended)
    with pytest.raises(BadUsage, match="not confirmed; nothing was changed"):
        consent.confirm("Go on?")


NOBODY = argparse.Namespace(unproven=False, yes=False)
DEBIAN, UBUNTU, LEAP = (
    next(each for each in KNOWN if each.name.startswith(name))
    for name in ("Debian", "Ubuntu", "openSUSE")
)


@pytest.mark.parametrize(
    ("system", "unproven", "given", "news"),
    [
        (DEBIAN, False, False, False),
        (DEBIAN, True, False, False),
        (UBUNTU, True, False, True),
        (UBUNTU, False, True, False),
        (LEAP, True, False, False),
    ],
)
def test_which_systems_are_gone_on_with_unasked(
    system: platform.Distribution, unproven: bool, given: bool, news: bool
) -> None:
    options = argparse.Namespace(unproven=unproven, yes=True)
    assert consent.for_system(system, options, lambda: given) is news


def test_a_system_that_is_expected_to_work_wants_a_yes_and_one_known_by_name_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for there, yes in ((False, False), (True, True)):
        monkeypatch.setattr(sys.stdin, "isatty", partial(bool, there), raising=False)
        with pytest.raises(HostRefused, match="expected to work, but no test") as refused:
            consent.for_system(UBUNTU, argparse.Namespace(unproven=False, yes=yes), lambda: False)
        assert refused.value.exit_code == 3
        assert "`expected = true` below [system]" in refused.value.hint
    monkeypatch.setattr(builtins, "input", lambda: "y")
    assert consent.for_system(UBUNTU, NOBODY, lambda: False)
    assert "Every change\nis still shown before it is made" in capsys.readouterr().err
    monkeypatch.setattr(builtins, "input", lambda: "")
    with pytest.raises(BadUsage, match="not confirmed"):
        consent.for_system(UBUNTU, NOBODY, lambda: False)
    for given in (False, True):
        with pytest.raises(HostRefused, match="data only: nobody has tried it") as refused:
            consent.for_system(LEAP, NOBODY, partial(bool, given))
        assert "Expected to work: Ubuntu 26.04, Ubuntu 24.04." in refused.value.hint


def test_a_step_that_is_left_out_is_named() -> None:
    assert _switched_on(["postfix"], ["hostname", "postfix"]) == ["postfix"]
    with pytest.raises(BadUsage, match="the step 'relay' is left out") as refused:
        _switched_on(["postfix", "relay"], ["hostname", "postfix"])
    assert "[relay]" in refused.value.hint


def test_what_is_exported_is_private_and_replaces_only_files(tmp_path: Path) -> None:
    everybodys = tmp_path / "everybody"
    everybodys.mkdir()
    everybodys.chmod(0o777)
    place = everybodys / "setup.sh"
    place.write_text("earlier")
    place.chmod(0o644)
    save(str(place), "#!/bin/sh\n")
    assert (place.read_text(), place.stat().st_mode & 0o777) == ("#!/bin/sh\n", 0o600)
    assert list(everybodys.iterdir()) == [place]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    save(str(pipe), "said")
    assert os.read(reader, 10) == b"said"
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("name", "why"), [("", "is a directory"), ("no/x", "no such file"), ("f/x", "not a directory")]
)
def test_where_an_export_cannot_go_is_said(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(BadUsage, match=f"cannot be written: {why}"):
        save(str(tmp_path / name), "text")


@pytest.mark.parametrize(
    ("error", "raised", "reports"),
    [(BrokenPipeError(32, "Broken pipe"), BrokenPipeError, 0), (ValueError(), WizardError, 1)],
)
def test_a_reader_that_goes_is_no_fault_of_ours(
    error: Exception,
    raised: type[Exception],
    reports: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = ToyHost(tmp_path)
    monkeypatch.setattr(commands, "_host_to_change", lambda _: host)
    monkeypatch.setattr(platform, "machine_id", lambda: "machine")
    with pytest.raises(raised), commands._changing(argparse.Namespace(accepted=False)):
        raise error
    assert len(list(Path(host.state_dir).glob("crash-*"))) == reports


@pytest.mark.parametrize(
    ("look", "call"), [("read", "open"), ("state", "lstat"), ("list", "listdir")]
)
def test_what_only_root_may_see_is_said(
    look: str, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", "/etc/postfix/sasl_passwd")

    if call == "open":
        monkeypatch.setattr(Path, "read_bytes", refuse)
    else:
        monkeypatch.setattr(os, call, refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostRefused, match="sasl_passwd can be read by root alone") as refused:
        getattr(LocalLook(KNOWN[0]), look)("/etc/postfix/sasl_passwd")
    assert "sudo" in refused.value.hint
    # to root that would be no help
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(PermissionError):
        getattr(LocalLook(KNOWN[0]), look)("/etc/postfix/sasl_passwd")


def test_a_file_is_utf_8_whatever_the_locale_says() -> None:
    env = {**ENV, "PYTHONIOENCODING": "iso-8859-1"}
    done = subprocess.run([sys.executable, "-c", STREAMS], env=env, capture_output=True, check=True)
    assert done.stdout.decode("utf-8").endswith("naïve •\n")


def test_a_terminal_shows_what_it_can() -> None:
    master, slave = pty.openpty()
    env = {**ENV, "PYTHONIOENCODING": "iso-8859-1"}
    command = [sys.executable, "-c", STREAMS]
    with subprocess.Popen(command, env=env, stdout=slave, stderr=slave) as running:
        os.close(slave)
        said = b""
        try:
            while chunk := os.read(master, 4096):
                said += chunk
        except OSError:
            pass  # the other end is closed
        assert running.wait() == 0
    os.close(master)
    assert said.decode("iso-8859-1").endswith("naïve ?\r\n")


@pytest.mark.parametrize(
    ("before", "after"), [(signal.SIG_IGN, "ignored"), (signal.SIG_DFL, "handled")]
)
def test_nohup_means_it(before: signal.Handlers, after: str) -> None:
    code = (
        "import signal; from mailwizard.cli import main; main(['--state', '/x', 'answers']); "
        "now = signal.getsignal(signal.SIGHUP); "
        "print('ignored' if now is signal.SIG_IGN else 'handled' if callable(now) else now)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=ENV,
        capture_output=True,
        text=True,
        check=True,
        # these tests may have been started by nohup(1) themselves
        preexec_fn=lambda: signal.signal(signal.SIGHUP, before),
    )
    assert done.stdout.splitlines()[-1] == after
