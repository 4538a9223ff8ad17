"""Signatures made and verified by a library that is none of the daemons here: dkimpy.

A message is verified against keys that are handed over, not looked up: so it can be told whether
the signature is wrong, or the DNS.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.model import Look
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.library import Library

DKIM = Library(
    "the library that verifies signatures",
    "python3-dkim",
    """
import base64
try:
    import dkim
except ImportError:
    sys.exit(3)

def verified(message, record):
    try:
        held = dkim.verify(message, dnsfunc=lambda *_, **__: record.encode()) if record else False
        return {"held": bool(held), "why": "" if record else "no key"}
    # what a message or a record can be to blame for; all else is the library's own trouble
    except (dkim.DKIMException, ValueError, LookupError, ArithmeticError) as error:
        return {"held": False, "why": str(error)[:200]}

def answer(asked):
    message = base64.b64decode(asked["message"])
    if "records" in asked:
        return [verified(message, record) for record in asked["records"]]
    names = asked["selector"].encode(), asked["domain"].encode()
    with open(asked["path"], "rb") as key:
        head = dkim.sign(message, *names, key.read(), canonicalize=(b"relaxed", b"relaxed"))
    return base64.b64encode(head).decode()
""",
)


@dataclass(frozen=True, slots=True)
class Held:
    """Whether the newest signature holds with one key, and what the library says if not."""

    held: bool
    why: str


def verify(look: Look, message: bytes, records: Sequence[str]) -> list[Held]:
    """The first signature against each key record (empty: no key); raises CannotAsk."""
    asked = {"message": base64.b64encode(message).decode(), "records": list(records)}
    match DKIM.ask(look, asked):
        case [*told] if len(told) == len(records):
            return [_held(one) for one in told]
    raise DKIM.nonsense()


def _held(told: object) -> Held:
    match told:
        case {"held": bool(held), "why": str(why)}:
            return Held(held, why)
    raise DKIM.nonsense()


def sign(look: Look, message: bytes, domain: str, selector: str, path: str) -> bytes:
    """The message with a signature by the key in that file; raises CannotAsk."""
    octets = base64.b64encode(message).decode()
    asked = {"message": octets, "domain": domain, "selector": selector, "path": path}
    try:
        head = base64.b64decode(DKIM.ask(look, asked), validate=True)
    except (TypeError, ValueError):
        raise DKIM.nonsense() from None
    if not head.lower().startswith(b"dkim-signature:"):
        raise DKIM.nonsense()
    return head + message


def public_half(look: Look, path: str) -> str:
    """The base64 of the public key that belongs to a private one; raises CannotAsk."""
    done = look.ask(["openssl", "rsa", "-in", path, "-pubout"], of=(path,))
    lines = [line for line in done.out.splitlines() if line and not line.startswith("-----")]
    if not done.ok or not lines:
        raise CannotAsk(Trouble.GARBLED, f"{path} is no private key that openssl can read")
    return "".join(lines)


def tags(record: str) -> dict[str, str]:
    """The tags of a DKIM or DMARC record or header (RFC 6376 3.2)."""
    parts = (part.partition("=") for part in record.split(";"))
    both = ((name.strip(), value) for name, equals, value in parts if equals)
    return {name: _value(name, value) for name, value in both}


def _value(name: str, value: str) -> str:
    """White space counts for nothing within base64, and around the colons of a list."""
    if name in ("p", "b", "bh"):
        return "".join(value.split())
    return re.sub(r"\s*:\s*", ":", value.strip())


def twice(record: str) -> str:
    """A tag that stands twice: then all of them count for nothing (RFC 6376 3.2)."""
    names = [part.partition("=")[0].strip() for part in record.split(";") if part.strip()]
    return next((name for name in names if names.count(name) > 1), "")
