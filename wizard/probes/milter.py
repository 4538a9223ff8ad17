"""Daemons beside Postfix, asked in their own words: clamd's socket, the milter protocol."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import ClassVar

from mailwizard import elsewhere, sanitise
from mailwizard.model import Host, Look, Result
from mailwizard.probes.connect import connect, plain_socket
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble, from_os_error
from mailwizard.probes.verdict import failed, passed

# SMFIC_OPTNEG of Sendmail's mfdef.h: version 6, every action, every step
_NEGOTIATION = b"O" + struct.pack("!III", 6, 0x1FF, 0x1FFFFF)
_MOST = 4096


def clamd(path: str, command: bytes, clock: Deadline) -> str:
    """The scanner's answer to one command (clamd(8)); raises CannotAsk.

    systemd holds the socket open while clamd is not there yet: only an answer counts.
    """
    doing = f"asking {path}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(clock.left(doing))
            sock.connect(path)
            sock.sendall(command)
            said = sock.recv(_MOST)
    except OSError as error:
        raise from_os_error(error, doing) from error
    if not said:
        raise CannotAsk(Trouble.CLOSED, f"{doing}: closed without an answer")
    return sanitise.clean(said.rstrip(b"\0\n"), width=300, limit=1)


def negotiated(port: int, clock: Deadline) -> int:
    """The protocol version that a milter agrees to; raises CannotAsk."""
    doing = f"speaking to the milter on port {port}"
    with connect("127.0.0.1", port, clock, plain_socket) as sock:
        try:
            sock.settimeout(clock.left(doing))
            sock.sendall(struct.pack("!I", len(_NEGOTIATION)) + _NEGOTIATION)
            said = b""
            while len(said) < 9:
                part = sock.recv(_MOST)
                if not part:
                    raise CannotAsk(Trouble.CLOSED, f"{doing}: closed without an answer")
                said += part
        except OSError as error:
            raise from_os_error(error, doing) from error
    if said[4:5] != b"O":
        raise CannotAsk(Trouble.GARBLED, f"{doing}: that is no milter")
    version: int = struct.unpack("!I", said[5:9])[0]
    return version


@dataclass(frozen=True, slots=True)
class MilterAnswers:
    """A milter agrees to the protocol; while it does not, Postfix asks senders to come back."""

    port: int
    program: str
    deadline: ClassVar[float] = 15.0
    critical: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return f"MILTER:{self.program}"

    @property
    def title(self) -> str:
        return f"{self.program} answers Postfix"

    @property
    def by_hand(self) -> str:
        return f"ss -ltnp 'sport = :{self.port}'; journalctl -u {self.program} -n 20"

    def ask(self, host: Host) -> Result:
        try:
            version = negotiated(self.port, Deadline(self.deadline - 1))
        except CannotAsk as trouble:
            return failed(
                f"{self.program} does not answer: {trouble.sentence}",
                "a milter; meanwhile senders are told to come back later, and nothing is lost",
                self._mending(host),
            )
        return passed(f"{self.program} speaks milter protocol {version}")

    def _mending(self, look: Look) -> str:
        """Advice that knows of a socket that is set elsewhere than in the daemon's own file."""
        # the last word on the command line counts
        if found := [one.sentence for one in elsewhere.drop_ins(look, self.program)]:
            return (
                f"The administrator: {'; '.join(found)}. What is set there goes before the Socket "
                f"in {self.program}.conf: take it out, systemctl daemon-reload, systemctl restart "
                f"{self.program}."
            )
        return (
            f"The administrator: systemctl restart {self.program}; "
            f"`journalctl -u {self.program} -n 20` says why it stopped."
        )
