"""Mail servers that take mail on for others, and the accounts there."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from mailwizard.fields.compound import Record, SecretField
from mailwizard.fields.mail import EmailAddress
from mailwizard.fields.names import Address, Domain, HostName
from mailwizard.fields.text import Field, quoted, visible

DEFAULT_PORT = 587
SERVICES = {"smtp": 25, "submission": 587, "submissions": 465, "smtps": 465}
LONGEST_USER = 255


@dataclass(frozen=True, slots=True)
class NextHop(Field):
    """A server and its port as Postfix writes them: [name]:port, never looked up as an MX."""

    @property
    def hint(self) -> str:
        return "a server such as smtp.example.net, with :587 or :465 behind it"

    @property
    def example(self) -> str:
        return "[smtp.example.net]:587"

    def check(self, value: Any) -> str:
        text = visible(value, 300)
        if "://" in text or "@" in text:
            raise ValueError(f"{quoted(text)} is not a server's name; {self.hint} is needed")
        name, port = _parts(text)
        return f"[{_server(name)}]:{_port(port, text)}"

    def display(self, value: Any) -> str:
        name, port = split(value)
        shown = name if _is_address(name) else HostName().display(name)
        return f"{shown}, port {port}"


def split(value: str) -> tuple[str, int]:
    """Name (or address) and port of a checked next hop."""
    name, _, port = value.rpartition(":")
    return name.strip("[]").removeprefix("ipv6:"), int(port)


def _parts(text: str) -> tuple[str, str]:
    bracketed = re.fullmatch(r"\[([^\[\]]*)\](?::(.*))?", text)
    if bracketed:
        return bracketed[1], str(DEFAULT_PORT) if bracketed[2] is None else bracketed[2]
    if "[" in text or "]" in text:
        raise ValueError(f"{quoted(text)} has a bracket too many; [smtp.example.net]:587 is right")
    if _is_address(text):
        return text, str(DEFAULT_PORT)
    name, colon, port = text.partition(":")
    return name, port if colon else str(DEFAULT_PORT)


def _server(name: str) -> str:
    bare = re.sub(r"^ipv6:", "", name, flags=re.IGNORECASE)
    if _is_address(bare):
        address: str = Address().check(bare)
        # Postfix wants the prefix before an IPv6 address (RFC 5321 4.1.3 in lower case)
        return f"ipv6:{address}" if ":" in address else address
    host: str = HostName(sample="smtp.example.net").check(name)
    return host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _port(text: str, whole: str) -> int:
    found = SERVICES.get(text.strip().lower())
    if found:
        return found
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError(
            f"{quoted(whole)} has no port behind the colon; 587, 465 or 25 is what relays listen on"
        )
    return int(text)


@dataclass(frozen=True, slots=True)
class RelayUser(Field):
    """The user name of an account at a relay."""

    @property
    def hint(self) -> str:
        return "the user name at the relay, as the provider writes it"

    @property
    def example(self) -> str:
        return "customer@example.net"

    def check(self, value: Any) -> str:
        text = visible(value, LONGEST_USER)
        if ":" in text:
            # smtp(8) takes everything behind the first colon as the password
            raise ValueError(
                f"{quoted(text)} contains ':', where Postfix would take the password to begin; "
                "a user name without it is needed"
            )
        if re.search(r"\s", text):
            raise ValueError(f"{quoted(text)} contains a blank; a user name is one word")
        return text


@dataclass(frozen=True, slots=True)
class SenderPattern(Field):
    """One sender address, or a whole domain of them."""

    @property
    def hint(self) -> str:
        return "a sender address such as bob@example.org, or @example.org for a whole domain"

    @property
    def example(self) -> str:
        return "bob@example.org"

    def check(self, value: Any) -> str:
        text = visible(value, 320)
        if text.startswith("@"):
            return f"@{Domain().check(text[1:])}"
        if "@" not in text:
            raise ValueError(f"{quoted(text)} has no @; {self.hint} is right")
        # postmap(1) folds the keys of a table to lower case
        address: str = EmailAddress().check(text)
        return address.lower()


@dataclass(frozen=True, slots=True)
class RelayAccount(Record):
    """An account at a relay; a person types three words: server, user, place of the password."""

    parts: tuple[tuple[str, Field], ...] = (
        ("host", NextHop()),
        ("username", RelayUser()),
        ("password", SecretField()),
    )

    @property
    def hint(self) -> str:
        return "server, user name and where the password is: smtp.example.net:587 bob env:BOB_PW"

    def parse(self, text: str) -> dict[str, Any]:
        words = text.split()
        if len(words) != len(self.parts):
            # Not repeated: a password may have been typed where its place belongs.
            raise ValueError(f"three words are needed: {self.hint}")
        return self.check(
            {name: kind.parse(word) for (name, kind), word in zip(self.parts, words, strict=True)}
        )

    def show(self, value: Any) -> str:
        return " ".join(kind.show(value[name]) for name, kind in self.parts)
