"""The next server on the way, played by the stranger: a message is seen as it leaves this host.

He says nothing of 8BITMIME (RFC 6152) or of TLS, as the plainest server of the world: what Postfix
changes for him it changes before the message is looked at. Only what is addressed to him by his
address (RFC 5321 4.1.3) comes; no setting of this host is touched for it.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.vantage import Seat

NAME = "mx.stranger.invalid"
LARGEST = 400_000
_PATIENCE = 20.0


@dataclass(slots=True)
class NextHop:
    """A server that takes messages with a mark, and keeps them until they are asked for."""

    address: str
    server: socket.socket
    users: int = 0
    kept: dict[str, bytes] = field(default_factory=dict)
    come: threading.Condition = field(default_factory=threading.Condition)

    def recipient(self, mark: str) -> str:
        """Where a message with that mark is to be sent."""
        return f"{mark}@[{self.address}]"

    def take(self, mark: str, wait: float) -> bytes:
        """The message that was brought for that mark, as on the wire; empty without one."""
        with self.come:
            self.come.wait_for(lambda: mark in self.kept, wait)
            return self.kept.pop(mark, b"")

    def serve(self) -> None:
        """Answer whoever comes, until the socket is closed."""
        while True:
            try:
                talk, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(talk,), daemon=True).start()

    def _answer(self, talk: socket.socket) -> None:
        talk.settimeout(_PATIENCE)
        with talk, suppress(OSError), talk.makefile("rwb") as wire:
            end, marks = time.monotonic() + _PATIENCE, set[str]()
            say = f"220 {NAME} ESMTP"
            while time.monotonic() < end:
                wire.write(f"{say}\r\n".encode())
                wire.flush()
                line = wire.readline(2000).decode("utf-8", "replace").strip()
                if not line or line.upper() == "QUIT":
                    wire.write(b"221 2.0.0 Bye\r\n")
                    return
                if line.upper() == "DATA" and marks:
                    wire.write(b"354 go on\r\n")
                    wire.flush()
                    message = _message(wire.readline)
                    with self.come:
                        self.kept |= dict.fromkeys(marks, message)
                        self.come.notify_all()
                    say, marks = "250 2.0.0 kept", set()
                else:
                    say = self._reply(line, marks)

    def _reply(self, line: str, marks: set[str]) -> str:
        verb = line.split(" ", maxsplit=1)[0].split(":", maxsplit=1)[0].upper()
        if verb == "RCPT":
            found = re.fullmatch(r"(?i)rcpt to:<([^@>]+)@\[([0-9.]+)\]>.*", line)
            if not found or found[2] != self.address:
                return "550 5.1.1 nobody of that name"
            marks.add(found[1])
        if verb in ("EHLO", "HELO"):
            return f"250 {NAME}"
        known = verb in ("MAIL", "RCPT", "RSET", "NOOP")
        return "250 2.0.0 well" if known else "502 5.5.1 not here"


def _message(read: Callable[[int], bytes]) -> bytes:
    """What comes after DATA, without its stuffing (RFC 5321 4.5.2)."""
    lines: list[bytes] = []
    size = 0
    while size < LARGEST:
        line = read(LARGEST)
        if line in (b".\r\n", b""):
            break
        size += len(line)
        lines.append(line[1:] if line.startswith(b".") else line)
    return b"".join(lines)


_lock = threading.Lock()
_open: dict[str, NextHop] = {}


@contextmanager
def next_hop(place: Seat, port: int = 25) -> Iterator[NextHop]:
    """The stranger's server, one for all who use it at the same time; raises CannotAsk."""
    hop = _enter(place, port)
    try:
        yield hop
    finally:
        with _lock:
            hop.users -= 1
            if hop.users == 0:
                del _open[hop.address]
                # close(2) alone does not wake who waits in accept(2)
                with suppress(OSError):
                    hop.server.shutdown(socket.SHUT_RDWR)
                hop.server.close()


def _enter(place: Seat, port: int) -> NextHop:
    if not place.own:
        raise CannotAsk(Trouble.NO_VANTAGE, "nobody outside could take the message")
    with _lock:
        hop = _open.get(place.own)
        if hop is None:
            server = place.make(socket.AF_INET)
            try:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind((place.own, port))
                server.listen()
            except OSError as error:
                server.close()
                why = f"{place.own}:{port}: {error.strerror or error}"
                raise CannotAsk(Trouble.NO_VANTAGE, f"nobody can listen on {why}") from error
            hop = _open[place.own] = NextHop(place.own, server)
            threading.Thread(target=hop.serve, daemon=True).start()
        hop.users += 1
        return hop
