"""Unusual and allowed mail arrives as it was sent: long lines, 8-bit, dots, chunks, traces."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import ClassVar

from mailwizard.model import Host, Outcome, Result
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Reply, Transcript
from mailwizard.probes.forwarding import stays_here
from mailwizard.probes.queued import taken_back, unfinished
from mailwizard.probes.taken import Taken, take
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, unknown, warned
from mailwizard.probes.wire import STRANGER, Greeted, OverTheWire, outcome_of

# RFC 5321 4.5.3.1.6: a text line has at most 1000 octets, CR LF included
LONGEST_TEXT = 998
LONGER_TEXT = 2000
# RFC 5321 4.5.3.1.4: a command line has at most 512, CR LF included
LONG_COMMAND = 513

_QUEUE = (
    "The administrator: `postqueue -p` and `journalctl -t postfix/local -t postfix/lmtp -n 20` say "
    "where it went."
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A test message: what is special about its head, and its body with CR LF."""

    body: bytes
    head: tuple[str, ...] = ()
    sender: str = ""
    parameters: str = ""

    def octets(self, mark: str, recipient: str) -> bytes:
        """The message before dots are doubled."""
        lines = (
            *self.head,
            f"Message-ID: <{mark}>",
            f"Date: {formatdate(localtime=False)}",
            f"From: mailwizard test <mailwizard@{STRANGER}>",
            f"To: <{recipient}>",
            "Subject: mailwizard test message, removed when found",
            "Auto-Submitted: auto-generated",
            "",
        )
        return "\r\n".join(lines).encode() + b"\r\n" + self.body

    def commands(self, recipient: str) -> tuple[str, ...]:
        """The envelope."""
        start = f"MAIL FROM:<{self.sender}> {self.parameters}".rstrip()
        return start, f"RCPT TO:<{recipient}>"


def stuffed(message: bytes) -> bytes:
    """The message as it goes over the wire after DATA (RFC 5321 4.5.2), its end included."""
    lines = message.removesuffix(b"\r\n").split(b"\r\n")
    return b"\r\n".join([*(b"." + line if line[:1] == b"." else line for line in lines), b".", b""])


@dataclass(frozen=True, slots=True)
class Carries(OverTheWire):
    """What these probes share: letters to a user, and a look into the mailbox."""

    recipient: str
    login: str
    folder: str = "Maildir"
    wait: float = 20.0
    deadline: ClassVar[float] = 60.0

    def _commands(self) -> tuple[str, ...]:
        return ("MAIL FROM:<>", f"RCPT TO:<{self.recipient}>", "DATA", "Subject: test", "", ".")

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        stays_here(host, self.login)
        results: list[Result] = []
        with self._open(place, place.addresses[0], clock, transcript) as heard:
            for result in self._results(host, heard, transcript):
                results.append(result)
                if result.outcome in {Outcome.FAIL, Outcome.UNKNOWN}:
                    break
            heard.talk.quit()
        worst = max(results, key=lambda one: one.outcome.severity)
        said = worst.said if worst.outcome is not Outcome.PASS else _joined(results)
        return Result(worst.outcome, said, worst.expected, worst.fix)

    def _results(self, host: Host, heard: Greeted, transcript: Transcript) -> Iterator[Result]:
        """One verdict after the other; the first fail ends it."""
        raise NotImplementedError

    def _send(self, heard: Greeted, letter: Letter) -> tuple[str, Reply]:
        """Hand a letter over with DATA; its Message-ID and the last reply."""
        mark = f"mailwizard-{secrets.token_hex(12)}@{STRANGER}"
        for command in (*letter.commands(self.recipient), "DATA"):
            reply = heard.talk.command(command)
            if reply.code >= 400:
                heard.talk.command("RSET")
                return mark, reply
        shown = f"(test message {mark}, {len(letter.body)} octets of body)"
        heard.talk.send_raw(stuffed(letter.octets(mark, self.recipient)), shown=shown)
        return mark, heard.talk.reply()

    def _arrived(
        self, host: Host, transcript: Transcript, what: str, mark: str, reply: Reply
    ) -> Taken | Result:
        """The message as it arrived, or the verdict on one that was not taken, or was lost."""
        if not reply.ok:
            return self._not_taken(what, reply)
        taken = self._taken(host, mark, transcript)
        return taken or self._lost(host, mark, transcript, what, reply)

    def _taken(self, host: Host, mark: str, transcript: Transcript) -> Taken | None:
        return take(
            host, self.login, mark, wait=self.wait, transcript=transcript, folder=self.folder
        )

    def _not_taken(self, what: str, reply: Reply) -> Result:
        if outcome_of(reply) is Outcome.UNKNOWN:
            fix = "The server says to come back later: check again in some minutes."
            return unknown(f"{what} is put off: {reply.text}", "250", fix)
        fix = "The administrator: the reply names the rule that refuses it."
        return failed(f"{what} is refused: {reply.text}", "250", fix)

    def _lost(
        self, host: Host, mark: str, transcript: Transcript, what: str, reply: Reply
    ) -> Result:
        """Where it is instead; a message that waits is taken out of the queue."""
        expected = f"in {self.folder} within {self.wait:.0f} s"
        waiting = taken_back(host, mark, transcript)
        if waiting and waiting.not_scanned:
            fix = "It was chosen so (unscanned = wait). CLAMAV says what is missing."
            return unknown(f"{what} waits, because nothing can be scanned now", expected, fix)
        if waiting and waiting.busy:
            return unfinished(f"{what} was taken", self.wait, expected)
        where = f"; {waiting.sentence}" if waiting else ""
        said = f"{what} was taken ({reply.first}) but did not reach {self.login}{where}"
        return failed(said, expected, _QUEUE)


