"""IMAP, POP3 and ManageSieve as a stranger meets them: what is open, and what is said in clear."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.model import Host, Result
from mailwizard.probes.credentials import away
from mailwizard.probes.deadline import CannotAsk, Deadline, KeptOut, Trouble
from mailwizard.probes.dialogue import Dialogue, Transcript
from mailwizard.probes.imap_wire import Answer, Imap, OverImap
from mailwizard.probes.trust import anybody, begin
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import could_not_ask, failed, passed, warned

_ADMIN = "The administrator, in Dovecot's configuration: "
_TLS_ONLY = (
    f"{_ADMIN}ssl = required, and auth_allow_cleartext = no (2.4) or disable_plaintext_auth = yes "
    "(2.3); then restart Dovecot. Who has logged in like that should change his password."
)


@dataclass(frozen=True, slots=True)
class ImapGreeting(OverImap):
    """Port 993 speaks TLS from the first octet, and IMAP (RFC 8314 3.2)."""

    id: ClassVar[str] = "IMAP-01"
    title: ClassVar[str] = "IMAP answers, encrypted"
    commands: ClassVar[tuple[str, ...]] = ("CAPABILITY",)

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        with self._connect(place, clock, transcript) as talk:
            talk.start_tls(anybody(), None)
            imap = Imap(talk)
            greeting = imap.greeting()
            told = imap.command("CAPABILITY").capabilities()
            imap.bye()
        if not greeting.ok or not told & {"IMAP4REV1", "IMAP4REV2"}:
            return failed(
                f"the server greets with {greeting.said} and lists {', '.join(sorted(told))}",
                "OK, and IMAP4rev1 among the capabilities",
                "The administrator: `journalctl -u dovecot -n 20` says why.",
            )
        return passed(f"IMAP on port {self.port}, encrypted from the first octet")

    def _no_answer(self, trouble: CannotAsk) -> Result:
        if trouble.kind in {Trouble.NO_VANTAGE, Trouble.UNREACHABLE, Trouble.DNS}:
            return could_not_ask(trouble)
        return failed(
            trouble.sentence,
            f"* OK … on port {self.port}, after a TLS handshake",
            "The administrator: is Dovecot running (`systemctl status dovecot`), does `doveconf -n`"
            " "
            "show ssl = required and a certificate, and does a firewall here let the port in?",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InClear(OverImap):
    """A probe of port 143, where being closed is right as well."""

    port: int = 143

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        """Whom the firewall lets in, as for own networks, is to be as safe as a stranger."""
        try:
            return self._ask_at(place, clock, transcript)
        except KeptOut as kept:
            transcript.note(f"{kept.sentence}: asked from here, by another address")
            try:
                heard = self._ask_at(away(self.server), clock, transcript)
            except CannotAsk as trouble:
                raise kept from trouble
        return replace(heard, said=f"{heard.said} (strangers are kept out by the firewall)")

    def _ask_at(self, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        with self._connect(place, clock, transcript) as talk:
            imap = Imap(talk)
            result = self._judge(imap, imap.greeting())
            imap.bye()
        return result

    def _judge(self, imap: Imap, greeting: Answer) -> Result:
        raise NotImplementedError

    def _no_answer(self, trouble: CannotAsk) -> Result:
        if trouble.kind is Trouble.REFUSED:
            return passed(f"port {self.port} is closed")
        return could_not_ask(trouble)


@dataclass(frozen=True, slots=True)
class NoPlaintextImap(InClear):
    """Port 143 offers STARTTLS and no way to log in before it; asked from outside.

    Dovecot takes connections from this host itself for secured.
    """

    id: ClassVar[str] = "IMAP-02"
    title: ClassVar[str] = "IMAP offers no login in clear"
    commands: ClassVar[tuple[str, ...]] = ("CAPABILITY",)

    def _judge(self, imap: Imap, greeting: Answer) -> Result:
        told = greeting.capabilities() | imap.command("CAPABILITY").capabilities()
        open_ways = sorted(word for word in told if word.startswith("AUTH="))
        if open_ways or "LOGINDISABLED" not in told:
            return failed(
                f"before TLS port {self.port} offers {', '.join(open_ways) or 'LOGIN'}",
                "LOGINDISABLED and STARTTLS, no AUTH=…",
                _TLS_ONLY,
            )
        if "STARTTLS" not in told:
            return warned(
                f"port {self.port} offers neither a login nor STARTTLS: nobody can use it",
                "STARTTLS, or a closed port",
                f"{_ADMIN}ssl = required and a certificate.",
            )
        return passed(f"port {self.port}: LOGINDISABLED until STARTTLS")


@dataclass(frozen=True, slots=True)
class ClearLoginRefused(InClear):
    """A login in clear is refused before the password is even looked at."""

    id: ClassVar[str] = "IMAP-03"
    title: ClassVar[str] = "A login in clear is refused"
    commands: ClassVar[tuple[str, ...]] = ("LOGIN nobody-made-up made-up",)

    def _judge(self, imap: Imap, greeting: Answer) -> Result:
        # Made up, both: this goes over the wire in clear.
        told = greeting.capabilities() | imap.command("CAPABILITY").capabilities()
        answer = imap.command(f"LOGIN nobody-{secrets.token_hex(4)} {secrets.token_hex(8)}")
        tried = "[AUTHENTICATIONFAILED]" in answer.text
        refused = "[PRIVACYREQUIRED]" in answer.text or "LOGINDISABLED" in told
        if answer.ok or tried or not refused:
            return failed(
                f"a password in clear is taken and tried: {answer.said}",
                "NO [PRIVACYREQUIRED], whatever the password",
                _TLS_ONLY,
            )
        return passed(f"LOGIN in clear: {answer.said}")


@dataclass(frozen=True, slots=True)
class ImapNoInjection(InClear):
    """What comes after STARTTLS in clear is thrown away, not obeyed inside TLS (CVE-2011-0411)."""

    id: ClassVar[str] = "IMAP-05"
    title: ClassVar[str] = "Nothing can be slipped in before TLS (IMAP)"

    @property
    def by_hand(self) -> str:
        where = self.server or '"$(postconf -h myhostname)"'
        return f"printf 'a STARTTLS\\r\\nb NOOP\\r\\n' | nc -q 2 {where} {self.port}"

    def _ask_at(self, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        try:
            return super(ImapNoInjection, self)._ask_at(place, clock, transcript)
        except CannotAsk as trouble:
            if trouble.kind not in {Trouble.GARBLED, Trouble.CLOSED, Trouble.RESET}:
                raise
            # Dovecot 2.4 takes the rest for TLS and breaks off: right, if TLS works without it
            transcript.note(trouble.sentence)
            with self._connect(place, clock, transcript) as talk:
                begin(talk, "imap")
                talk.start_tls(anybody(), None)
        return passed("the server breaks off when something came with STARTTLS in clear")

    def _judge(self, imap: Imap, greeting: Answer) -> Result:
        imap.talk.send_raw(b"a STARTTLS\r\nb NOOP\r\n")
        line = imap.talk.read_line()
        if not line.upper().startswith(b"A OK"):
            said = sanitise.clean(line, limit=1)
            raise CannotAsk(Trouble.GARBLED, f"STARTTLS is not taken: {said}")
        imap.talk.start_tls(anybody(), None)
        imap.talk.send("c NOOP")
        heard: list[bytes] = []
        while not heard or not heard[-1].startswith(b"c "):
            heard.append(imap.talk.read_line())
            if heard[-1].startswith(b"b "):
                return failed(
                    "a command sent in clear before TLS was obeyed inside it",
                    "no answer to it",
                    "The administrator: install the security updates of Dovecot, restart it.",
                )
        return passed("what came with STARTTLS in clear is thrown away")


@dataclass(frozen=True, slots=True)
class PopClosed(OverImap):
    """POP3 listens only where it was chosen, and then takes no password in clear."""

    wanted: bool = False
    id: ClassVar[str] = "IMAP-08"
    title: ClassVar[str] = "POP3 is open only where it was chosen"
    ports: ClassVar[tuple[int, int]] = (110, 995)

    @property
    def by_hand(self) -> str:
        where = self.server or '"$(postconf -h myhostname)"'
        return "; ".join(f"nc -zv {where} {port}" for port in self._ports())

    def _ports(self) -> tuple[int, ...]:
        return self.ports if self.port == 993 else (self.port,)

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        found = [port for port in self._ports() if self._is_open(place, port, clock, transcript)]
        if found and not self.wanted:
            return failed(
                f"port {' and '.join(map(str, found))} (POP3) is open",
                "closed: POP3 was not chosen",
                f"{_ADMIN}take pop3 out of protocols, or remove the package dovecot-pop3d.",
            )
        if not self.wanted:
            return passed("POP3 is closed")
        if 110 not in found and self.port == 993:
            return passed("port 110 is closed") if 995 in found else _no_pop()
        return self._in_clear(place, found[0] if found else self.port, clock, transcript)

    def _is_open(self, place: Seat, port: int, clock: Deadline, transcript: Transcript) -> bool:
        try:
            place.connect(place.addresses[0], port, clock).close()
        except CannotAsk as trouble:
            transcript.note(trouble.sentence)
            if trouble.kind is not Trouble.REFUSED:
                raise
            return False
        transcript.note(f"port {port} is open")
        return True

    def _in_clear(self, place: Seat, port: int, clock: Deadline, transcript: Transcript) -> Result:
        with Dialogue(place.connect(place.addresses[0], port, clock), clock, transcript) as talk:
            talk.read_line()
            talk.send("CAPA")
            told = set()
            while (line := talk.read_line()) != b"." and not line.startswith(b"-ERR"):
                told.add(sanitise.clean(line, limit=1).upper())
            talk.quit()
        ways = sorted(line for line in told if line == "USER" or line.startswith("SASL "))
        if ways:
            return failed(
                f"before TLS port {port} offers {', '.join(ways)}",
                "STLS, no USER, no SASL …",
                _TLS_ONLY,
            )
        return passed(f"port {port}: no login before STLS")


def _no_pop() -> Result:
    return failed(
        "neither port 110 nor 995 is open",
        "POP3, as chosen",
        f"{_ADMIN}protocols must name pop3, and the package dovecot-pop3d must be installed.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SieveNotInClear(OverImap):
    """ManageSieve, where it listens, takes no password before TLS (RFC 5804 1.7)."""

    port: int = 4190
    id: ClassVar[str] = "IMAP-10"
    title: ClassVar[str] = "ManageSieve takes no password in clear"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        with self._connect(place, clock, transcript) as talk:
            lines = []
            while not (line := talk.read_line()).upper().startswith((b"OK", b"NO", b"BYE")):
                lines.append(sanitise.clean(line, limit=1))
                if len(lines) > 40:
                    raise CannotAsk(Trouble.TOO_MUCH, "a greeting without end")
            if not line.upper().startswith(b"OK"):
                said = sanitise.clean(line, limit=1)
                raise CannotAsk(Trouble.CLOSED, f"the server does not greet: {said}")
            talk.send("LOGOUT")
        ways = next((line for line in lines if line.upper().startswith('"SASL"')), '"SASL" ""')
        if ways.split(" ", 1)[1:] not in ([], ['""']):
            return failed(f"before TLS: {ways}", '"SASL" ""', _TLS_ONLY)
        return passed("no SASL mechanism before STARTTLS")

    def _no_answer(self, trouble: CannotAsk) -> Result:
        if trouble.kind is Trouble.REFUSED:
            return passed(f"port {self.port} is closed")
        return could_not_ask(trouble)
