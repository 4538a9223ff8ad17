"""A line protocol spoken over a socket, every line of it kept as evidence and made safe to show."""

from __future__ import annotations

import shlex
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from mailwizard import sanitise
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble, from_os_error

# RFC 5321 4.5.3.1.5 allows 512 octets; real banners are longer, hostile ones have no end.
LONGEST_LINE = 4096
MOST_LINES = 128


class Transcript:
    """What was said, by whom, in order; several threads may write whole parts."""

    def __init__(self, most: int = 600) -> None:
        self._lines: list[str] = []
        self._most = most
        self._lock = threading.Lock()

    def add(self, mark: str, data: bytes | str) -> None:
        with self._lock:
            for line in sanitise.lines(data, width=500) or ("",):
                if len(self._lines) < self._most:
                    self._lines.append(f"{mark} {line}".rstrip())

    def note(self, text: str) -> None:
        self.add("#", text)

    def extend(self, other: Transcript) -> None:
        with self._lock:
            self._lines.extend(other.lines()[: self._most - len(self._lines)])

    def lines(self) -> tuple[str, ...]:
        return tuple(self._lines)


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply (RFC 5321 4.2): its code, and its lines without the code, safe to show."""

    code: int
    lines: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 300

    @property
    def text(self) -> str:
        return f"{self.code} {' / '.join(self.lines)}"

    @property
    def first(self) -> str:
        return self.lines[0] if self.lines else ""

    def keyword(self, name: str) -> str | None:
        """The arguments of an EHLO keyword, "" when it has none, None when it is not offered."""
        for line in self.lines[1:]:
            # "AUTH=PLAIN" is the broken clients' form that Postfix can offer as well.
            word, _, rest = line.replace("=", " ", 1).partition(" ")
            if word.upper() == name:
                return rest
        return None


class Dialogue:
    """One connection: sends lines, reads replies, within one deadline, into one transcript."""

    def __init__(self, sock: socket.socket, deadline: Deadline, transcript: Transcript) -> None:
        self._sock = sock
        self._deadline = deadline
        self._transcript = transcript
        self._buffer = b""
        self.verified = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def send(self, line: str) -> None:
        """Send one line, ended as the protocol ends lines."""
        self._transcript.add(">", line)
        self._send(line.encode("utf-8", "surrogateescape") + b"\r\n")

    def send_raw(self, data: bytes, shown: str = "") -> None:
        """Send exactly these octets; the transcript shows `shown`, else a Python-like form."""
        self._transcript.add(">", shown or repr(data)[2:-1])
        self._send(data)

    def _send(self, data: bytes) -> None:
        try:
            self._sock.settimeout(self._deadline.left("sending"))
            self._sock.sendall(data)
        except OSError as error:
            raise from_os_error(error, "sending") from error

    def read_line(self, deadline: Deadline | None = None) -> bytes:
        """One line without its end; raises CannotAsk on silence, closing, or a line without end."""
        clock = deadline or self._deadline
        while b"\n" not in self._buffer:
            if len(self._buffer) > LONGEST_LINE:
                self._transcript.add("<", self._buffer)
                raise CannotAsk(
                    Trouble.GARBLED, f"the server sent a line of more than {LONGEST_LINE} octets"
                )
            self._fill(clock)
        line, _, self._buffer = self._buffer.partition(b"\n")
        line = line.removesuffix(b"\r")
        self._transcript.add("<", line)
        return line

    def read_octets(self, count: int) -> bytes:
        """Exactly so many octets, which the transcript does not show."""
        while len(self._buffer) < count:
            self._fill(self._deadline)
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _fill(self, clock: Deadline) -> None:
        try:
            self._sock.settimeout(clock.left("waiting for an answer"))
            data = self._sock.recv(4096)
        except OSError as error:
            raise from_os_error(error, "waiting for an answer") from error
        if not data:
            if self._buffer:
                self._transcript.add("<", self._buffer)
            raise CannotAsk(Trouble.CLOSED, "the server closed the connection")
        # The whole conversation's budget counts, also where one part has its own clock.
        self._deadline.spend(len(data))
        self._buffer += data

    def reply(self, deadline: Deadline | None = None) -> Reply:
        """One SMTP reply of any number of lines; raises CannotAsk when it is not one."""
        said: list[str] = []
        while len(said) < MOST_LINES:
            line = self.read_line(deadline)
            code, mark = line[:3], line[3:4]
            if not code.isdigit() or mark not in (b" ", b"-", b""):
                raise CannotAsk(
                    Trouble.GARBLED,
                    f"this is not SMTP: {sanitise.clean(line, width=80, limit=1)}",
                )
            said.append(sanitise.clean(line[4:], limit=1))
            if mark != b"-":
                return Reply(int(code), tuple(said))
        raise CannotAsk(Trouble.TOO_MUCH, f"a reply of more than {MOST_LINES} lines, without end")

    def command(self, line: str) -> Reply:
        """Say a line and hear the reply."""
        self.send(line)
        return self.reply()

    def silent_for(self, seconds: float) -> Reply | None:
        """What is said without being asked within these seconds; None is silence."""
        try:
            return self.reply(self._deadline.within(seconds))
        except CannotAsk as trouble:
            if trouble.kind is Trouble.TIMED_OUT:
                return None
            raise

    @property
    def own_address(self) -> str:
        """The address that the server sees us come from."""
        return str(self._sock.getsockname()[0])

    def start_tls(
        self,
        context: ssl.SSLContext,
        name: str | None,
        prove: Callable[[ssl.SSLSocket], bool] | None = None,
    ) -> None:
        """Go on encrypted; what arrived in clear after the go-ahead is an error (CVE-2011-0411).

        Verified is what the context checks by name, or what `prove` is satisfied with.
        """
        if self._buffer:
            raise CannotAsk(Trouble.GARBLED, "the server talked between STARTTLS and TLS")
        try:
            self._sock.settimeout(self._deadline.left("TLS handshake"))
            sock = self._sock = context.wrap_socket(self._sock, server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            said = f"the certificate does not prove {name}: {error.verify_message}"
            raise CannotAsk(Trouble.UNTRUSTED, said) from error
        except ssl.SSLError as error:
            raise CannotAsk(Trouble.GARBLED, f"TLS handshake: {error.reason or error}") from error
        except OSError as error:
            raise from_os_error(error, "TLS handshake") from error
        self.verified = prove(sock) if prove else context.check_hostname
        for line in peer_lines(sock):
            self._transcript.note(line)
        self._transcript.note("Verification: " + ("OK" if self.verified else "not asked for"))

    def peer_certificate(self) -> bytes:
        """The server's own certificate (DER); empty before TLS."""
        sock = self._sock
        return (sock.getpeercert(True) or b"") if isinstance(sock, ssl.SSLSocket) else b""

    def send_secret(self, line: str, shown: str) -> None:
        """Send a line that nobody may read: to a server that has proved its name, or not at all."""
        if not self.verified:
            raise CannotAsk(
                Trouble.UNTRUSTED, "no password is sent: the server has not proved who it is"
            )
        self._transcript.add(">", f"({shown})")
        self._send(line.encode() + b"\r\n")

    def quit(self) -> None:
        """Part politely, whatever the other side makes of it."""
        try:
            self.send("QUIT")
            self.silent_for(2)
        except CannotAsk:
            pass