def _joined(results: Sequence[Result]) -> str:
    return "; ".join(one.said for one in results)


@dataclass(frozen=True, slots=True)
class LongLines(Carries):
    """Lines up to the limit arrive whole, longer ones or not at all; long commands are answered."""

    id: ClassVar[str] = "SMTP-20"
    title: ClassVar[str] = "Long lines arrive whole"

    def _results(self, host: Host, heard: Greeted, transcript: Transcript) -> Iterator[Result]:
        yield self._command(heard)
        yield self._line(host, heard, transcript, LONGEST_TEXT)
        yield self._line(host, heard, transcript, LONGER_TEXT)

    def _command(self, heard: Greeted) -> Result:
        expected = "one answer, and the next command understood"
        try:
            reply = heard.talk.command("NOOP ".ljust(LONG_COMMAND - 2, "x"))
            after = heard.talk.command("NOOP")
        except CannotAsk as trouble:
            if trouble.kind in {Trouble.CLOSED, Trouble.RESET}:
                said = f"a command of {LONG_COMMAND} octets makes the server hang up"
                return failed(said, expected, "The administrator: look for a proxy before Postfix.")
            raise
        if not after.ok:
            said = f"after a command of {LONG_COMMAND} octets NOOP is answered with {after.text}"
            return failed(said, expected, "The administrator: look for a proxy before Postfix.")
        return passed(f"a command of {LONG_COMMAND} octets: {reply.code}")

    def _line(self, host: Host, heard: Greeted, transcript: Transcript, length: int) -> Result:
        what = f"a line of {length} octets"
        letter = Letter(b"before\r\n" + b"x" * (length - 1) + b"y\r\nafter\r\n")
        mark, reply = self._send(heard, letter)
        if length > LONGEST_TEXT and reply.code >= 500:
            return passed(f"{what} is refused")
        taken = self._arrived(host, transcript, what, mark, reply)
        if isinstance(taken, Result):
            return taken
        if taken.is_same(letter.body):
            return passed(f"{what} arrives whole")
        said = f"{what} was changed on its way to {self.login}"
        fix = (
            "Signatures (DKIM) over such mail no longer hold. The administrator: look for a "
            "content filter that breaks lines, and for body_checks."
        )
        verdict = failed if length <= LONGEST_TEXT else warned
        return verdict(said, "the same octets in the mailbox", fix)


# Every octet that is no ASCII, a line of UTF-8, all that a dot can do, blanks at the ends of lines.
_EIGHT_BIT = (
    bytes(range(0x80, 0x100)) + b"\r\nGr\xc3\xbc\xc3\x9fe \xe2\x82\xac\r\n"
    b".\r\n..\r\n.hidden\r\n...\r\n. \r\nblank \r\ntab\t\r\n\r\n\r\nFrom the end\r\n"
)
_EIGHT_BIT_HEAD = (
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=iso-8859-15",
    "Content-Transfer-Encoding: 8bit",
)


