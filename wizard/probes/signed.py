"""The unsigned-mail detector: messages that are really sent, and looked at as they leave."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import ClassVar

from mailwizard.errors import CommandFailed
from mailwizard.model import Host, Outcome, Result
from mailwizard.probes.credentials import Credential
from mailwizard.probes.deadline import AtFault, CannotAsk, Trouble
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.leaving import Way, way_out
from mailwizard.probes.putoff import ROOM, short_of_room
from mailwizard.probes.signing import KeyInUse, judge, signatures
from mailwizard.probes.submission_wire import TO_ONESELF, AsUser, Round
from mailwizard.probes.trust import Trust
from mailwizard.probes.verdict import could_not_ask, failed, passed
from mailwizard.probes.wire import Greeted

# What breaks signatures on the way to the next server (RFC 6376 3.4): blanks at ends of lines,
# empty lines at the end, a line that no server need take (RFC 5321 4.5.3.1.6), 8-bit text.
TORTURE = (
    *("mailwizard sent this to see that it is signed.  ", "Gr\u00fc\u00dfe\t"),
    *(".dot", "x" * 1200, "", ""),
)
_FOREIGN = "mailwizard@bank.invalid"


def letter(mark: str, author: str, recipient: str, body: tuple[str, ...] = TORTURE) -> str:
    """A message with folded fields, blanks in them, and that body."""
    lines = (
        f"Message-ID: <{mark}@{author.rpartition('@')[2]}>",
        f"Date: {formatdate(localtime=False)}",
        f"From: mailwizard   test <{author}>",
        f"To: <{recipient}>",
        f"Cc: <{recipient}>",
        "Subject: mailwizard test message,",
        "  removed when found",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "Auto-Submitted: auto-generated",
        "",
        *body,
    )
    return "\n".join(lines) + "\n"


def marked() -> str:
    """A name that no other message has."""
    return f"mailwizard-{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class FromProgram:
    """What a program of this host hands to sendmail as the login, looked at as it leaves."""

    domain: str
    selector: str
    path: str
    login: str
    folder: str = "Maildir"
    wait: float = 20.0
    nameservers: tuple[str, ...] = field(default=(), kw_only=True)
    dns_port: int = field(default=53, kw_only=True)
    deadline: ClassVar[float] = 60.0
    critical: ClassVar[bool] = False

    @property
    def _sender(self) -> str:
        # a login's own address may be rewritten to that of another domain (canonical(5))
        return f"postmaster@{self.domain}"

    @property
    def _author(self) -> str:
        return self._sender

    @property
    def by_hand(self) -> str:
        text = f"From: {self._author}\\nTo: YOU@ELSEWHERE\\nSubject: test\\n\\ntest\\n"
        return (
            f"printf '{text}' | sendmail -f {self._sender} YOU@ELSEWHERE; "
            "there: dkimverify < the message"
        )

    def ask(self, host: Host) -> Result:
        transcript = Transcript()
        try:
            with way_out(
                host,
                self.login,
                self.domain,
                folder=self.folder,
                wait=self.wait,
                transcript=transcript,
            ) as way:
                result = self._judge(host, self._sent(host, way, transcript))
            result = replace(result, said=f"{result.said} ({way.where})")
        except CannotAsk as trouble:
            transcript.note(trouble.sentence)
            result = could_not_ask(trouble)
        return replace(result, transcript=transcript.lines())

    def _sent(self, host: Host, way: Way, transcript: Transcript) -> bytes:
        mark = marked()
        recipient = way.recipient(mark)
        command = ["sendmail", "-i", "-f", self._sender, "--", recipient]
        transcript.note(" ".join(command))
        argv = ["runuser", "-u", self.login, "--", *command]
        try:
            host.run(argv, stdin=letter(mark, self._author, recipient), timeout=20)
        except CommandFailed as error:
            said = f"sendmail: {error.message}"
            if full := short_of_room(host):
                raise AtFault(f"{said}; {full}", "a message is taken", ROOM) from error
            raise CannotAsk(Trouble.CLOSED, said) from error
        return way.taken(host, mark, transcript)

    def _judge(self, host: Host, message: bytes) -> Result:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class LocalMailSigned(FromProgram):
    """Mail that programs of this host hand to sendmail is signed as people's mail is."""

    @property
    def id(self) -> str:
        return f"SUB-13:{self.domain}"

    @property
    def title(self) -> str:
        return f"Mail of {self.domain} from this host's programs is signed"

    def _judge(self, host: Host, message: bytes) -> Result:
        key = KeyInUse(self.domain, self.selector, self.path)
        return judge(host, message, key, self.nameservers, self.dns_port)


