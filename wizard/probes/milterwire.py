"""A message put before a milter in its own words, as Postfix does, without any mail being sent."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from mailwizard import sanitise
from mailwizard.probes.connect import connect, plain_socket
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble, from_os_error

# Sendmail's mfdef.h: version 6, every action, every step
_OFFER = struct.pack("!III", 6, 0x1FF, 0x1FFFFF)
_LARGEST = 65536
# a stranger's address, on no network but this host's own (RFC 2544)
CLIENT = "198.18.255.254"
# each command, and the flags by which a milter wants it not at all, or does not answer it
_UNWANTED = {"C": 0x1, "H": 0x2, "M": 0x4, "R": 0x8, "B": 0x10, "L": 0x20, "N": 0x40, "T": 0x200}
_SILENT = {
    "L": 0x80,
    "C": 0x1000,
    "H": 0x2000,
    "M": 0x4000,
    "R": 0x8000,
    "T": 0x10000,
    "N": 0x40000,
    "B": 0x80000,
}
# SMFIR_*: what ends the matter, and what goes on
_REFUSALS = {b"r": "550 5.7.1 refused", b"t": "451 4.7.1 put off", b"d": "discarded"}
_GOES_ON = (b"c", b"a", b"s")


@dataclass(frozen=True, slots=True)
class Put:
    """A message as it comes to a milter: who brings it, its sender, its head, its body."""

    head: Sequence[tuple[str, str]]
    sender: str = ""
    client: str = CLIENT
    recipient: str = "postmaster"
    body: bytes = b"mailwizard asks, and sends nothing.\r\n"


@dataclass(slots=True)
class Judged:
    """What a milter made of a message: how it refuses it, if it does, and what it adds."""

    refusal: str = ""
    added: list[tuple[str, str]] = field(default_factory=list)


def judged(port: int, put: Put, clock: Deadline) -> Judged:
    """The verdict of the milter on that port; raises CannotAsk."""
    doing = f"asking the milter on port {port}"
    with connect("127.0.0.1", port, clock, plain_socket) as sock:
        try:
            return _Talk(sock, clock, doing).of(put)
        except OSError as error:
            raise from_os_error(error, doing) from error


@dataclass(slots=True)
class _Talk:
    sock: socket.socket
    clock: Deadline
    doing: str
    flags: int = 0
    found: Judged = field(default_factory=Judged)

    def of(self, put: Put) -> Judged:
        self._send("O", _OFFER)
        kind, said = self._reply()
        if kind != b"O" or len(said) < 12:
            raise CannotAsk(Trouble.GARBLED, f"{self.doing}: that is no milter")
        (self.flags,) = struct.unpack("!I", said[8:12])
        for command, data in _steps(put):
            if not self._goes_on(command, data):
                break
        self._send("Q", b"")
        return self.found

    def _goes_on(self, command: str, data: bytes) -> bool:
        """Say one thing; whether there is more to be said."""
        if self.flags & _UNWANTED.get(command, 0):
            return True
        self._send(command, data)
        if command == "D" or self.flags & _SILENT.get(command, 0):
            return True
        while True:
            kind, said = self._reply()
            if kind in _GOES_ON:
                # accepted before the end: what comes after is not looked at
                return kind != b"a"
            if kind == b"y":
                self.found.refusal = _text(said)
                return False
            if kind in _REFUSALS:
                self.found.refusal = _REFUSALS[kind]
                return False
            self._note(kind, said)

    def _note(self, kind: bytes, said: bytes) -> None:
        """A line that the milter adds; what else it changes does not matter here."""
        if kind in (b"h", b"i"):
            name, _, value = said[4 if kind == b"i" else 0 :].partition(b"\0")
            self.found.added.append((_text(name), _text(value)))

    def _send(self, command: str, data: bytes) -> None:
        self.sock.settimeout(self.clock.left(self.doing))
        self.sock.sendall(struct.pack("!I", len(data) + 1) + command.encode() + data)

    def _reply(self) -> tuple[bytes, bytes]:
        (length,) = struct.unpack("!I", self._exactly(4))
        if not 0 < length <= _LARGEST:
            raise CannotAsk(Trouble.GARBLED, f"{self.doing}: that is no milter")
        said = self._exactly(length)
        return said[:1], said[1:]

    def _exactly(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            self.sock.settimeout(self.clock.left(self.doing))
            part = self.sock.recv(count - len(got))
            if not part:
                raise CannotAsk(Trouble.CLOSED, f"{self.doing}: closed without an answer")
            got += part
        return got


def _steps(put: Put) -> list[tuple[str, bytes]]:
    """What Postfix says of a message, in its order."""
    connection = b"4" + struct.pack("!H", 49152)
    return [
        ("D", b"Cj\0mailwizard\0"),
        ("C", b"stranger.invalid\0" + connection + put.client.encode() + b"\0"),
        ("H", b"stranger.invalid\0"),
        ("D", b"Mi\0mailwizard\0"),
        ("M", f"<{put.sender}>".encode() + b"\0"),
        ("R", f"<{put.recipient}>".encode() + b"\0"),
        ("T", b""),
        *(("L", f"{name}\0{value}\0".encode()) for name, value in put.head),
        ("N", b""),
        ("B", put.body),
        ("D", b"Ei\0mailwizard\0"),
        ("E", b""),
    ]


def _text(said: bytes) -> str:
    text = said.removesuffix(b"\0").decode("utf-8", "replace")
    return sanitise.clean(text.replace("\r", "").replace("\n", " "), width=600, limit=1)