@dataclass(frozen=True, slots=True)
class EightBitWhole(Carries):
    """8-bit text, dots that begin lines, and chunks (BDAT) are in the mailbox as they were sent."""

    id: ClassVar[str] = "SMTP-21"
    title: ClassVar[str] = "Every octet arrives as it was sent"

    def _results(self, host: Host, heard: Greeted, transcript: Transcript) -> Iterator[Result]:
        if heard.ehlo.keyword("8BITMIME") is None:
            fix = "The administrator: smtpd_discard_ehlo_keywords must not hold 8bitmime."
            yield warned("8BITMIME is not offered", "8BITMIME (RFC 6152)", fix)
        else:
            letter = Letter(_EIGHT_BIT, _EIGHT_BIT_HEAD, parameters="BODY=8BITMIME")
            yield self._compared(host, transcript, letter, "8-bit", *self._send(heard, letter))
        if heard.ehlo.keyword("CHUNKING") is not None:
            letter = Letter(_EIGHT_BIT, _EIGHT_BIT_HEAD, parameters="BODY=8BITMIME")
            yield self._compared(
                host, transcript, letter, "in chunks", *self._chunks(heard, letter)
            )

    def _chunks(self, heard: Greeted, letter: Letter) -> tuple[str, Reply]:
        """Hand a letter over with BDAT (RFC 3030), cut in the middle of a line."""
        mark = f"mailwizard-{secrets.token_hex(12)}@{STRANGER}"
        message = letter.octets(mark, self.recipient)
        cut = len(message) - len(letter.body) + 40
        for command in letter.commands(self.recipient):
            reply = heard.talk.command(command)
            if reply.code >= 400:
                heard.talk.command("RSET")
                return mark, reply
        for part, last in ((message[:cut], ""), (message[cut:], " LAST")):
            command = f"BDAT {len(part)}{last}"
            shown = f"{command} (and so many octets of {mark})"
            heard.talk.send_raw(f"{command}\r\n".encode() + part, shown=shown)
            reply = heard.talk.reply()
            if not reply.ok:
                break
        return mark, reply

    def _compared(
        self, host: Host, transcript: Transcript, letter: Letter, what: str, mark: str, reply: Reply
    ) -> Result:
        taken = self._arrived(host, transcript, f"a message {what}", mark, reply)
        if isinstance(taken, Result):
            return taken
        if not taken.is_same(letter.body):
            said = f"a message {what} was changed on its way to {self.login}"
            fix = "The administrator: look for a content filter or body_checks that rewrites mail."
            return failed(said, "the same octets in the mailbox", fix)
        return passed(f"{what}: the same octets")


@dataclass(frozen=True, slots=True)
class Utf8Sender(Carries):
    """Mail from an address beyond ASCII is delivered or refused at the door, never bounced."""

    id: ClassVar[str] = "SMTP-22"
    title: ClassVar[str] = "Addresses beyond ASCII are not taken and then bounced"

    def _commands(self) -> tuple[str, ...]:
        return self._letter().commands(self.recipient)

    def _letter(self) -> Letter:
        domain = self.recipient.rpartition("@")[2]
        return Letter(
            b"mailwizard sent this and removes it by itself.\r\n",
            sender=f"gr\u00fc\u00dfe@{domain}",
            parameters="SMTPUTF8",
        )

    def _results(self, host: Host, heard: Greeted, transcript: Transcript) -> Iterator[Result]:
        if heard.ehlo.keyword("SMTPUTF8") is None:
            yield passed("SMTPUTF8 is not offered: such mail is refused at the door")
            return
        what = "mail from an address beyond ASCII"
        mark, reply = self._send(heard, self._letter())
        if outcome_of(reply) is Outcome.FAIL:
            yield passed(f"refused at the door: {reply.text}")
            return
        result = self._arrived(host, transcript, what, mark, reply)
        if isinstance(result, Taken):
            result = passed(f"{what} is delivered")
        elif result.outcome is Outcome.FAIL:
            fix = (
                "The administrator: whatever delivers here does not know SMTPUTF8, and its bounces "
                "go to innocents: smtputf8_enable = no."
            )
            said = f"{what} was taken but did not reach {self.login}"
            result = failed(said, "delivered, or refused at the door", fix)
        yield result


@dataclass(frozen=True, slots=True)
class TraceKept(Carries):
    """A message keeps every Received line that it came with (RFC 5321 4.4)."""

    id: ClassVar[str] = "SMTP-33"
    title: ClassVar[str] = "The way a message came stays in it"

    def _results(self, host: Host, heard: Greeted, transcript: Transcript) -> Iterator[Result]:
        hops = [f"hop{number}-{secrets.token_hex(6)}.invalid" for number in range(3)]
        lines = [f"Received: from a.invalid by {hop} with ESMTP; {_today()}" for hop in hops]
        mark, reply = self._send(heard, Letter(b"mailwizard sent this.\r\n", tuple(lines)))
        taken = self._arrived(host, transcript, "a message with three Received lines", mark, reply)
        if isinstance(taken, Result):
            yield taken
            return
        text = "\n".join(taken.head)
        gone = [hop for hop in hops if hop not in text]
        if gone:
            yield failed(
                f"{len(gone)} of {len(hops)} Received lines were taken out",
                "all of them kept: they show loops, and where spam comes from",
                "The administrator: header_checks must not hold /^Received:/ IGNORE; for mail of "
                "your own users that belongs into a cleanup service of the submission ports.",
            )
        else:
            yield passed(f"all {len(hops)} Received lines are kept")


def _today() -> str:
    return formatdate(localtime=False)
