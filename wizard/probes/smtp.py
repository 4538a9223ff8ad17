"""Port 25 as any mail server on the Internet meets it: greeting, limits, and what is refused."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.model import Host, Outcome, Result
from mailwizard.probes.catchall import MEANT, catch_all
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Reply, Transcript
from mailwizard.probes.postconf import soft_bounce
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, unknown, warned
from mailwizard.probes.wire import Greeted, OverTheWire, outcome_of, refused

_NOT_THE_SERVER = {
    *(Trouble.NO_VANTAGE, Trouble.UNREACHABLE, Trouble.DNS),
    *(Trouble.KEPT_OUT, Trouble.FAULT),
}
_ADMIN = "The administrator, in /etc/postfix/main.cf: "


@dataclass(frozen=True, slots=True)
class SmtpGreeting(OverTheWire):
    """The server greets within five seconds and by its own name (RFC 5321 4.2)."""

    hostname: str
    id: ClassVar[str] = "SMTP-01"
    title: ClassVar[str] = "The server greets by its own name"
    says_ehlo: ClassVar[bool] = False

    def _judge(self, heard: Greeted) -> Result:
        name = heard.greeting.first.split(" ")[0]
        wanted = f"220 {self.hostname} ESMTP"
        if heard.greeting.code != 220:
            return failed(
                f"the server greets with {heard.greeting.text}",
                wanted,
                "The administrator: `journalctl -t postfix/smtpd -n 20` says why it refuses.",
            )
        if name.lower() != self.hostname.lower():
            return failed(
                f"the server calls itself {name or '(nothing)'}",
                wanted,
                f"{_ADMIN}myhostname = {self.hostname} and smtpd_banner = $myhostname ESMTP.",
            )
        if heard.waited > 5:
            return warned(
                f"greeted as {name}, but only after {heard.waited:.0f} s",
                "a greeting within 5 s",
                "Usually a slow resolver: Postfix looks up each caller's name first. The "
                "administrator: see /etc/resolv.conf, then restart Postfix.",
            )
        return passed(f"greets as {name}, after {heard.waited:.1f} s")

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        try:
            return OverTheWire._hear(self, host, place, clock, transcript)
        except CannotAsk as trouble:
            if trouble.kind in _NOT_THE_SERVER:
                raise
            transcript.note(trouble.sentence)
            return self._silent(host, trouble, transcript)

    def _silent(self, host: Host, trouble: CannotAsk, transcript: Transcript) -> Result:
        log = () if self.server else _postfix_log(host)
        for line in log:
            transcript.note(line)
        # A wrong setting makes every smtpd die at birth: the port is open and says nothing.
        fatal = next((line for line in reversed(log) if "fatal:" in line), "")
        return failed(
            f"{trouble.sentence}{f'; Postfix says: {fatal}' if fatal else ''}",
            f"220 {self.hostname} ESMTP within 5 s",
            "The administrator: is Postfix running (`postfix status`), is inet_interfaces = all, "
            "and does a firewall on this host let port 25 in?",
        )


def _postfix_log(host: Host) -> tuple[str, ...]:
    # No -n: before systemd 254 it means the first lines since then, not the last ones.
    argv = ["journalctl", "-q", "-o", "cat", "--since", "-2min"]
    asked = host.ask([*argv, "-t", "postfix/smtpd", "-t", "postfix/master"], timeout=5)
    newest = "\n".join(asked.out.splitlines()[-12:])
    return sanitise.lines(newest, width=300) if asked.ok else ()


@dataclass(frozen=True, slots=True)
class SmtpEhlo(OverTheWire):
    """EHLO is answered with the server's own name and its list of extensions."""

    hostname: str
    id: ClassVar[str] = "SMTP-02"
    title: ClassVar[str] = "EHLO is answered with the server's name"

    def _judge(self, heard: Greeted) -> Result:
        name = heard.ehlo.first.split(" ")[0]
        if not heard.ehlo.ok or name.lower() != self.hostname.lower():
            return failed(
                f"EHLO is answered with {heard.ehlo.code} {heard.ehlo.first}",
                f"250 {self.hostname}, then the extensions",
                f"{_ADMIN}myhostname = {self.hostname}, then reload Postfix.",
            )
        offered = ", ".join(line.split(" ")[0] for line in heard.ehlo.lines[1:])
        return passed(f"{name} offers {offered or 'nothing'}")


@dataclass(frozen=True, slots=True)
class RequiresHelo(OverTheWire):
    """MAIL before EHLO is refused."""

    id: ClassVar[str] = "SMTP-05"
    title: ClassVar[str] = "Nobody sends without saying hello"
    says_ehlo: ClassVar[bool] = False

    def _judge(self, heard: Greeted) -> Result:
        reply = heard.talk.command("MAIL FROM:<>")
        if reply.ok:
            return warned(
                f"MAIL without EHLO is accepted: {reply.text}",
                "503 5.5.1 Error: send HELO/EHLO first",
                f"{_ADMIN}smtpd_helo_required = yes.",
            )
        if not refused(reply, "helo"):
            return unknown(
                f"MAIL without EHLO is put off: {reply.text}",
                "503 5.5.1 Error: send HELO/EHLO first",
                "The server says to come back later, for another reason: check again.",
            )
        return passed(f"MAIL without EHLO: {reply.text}")


