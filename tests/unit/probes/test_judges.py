"""DMARC's judge asked about each proof and about odd authors: right ones, wrong ones, silent ones.

The milters are fakes, which judge as wrongly as no real one can be made to do.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory

import pytest
from support.clocks import HUNG
from support.fake_servers import FakeServer, Script, reset
from support.recorded import RecordedHost

from mailwizard import probes
from mailwizard.model import Outcome, Result

NAME, DOMAIN = "mail.example.test", "example.test"
PASS, FAIL, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN


@dataclass
class Mail:
    """What a milter was told of a message."""

    sender: str = ""
    head: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.head if each == name]


SPF = f"Authentication-Results: {NAME}; spf=none (no record) smtp.mailfrom=stranger.invalid"
Answer = Callable[[Mail], list[bytes]]


def added(value: str) -> bytes:
    return b"i\0\0\0\1Authentication-Results\0" + value.encode() + b"\0"


def exactly(sock: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = sock.recv(count - len(got))
        if not part:
            raise ConnectionError
        got += part
    return got


def packets(sock: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """Each thing that Postfix would say, its kind and what stands in it, until it quits."""
    kind = b""
    while kind != b"Q":
        (length,) = struct.unpack("!I", exactly(sock, 4))
        packet = exactly(sock, length)
        kind = packet[:1]
        yield kind, packet[1:]


def milter(answer: Answer, flags: int = 0) -> Script:
    """A milter that answers at the end; with the flag 0x80 it says nothing to lines of the head."""

    def serve(sock: socket.socket) -> None:
        mail = Mail()
        for kind, data in packets(sock):
            said = {b"O": [b"O" + struct.pack("!III", 6, 0x1FF, flags)], b"D": [], b"Q": []}
            if kind == b"M":
                mail.sender = data.decode().strip("\0<>")
            elif kind == b"L":
                name, value = data.decode().split("\0")[:2]
                mail.head.append((name, value))
                said[kind] = [] if flags & 0x80 else [b"c"]
            elif kind == b"E":
                said[kind] = answer(mail)
            for one in said.get(kind, [b"c"]):
                sock.sendall(struct.pack("!I", len(one)) + one)

    return serve


def verifier(name: str = NAME) -> Answer:
    return lambda _: [added(f" {name}; dkim=none"), b"c"]


def dmarc(
    *, trusted: str = NAME, reject: bool = False, strict: bool = True, policy: bool = True
) -> Answer:
    """Judge as OpenDMARC does that trusts one name."""

    def judge(mail: Mail) -> list[bytes]:
        authors = [each for value in mail.all("From") for each in value.split(",")]
        proper = len(authors) == 1 and authors[0].partition("@")[0].strip("<").strip()
        if not (proper and authors[0].rpartition("@")[2].strip(">")):
            refused = reject and strict
            return [b"y550 5.7.1 RFC5322 header requirement error\0"] if refused else [b"a"]
        believed = [each for each in mail.all("Authentication-Results") if trusted in each]
        proved = f"dkim=pass header.d={DOMAIN}", f"spf=pass smtp.mailfrom={DOMAIN}"
        genuine = any(proof in each for each in believed for proof in proved)
        if not policy:
            return [added(f"{NAME}; dmarc=none"), b"c"]
        if reject and not genuine:
            return [b"y550 5.7.1 rejected by DMARC policy\0"]
        return [b"p", added(f"{NAME}; dmarc={'pass' if genuine else 'fail'}"), b"c"]

    return judge


def everything(_: Mail) -> list[bytes]:
    """Believe whatever comes."""
    return [added(f"{NAME}; dmarc=pass"), b"c"]


@contextmanager
def asked(verifies: Script, judges: Script, *, reject: bool, spf: str = SPF) -> Iterator[Result]:
    with TemporaryDirectory() as folder, FakeServer(verifies) as one, FakeServer(judges) as other:
        path = spf_service(folder, spf)
        probe = probes.ProofsCount(DOMAIN, NAME, one.port, other.port, path, reject=reject)
        yield probe.ask(RecordedHost())


def spf_service(folder: str, says: str) -> str:
    """A policy service that answers once (a fake)."""
    path = f"{folder}/policyd-spf"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def answer() -> None:
        with suppress(OSError), listener:
            listener.settimeout(HUNG)
            connection, _ = listener.accept()
            with connection:
                assert b"request=smtpd_access_policy\n" in connection.recv(4096)
                connection.sendall(f"action=prepend {says}\n\n".encode())

    threading.Thread(target=answer, daemon=True).start()
    return path


CASES: list[tuple[str, Answer, Answer, bool, Outcome, str]] = [
    ("right", verifier(), dmarc(), False, PASS, "not believed"),
    ("refusing", verifier(), dmarc(reject=True), True, PASS, "are refused"),
    ("another name", verifier("other"), dmarc(), False, FAIL, "DKIM alone proves, as other notes"),
    ("trusts another", verifier(), dmarc(trusted="other"), False, FAIL, "DKIM alone proves"),
    (
        "refuses what it does not believe",
        *(verifier(), dmarc(trusted="other", reject=True), True, FAIL, "is refused: 550 5.7.1 rej"),
    ),
    ("takes any author", verifier(), dmarc(reject=True, strict=False), True, FAIL, "is taken"),
    ("believes all", verifier(), everything, False, FAIL, "without an author counts as dmarc=pass"),
    ("no policy", verifier(), dmarc(policy=False), False, UNKNOWN, "has no policy"),
    ("notes nothing", lambda _: [b"c"], dmarc(), False, FAIL, "OpenDKIM notes no result"),
]


@pytest.mark.parametrize(
    ("verifies", "judges", "reject", "outcome", "said"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_verdicts(
    verifies: Answer, judges: Answer, reject: bool, outcome: Outcome, said: str
) -> None:
    # a milter may want no answer to each line of the head
    with asked(milter(verifies), milter(judges, 0x80), reject=reject) as result:
        assert (result.outcome, said in result.said) == (outcome, True), result
        assert result.transcript
        if outcome is not PASS:
            assert result.fix


@pytest.mark.parametrize("broken", [reset, lambda sock: sock.sendall(b"220 mail ESMTP\r\n" * 9)])
def test_what_cannot_be_asked_is_unknown(broken: Script) -> None:
    with asked(milter(verifier()), broken, reject=True) as result:
        assert result.outcome is UNKNOWN, result


def test_a_judge_that_puts_off_or_discards_does_not_believe() -> None:
    def saying(word: bytes) -> Answer:
        return lambda _: [word]

    for word in (b"t", b"d", b"r"):
        with asked(milter(verifier()), milter(saying(word)), reject=True) as result:
            assert result.outcome is FAIL, result
            assert "DKIM alone proves, as mail.example.test notes it, is refused" in result.said


def test_the_name_that_the_spf_service_writes_is_the_one_that_must_count() -> None:
    other = SPF.replace(NAME, "spf.example.test")
    with asked(milter(verifier()), milter(dmarc()), reject=False, spf=other) as result:
        assert result.outcome is FAIL, result
        assert "SPF alone proves, as spf.example.test notes it, counts as dmarc=fail" in result.said
    # one that writes another header leaves SPF to OpenDMARC
    with asked(
        milter(verifier()), milter(dmarc()), reject=False, spf="Received-SPF: none"
    ) as result:
        assert (result.outcome, "DKIM alone counts" in result.said) == (PASS, True), result
