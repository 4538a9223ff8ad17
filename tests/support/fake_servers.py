"""Servers on loopback that say exactly what a test scripts, and remember what they heard."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Self

from support.clocks import HUNG

Script = Callable[[socket.socket], None]


class FakeServer:
    """Accepts any number of connections and runs the script in each."""

    def __init__(self, script: Script, address: str = "127.0.0.1", port: int = 0) -> None:
        self._script = script
        self._listener = socket.create_server((address, port), backlog=64)
        self._open: list[socket.socket] = []
        self._closing = False
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # close alone leaves accept waiting
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._script(connection)
        with contextlib.suppress(OSError):
            connection.close()


def silent(connection: socket.socket) -> None:
    """Accepts and says nothing; hangs up on whoever waits for ever."""
    connection.settimeout(HUNG)
    connection.recv(1)


def reset(connection: socket.socket) -> None:
    """Breaks off with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def drip(connection: socket.socket) -> None:
    """Sends one byte of a line that never ends, again and again; hangs up as `silent` does."""
    for _ in range(int(HUNG / 0.05)):
        connection.sendall(b"2")
        time.sleep(0.05)


def endless_banner(connection: socket.socket) -> None:
    """Sends banner lines without end, as tarpits do."""
    while True:
        connection.sendall(b"220-wait a little longer\r\n" * 50)


def endless_line(connection: socket.socket) -> None:
    """Sends one line without end."""
    while True:
        connection.sendall(b"2" * 4096)


class FakeSmtp(FakeServer):
    """A mail server with a reply for each verb; `recipient` decides on each (recipient, sender)."""

    def __init__(
        self,
        *,
        banner: bytes = b"220 mail.example.test ESMTP",
        ehlo: bytes = b"250-mail.example.test\r\n250-SIZE 1000\r\n250 8BITMIME",
        replies: dict[str, bytes] | None = None,
        recipient: Callable[[str, str], bytes] = lambda *_: b"554 5.7.1 Relay access denied",
        endings: tuple[bytes, ...] = (b"\r\n.\r\n",),
        hasty: bool = True,
        vrfy: Callable[[str], bytes] | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(self._talk, address, port)
        self.banner, self.ehlo, self.recipient = banner, ehlo, recipient
        self.replies = {
            "EHLO": ehlo,
            "MAIL": b"250 2.1.0 Ok",
            "RSET": b"250 2.0.0 Ok",
            "DATA": b"354 End data with <CR><LF>.<CR><LF>",
            "QUIT": b"221 2.0.0 Bye",
            **(replies or {}),
        }
        self.endings, self.hasty, self.vrfy = endings, hasty, vrfy
        self.heard: list[str] = []
        self.messages: list[bytes] = []

    def _talk(self, connection: socket.socket) -> None:
        connection.sendall(self.banner + b"\r\n")
        buffer, sender = b"", ""
        while True:
            while b"\n" not in buffer:
                if not (data := connection.recv(4096)):
                    return
                buffer += data
            line, _, buffer = buffer.partition(b"\n")
            if buffer and not self.hasty:
                connection.sendall(b"554 5.5.0 Error: SMTP protocol synchronization\r\n")
                return
            text = line.strip().decode("latin-1")
            self.heard.append(text)
            verb = text[:4].upper()
            sender = text[11:-1] if verb == "MAIL" else sender
            reply = self.replies.get(verb)
            if verb == "RCPT":
                reply = self.recipient(text[9:-1], sender)
            if verb == "VRFY" and self.vrfy:
                reply = self.vrfy(text[5:])
            connection.sendall((reply or b"502 5.5.2 Error: command not recognized") + b"\r\n")
            if verb == "DATA" and (reply or b"").startswith(b"354"):
                buffer = self._data(connection, buffer)
                connection.sendall(b"250 2.0.0 Ok: queued as 4F8A\r\n")
            if verb == "QUIT":
                return

    def _data(self, connection: socket.socket, buffer: bytes) -> bytes:
        while True:
            for ending in self.endings:
                if ending in buffer:
                    message, _, rest = buffer.partition(ending)
                    self.messages.append(message)
                    return rest
            if not (data := connection.recv(4096)):
                raise OSError("hung up in the middle")
            buffer += data
