"""A probe that talks SMTP: it opens the conversation, keeps the evidence, says what hindered it.

What a subclass adds is the question and the verdict.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.model import Host, Outcome, Result
from mailwizard.probes.conversation import Conversation
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Dialogue, Reply, Transcript, by_hand
from mailwizard.probes.putoff import OwnServer, is_own_fault
from mailwizard.probes.vantage import Seat

# RFC 2606 names: nobody's, and no DNS answer can ever make them somebody's.
STRANGER = "stranger.invalid"


# smtpd looks up the caller's name before it greets; a dead resolver draws that out to 10 s.
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Greeted:
    """A conversation after the greeting (and after EHLO unless the probe does without)."""

    talk: Dialogue
    greeting: Reply
    ehlo: Reply
    waited: float
    address: str
    seat: Seat


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTheWire(Conversation):
    """A probe of an SMTP port."""

    port: int = 25
    says_ehlo: ClassVar[bool] = True
    commands: ClassVar[tuple[str, ...]] = ()

    @property
    def by_hand(self) -> str:
        return by_hand(self.server, self.port, (f"EHLO {STRANGER}", *self._commands()))

    def _commands(self) -> tuple[str, ...]:
        return self.commands

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        """One conversation; overridden by probes that need several."""
        del host
        with self._open(place, place.addresses[0], clock, transcript) as heard:
            result = self._judge(heard)
            heard.talk.quit()
        return result

    def _judge(self, heard: Greeted) -> Result:
        raise NotImplementedError

    @contextmanager
    def _open(
        self, place: Seat, address: str, clock: Deadline, transcript: Transcript
    ) -> Iterator[Greeted]:
        """Connect, hear the greeting, say EHLO."""
        begun = time.monotonic()
        sock = place.connect(address, self.port, clock)
        with OwnServer(sock, clock, transcript) as talk:
            transcript.note(f"connected to {address} port {self.port}")
            greeting = talk.reply(clock.within(_PATIENCE))
            waited = time.monotonic() - begun
            if greeting.code == 421:
                raise CannotAsk(Trouble.CLOSED, f"the server is busy: {greeting.text}")
            ehlo = greeting
            if self.says_ehlo:
                ehlo = talk.command(f"EHLO {STRANGER}")
            yield Greeted(talk, greeting, ehlo, waited, address, place)


def refused(reply: Reply, *words: str) -> bool:
    """Whether it refuses for good; `soft_bounce = yes` makes 4xx of that, in the same words."""
    softened = 400 <= reply.code < 500 and any(word in reply.text.lower() for word in words)
    return reply.code >= 500 or softened


def outcome_of(reply: Reply) -> Outcome:
    """Pass for what was accepted, unknown for "later", fail for a refusal or a fault of its own."""
    if reply.ok:
        return Outcome.PASS
    later = 400 <= reply.code < 500 and not is_own_fault(reply)
    return Outcome.UNKNOWN if later else Outcome.FAIL
