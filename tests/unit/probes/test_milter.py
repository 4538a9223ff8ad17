"""Milters and the scanner, asked in their own words, and fakes that say something else."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.clocks import HUNG
from support.fake_servers import FakeServer, reset, silent
from support.recorded import RecordedHost, Written

from mailwizard import probes
from mailwizard.model import Completed, Outcome
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
        assert negotiated(server.port, Deadline(HUNG)) == 6
        result = probes.MilterAnswers(server.port, "opendkim").ask(RecordedHost())
    assert result.outcome is Outcome.PASS


@pytest.mark.parametrize("script", [greeter, reset])
def test_what_is_no_milter_fails(script: Script) -> None:
    with FakeServer(script) as server:
        result = probes.MilterAnswers(server.port, "opendkim").ask(RecordedHost())
    assert result.outcome is Outcome.FAIL
    assert "systemctl restart opendkim" in result.fix
    with pytest.raises(CannotAsk):
        negotiated(server.port, Deadline(HUNG))


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
    assert clamd(answering(tmp_path, b"PONG\0"), b"zPING\0", Deadline(HUNG)) == "PONG"
    (tmp_path / "clamd.ctl").unlink()
    with pytest.raises(CannotAsk):
        clamd(answering(tmp_path, b""), b"zPING\0", Deadline(HUNG))
    with pytest.raises(CannotAsk):
        clamd(str(tmp_path / "nobody"), b"zPING\0", Deadline(HUNG))


DATABASE = "/var/lib/clamav"
SHOW = (
    "systemctl show -p ActiveState,ConditionResult,ConditionTimestampMonotonic "
    "clamav-daemon.service"
)


def knowing(*names: str, unit: str = "active yes 7") -> RecordedHost:
    """A host with these definitions, and what systemd says of the scanner."""
    active, held, when = unit.split()
    shown = f"ActiveState={active}\nConditionResult={held}\nConditionTimestampMonotonic={when}\n"
    host = RecordedHost(folders={DATABASE}, answers={SHOW: Completed((), 0, shown)})
    host.files = {f"{DATABASE}/{name}": Written(b"x") for name in names}
    return host


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "no virus definitions"),
        (("bytecode.cvd", "local.ndb"), "no virus definitions"),
        (("daily.cvd", "main.cvd.part"), "not complete, main is missing"),
        (("main.cld", "main-1.cvd.sign"), "not complete, daily is missing"),
    ],
)
def test_definitions_that_are_missing_are_told(
    tmp_path: Path, names: tuple[str, ...], said: str
) -> None:
    result = probes.VirusDefinitions(DATABASE, str(tmp_path / "nobody")).ask(knowing(*names))
    assert (result.outcome, said in result.said) == (Outcome.WARN, True), result


@pytest.mark.parametrize(
    ("unit", "outcome", "said"),
    [
        ("active yes 7", Outcome.FAIL, "does not answer"),
        ("inactive yes 7", Outcome.FAIL, "does not answer"),
        ("inactive no 0", Outcome.FAIL, "does not answer"),
        ("activating yes 7", Outcome.WARN, "is starting"),
        # the last of them came just now
        ("inactive no 7", Outcome.WARN, "is starting"),
    ],
)
def test_a_scanner_that_starts_is_no_fault(
    tmp_path: Path, unit: str, outcome: Outcome, said: str
) -> None:
    host = knowing("daily.cvd", "main.inc", unit=unit)
    result = probes.VirusDefinitions(DATABASE, str(tmp_path / "nobody")).ask(host)
    assert (result.outcome, said in result.said) == (outcome, True), result


def test_a_scanner_that_reads_its_definitions_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes.VirusDefinitions, "deadline", 1.3)
    path = str(tmp_path / "clamd.ctl")
    with socket.socket(socket.AF_UNIX) as held:
        # as systemd does until clamd takes it over
        held.bind(path)
        held.listen()
        result = probes.VirusDefinitions(DATABASE, path).ask(knowing("daily.cvd", "main.cvd"))
    assert (result.outcome, "is starting" in result.said) == (Outcome.WARN, True), result


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
