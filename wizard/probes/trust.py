"""How a server must prove who it is before it hears a password, and how TLS begins on its port."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from mailwizard import sanitise
from mailwizard.maincf import postconf
from mailwizard.model import Look
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.dialogue import Dialogue
from mailwizard.probes.wire import STRANGER

_CERT_FILE = re.compile(
    r"^\s*(?:ssl_cert|ssl_server_cert_file|cert_file) *= *<? *(\S+)", re.MULTILINE
)
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Trust:
    """A name and an authority ("" is the system's store), or the very certificates by sha256."""

    name: str = ""
    authority: str = ""
    pins: frozenset[str] = frozenset()

    def secure(self, talk: Dialogue) -> None:
        """Go on encrypted with a server that proves itself; raises CannotAsk when it does not."""
        if self.name:
            talk.start_tls(self._context(), self.name)
            return
        talk.start_tls(anybody(), None, self._pinned)
        if not talk.verified:
            raise CannotAsk(
                Trouble.UNTRUSTED,
                "the certificate served is not the one that the daemon is configured with "
                "(was it restarted since?)",
            )

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.authority or None)
        except OSError as error:
            why = error.strerror or str(error)
            raise CannotAsk(Trouble.UNTRUSTED, f"the CA file {self.authority}: {why}") from error
        # Python 3.13 refuses authorities (without a key usage) that mail programs take
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def _pinned(self, sock: ssl.SSLSocket) -> bool:
        return sha256(sock.getpeercert(True) or b"").hexdigest() in self.pins


def anybody() -> ssl.SSLContext:
    """A context that proves nothing: for questions in which no secret is said."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificates(pem: bytes) -> list[bytes]:
    """The certificates (DER) of a PEM file, in their order."""
    found = []
    for block in _PEM.findall(pem):
        try:
            found.append(ssl.PEM_cert_to_DER_cert(block.decode("ascii")))
        except ValueError:
            continue
    return found


def imap_trust(look: Look, name: str, authority: str) -> Trust:
    """By name where there is one, else by the certificate that Dovecot is configured with."""
    if name:
        return Trust(name, authority)
    # 2.4 says `ssl_server { cert_file = path }`, 2.3 says `ssl_cert = <path`
    asked = (look.ask(["doveconf", key], timeout=10) for key in ("ssl_server", "ssl_cert"))
    paths = [path for one in asked for path in _CERT_FILE.findall(one.out)]
    return _pins(look, "Dovecot (`doveconf`)", paths)


def smtp_trust(look: Look, name: str, authority: str) -> Trust:
    """By name where there is one, else by the certificate that Postfix is configured with."""
    if name:
        return Trust(name, authority)
    asked = postconf(look, "-xh", "smtpd_tls_chain_files", "smtpd_tls_cert_file")
    return _pins(look, "Postfix (`postconf`)", asked.out.replace(",", " ").split())


def _pins(look: Look, daemon: str, paths: Sequence[str]) -> Trust:
    """Raises CannotAsk where the daemon's configuration leads to no certificate."""
    pems = (look.read(path) for path in paths if path.startswith("/"))
    pins = frozenset(sha256(der).hexdigest() for pem in pems for der in certificates(pem))
    if not pins:
        said = f"{daemon} does not tell where its certificate is, or it cannot be read"
        raise CannotAsk(Trouble.UNREACHABLE, said)
    return Trust(pins=pins)


def begin(talk: Dialogue, protocol: str) -> None:
    """Speak the protocol up to the go-ahead for TLS; "" is TLS from the first octet."""
    if not protocol:
        return
    if protocol == "smtp":
        _begin_smtp(talk)
        return
    commands = {"imap": "a STARTTLS", "pop3": "STLS", "sieve": "STARTTLS"}
    go = {"imap": b"a OK", "pop3": b"+OK", "sieve": b"OK"}
    while not talk.read_line().upper().startswith((b"* OK", b"+OK", b"OK")):
        pass
    talk.send(commands[protocol])
    said = talk.read_line()
    while said.startswith(b"* "):
        said = talk.read_line()
    if not said.upper().startswith(go[protocol].upper()):
        raise CannotAsk(Trouble.GARBLED, f"no STARTTLS: {sanitise.clean(said, limit=1)}")


def _begin_smtp(talk: Dialogue) -> None:
    greeting = talk.reply()
    if not greeting.ok:
        raise CannotAsk(Trouble.CLOSED, f"the server does not greet: {greeting.text}")
    if talk.command(f"EHLO {STRANGER}").keyword("STARTTLS") is None:
        raise CannotAsk(Trouble.GARBLED, "the server does not offer STARTTLS")
    go = talk.command("STARTTLS")
    if go.code != 220:
        raise CannotAsk(Trouble.GARBLED, f"STARTTLS: {go.text}")