def peer_lines(sock: ssl.SSLSocket) -> Iterator[str]:
    """The session and the certificate as openssl-s_client(1) would tell them."""
    yield f"New, {sock.version()}, Cipher is {(sock.cipher() or '?')[0]}"
    told = sock.getpeercert() or {}
    for mark, who in (("s", "subject"), ("i", "issuer")):
        if parts := _names(told.get(who)):
            yield f"{mark}:{parts}"
    if until := told.get("notAfter"):
        yield f"notAfter: {until}"
    yield f"sha256 fingerprint: {sha256(sock.getpeercert(True) or b'').hexdigest()}"


def _names(parts: object) -> str:
    """A distinguished name as ssl tells it, in one line."""
    pairs = (pair for part in parts for pair in part) if isinstance(parts, tuple) else ()
    return ", ".join(f"{key}={value}" for key, value in pairs)


def by_hand(server: str, port: int, commands: Sequence[str]) -> str:
    """A line for a shell that says the same, pausing, because Postfix refuses those who do not."""
    where = shlex.quote(server) if server else '"$(postconf -h myhostname)"'
    said = "; ".join(f"sleep 1; echo {shlex.quote(line)}" for line in (*commands, "QUIT"))
    return f"({said}; sleep 1) | nc -C {where} {port}"