@dataclass(frozen=True, slots=True)
class UnknownRecipient(OverTheWire):
    """An unknown recipient is refused at once, never accepted and bounced to an innocent."""

    domain: str
    id: ClassVar[str] = "SMTP-10"
    title: ClassVar[str] = "Unknown recipients are refused at the door"

    def _commands(self) -> tuple[str, ...]:
        return ("MAIL FROM:<>", f"RCPT TO:<nobody-{'x' * 8}@{self.domain}>")

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        result = OverTheWire._hear(self, host, place, clock, transcript)
        if self.server:
            return result
        if result.outcome is Outcome.FAIL and (where := catch_all(host, self.domain)):
            return warned(f"nobody is unknown here: {where}", result.expected, MEANT)
        if result.outcome is Outcome.WARN and soft_bounce(host):
            why = "soft_bounce = yes: everything refused is tried again for days"
            return replace(result, said=f"{result.said}; {why}")
        return result

    def _judge(self, heard: Greeted) -> Result:
        somebody = f"nobody-{secrets.token_hex(6)}@{self.domain}"
        reply = envelope(heard, "", somebody)
        if reply.ok:
            return failed(
                f"{somebody}, whom nobody knows, is accepted",
                "550 5.1.1 User unknown",
                f"{_ADMIN}local_recipient_maps must not be empty, and no catch-all may take what "
                "is then bounced: others would be sent the bounces of forged mail.",
            )
        if 400 <= reply.code < 500:
            return warned(
                f"an unknown recipient is put off: {reply.text}",
                "550 5.1.1 User unknown",
                f"{_ADMIN}unknown_local_recipient_reject_code = 550, soft_bounce = no; or a table "
                "cannot be read (`journalctl -t postfix/smtpd`).",
            )
        return passed(f"unknown recipient: {reply.text}")


@dataclass(frozen=True, slots=True)
class NullSender(OverTheWire):
    """Bounces, which have no sender, are taken for a valid user (RFC 5321 6.1)."""

    recipient: str
    id: ClassVar[str] = "SMTP-12"
    title: ClassVar[str] = "Delivery reports are accepted"

    def _commands(self) -> tuple[str, ...]:
        return ("MAIL FROM:<>", f"RCPT TO:<{self.recipient}>")

    def _judge(self, heard: Greeted) -> Result:
        reply = envelope(heard, "", self.recipient)
        return accepted(
            reply,
            f"a message without sender for {self.recipient}",
            f"{_ADMIN}no sender restriction may refuse <>; and {self.recipient} must exist.",
        )


@dataclass(frozen=True, slots=True)
class TaggedRecipient(OverTheWire):
    """`user+tag` reaches the user."""

    recipient: str
    delimiter: str = "+"
    id: ClassVar[str] = "SMTP-13"
    title: ClassVar[str] = "Tagged addresses reach their user"

    def _tagged(self) -> str:
        local, _, domain = self.recipient.rpartition("@")
        return f"{local}{self.delimiter}mailwizard@{domain}"

    def _commands(self) -> tuple[str, ...]:
        return ("MAIL FROM:<>", f"RCPT TO:<{self._tagged()}>")

    def _judge(self, heard: Greeted) -> Result:
        return accepted(
            envelope(heard, "", self._tagged()),
            self._tagged(),
            f"{_ADMIN}recipient_delimiter = {self.delimiter}.",
        )


@dataclass(frozen=True, slots=True)
class MessageSize(OverTheWire):
    """The announced size limit is the configured one, and one octet more is refused (RFC 1870)."""

    limit: int
    recipient: str
    id: ClassVar[str] = "SMTP-14"
    title: ClassVar[str] = "The size limit is announced and kept"

    def _commands(self) -> tuple[str, ...]:
        return (f"MAIL FROM:<> SIZE={self.limit + 1}",)

    def _judge(self, heard: Greeted) -> Result:
        announced = heard.ehlo.keyword("SIZE")
        fix = f"{_ADMIN}message_size_limit = {self.limit}, then reload Postfix."
        if announced != str(self.limit):
            return failed(
                f"the server announces SIZE {announced or '(none)'}", f"SIZE {self.limit}", fix
            )
        reply = heard.talk.command(f"MAIL FROM:<> SIZE={self.limit + 1}")
        if reply.ok:
            reply = heard.talk.command(f"RCPT TO:<{self.recipient}>")
        if reply.ok:
            return failed(f"a message of {self.limit + 1} octets would be taken", "552 5.3.4", fix)
        if 400 <= reply.code < 500:
            return warned(
                f"one octet too many: {reply.text}",
                "552 5.3.4 Message size exceeds fixed limit",
                "452 means the disk is nearly full: the administrator must make room.",
            )
        return passed(f"SIZE {announced}, one octet more: {reply.text}")


