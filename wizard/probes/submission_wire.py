"""A probe that submits mail as a mail program does (RFC 6409), on each of the chosen ports."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard.model import Host, Outcome, Result
from mailwizard.probes.conversation import Conversation
from mailwizard.probes.credentials import Accounts, Credential, known, nobody_known
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Reply, Transcript
from mailwizard.probes.putoff import OwnServer
from mailwizard.probes.trust import Trust, anybody, begin, smtp_trust
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import unknown
from mailwizard.probes.wire import STRANGER, Greeted

IN_MASTER = "The administrator, in /etc/postfix/master.cf: "
MEND_SASL = (
    f"{IN_MASTER}-o smtpd_sasl_auth_enable=yes at submission and submissions; in main.cf "
    "smtpd_sasl_type = dovecot, smtpd_sasl_path = private/auth; and Dovecot must run "
    "(`journalctl -t postfix/submissions/smtpd -n 20`)."
)
LOGGED_IN = "235 2.7.0 Authentication successful"
TO_ONESELF = ("AUTH PLAIN …", "MAIL FROM:<me@…>", "RCPT TO:<me@…>", "DATA")


@dataclass(frozen=True, slots=True)
class Round:
    """What one probe needs on its way: who asks, from where, until when, into what."""

    host: Host
    place: Seat
    clock: Deadline
    transcript: Transcript
    port: int

    def at(self, place: Seat) -> Round:
        """The same from somewhere else."""
        return replace(self, place=place)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverSubmission(Conversation):
    """A probe of each submission port; `wrapped`: TLS at once."""

    ports: tuple[int, ...] = (465, 587)
    wrapped: tuple[int, ...] = (465,)
    deadline: ClassVar[float] = 40.0
    commands: ClassVar[tuple[str, ...]] = ()

    @property
    def by_hand(self) -> str:
        where = self.server or '"$(postconf -h myhostname)"'
        port = self.ports[0] if self.ports else 465
        how = "" if port in self.wrapped else " -starttls smtp"
        said = "; ".join(("EHLO laptop", *self.commands, "QUIT"))
        return f"openssl s_client -crlf -quiet -connect {where}:{port}{how}   # then: {said}"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        results = []
        for port in self.ports:
            transcript.note(f"port {port}")
            result = self._at(Round(host, place, clock, transcript, port))
            results.append(replace(result, said=f"port {port}: {result.said}"))
            if result.outcome in {Outcome.FAIL, Outcome.UNKNOWN}:
                break
        return _together(results)

    def _at(self, turn: Round) -> Result:
        """The question at one port."""
        raise NotImplementedError

    @contextmanager
    def _encrypted(
        self, turn: Round, trust: Trust | None, helo: str = STRANGER, name: str = ""
    ) -> Iterator[Greeted]:
        """A conversation inside TLS, after EHLO; without trust nothing is proved."""
        begun, address = time.monotonic(), turn.place.addresses[0]
        sock = turn.place.connect(address, turn.port, turn.clock)
        with OwnServer(sock, turn.clock, turn.transcript) as talk:
            turn.transcript.note(f"connected to {address} port {turn.port}")
            wrapped = turn.port in self.wrapped
            begin(talk, "" if wrapped else "smtp")
            if trust:
                trust.secure(talk)
            else:
                talk.start_tls(anybody(), name or None)
            greeting = talk.reply() if wrapped else Reply(220, ())
            if not greeting.ok:
                raise CannotAsk(Trouble.CLOSED, f"the server does not greet: {greeting.text}")
            ehlo = talk.command(f"EHLO {helo}")
            yield Greeted(talk, greeting, ehlo, time.monotonic() - begun, address, turn.place)
            talk.quit()


def _together(results: list[Result]) -> Result:
    """The worst of the ports' results, or the passes in one sentence."""
    if not results:
        raise CannotAsk(Trouble.GARBLED, "no port to ask at")
    last = max(results, key=lambda one: one.outcome.severity)
    if last.outcome is not Outcome.PASS or len(results) == 1:
        return last
    heads, saids = zip(*(one.said.split(": ", 1) for one in results), strict=True)
    if len(set(saids)) > 1:
        return replace(last, said="; ".join(one.said for one in results))
    numbers = " and ".join(head.removeprefix("port ") for head in heads)
    return replace(last, said=f"ports {numbers}: {saids[0]}")


def log_in(heard: Greeted, who: Credential, name: str = "") -> Reply:
    """AUTH PLAIN (RFC 4954); raises CannotAsk where the server has not proved its name."""
    if not heard.talk.verified:
        raise CannotAsk(
            Trouble.UNTRUSTED, "no password is sent: the server has not proved who it is"
        )
    go = heard.talk.command("AUTH PLAIN")
    if go.code != 334:
        return go
    heard.talk.send_secret(who.plain(name), f"login and password of {name or who.login}")
    return heard.talk.reply()


class PutOff(CannotAsk):
    """The server asks to come back later (RFC 5321 4.2.1)."""

    def __init__(self, sentence: str) -> None:
        super().__init__(Trouble.CLOSED, sentence)


@dataclass(frozen=True, slots=True)
class AsUser(OverSubmission):
    """A probe that needs somebody's password."""

    accounts: Accounts
    domain: str
    name: str = ""
    trust: str = ""

    def _at(self, turn: Round) -> Result:
        people = known(turn.host, self.accounts)
        if not people:
            return nobody_known(turn.host, self.accounts)
        trust = smtp_trust(turn.host, self.name, self.trust)
        try:
            return self._with(turn, trust, people)
        except PutOff as later:
            # Postfix waits ten seconds for Dovecot: on a busy host that may be too short
            turn.transcript.note(f"{later.sentence}; once more")
        try:
            return self._with(turn, trust, people)
        except PutOff as still:
            return unknown(still.sentence, LOGGED_IN, f"Later again. {MEND_SASL}")

    def _with(self, turn: Round, trust: Trust, people: list[Credential]) -> Result:
        """One conversation of the first who is known; overridden where it takes several."""
        with self._submitting(turn, trust, people[0]) as heard:
            return self._judge(turn, heard, people[0])

    def _judge(self, turn: Round, heard: Greeted, who: Credential) -> Result:
        raise NotImplementedError

    @contextmanager
    def _submitting(
        self, turn: Round, trust: Trust, who: Credential, helo: str = STRANGER
    ) -> Iterator[Greeted]:
        """A conversation in which that user has logged in."""
        with self._encrypted(turn, trust, helo) as heard:
            reply = log_in(heard, who)
            if not reply.ok:
                said = f"{who.login} cannot log in: {reply.text}"
                raise PutOff(said) if reply.code < 500 else CannotAsk(Trouble.CLOSED, said)
            yield heard

    def _address(self, who: Credential) -> str:
        return f"{who.login}@{self.domain}"
