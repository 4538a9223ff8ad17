"""Milters and the scanner, asked in their own words, and fakes that say something else."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.fake_servers import FakeServer, reset, silent
from support.recorded import RecordedHost, Written

from mailwizard import probes
from mailwizard.model import Outcome
from mailwizard.probes.deadline import CannotAsk, Deadline
from mailwizard.probes.filtering import _aged
from mailwizard.probes.milter import clamd, negotiated

Script = Callable[[socket.socket], None]


def milter(connection: socket.socket) -> None:
    """Agree to version 6, as libmilter does."""
    heard = connection.recv(4096)
    assert heard[4:5] == b"O"
    assert struct.unpack("!I", heard[:4])[0] == len(heard) - 4
    connection.sendall(struct.pack("!I", 13) + b"O" + struct.pack("!III", 6, 0x1FF, 0))


def greeter(connection: socket.socket) -> None:
    """Something else is on the port."""
    connection.sendall(b"220 mail.example.test ESMTP\r\n")
    connection.recv(4096)


def test_a_milter_that_agrees_passes() -> None:
    with FakeServer(milter) as server:
        assert negotiated(server.port, Deadline(5)) == 6
        result = probes.MilterAnswers(server.port, "opendkim").ask(RecordedHost())
    assert result.outcome is Outcome.PASS


@pytest.mark.parametrize("script", [greeter, reset])
def test_what_is_no_milter_fails(script: Script) -> None:
    with FakeServer(script) as server:
        result = probes.MilterAnswers(server.port, "opendkim").ask(RecordedHost())
    assert result.outcome is Outcome.FAIL
    assert "systemctl restart opendkim" in result.fix
    with pytest.raises(CannotAsk):
        negotiated(server.port, Deadline(1))


def test_a_milter_that_says_nothing_is_waited_for_only_so_long() -> None:
    with FakeServer(silent) as server, pytest.raises(CannotAsk):
        negotiated(server.port, Deadline(0.3))


def answering(folder: Path, said: bytes) -> str:
    """A scanner's socket that answers once (a fake)."""
    path = str(folder / "clamd.ctl")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def answer() -> None:
        connection, _ = listener.accept()
        connection.recv(100)
        if said:
            connection.sendall(said)
        connection.close()
        listener.close()

    threading.Thread(target=answer, daemon=True).start()
    return path


def test_only_an_answer_counts(tmp_path: Path) -> None:
    assert clamd(answering(tmp_path, b"PONG\0"), b"zPING\0", Deadline(2)) == "PONG"
    (tmp_path / "clamd.ctl").unlink()
    with pytest.raises(CannotAsk):
        clamd(answering(tmp_path, b""), b"zPING\0", Deadline(2))
    with pytest.raises(CannotAsk):
        clamd(str(tmp_path / "nobody"), b"zPING\0", Deadline(2))


def test_definitions_that_are_missing_or_unused_are_told(tmp_path: Path) -> None:
    socket_path = str(tmp_path / "nobody")
    host = RecordedHost(folders={"/var/lib/clamav"})
    asked = probes.VirusDefinitions("/var/lib/clamav", socket_path)
    missing = asked.ask(host)
    assert (missing.outcome, "no virus definitions" in missing.said) == (Outcome.WARN, True)
    host.files["/var/lib/clamav/daily.cvd"] = Written(b"x")
    down = asked.ask(host)
    assert (down.outcome, "does not answer" in down.said) == (Outcome.FAIL, True)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("ClamAV 1.4.3/27500/Fri Nov 20 08:30:12 2099", Outcome.PASS),
        ("ClamAV 1.4.3/26000/Fri Nov 20 08:30:12 2020", Outcome.WARN),
        ("ClamAV 1.4.3", Outcome.WARN),
        ("ClamAV 1.4.3/27500/yesterday", Outcome.WARN),
    ],
)
def test_old_definitions_are_told(said: str, outcome: Outcome) -> None:
    result = _aged(said, 7, "fresh")
    assert result.outcome is outcome, result


def test_a_filter_that_greets_passes_and_one_that_does_not_fails() -> None:
    with FakeServer(greeter) as server:
        good = probes.FilterAnswers((server.port,)).ask(RecordedHost())
    assert good.outcome is Outcome.PASS
    bad = probes.FilterAnswers((server.port,)).ask(RecordedHost())
    assert (bad.outcome, "nobody greets" in bad.said) == (Outcome.FAIL, True)

    def busy(connection: socket.socket) -> None:
        connection.sendall(b"421 4.3.2 too many\r\n")
        connection.recv(100)

    with FakeServer(busy) as server:
        later = probes.FilterAnswers((server.port,)).ask(RecordedHost())
    assert later.outcome is Outcome.UNKNOWN


def test_a_filter_that_has_no_time_is_not_called_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes.FilterAnswers, "deadline", 1.5)
    with FakeServer(silent) as server:
        result = probes.FilterAnswers((server.port,)).ask(RecordedHost())
    assert (result.outcome, "does not greet" in result.said) == (Outcome.WARN, True), result
