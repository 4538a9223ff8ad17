"""Logins whose password is known here, asked for at the moment it is needed and kept nowhere."""

from __future__ import annotations

import base64
import random
import socket
from dataclasses import dataclass, field
from typing import ClassVar

from mailwizard.errors import WizardError
from mailwizard.model import Host, Result, SecretRef
from mailwizard.platform.facts import without_password
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import passed, skipped, unknown, warned

Accounts = tuple[tuple[str, SecretRef], ...]
# Enough to see whether logging in works; a host with a thousand accounts must not be asked for all.
MOST = 5
KEPT = (
    "A login that was there before keeps its own password: let the answers point to that one, or "
    "set it anew with passwd(1)."
)


@dataclass(frozen=True, slots=True)
class Credential:
    """A login and its password, which no representation shows."""

    login: str
    password: str = field(repr=False)

    def plain(self, name: str = "") -> str:
        """The argument of SASL PLAIN (RFC 4616), as `name` where it differs from the login."""
        return base64.b64encode(f"\0{name or self.login}\0{self.password}".encode()).decode()


def known(host: Host, accounts: Accounts) -> list[Credential]:
    """Those of the accounts whose password can be had now."""
    found: list[Credential] = []
    for login, ref in accounts:
        try:
            found.append(Credential(login, host.secret(ref)))
        except (WizardError, KeyError):
            continue
        if len(found) == MOST:
            break
    return found


def nobody_known(host: Host, accounts: Accounts) -> Result:
    """The verdict where nobody's password is known; that nobody has one is said once (IMAP-14)."""
    if not accounts and (locked := without_password(host)):
        return skipped(f"nobody can log in: {', '.join(locked[:MOST])} without a password")
    names = ", ".join(login for login, _ in accounts) or "anybody"
    return unknown(
        f"no password known here for {names}",
        "a login with its password, to log in as a mail program would",
        "Give an account under [dovecot] users, its password in a file or the environment; or "
        "log in by hand.",
    )


@dataclass(frozen=True, slots=True)
class SomebodyHasPassword:
    """Of the people on this host somebody has a password: else nobody reads or sends mail."""

    id: ClassVar[str] = "IMAP-14"
    title: ClassVar[str] = "Somebody has a password"
    deadline: ClassVar[float] = 10.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = "passwd -S -a"

    def ask(self, host: Host) -> Result:
        locked = without_password(host)
        if not locked:
            return passed("not everybody is locked")
        names = f"{', '.join(locked[:MOST])}{', …' if len(locked) > MOST else ''}"
        return warned(
            f"nobody can log in: {names} {'has' if len(locked) == 1 else 'have'} no password",
            "a password for whoever reads mail here",
            f"The administrator: `passwd {locked[0]}` sets one, for reading and for sending.",
        )


def away_address() -> str:
    """A loopback address that hardly anybody has used before."""
    return f"127.{random.randint(64, 250)}.{random.randint(1, 250)}.{random.randint(2, 250)}"


def away(server: str) -> Seat:
    """A place on loopback that nobody has failed from before.

    Dovecot makes each address wait longer after each wrong password (and fail2ban shuts it out):
    whoever tries a wrong one must not spoil the stranger's address for the right ones.
    """
    if server:
        return Seat((server,), (server,))
    source = away_address()

    def make(family: socket.AddressFamily) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.bind((source, 0))
        return sock

    return Seat(("127.0.0.1",), ("127.0.0.1",), make)
