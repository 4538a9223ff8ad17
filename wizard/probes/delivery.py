"""A real message from outside, found by its random Message-ID where it belongs, and removed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from typing import ClassVar

from mailwizard import elsewhere
from mailwizard.model import Host, Look, Outcome, Result
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Reply, Transcript
from mailwizard.probes.forwarding import stays_here
from mailwizard.probes.mailbox import take_out
from mailwizard.probes.putoff import is_own_fault, own_fault
from mailwizard.probes.queued import taken_back, unfinished
from mailwizard.probes.smtp import accepted, envelope
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, unknown
from mailwizard.probes.wire import STRANGER, Greeted, OverTheWire, outcome_of

_LOOK_AT_QUEUE = (
    "The administrator: `postqueue -p` shows why it waits, `journalctl -t postfix/local -n 20` "
    "where it went; home_mailbox = Maildir/ puts mail where it was looked for."
)


def _look_where(look: Look) -> str:
    """Advice that knows what comes before home_mailbox on this host (local(8))."""
    other = elsewhere.before_mailbox(look)
    if other is None:
        return _LOOK_AT_QUEUE
    return (
        f"The administrator: {other.sentence}, and home_mailbox is not looked at. Take it out, or "
        "have it deliver to Maildir/ in each home; then reload Postfix."
    )


def message(mark: str, recipient: str) -> bytes:
    """A small message nobody answers automatically (RFC 3834 5) and nobody could have signed."""
    head = (
        f"Message-ID: <{mark}>",
        f"Date: {formatdate(localtime=False)}",
        f"From: mailwizard test <mailwizard@{STRANGER}>",
        f"To: <{recipient}>",
        "Subject: mailwizard test message, removed when found",
        "Auto-Submitted: auto-generated",
        "Precedence: bulk",
        "",
        "mailwizard sent this to see that mail arrives, and removes it by itself.",
        ".",
        "",
    )
    return "\r\n".join(head).encode()


def send(heard: Greeted, recipient: str, mark: str) -> Reply:
    """Hand over one test message; the last reply is the first refusal or the queue's receipt."""
    # The null sender: no domain whose SPF or DNS could get in the way, and nobody to bounce to.
    for command in ("MAIL FROM:<>", f"RCPT TO:<{recipient}>", "DATA"):
        reply = heard.talk.command(command)
        if reply.code >= 400:
            return reply
    heard.talk.send_raw(message(mark, recipient), shown=f"(test message {mark})")
    return heard.talk.reply()


@dataclass(frozen=True, slots=True)
class Errand:
    """A message to an address, and the mailboxes it must come to."""

    to: str
    logins: Sequence[str]
    folder: str
    wait: float

    @property
    def commands(self) -> tuple[str, ...]:
        return ("MAIL FROM:<>", f"RCPT TO:<{self.to}>", "DATA", "Subject: test", "", ".")

    def run(self, host: Host, heard: Greeted, transcript: Transcript) -> Result:
        """Send, look in every mailbox at once, tidy up."""
        mark = f"mailwizard-{secrets.token_hex(12)}@{STRANGER}"
        receipt = send(heard, self.to, mark)
        heard.talk.quit()
        if is_own_fault(receipt):
            raise own_fault(host, f"mail to {self.to}", receipt)
        if not receipt.ok:
            return _refused(self.to, receipt)
        begun = time.monotonic()
        with ThreadPoolExecutor(max_workers=8) as pool:
            looks = list(pool.map(lambda login: self._look(host, login, mark), self.logins))
        for _, _, part in looks:
            transcript.extend(part)
        missing = [login for login, found, _ in looks if not found]
        names = ", ".join(self.logins)
        if not missing:
            took = time.monotonic() - begun
            return passed(f"mail to {self.to} from outside reached {names} after {took:.1f} s")
        expected = f"a new file in {self.folder} of {names}"
        waiting = taken_back(host, mark, transcript)
        if waiting and waiting.busy:
            return unfinished(f"mail to {self.to} was taken", self.wait, expected)
        where = f"; {waiting.sentence}" if waiting else ""
        return failed(
            f"mail to {self.to} was taken ({receipt.first}) but did not reach "
            f"{', '.join(missing)} within {self.wait:.0f} s{where}",
            expected,
            _look_where(host),
        )

    def _look(self, host: Host, login: str, mark: str) -> tuple[str, bool, Transcript]:
        part = Transcript()
        found = take_out(host, login, mark, wait=self.wait, transcript=part, folder=self.folder)
        return login, found, part


