"""Signatures made and verified by a library that is none of the daemons here: dkimpy.

It runs in the system's own Python. A message is verified against keys that are handed over, not
looked up: so it can be told whether the signature is wrong, or the DNS.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.model import Look
from mailwizard.probes.deadline import CannotAsk, Trouble

PYTHON = "/usr/bin/python3"
# the system's Python has the library as a package of the distribution
_VERIFY = """
import base64, json, sys
try:
    import dkim
except ImportError:
    sys.exit(3)
asked = json.load(sys.stdin)
message = base64.b64decode(asked["message"])
told = []
for record in asked["records"]:
    try:
        held = dkim.verify(message, dnsfunc=lambda *_, **__: record.encode()) if record else False
        told.append({"held": bool(held), "why": "" if record else "no key"})
    except Exception as error:
        told.append({"held": False, "why": str(error)[:200]})
print(json.dumps(told))
"""

_SIGN = """
import base64, json, sys
try:
    import dkim
except ImportError:
    sys.exit(3)
asked = json.load(sys.stdin)
key = open(asked["path"], "rb").read()
names = asked["selector"].encode(), asked["domain"].encode()
ways = (b"relaxed", b"relaxed")
head = dkim.sign(base64.b64decode(asked["message"]), *names, key, canonicalize=ways)
print(base64.b64encode(head).decode())
"""


@dataclass(frozen=True, slots=True)
class Held:
    """Whether the newest signature holds with one key, and what the library says if not."""

    held: bool
    why: str


def verify(look: Look, message: bytes, records: Sequence[str]) -> list[Held]:
    """The first signature against each key record (empty: no key); raises CannotAsk."""
    asked = {"message": base64.b64encode(message).decode(), "records": list(records)}
    return [Held(one["held"], one["why"]) for one in json.loads(_run(look, _VERIFY, asked))]


def sign(look: Look, message: bytes, domain: str, selector: str, path: str) -> bytes:
    """The message with a signature by the key in that file; raises CannotAsk."""
    octets = base64.b64encode(message).decode()
    asked = {"message": octets, "domain": domain, "selector": selector, "path": path}
    return base64.b64decode(_run(look, _SIGN, asked)) + message


def _run(look: Look, script: str, asked: object) -> str:
    done = look.ask([PYTHON, "-I", "-c", script], stdin=json.dumps(asked), timeout=20)
    if done.code in {3, 127}:
        raise CannotAsk(
            Trouble.GARBLED, "the library that verifies signatures is missing (python3-dkim)"
        )
    if not done.ok:
        last = done.err.strip().splitlines()[-1:] or [f"code {done.code}"]
        raise CannotAsk(Trouble.GARBLED, f"the library that verifies signatures: {last[0][:200]}")
    return done.out


def public_half(look: Look, path: str) -> str:
    """The base64 of the public key that belongs to a private one; raises CannotAsk."""
    done = look.ask(["openssl", "rsa", "-in", path, "-pubout"])
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
