"""One clock and one byte budget for a whole conversation, however it is cut into reads.

A timeout per read alone never ends against a server that drips a byte a second.
"""

from __future__ import annotations

import errno
import time
from enum import StrEnum


class Trouble(StrEnum):
    """Why a question could not be asked; each has its own cause and its own cure."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed out"
    DNS = "dns"
    RESET = "reset"
    CLOSED = "closed"
    TOO_MUCH = "too much"
    GARBLED = "garbled"
    NO_VANTAGE = "no vantage"
    UNTRUSTED = "untrusted"
    KEPT_OUT = "kept out"
    FAULT = "fault"


class CannotAsk(Exception):
    """No answer was heard; the kind tells refusal, silence, routing and DNS apart."""

    def __init__(self, kind: Trouble, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sentence = sentence


class Filtered(CannotAsk):
    """Nothing at all answers who connects: a firewall drops it, or nobody has that address."""

    def __init__(self, sentence: str) -> None:
        super().__init__(Trouble.TIMED_OUT, sentence)


class KeptOut(Filtered):
    """A server answers this host itself, and the host's own firewall keeps strangers from it."""

    def __init__(self, sentence: str, expected: str, fix: str) -> None:
        super().__init__(sentence)
        self.kind = Trouble.KEPT_OUT
        self.expected = expected
        self.fix = fix


class AtFault(CannotAsk):
    """What was asked for could not be tried, and this host says itself what is wrong with it."""

    def __init__(self, sentence: str, expected: str, fix: str) -> None:
        super().__init__(Trouble.FAULT, sentence)
        self.expected = expected
        self.fix = fix


def from_os_error(error: OSError, doing: str) -> CannotAsk:
    """The operating system's refusal in our words."""
    if isinstance(error, TimeoutError):
        return CannotAsk(Trouble.TIMED_OUT, f"{doing}: no answer in time (filtered, or too slow)")
    if isinstance(error, ConnectionRefusedError):
        return CannotAsk(Trouble.REFUSED, f"{doing}: connection refused, nobody listens there")
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return CannotAsk(Trouble.RESET, f"{doing}: the other side broke the connection off")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return CannotAsk(Trouble.UNREACHABLE, f"{doing}: forbidden by a firewall here or near")
    return CannotAsk(Trouble.UNREACHABLE, f"{doing}: {error.strerror or error}")


class Deadline:
    """Seconds and bytes that all reads of one conversation share."""

    def __init__(self, seconds: float, octets: int = 256 * 1024) -> None:
        self._end = time.monotonic() + seconds
        self._seconds = seconds
        self._octets = octets

    def left(self, doing: str = "waiting") -> float:
        """Seconds that remain; raises CannotAsk when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise CannotAsk(
                Trouble.TIMED_OUT, f"{doing}: no complete answer within {self._seconds:.0f} s"
            )
        return left

    def spend(self, octets: int) -> None:
        """Count what was read; raises CannotAsk when it was too much."""
        self._octets -= octets
        if self._octets < 0:
            raise CannotAsk(Trouble.TOO_MUCH, "the other side sends without end")

    def within(self, seconds: float) -> Deadline:
        """A shorter deadline for one part, never longer than the whole."""
        part = Deadline(max(0.0, min(seconds, self._end - time.monotonic())), self._octets)
        part._seconds = seconds
        return part
