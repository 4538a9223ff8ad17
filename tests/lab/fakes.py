"""Peers that misbehave by script: servers on the build machine that play given steps."""

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from lab.errors import LabError

Step = Callable[["Connection"], None]
NO_LINGER = struct.pack("ii", 1, 0)


@dataclass
class Connection:
    """One connection of a fake peer, and all that came in on it."""

    socket: socket.socket
    deadline: float
    heard: bytearray = field(default_factory=bytearray)
    pending: bytearray = field(default_factory=bytearray)

    def read(self) -> bool:
        """Take in what comes next; tell whether the other side is still there."""
        self.socket.settimeout(max(0.01, self.deadline - time.monotonic()))
        data = self.socket.recv(65536)
        self.heard += data
        self.pending += data
        return bool(data)

    def line(self) -> str | None:
        """Give the next line, or None when the other side closed before it was complete."""
        while b"\n" not in self.pending:
            if not self.read():
                return None
        line, _, rest = bytes(self.pending).partition(b"\n")
        self.pending[:] = rest
        return line.rstrip(b"\r").decode("utf-8", "replace")


def say(data: str | bytes) -> Step:
    """Send bytes as they are, or text with CR LF after it."""
    raw = data if isinstance(data, bytes) else f"{data}\r\n".encode()
    return lambda peer: peer.socket.sendall(raw)


def expect(pattern: str) -> Step:
    """Wait for a line that matches; any other line is passed over."""

    def step(peer: Connection) -> None:
        while (line := peer.line()) is not None:
            if re.search(pattern, line, re.IGNORECASE):
                return
        raise ConnectionError(f"closed before {pattern!r}")

    return step


def delay(seconds: float) -> Step:
    """Do nothing for a while."""
    return lambda _: time.sleep(seconds)


def drip(data: bytes, every: float) -> Step:
    """Send one byte after the other with a pause before each."""

    def step(peer: Connection) -> None:
        for byte in data:
            time.sleep(every)
            peer.socket.sendall(bytes([byte]))

    return step


def endless(data: bytes, limit: int = 1 << 30) -> Step:
    """Send the same bytes again and again until the other side has had enough."""

    def step(peer: Connection) -> None:
        chunk = data * max(1, 65536 // len(data))
        for _ in range(limit // len(chunk)):
            peer.socket.sendall(chunk)

    return step


def silence() -> Step:
    """Take in everything and say nothing until the other side closes."""

    def step(peer: Connection) -> None:
        while peer.read():
            pass

    return step


def half_close() -> Step:
    """Send nothing more, but go on listening."""
    return lambda peer: peer.socket.shutdown(socket.SHUT_WR)


def reset() -> Step:
    """Break the connection off with a TCP reset."""

    def step(peer: Connection) -> None:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        peer.socket.close()

    return step


def replies(answers: dict[str, str | bytes], otherwise: str = "502 5.5.2 what?") -> Step:
    """Answer line by line: the first word chooses, case aside; ends when the other side closes."""

    def step(peer: Connection) -> None:
        known = {verb.upper(): say(answer) for verb, answer in answers.items()}
        while (line := peer.line()) is not None:
            verb = line.split()[0].upper() if line.split() else ""
            known.get(verb, say(otherwise))(peer)

    return step


# What a terminal must never be sent: a title, a colour, a cleared screen, a bell, C1 controls.
ESCAPES = b"\x1b]0;owned\x07\x1b[31m\x1b[2J\x07\x9b31m\xc2\x9b31m\r\x08\xe2\x80\xae"


class FakePeer:
    """A server in a thread that plays the same steps on every connection."""

    def __init__(
        self, *steps: Step, address: str = "127.0.0.1", port: int = 0, timeout: float = 30
    ) -> None:
        self.steps: Sequence[Step] = steps
        self.timeout = timeout
        self.connections: list[Connection] = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family, backlog=64)
        self.address: str = address
        self.port: int = self._listener.getsockname()[1]
        self._closing = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def heard(self) -> list[str]:
        """Give what came in, one text for each connection."""
        return [bytes(peer.heard).decode("utf-8", "replace") for peer in self.connections]

    def _serve(self) -> None:
        while not self._closing:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            peer = Connection(connected, time.monotonic() + self.timeout)
            self.connections.append(peer)
            threading.Thread(target=self._play, args=[peer], daemon=True).start()

    def _play(self, peer: Connection) -> None:
        peer.socket.settimeout(self.timeout)
        with peer.socket, suppress(OSError):
            for step in self.steps:
                step(peer)

    def wait_for(self, pattern: str, timeout: float = 60) -> None:
        """Wait until something that matches has come in on any connection."""
        deadline = time.monotonic() + timeout
        while not any(re.search(pattern, text) for text in self.heard):
            if time.monotonic() > deadline:
                raise LabError(f"{pattern!r} did not come in; heard: {self.heard}")
            time.sleep(0.01)

    def close(self) -> None:
        """Take no more connections and break off those that are open."""
        self._closing = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self.connections:
            with suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def __enter__(self) -> "FakePeer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
