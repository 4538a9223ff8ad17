"""What somebody who has logged in may send, and what becomes of his message."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from mailwizard.model import Result
from mailwizard.probes.credentials import Credential
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.dialogue import Reply, Transcript
from mailwizard.probes.forwarding import stays_here
from mailwizard.probes.mailbox import take_out
from mailwizard.probes.queued import not_come
from mailwizard.probes.smtp import accepted, envelope
from mailwizard.probes.submission_wire import TO_ONESELF, AsUser, Round
from mailwizard.probes.trust import Trust
from mailwizard.probes.verdict import failed, passed, unknown, warned
from mailwizard.probes.wire import Greeted

_ADMIN = "The administrator, in /etc/postfix/main.cf: "
_MAPS = "smtpd_sender_login_maps must name each address and the logins that may use it"


@dataclass(frozen=True, slots=True)
class OnlyOwnSender(AsUser):
    """Nobody sends in somebody else's name, although he has a password.

    others: addresses that the mail server takes, and the logins that each belongs to.
    """

    others: tuple[tuple[str, tuple[str, ...]], ...] = ()
    id: ClassVar[str] = "SUB-08"
    title: ClassVar[str] = "Nobody sends in somebody else's name"
    commands: ClassVar[tuple[str, ...]] = ("AUTH PLAIN …", "MAIL FROM:<other@…>", "RCPT TO:<me@…>")

    def _judge(self, turn: Round, heard: Greeted, who: Credential) -> Result:
        other = self._somebody_else(who)
        reply = envelope(heard, other, self._address(who))
        if reply.ok:
            return failed(
                f"{who.login} may send as {other}",
                "553 5.7.1 Sender address rejected: not owned by user",
                "The administrator: -o smtpd_sender_restrictions=reject_sender_login_mismatch at "
                f"submission and submissions in master.cf; {_MAPS}.",
            )
        # a made-up sender may be refused for being nobody, and the rule be missing all the same
        if reply.code not in (553, 453):  # 453 where soft_bounce = yes
            return unknown(
                f"{other}: {reply.text}",
                "553 5.7.1",
                "Later again; `journalctl -t postfix/submissions/smtpd -n 20` says why.",
            )
        return passed(f"{who.login} as {other}: {reply.text}")

    def _somebody_else(self, who: Credential) -> str:
        """An address that is not his; a made-up one where all are."""
        made_up = f"nobody-{secrets.token_hex(6)}@{self.domain}"
        return next((one for one, owners in self.others if who.login not in owners), made_up)


@dataclass(frozen=True, slots=True)
class AliasAsSender(AsUser):
    """People send under their own address and under each alias of theirs."""

    addresses: tuple[tuple[str, str], ...] = ()
    id: ClassVar[str] = "SUB-09"
    title: ClassVar[str] = "People send under their own addresses"
    commands: ClassVar[tuple[str, ...]] = ("AUTH PLAIN …", "MAIL FROM:<alias@…>", "RCPT TO:<me@…>")

    def _with(self, turn: Round, trust: Trust, people: list[Credential]) -> Result:
        tried = []
        for who in people:
            own = [address for login, address in self.addresses if login == who.login]
            with self._submitting(turn, trust, who) as heard:
                for address in (self._address(who), *own):
                    reply = envelope(heard, address, self._address(who))
                    if not reply.ok:
                        return accepted(reply, f"{who.login} as {address}", f"{_ADMIN}{_MAPS}.")
                    tried.append(address)
        return passed(f"accepted as senders: {', '.join(tried)}")


@dataclass(frozen=True, slots=True)
class AnyHelo(AsUser):
    """A laptop calls itself what it likes: HELO rules are for servers, not for people."""

    id: ClassVar[str] = "SUB-10"
    title: ClassVar[str] = "A mail program may call itself anything"

    def _with(self, turn: Round, trust: Trust, people: list[Credential]) -> Result:
        who = people[0]
        for helo in ("laptop", "[192.168.1.5]"):
            with self._submitting(turn, trust, who, helo) as heard:
                reply = envelope(heard, self._address(who), self._address(who))
            if not reply.ok:
                return accepted(
                    reply,
                    f"mail after EHLO {helo}",
                    "The administrator: -o smtpd_helo_restrictions= at submission and submissions.",
                )
        return passed("accepted after EHLO laptop and EHLO [192.168.1.5]")


@dataclass(frozen=True, slots=True)
class Submitted(AsUser):
    """A message that is really sent, to its sender, and taken out of his mailbox again."""

    folder: str = field(default="Maildir", kw_only=True)
    wait: float = field(default=20.0, kw_only=True)
    deadline: ClassVar[float] = 60.0
    commands: ClassVar[tuple[str, ...]] = TO_ONESELF
    extensions: ClassVar[tuple[str, ...]] = ()
    """One more message for each of these, if the server offers it."""

    def _with(self, turn: Round, trust: Trust, people: list[Credential]) -> Result:
        who = people[0]
        stays_here(turn.host, who.login)
        # as telling as a real one, and found again wherever it is shown
        helo = f"laptop-{secrets.token_hex(6)}.invalid"
        with self._submitting(turn, trust, who, helo) as heard:
            client = heard.talk.own_address
            sent = list(self._handed_in(heard, who))
        lines: list[str] = []
        troubles: list[CannotAsk] = []
        # every message that was taken is taken out again, whatever became of the others
        for mark, receipt in sent:
            try:
                if not receipt.ok:
                    raise CannotAsk(Trouble.CLOSED, f"a message of {who.login}: {receipt.text}")
                lines += self._arrived(turn, who, mark)
            except CannotAsk as trouble:
                troubles.append(trouble)
        if troubles:
            raise troubles[0]
        return self._judge_mail(lines, (helo, client))

    def _handed_in(self, heard: Greeted, who: Credential) -> Iterator[tuple[str, Reply]]:
        """Each message's mark, and what the server said to it."""
        offered = [one for one in self.extensions if heard.ehlo.keyword(one) is not None]
        for extension in ("", *offered):
            mark = f"mailwizard-{secrets.token_hex(12)}"
            yield mark, self._send(heard, who, mark, extension)

    def _arrived(self, turn: Round, who: Credential, mark: str) -> list[str]:
        """The message's header as its recipient reads it; raises CannotAsk."""
        part = Transcript()
        found = take_out(
            turn.host, who.login, mark, wait=self.wait, transcript=part, folder=self.folder
        )
        turn.transcript.extend(part)
        if not found:
            said = f"the message did not reach {who.login} within {self.wait:.0f} s (see SMTP-09)"
            expected = f"in {self.folder} of {who.login}"
            raise not_come(turn.host, mark, turn.transcript, said, expected)
        return [line[2:] for line in part.lines() if line.startswith("< ")]

    def _judge_mail(self, lines: list[str], traces: tuple[str, str]) -> Result:
        raise NotImplementedError

    def _send(self, heard: Greeted, who: Credential, mark: str, extension: str) -> Reply:
        """A message with neither Date nor Message-ID, as some programs send it."""
        address = self._address(who)
        sender = f"MAIL FROM:<{address}> {extension}".rstrip()
        for command in (sender, f"RCPT TO:<{address}>", "DATA"):
            reply = heard.talk.command(command)
            if reply.code >= 400:
                return reply
        text = (
            f"From: <{address}>",
            f"To: <{address}>",
            "Subject: mailwizard test message, removed when found",
            f"X-Mailwizard: {mark}",
            "Auto-Submitted: auto-generated",
            "",
            "mailwizard sent this to see what becomes of it, and removes it by itself.",
            ".",
            "",
        )
        heard.talk.send_raw("\r\n".join(text).encode(), shown=f"(test message {mark})")
        return heard.talk.reply()


