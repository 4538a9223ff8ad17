"""The server that takes our mail on: tried as Postfix would, with the password Postfix would use.

Nothing secret is said before the certificate is proved, and none of it is ever shown.
"""

from __future__ import annotations

import base64
import shlex
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard.fields.relays import split
from mailwizard.model import Host, Result
from mailwizard.probes.connect import connect
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Dialogue, Reply, Transcript
from mailwizard.probes.dns import resolver_of
from mailwizard.probes.postconf import Postconf, words
from mailwizard.probes.verdict import could_not_ask, failed, passed, unknown, warned

DOTS = "••••••••"
_ANSWER = "The administrator: correct relay.host, or ask the provider for its name and port."
_LOGIN = "The administrator: correct the user name and the password of the relay, and apply again."


class Verdict(Exception):
    """The conversation is over: this is what came of it."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.said)
        self.result = result


@dataclass(frozen=True, slots=True)
class Account:
    """A user name and a password, as Postfix finds them."""

    username: str
    password: str

    @property
    def plain(self) -> str:
        """The initial response of AUTH PLAIN (RFC 4616)."""
        return base64.b64encode(f"\0{self.username}\0{self.password}".encode()).decode()

    def tokens(self) -> tuple[str, ...]:
        """Everything that must not be shown, should the other side repeat it."""
        word = base64.b64encode(self.password.encode()).decode()
        return (self.plain, word, self.password)


@dataclass(frozen=True, slots=True)
class RelayTakesUs:
    """The relay is there, proves its name, takes the login, and takes mail from the sender.

    key: what the password is looked up by; empty where the relay asks for none.
    wrapped: TLS from the first byte. authority: the certificates that are trusted, "": Postfix's.
    """

    hop: str
    wrapped: bool = False
    key: str = ""
    helo: str = "localhost"
    sender: str = ""
    authority: str = ""
    nameservers: tuple[str, ...] = ()
    critical: ClassVar[bool] = False
    deadline: ClassVar[float] = 40.0

    @property
    def id(self) -> str:
        return "OUT-03" if self.key in ("", self.hop) else f"OUT-03:{self.key}"

    @property
    def title(self) -> str:
        name, port = split(self.hop)
        takes = "takes our login" if self.key else "can be reached"
        whose = "" if self.key in ("", self.hop) else f" for {self.key}"
        return f"The relay {name}:{port} {takes}{whose}"

    @property
    def by_hand(self) -> str:
        name, port = split(self.hop)
        start = "" if self.wrapped else " -starttls smtp"
        verified = f"-verify_return_error -verify_hostname {shlex.quote(name)}"
        return f"openssl s_client -connect {shlex.quote(name)}:{port}{start} {verified} -brief"

    def ask(self, host: Host) -> Result:
        transcript = Transcript()
        clock = Deadline(self.deadline - 1)
        account: Account | None = None
        try:
            conf = Postconf(host).values("smtp_sasl_password_maps", "smtp_tls_CAfile")
            account = self._account(host, conf.get("smtp_sasl_password_maps", ""))
            context = self._context(conf.get("smtp_tls_CAfile", ""))
            with self._connect(host, clock, transcript) as talk:
                result = self._converse(talk, context, account)
                talk.quit()
        except Verdict as verdict:
            result = verdict.result
        except CannotAsk as trouble:
            transcript.note(trouble.sentence)
            result = self._trouble(trouble)
        return _hidden(result, transcript.lines(), account.tokens() if account else ())

    def _account(self, host: Host, maps: str) -> Account | None:
        if not self.key:
            return None
        value = looked_up(host, self.key, maps)
        username, colon, password = value.partition(":")
        if not colon or not password:
            raise Verdict(
                failed(
                    f"Postfix finds no password for {self.key} in {maps or 'no table'}",
                    f"an entry for {self.key}",
                    "The administrator: apply the relay step again; in the table the words before "
                    "the user name must be exactly what relayhost says, brackets and port too.",
                )
            )
        return Account(username, password)

    def _context(self, authority: str) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.authority or authority or None)
        except OSError as error:
            raise CannotAsk(Trouble.UNREACHABLE, f"trusted certificates: {error}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Python asks more of an authority than Postfix does, and Postfix is who has to be content
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not self.key:
            # nothing secret is said: Postfix, too, takes any certificate then
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _connect(self, host: Host, clock: Deadline, transcript: Transcript) -> Dialogue:
        name, port = split(self.hop)
        addresses = self._addresses(host, name)
        for place, address in enumerate(addresses, 1):
            try:
                sock = connect(address, port, clock.within(8))
            except CannotAsk as trouble:
                transcript.note(trouble.sentence)
                if place == len(addresses):
                    raise
            else:
                transcript.note(f"connected to {name} ({address}) port {port}")
                return Dialogue(sock, clock, transcript)
        raise Verdict(
            failed(f"there is no server called {name} in the DNS", "its address", _ANSWER)
        )

    def _addresses(self, host: Host, name: str) -> tuple[str, ...]:
        if ":" in name or name.replace(".", "").isdigit():
            return (name,)
        # Postfix asks the DNS alone, /etc/hosts does not count (postconf(5), smtp_host_lookup)
        found = resolver_of(host, self.nameservers).addresses(name)
        # a host without a way to IPv6 finds out at once
        return tuple(sorted(found, key=lambda address: ":" in address))

    def _converse(self, talk: Dialogue, context: ssl.SSLContext, account: Account | None) -> Result:
        name, port = split(self.hop)
        if self.wrapped:
            talk.start_tls(context, name)
        greeting = talk.reply()
        if not greeting.ok:
            raise Verdict(unknown(f"the relay is busy: {greeting.text}", "220", "Check later."))
        ehlo = talk.command(f"EHLO {self.helo}")
        if not self.wrapped and (self.key or port != 25):
            ehlo = self._start_tls(talk, ehlo, context, name)
        if account:
            self._log_in(talk, ehlo, account)
        return self._offer_sender(talk, account)

    def _start_tls(self, talk: Dialogue, ehlo: Reply, context: ssl.SSLContext, name: str) -> Reply:
        if ehlo.keyword("STARTTLS") is None or not talk.command("STARTTLS").ok:
            raise Verdict(
                failed(
                    f"{name} offers no encryption (STARTTLS): nothing was sent to it",
                    "STARTTLS in the answer to EHLO",
                    "Somebody between here and there may have taken it out. The administrator: "
                    "try port 465, and ask the provider; Postfix keeps mail back meanwhile.",
                )
            )
        talk.start_tls(context, name)
        return talk.command(f"EHLO {self.helo}")

    def _log_in(self, talk: Dialogue, ehlo: Reply, account: Account) -> None:
        offered = (ehlo.keyword("AUTH") or "").upper().split()
        if "PLAIN" in offered:
            talk.send_secret(f"AUTH PLAIN {account.plain}", f"AUTH PLAIN {DOTS}")
            reply = talk.reply()
        elif "LOGIN" in offered:
            reply = self._auth_login(talk, account)
        else:
            said = f"the relay offers no login that can be used: {' '.join(offered) or 'none'}"
            raise Verdict(failed(said, "AUTH PLAIN or AUTH LOGIN", _ANSWER))
        if reply.ok:
            return
        if reply.code < 500:
            said = f"the relay puts the login off: {reply.text}"
            raise Verdict(unknown(said, "235", "Some relays do so after wrong tries: check later."))
        said = f"the relay refuses the login of {account.username}: {reply.text}"
        raise Verdict(failed(said, "235 (login accepted)", _LOGIN))

    def _auth_login(self, talk: Dialogue, account: Account) -> Reply:
        reply = talk.command("AUTH LOGIN")
        for word in (account.username, account.password):
            if reply.code != 334:
                break
            talk.send_secret(base64.b64encode(word.encode()).decode(), DOTS)
            reply = talk.reply()
        return reply

    def _offer_sender(self, talk: Dialogue, account: Account | None) -> Result:
        name, port = split(self.hop)
        how = f"{account.username} may log in" if account else "it answers without a login"
        if self.sender:
            reply = talk.command(f"MAIL FROM:<{self.sender}>")
            talk.command("RSET")
            if reply.code >= 500:
                return warned(
                    f"{name} lets us in, but takes no mail from {self.sender}: {reply.text}",
                    "250",
                    "The administrator: have the provider allow this address or its domain.",
                )
            if reply.code >= 400:
                return unknown(
                    f"{name} lets us in, but puts off mail from {self.sender}: {reply.text}",
                    "250",
                    "Postfix keeps such mail and tries again by itself. Check again in some "
                    "minutes; where it stays so, ask the provider.",
                )
        checked = "its certificate is right, " if account else ""
        return passed(f"{name} port {port}: {checked}{how}")

    def _trouble(self, trouble: CannotAsk) -> Result:
        name, port = split(self.hop)
        if trouble.kind is Trouble.UNTRUSTED:
            return failed(
                f"{trouble.sentence}; no password was sent",
                f"a certificate for {name} from an authority that this host trusts",
                "The administrator: if this is the provider's own name, the provider has to mend "
                "it; else correct relay.host. Postfix keeps mail back meanwhile.",
            )
        if trouble.kind is Trouble.REFUSED:
            return failed(trouble.sentence, f"an open port {port}", _ANSWER)
        if isinstance(trouble.__cause__, ssl.SSLError):
            expected = f"TLS {'at once' if self.wrapped else 'after STARTTLS'} on port {port}"
            return failed(trouble.sentence, expected, _ANSWER)
        return could_not_ask(trouble)


def looked_up(host: Host, key: str, maps: str) -> str:
    """What Postfix finds under a key in a list of tables; empty when there is nothing."""
    for one in words(maps):
        found = host.ask(["postmap", "-q", key, one], timeout=10)
        if found.ok and found.out.strip():
            # what Postfix takes is the whole line, with blanks that stand within it
            return found.out.removesuffix("\n")
    return ""


def _hidden(result: Result, lines: Sequence[str], tokens: Sequence[str]) -> Result:
    """The result with its evidence, without anything secret that the other side repeated."""

    def clean(text: str) -> str:
        for token in tokens:
            text = text.replace(token, DOTS)
        return text

    evidence = tuple(map(clean, (*result.transcript, *lines)))
    return replace(result, said=clean(result.said), transcript=evidence)


@dataclass(frozen=True, slots=True)
class RelayTlsEnforced:
    """Postfix meets the relay only as it should: with a password, only after it proved its name."""

    hop: str
    login: bool = True
    wrapped: bool = False
    critical: ClassVar[bool] = False
    deadline: ClassVar[float] = 40.0

    @property
    def id(self) -> str:
        return f"OUT-04:{self.hop}"

    @property
    def title(self) -> str:
        name, port = split(self.hop)
        return f"Postfix shows no password to a wrong {name}:{port}"

    @property
    def by_hand(self) -> str:
        quoted = shlex.quote(self.hop)
        tables = '"$(postconf -hx smtp_tls_policy_maps)"'
        return f"postmap -q {quoted} {tables}; {shlex.join(self._finger(''))}"

    def _finger(self, bundle: str) -> list[str]:
        trusted = ["-F", bundle] if bundle else []
        wrapped = ["-w"] if self.wrapped else []
        return ["posttls-finger", "-c", "-l", "secure", *trusted, *wrapped, self.hop,
                split(self.hop)[0]]  # fmt: skip

    def ask(self, host: Host) -> Result:
        try:
            names = ("smtp_tls_policy_maps", "smtp_tls_security_level", "smtp_tls_CAfile")
            conf = Postconf(host).values(*names)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        policy = looked_up(host, self.hop, conf.get(names[0], "")).strip()
        level = policy.split()[0] if policy else conf.get(names[1], "") or "none"
        rows = [f"{self.hop}: {policy or f'no policy, so {level} as for everybody'}"]
        if not self.login:
            return passed(f"no password is sent there; encryption: {level}", rows)
        if wrong := self._wrong(policy, level):
            return failed(
                wrong,
                f"{self.hop} secure match={split(self.hop)[0]}",
                "The administrator: apply the relay step again; smtp_tls_policy_maps must name its "
                "table, compiled with postmap after the last edit.",
                rows,
            )
        return self._tried(host, conf.get(names[2], ""), rows)

    def _wrong(self, policy: str, level: str) -> str:
        name, _ = split(self.hop)
        if level in ("fingerprint", "dane-only"):
            return ""
        if level not in ("secure", "verify"):
            return f"the level for {self.hop} is {level}: whoever answers gets the password"
        given = [word.removeprefix("match=") for word in policy.split() if "match=" in word]
        patterns = [pattern for word in given for pattern in word.split(":")]
        if patterns and not {name, "nexthop"} & set(patterns):
            return f"the policy for {self.hop} takes certificates of {', '.join(patterns)}"
        return ""

    def _tried(self, host: Host, bundle: str, rows: list[str]) -> Result:
        """What Postfix's own TLS client makes of the certificate, where that tool is there."""
        held = f"no password for {self.hop} before its certificate is proved"
        if not host.which("posttls-finger"):
            return passed(held, rows)
        asked = host.ask(self._finger(bundle), timeout=25)
        said = [line for line in (asked.out + asked.err).splitlines() if line.strip()]
        rows += [f"$ {shlex.join(self._finger(bundle))}", *(line[:300] for line in said[-20:])]
        if any("Verified TLS connection" in line for line in said):
            return passed(f"{held}; it is proved now", rows)
        unproved = ("Untrusted TLS", "Trusted TLS", "verification failed", "not verified")
        if any(word in line for line in said for word in unproved):
            return failed(
                f"Postfix does not take the certificate of {self.hop}: mail waits",
                "Verified TLS connection established",
                "The administrator: the provider's certificate must hold that name and come from "
                f"an authority in {bundle or 'smtp_tls_CAfile'}.",
                rows,
            )
        return passed(f"{held}; the relay could not be asked just now", rows)
