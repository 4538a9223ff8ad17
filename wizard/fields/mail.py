"""Mail addresses, logins, and where mail may be sent on to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mailwizard.fields.names import Domain
from mailwizard.fields.text import Field, inert, quoted, visible

_ATOM = re.compile(r"[\w+&~-]+(\.[\w+&~-]+)*")
_LOGIN = re.compile(r"[a-z_][a-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class LocalPart(Field):
    """The part before the @, kept as typed: only its own server may fold it (RFC 5321, 2.4)."""

    international: bool = False
    sample: str = "info"

    @property
    def hint(self) -> str:
        return f"a name such as {self.sample}"

    @property
    def example(self) -> str:
        return self.sample

    def check(self, value: Any) -> str:
        if isinstance(value, str) and value.strip().startswith('"'):
            raise ValueError(f"{quoted(value)} has quotes; a name that needs none is right")
        text = inert(value, 64)
        if "@" in text:
            raise ValueError(f"{quoted(text)} has a domain; only the part before the @ is right")
        if not text.isascii() and not self.international:
            raise ValueError(f"{quoted(text)} has letters beyond a-z; many servers refuse those")
        if not _ATOM.fullmatch(text):
            raise ValueError(
                f"{quoted(text)} is not a mailbox name; letters, digits, '_', '+', '-' and single"
                " dots inside are right"
            )
        return text


@dataclass(frozen=True, slots=True)
class AliasName(LocalPart):
    """The left side of /etc/aliases."""


@dataclass(frozen=True, slots=True)
class EmailAddress(Field):
    """A mail address: its local part as typed, its domain as A-labels."""

    international: bool = False

    @property
    def hint(self) -> str:
        return "a mail address such as postmaster@example.org"

    @property
    def example(self) -> str:
        return "postmaster@example.org"

    def check(self, value: Any) -> str:
        text = visible(value, 320)
        if text.startswith('"'):
            raise ValueError(f"{quoted(text)} has quotes; {self.hint} is right")
        local, at, domain = text.rpartition("@")
        if not at or not local or not domain:
            raise ValueError(f"{quoted(text)} is not complete; {self.hint} is needed")
        if domain.startswith("["):
            raise ValueError(f"{quoted(text)} has an IP address after the @; {self.hint} is right")
        if "@" in local:
            raise ValueError(f"{quoted(text)} has two @; {self.hint} is right")
        address = f"{LocalPart(self.international).check(local)}@{Domain().check(domain)}"
        if len(address) > 254:
            raise ValueError(f"the address has {len(address)} characters; at most 254 are right")
        return address

    def display(self, value: Any) -> str:
        local, _, domain = str(value).rpartition("@")
        shown = Domain().display(domain)
        return str(value) if shown == domain else f"{value} ({local}@{shown.split('(')[1]}"


@dataclass(frozen=True, slots=True)
class Login(Field):
    """The name of an account on this host; `known` says whether there is one, when it is given."""

    known: Callable[[str], bool] | None = field(default=None, compare=False)

    @property
    def hint(self) -> str:
        return "the login of a person on this host, such as alice"

    @property
    def example(self) -> str:
        return "alice"

    def check(self, value: Any) -> str:
        text = inert(value, 64)
        if "@" in text:
            raise ValueError(f"{quoted(text)} is a mail address; {self.hint} is needed")
        if text != text.lower():
            # local(8) folds the name before it looks for the account.
            raise ValueError(
                f"{quoted(text)} has capitals, and mail goes to lower-case logins only"
            )
        if len(text) > 32 or not _LOGIN.fullmatch(text):
            raise ValueError(
                f"{quoted(text)} is not a login; up to 32 of a-z, 0-9, '_', '-' and '.',"
                " beginning with a letter, are right"
            )
        if self.known and not self.known(text):
            raise ValueError(f"{quoted(text)} has no account here; {self.hint} is needed")
        return text


@dataclass(frozen=True, slots=True)
class AliasTarget(Field):
    """Where an alias goes: a name on this host or a mail address, never a program or a file."""

    @property
    def hint(self) -> str:
        return "a login such as alice, or a mail address"

    @property
    def example(self) -> str:
        return "alice"

    def check(self, value: Any) -> str:
        text = visible(value, 320)
        reason = _dangerous(text.lstrip("\"'\\ "))
        if reason:
            raise ValueError(f"{quoted(text)} {reason}; {self.hint} is right")
        return EmailAddress().check(text) if "@" in text else LocalPart().check(text)

    def display(self, value: Any) -> str:
        return EmailAddress().display(value) if "@" in str(value) else str(value)


def _dangerous(text: str) -> str:
    if text.startswith("|"):
        return "would run a program for every mail"
    if text.startswith("/"):
        return "would append mail to a file"
    if text.lower().startswith(":include:"):
        return "would let whoever edits that file redirect mail"
    return ""