@dataclass(frozen=True, slots=True)
class HeadersAdded(Submitted):
    """A message without Date and Message-ID gets both (RFC 6409 8)."""

    id: ClassVar[str] = "SUB-11"
    title: ClassVar[str] = "Missing headers are added to what people send"

    def _judge_mail(self, lines: list[str], traces: tuple[str, str]) -> Result:
        names = {line.partition(":")[0].lower() for line in lines}
        missing = [name for name in ("Date", "Message-ID") if name.lower() not in names]
        if missing:
            return failed(
                f"sent without {' and '.join(missing)}",
                "Date and Message-ID",
                f"{_ADMIN}always_add_missing_headers = yes, or local_header_rewrite_clients = "
                "permit_inet_interfaces, permit_sasl_authenticated.",
            )
        return passed("Date and Message-ID are added")


@dataclass(frozen=True, slots=True)
class ClientHidden(Submitted):
    """The recipient does not learn from where, and with which computer, the sender writes."""

    id: ClassVar[str] = "SUB-14"
    title: ClassVar[str] = "The sender's own address stays private"
    # Postfix writes it with another word than ESMTPSA (RFC 6531 4.3)
    extensions: ClassVar[tuple[str, ...]] = ("SMTPUTF8",)

    def _judge_mail(self, lines: list[str], traces: tuple[str, str]) -> Result:
        shown = [line for line in lines if any(trace in line for trace in traces)]
        if shown:
            return warned(
                f"the recipient reads: {shown[0][:100]}",
                "no name and no address of the sender's computer",
                "The administrator: -o cleanup_service_name=subcleanup at submission and "
                "submissions, and a cleanup service of that name whose header_checks take the "
                "Received line of people's own programs away.",
            )
        return passed("neither the sender's computer nor its address is in the message")