@dataclass(frozen=True, slots=True)
class VrfySilent(OverTheWire):
    """VRFY tells nobody who has a mailbox here."""

    login: str
    domain: str
    id: ClassVar[str] = "SMTP-15"
    title: ClassVar[str] = "VRFY does not tell who lives here"

    def _commands(self) -> tuple[str, ...]:
        return (f"VRFY {self.login}@{self.domain}", f"VRFY nobody-xxxxxxxx@{self.domain}")

    def _judge(self, heard: Greeted) -> Result:
        # a bare name may be refused for being bare
        known = heard.talk.command(f"VRFY {self.login}@{self.domain}")
        stranger = heard.talk.command(f"VRFY nobody-{secrets.token_hex(6)}@{self.domain}")
        if known.code != stranger.code:
            return failed(
                f"VRFY answers {known.code} for a user and {stranger.code} for nobody",
                "the same answer for both",
                f"{_ADMIN}disable_vrfy_command = yes.",
            )
        return passed(f"VRFY answers {known.code} for everybody")


@dataclass(frozen=True, slots=True)
class EarlyTalker(OverTheWire):
    """Who talks before his turn is refused, as spam programs and smugglers do."""

    id: ClassVar[str] = "SMTP-18"
    title: ClassVar[str] = "Who talks before his turn is refused"

    @property
    def by_hand(self) -> str:
        where = self.server or '"$(postconf -h myhostname)"'
        return f"printf 'EHLO x.invalid\\r\\nMAIL FROM:<>\\r\\n' | nc -q 3 {where} {self.port}"

    says_ehlo: ClassVar[bool] = False

    def _judge(self, heard: Greeted) -> Result:
        # RFC 2920 3.1: EHLO may be the last command of a group only.
        heard.talk.send_raw(b"EHLO stranger.invalid\r\nMAIL FROM:<>\r\nRSET\r\n")
        try:
            replies = [heard.talk.reply() for _ in range(3)]
        except CannotAsk as trouble:
            if trouble.kind in {Trouble.CLOSED, Trouble.RESET}:
                return passed("the server hung up on who talked before his turn")
            raise
        refusals = [reply for reply in replies if refused(reply, "synchronization")]
        if refusals:
            return passed(f"talking before one's turn: {refusals[0].text}")
        return failed(
            "commands sent before their turn are obeyed",
            "554 5.5.0 Error: SMTP protocol synchronization",
            f"{_ADMIN}smtpd_forbid_unauth_pipelining = yes (Postfix 3.7 and 3.8 ship `no`).",
        )


_DANGEROUS = ("AUTH PLAIN AHgAeA==", "XCLIENT ADDR=127.0.0.1", "XFORWARD NAME=localhost", "DEBUG")


@dataclass(frozen=True, slots=True)
class NoDangerousVerbs(OverTheWire):
    """Logging in without TLS, impersonation and debugging are neither offered nor obeyed."""

    id: ClassVar[str] = "SMTP-34"
    title: ClassVar[str] = "No logging in in clear, no test commands"
    commands: ClassVar[tuple[str, ...]] = _DANGEROUS

    def _judge(self, heard: Greeted) -> Result:
        verbs = [command.split(" ")[0] for command in _DANGEROUS]
        offered = [verb for verb in verbs if heard.ehlo.keyword(verb) is not None]
        obeyed = []
        for command in (*_DANGEROUS, "ETRN stranger.invalid"):
            reply = heard.talk.command(command)
            if reply.code < 400:
                obeyed.append(command.split(" ")[0])
        bad = list(dict.fromkeys((*offered, *obeyed)))
        if bad:
            return failed(
                f"open to strangers: {', '.join(bad)}",
                "none of AUTH (before TLS), XCLIENT, XFORWARD, ETRN, DEBUG",
                f"{_ADMIN}smtpd_sasl_auth_enable = no on port 25, no "
                "smtpd_authorized_xclient_hosts or …xforward_hosts beyond loopback, and "
                "fast_flush_domains empty.",
            )
        return passed("AUTH, XCLIENT, XFORWARD, ETRN and DEBUG are refused")


def envelope(heard: Greeted, sender: str, recipient: str) -> Reply:
    """The first refusal of an envelope, or the recipient's reply; the envelope is then dropped."""
    reply = heard.talk.command(f"MAIL FROM:<{sender}>")
    if reply.ok:
        reply = heard.talk.command(f"RCPT TO:<{recipient}>")
    if reply.code == 421:
        raise CannotAsk(Trouble.CLOSED, f"the server hung up: {reply.text}")
    heard.talk.command("RSET")
    return reply


def accepted(reply: Reply, what: str, fix: str) -> Result:
    """The verdict over something that must be accepted; "later" is unknown."""
    outcome = outcome_of(reply)
    if outcome is Outcome.PASS:
        return passed(f"{what} is accepted")
    said = f"{what}: {reply.text}"
    if outcome is Outcome.UNKNOWN:
        return unknown(said, "250", f"The server says to come back later. {fix}")
    return failed(said, "250", fix)