def _refused(recipient: str, reply: Reply) -> Result:
    if outcome_of(reply) is Outcome.UNKNOWN:
        return unknown(
            f"mail to {recipient} is put off: {reply.text}",
            "250",
            "Greylisting asks a stranger to come back after some minutes: check again then. "
            "Otherwise the reply names what is not ready.",
        )
    return failed(
        f"mail to {recipient} is refused: {reply.text}",
        "250",
        "The administrator: the reply names the rule; mydestination must hold the domain and "
        "the user or alias must exist.",
    )


@dataclass(frozen=True, slots=True)
class _Delivers(OverTheWire):
    """A message on its way to somebody's Maildir."""

    deadline: ClassVar[float] = 60.0

    def _errand(self) -> Errand:
        raise NotImplementedError

    def _commands(self) -> tuple[str, ...]:
        return self._errand().commands

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        errand = self._errand()
        stays_here(host, *errand.logins)
        with self._open(place, place.addresses[0], clock, transcript) as heard:
            return errand.run(host, heard, transcript)


@dataclass(frozen=True, slots=True)
class DeliversMail(_Delivers):
    """A message from outside is in the user's Maildir within `wait` seconds."""

    recipient: str
    login: str
    folder: str = "Maildir"
    wait: float = 20.0
    id: ClassVar[str] = "SMTP-09"
    title: ClassVar[str] = "Mail from outside reaches a user"

    def _errand(self) -> Errand:
        return Errand(self.recipient, (self.login,), self.folder, self.wait)


@dataclass(frozen=True, slots=True)
class DeliversTo(_Delivers):
    """A message to an alias reaches every login behind it."""

    name: str
    domain: str
    logins: tuple[str, ...]
    folder: str = "Maildir"
    wait: float = 20.0

    @property
    def id(self) -> str:
        kind = "DELIVERY-ALIAS" if len(self.logins) == 1 else "DELIVERY-LIST"
        return f"{kind}:{self.name}"

    @property
    def title(self) -> str:
        return f"Mail to {self.name} reaches {', '.join(self.logins)}"

    def _errand(self) -> Errand:
        return Errand(f"{self.name}@{self.domain}", self.logins, self.folder, self.wait)


@dataclass(frozen=True, slots=True)
class AcceptsRoleMail(OverTheWire):
    """Mail to postmaster and abuse is taken in every domain, and to the bare `<Postmaster>`."""

    domains: tuple[str, ...]
    names: tuple[str, ...] = ("postmaster", "abuse")
    id: ClassVar[str] = "SMTP-11"
    title: ClassVar[str] = "postmaster and abuse can be written to"

    def _recipients(self) -> tuple[str, ...]:
        spelled_out = (f"{name}@{domain}" for domain in self.domains for name in self.names)
        # RFC 5321 4.5.1: any spelling of postmaster, and without a domain.
        return (*spelled_out, "Postmaster")

    def _commands(self) -> tuple[str, ...]:
        return ("MAIL FROM:<>", *(f"RCPT TO:<{one}>" for one in self._recipients()))

    def _judge(self, heard: Greeted) -> Result:
        fix = (
            "The administrator: add the alias (postmaster: root, abuse: root) to the alias table "
            "and run newaliases; RFC 5321 4.5.1 and RFC 2142 require these addresses."
        )
        for recipient in self._recipients():
            reply = envelope(heard, "", recipient)
            if not reply.ok:
                return accepted(reply, f"<{recipient}>", fix)
        if not self._recipients():
            raise CannotAsk(Trouble.GARBLED, "no address to ask for")
        return passed(f"{len(self._recipients())} role addresses are accepted")