@dataclass(frozen=True, slots=True)
class ForeignNotSigned(FromProgram):
    """A message under somebody else's name does not get this domain's signature (DKIM-07)."""

    id: ClassVar[str] = "DKIM-07"
    title: ClassVar[str] = "Mail under others' names is not signed"

    @property
    def _author(self) -> str:
        return _FOREIGN

    def _judge(self, host: Host, message: bytes) -> Result:
        del host
        domains = [one.get("d", "?") for one in signatures(message)]
        if domains:
            return failed(
                f"mail from {_FOREIGN} leaves signed by {', '.join(domains)}",
                "no signature: it would vouch for somebody else's mail",
                "The administrator: only the author's own domain signs; look for other keys and "
                "for SigningTable lines with * alone, then apply this step again.",
            )
        return passed(f"mail from {_FOREIGN} leaves unsigned")


@dataclass(frozen=True, slots=True)
class SubmittedSigned(AsUser):
    """What people send leaves signed once, and the signature holds at the next server.

    Two messages: one with all that breaks signatures, one that is empty (DKIM-05, DKIM-06, SUB-12).
    """

    selector: str = field(kw_only=True)
    path: str = field(kw_only=True)
    folder: str = field(default="Maildir", kw_only=True)
    wait: float = field(default=20.0, kw_only=True)
    nameservers: tuple[str, ...] = field(default=(), kw_only=True)
    dns_port: int = field(default=53, kw_only=True)
    id: ClassVar[str] = "DKIM-04"
    title: ClassVar[str] = "What people send is signed, and the signature holds"
    deadline: ClassVar[float] = 60.0
    slow: ClassVar[bool] = True
    commands: ClassVar[tuple[str, ...]] = TO_ONESELF

    def _with(self, turn: Round, trust: Trust, people: list[Credential]) -> Result:
        who = people[0]
        key = KeyInUse(self.domain, self.selector, self.path)
        with (
            way_out(
                turn.host,
                who.login,
                self.domain,
                folder=self.folder,
                wait=self.wait,
                transcript=turn.transcript,
            ) as way,
            self._submitting(turn, trust, who) as heard,
        ):
            for what, body in (("a message", TORTURE), ("an empty message", ())):
                mark = self._sent(heard, who, way.recipient, body)
                message = way.taken(turn.host, mark, turn.transcript)
                result = judge(turn.host, message, key, self.nameservers, self.dns_port)
                if result.outcome is not Outcome.PASS:
                    result = replace(result, said=f"{what}: {result.said}")
                    break
        return replace(result, said=f"{result.said} ({way.where})")

    def _sent(
        self,
        heard: Greeted,
        who: Credential,
        address: Callable[[str], str],
        body: tuple[str, ...],
    ) -> str:
        mark, author = marked(), self._address(who)
        recipient = address(mark)
        for command in (f"MAIL FROM:<{author}>", f"RCPT TO:<{recipient}>", "DATA"):
            reply = heard.talk.command(command)
            if reply.code >= 400:
                raise CannotAsk(Trouble.CLOSED, f"a message of {who.login}: {reply.text}")
        lines = letter(mark, author, recipient, body).removesuffix("\n").split("\n")
        text = "\r\n".join(f".{one}" if one.startswith(".") else one for one in (*lines, ""))
        heard.talk.send_raw(text.encode() + b".\r\n", shown=f"(test message {mark})")
        receipt = heard.talk.reply()
        if not receipt.ok:
            raise CannotAsk(Trouble.CLOSED, f"a message of {who.login}: {receipt.text}")
        return mark
