"""What strangers may not call themselves, and the settings that see to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.addresses import literal
from mailwizard.probes.deadline import Deadline
from mailwizard.probes.dialogue import Reply, Transcript
from mailwizard.probes.smtp import envelope
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, unknown
from mailwizard.probes.wire import STRANGER, OverTheWire


@dataclass(frozen=True, slots=True)
class OnlyWeAreWe(OverTheWire):
    """Who greets as this host, or with no full name at all, is refused; others are not.

    addresses: what this host is known by, its routers' addresses included.
    """

    fqdn: str
    recipient: str
    addresses: tuple[str, ...]
    id: ClassVar[str] = "HELO"
    title: ClassVar[str] = "Nobody else greets as this host"
    says_ehlo: ClassVar[bool] = False

    def _commands(self) -> tuple[str, ...]:
        return (f"EHLO {self.fqdn}", "MAIL FROM:<>", f"RCPT TO:<{self.recipient}>")

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        address = place.addresses[0]
        for name in (self.fqdn, *map(literal, self.addresses), "laptop"):
            reply = self._greeted(place, address, name, clock, transcript)
            if reply.ok:
                return failed(
                    f"a stranger who greets with {name} is let in",
                    "550 5.7.1 Helo command rejected",
                    "The administrator: apply this step again, then reload Postfix.",
                )
            if reply.code < 500:
                return unknown(
                    f"a stranger who greets with {name} is put off: {reply.text}",
                    "550 5.7.1 Helo command rejected",
                    "See what the reply names, then check again.",
                )
        reply = self._greeted(place, address, STRANGER, clock, transcript)
        if reply.code >= 500:
            return failed(
                f"a stranger who greets as he should is refused: {reply.text}",
                "250",
                "The administrator: the reply names the rule that is too strict.",
            )
        return passed("who greets as this host, or without a full name, is refused")

    def _greeted(
        self, place: Seat, address: str, name: str, clock: Deadline, transcript: Transcript
    ) -> Reply:
        with self._open(place, address, clock, transcript) as heard:
            heard.talk.command(f"EHLO {name}")
            reply = envelope(heard, "", self.recipient)
            heard.talk.quit()
        return reply
