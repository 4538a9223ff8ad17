"""SPF at the door: a sender that a domain forbids is refused while he is still connected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import Deadline
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.dns import resolver_of
from mailwizard.probes.putoff import PutOffByItself
from mailwizard.probes.smtp import envelope
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, unknown
from mailwizard.probes.wire import OverTheWire


@dataclass(frozen=True, slots=True)
class SpfAsked(OverTheWire):
    """A stranger who writes in the name of a domain that sends no mail at all is refused."""

    recipient: str
    # RFC 2606 3: it exists, and says that nobody may send for it
    forged: str = "example.com"
    nameservers: tuple[str, ...] = field(default=(), kw_only=True)
    dns_port: int = field(default=53, kw_only=True)
    id: ClassVar[str] = "SMTP-23"
    title: ClassVar[str] = "Senders that SPF forbids are refused"

    def _commands(self) -> tuple[str, ...]:
        return (f"MAIL FROM:<mailwizard@{self.forged}>", f"RCPT TO:<{self.recipient}>")

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        resolver = resolver_of(host, self.nameservers, self.dns_port)
        policy = [text for text in resolver.ask(self.forged, "TXT") if "v=spf1" in text]
        transcript.note(f"{self.forged} TXT: {', '.join(policy) or 'none'}")
        if not any("-all" in text for text in policy):
            said = f"{self.forged} forbids nobody to send, so nothing can be tried"
            return unknown(said, "v=spf1 -all", "Check again where the DNS of the world is seen.")
        with self._open(place, place.addresses[0], clock, transcript) as heard:
            try:
                reply = envelope(heard, f"mailwizard@{self.forged}", self.recipient)
            except PutOffByItself as fault:
                if fault.reply.code != 451:
                    raise
                reply = fault.reply
            heard.talk.quit()
        fix = (
            "The administrator: smtpd_client_restrictions must ask check_policy_service "
            "unix:private/policyd-spf; `journalctl -t policyd-spf -n 20`."
        )
        if reply.ok:
            return failed(f"mail that SPF forbids is let in: {reply.text}", "550 5.7.23", fix)
        if reply.code == 451 and "4.3.5" in reply.text:
            # smtpd(8): what it has to ask for each stranger does not answer
            said = f"the SPF service does not answer, and all senders are put off: {reply.text}"
            return failed(said, "550 5.7.23", fix)
        if reply.code < 500:
            return unknown(f"mail that SPF forbids is put off: {reply.text}", "550 5.7.23", fix)
        if "SPF" not in reply.text:
            # what asks SPF stands first: another refusal means that it was not asked
            return failed(f"SPF was not asked: {reply.text}", "550 5.7.23", fix)
        return passed(f"refused: {reply.text}")
