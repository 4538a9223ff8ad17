"""Submission as everybody meets it: encrypted first, a password next, and no way round either."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard.model import Look, Result
from mailwizard.platform.facts import passwd
from mailwizard.probes.credentials import KEPT, Credential, away
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.dialogue import Reply, Transcript
from mailwizard.probes.smtp import envelope
from mailwizard.probes.submission_wire import (
    IN_MASTER,
    LOGGED_IN,
    MEND_SASL,
    AsUser,
    OverSubmission,
    PutOff,
    Round,
    log_in,
)
from mailwizard.probes.trust import Trust, smtp_trust
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import could_not_ask, failed, passed, unknown, warned
from mailwizard.probes.wire import Greeted, OverTheWire, refused

_LATER = "The server says to come back later, for another reason: check again."
_FOREIGN = ("relaytest@example.com", "relaytest@example.net")


@dataclass(frozen=True, slots=True)
class SubmissionPorts(OverSubmission):
    """The chosen ports take mail programs: 465 encrypted at once (RFC 8314), 587 by STARTTLS."""

    ports: tuple[int, ...]
    id: ClassVar[str] = "SUB-01"
    title: ClassVar[str] = "Mail programs can hand in mail, encrypted"

    def _at(self, turn: Round) -> Result:
        with self._encrypted(turn, None) as heard:
            if not heard.ehlo.ok:
                return failed(f"EHLO: {heard.ehlo.text}", "250 and the extensions", MEND_SASL)
        if turn.port not in self.wrapped and not set(self.ports) & set(self.wrapped):
            return warned(
                "only STARTTLS, no port that is encrypted at once",
                "465 as well (RFC 8314 3.3)",
                "The administrator: choose 465 beside 587.",
            )
        return passed("encrypted, and EHLO is answered")

    def _no_answer(self, trouble: CannotAsk) -> Result:
        if trouble.kind in {Trouble.NO_VANTAGE, Trouble.UNREACHABLE, Trouble.DNS}:
            return could_not_ask(trouble)
        return failed(
            trouble.sentence,
            "TLS, then EHLO answered, on each chosen port",
            f"{IN_MASTER}the services submissions (-o smtpd_tls_wrappermode=yes) and submission; a "
            "certificate that cannot be read is said in the log only.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AtPort587(OverTheWire):
    """What port 587 does before STARTTLS."""

    port: int = 587


@dataclass(frozen=True, slots=True)
class StartTlsFirst(AtPort587):
    """Nothing is taken on port 587 before STARTTLS (RFC 8314 3.3)."""

    id: ClassVar[str] = "SUB-02"
    title: ClassVar[str] = "Port 587 takes nothing in clear"
    commands: ClassVar[tuple[str, ...]] = ("MAIL FROM:<>",)

    def _judge(self, heard: Greeted) -> Result:
        reply = heard.talk.command("MAIL FROM:<>")
        expected = "530 5.7.0 Must issue a STARTTLS command first"
        if reply.ok:
            return failed(
                f"MAIL FROM before STARTTLS: {reply.text}",
                expected,
                f"{IN_MASTER}-o smtpd_tls_security_level=encrypt at submission.",
            )
        if not refused(reply, "starttls"):
            return unknown(f"MAIL FROM before STARTTLS: {reply.text}", expected, _LATER)
        return passed(f"MAIL FROM before STARTTLS: {reply.text}")


@dataclass(frozen=True, slots=True)
class NoAuthInClear(AtPort587):
    """A password is neither asked for nor looked at before STARTTLS."""

    id: ClassVar[str] = "SUB-03"
    title: ClassVar[str] = "Port 587 takes no password in clear"
    commands: ClassVar[tuple[str, ...]] = ("AUTH PLAIN AHgAeA==",)

    def _judge(self, heard: Greeted) -> Result:
        fix = (
            f"{IN_MASTER}-o smtpd_tls_security_level=encrypt; in main.cf smtpd_tls_auth_only = yes."
        )
        expected = "no AUTH among the extensions, and 5xx for it"
        if (offered := heard.ehlo.keyword("AUTH")) is not None:
            return failed(f"AUTH {offered} is offered before STARTTLS", expected, fix)
        reply = heard.talk.command("AUTH PLAIN AHgAeA==")  # x with the password x
        # 435 is 535 where soft_bounce = yes
        if reply.code < 400 or reply.code in (535, 435):
            return failed(f"a password in clear is tried: {reply.text}", expected, fix)
        if not refused(reply, "starttls", "not enabled"):
            return unknown(f"AUTH before STARTTLS: {reply.text}", expected, _LATER)
        return passed(f"AUTH before STARTTLS: {reply.text}")


@dataclass(frozen=True, slots=True)
class SubmissionLogin(AsUser):
    """The right password lets people in, by bare name and full address."""

    id: ClassVar[str] = "SUB-04"
    title: ClassVar[str] = "People can log in to send"
    commands: ClassVar[tuple[str, ...]] = ("AUTH PLAIN", "(base64 of NUL name NUL password)")

    def _with(self, turn: Round, trust: Trust, people: list[Credential]) -> Result:
        for who in people:
            for name in (who.login, self._address(who)):
                with self._encrypted(turn, trust) as heard:
                    reply = log_in(heard, who, name)
                if not reply.ok and not refused(reply, "authentication failed"):
                    raise PutOff(f"{name}: {reply.text}")
                if not reply.ok:
                    return failed(
                        f"{name} cannot log in: {reply.text}",
                        LOGGED_IN,
                        f"{KEPT} Or: {MEND_SASL}",
                    )
        names = ", ".join(who.login for who in people)
        return passed(f"{names}: in by bare name and full address")


@dataclass(frozen=True, slots=True)
class SameAnswerForUnknownUser(OverSubmission):
    """A wrong password and an unknown user get the same answer: nobody learns who lives here."""

    name: str = ""
    trust: str = ""
    id: ClassVar[str] = "SUB-05"
    title: ClassVar[str] = "A wrong password does not tell who lives here"
    slow: ClassVar[bool] = True
    commands: ClassVar[tuple[str, ...]] = ("AUTH PLAIN", "(a wrong password)")

    def _at(self, turn: Round) -> Result:
        if turn.port != self.ports[0]:
            return passed("as at the other port")  # the passwords are Dovecot's at each of them
        trust = smtp_trust(turn.host, self.name, self.trust)
        logins = (_somebody(turn.host), f"nobody-{secrets.token_hex(4)}")
        with ThreadPoolExecutor(max_workers=2) as pool:
            tries = list(pool.map(lambda login: self._try(turn, trust, login), logins))
        for _, _, part in tries:
            turn.transcript.extend(part)
        (known, took, _), (stranger, took_too, _) = tries
        expected = "535 5.7.8 for both, after about the same time"
        fix = f"The passwords are checked by Dovecot: auth_verbose_… must not show. {MEND_SASL}"
        if known.ok or stranger.ok:
            who = logins[0] if known.ok else logins[1]
            return failed(f"{who} is let in with a made-up password", expected, fix)
        if not {known.code, stranger.code} <= {535, 435}:  # 435 where soft_bounce = yes
            return unknown(f"{known.text} and {stranger.text}", expected, fix)
        if known.text != stranger.text:
            return failed(f"'{known.text}' and '{stranger.text}'", expected, fix)
        # PAM draws its delay by lot, up to half of two seconds more or less
        if abs(took - took_too) > 3:
            return warned(f"after {took:.1f} s and {took_too:.1f} s", expected, fix)
        return passed(f"{known.text}, for both, after {took:.1f} and {took_too:.1f} s")

    def _try(self, turn: Round, trust: Trust, login: str) -> tuple[Reply, float, Transcript]:
        part = Transcript()
        mine = replace(turn, place=away(self.server), transcript=part)
        with self._encrypted(mine, trust) as heard:
            begun = time.monotonic()
            reply = log_in(heard, Credential(login, secrets.token_hex(12)))
            return reply, time.monotonic() - begun, part


def _somebody(look: Look) -> str:
    """A login of a person; root where there is none."""
    rows = (line.split(":") for line in passwd(look).out.splitlines())
    people = (r[0] for r in rows if len(r) > 2 and r[2].isdigit() and 1000 <= int(r[2]) < 60000)
    return next(people, "root")


@dataclass(frozen=True, slots=True)
class Mechanisms(OverSubmission):
    """Inside TLS PLAIN is offered, and nothing that lets anybody in or keeps passwords readable."""

    name: str = ""
    trust: str = ""
    id: ClassVar[str] = "SUB-06"
    title: ClassVar[str] = "Only sound ways to log in are offered"

    def _at(self, turn: Round) -> Result:
        with self._encrypted(turn, None, name=self.name) as heard:
            offered = (heard.ehlo.keyword("AUTH") or "").upper().split()
        fix = (
            "The administrator: auth_mechanisms = plain login in Dovecot, "
            "smtpd_sasl_security_options = noanonymous in main.cf."
        )
        said = f"AUTH {' '.join(offered) or '(none)'}"
        if "PLAIN" not in offered:
            return failed(said, "AUTH PLAIN", MEND_SASL)
        if "ANONYMOUS" in offered:
            return failed(said, "no ANONYMOUS", fix)
        if old := [one for one in offered if one in ("CRAM-MD5", "DIGEST-MD5", "NTLM")]:
            return warned(said, f"without {', '.join(old)}: they need readable passwords", fix)
        return passed(said)


@dataclass(frozen=True, slots=True)
class NoRelayWithoutLogin(OverSubmission):
    """Without a password nobody sends from here, from nowhere: not even from this host itself."""

    name: str = ""
    trust: str = ""
    id: ClassVar[str] = "SUB-07"
    title: ClassVar[str] = "Nobody sends without a password"
    critical: ClassVar[bool] = True
    commands: ClassVar[tuple[str, ...]] = ("MAIL FROM:<>", f"RCPT TO:<{_FOREIGN[0]}>")

    def _at(self, turn: Round) -> Result:
        places = [("a stranger", turn.place)]
        if not self.server:
            places.append(("this host itself", Seat(("127.0.0.1",), ("127.0.0.1",))))
        for who, place in places:
            turn.transcript.note(f"as {who}")
            for sender in ("", _FOREIGN[1]):
                with self._encrypted(turn.at(place), None, name=self.name) as heard:
                    reply = envelope(heard, sender, _FOREIGN[0])
                if reply.ok:
                    return failed(
                        f"{who} may send from <{sender}> to <{_FOREIGN[0]}> without a password",
                        "530 or 554",
                        f"{IN_MASTER}-o "
                        "smtpd_relay_restrictions=permit_sasl_authenticated,reject at "
                        "submission and submissions: the ones of main.cf trust mynetworks.",
                    )
                if not refused(reply, "access denied"):
                    return unknown(f"{who}: {reply.text}", "530 or 554", "Later again.")
        return passed(f"without a password: {reply.text}")
