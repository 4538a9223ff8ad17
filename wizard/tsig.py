"""A key that signs changes of a zone (TSIG, RFC 8945), as `tsig-keygen` or a provider gives it."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

import dns.exception
import dns.name
import dns.tsig

from mailwizard.errors import BadUsage

ALGORITHMS = ("hmac-sha256", "hmac-sha512", "hmac-sha384", "hmac-sha224", "hmac-sha1")
RIGHT = "It holds what `tsig-keygen` prints, or one line: hmac-sha256:NAME:SECRET."
# base64 has // of its own: one secret in a hundred
_COMMENT = re.compile(r"(?<![^\s;{}])(?:#|//).*")
_BIND = re.compile(r'key\s+"?([^\s"{]+)"?\s*\{(.*?)\}\s*;', re.DOTALL)
_CLAUSE = re.compile(r'(algorithm|secret)\s+"?([^\s";]+)"?\s*;')


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A key's name, its algorithm, and the secret, which is never shown."""

    name: dns.name.Name
    algorithm: str
    secret: bytes

    def ring(self) -> dict[dns.name.Name, dns.tsig.Key]:
        """As dnspython wants it."""
        return {self.name: dns.tsig.Key(self.name, self.secret, f"{self.algorithm}.")}


def parse(text: str, place: str) -> Key:
    """The key that a file of BIND or one line holds; raises BadUsage and never repeats it."""
    plain = _COMMENT.sub("", text).strip()
    if found := _BIND.search(plain):
        clauses = dict(_CLAUSE.findall(found[2]))
        parts = [clauses.get("algorithm", ALGORITHMS[0]), found[1], clauses.get("secret", "")]
    else:
        parts = plain.split(":")
        parts = [ALGORITHMS[0], *parts] if len(parts) == 2 else parts
    if len(parts) != 3:
        raise BadUsage(f"{place} holds no key that signs DNS updates", hint=RIGHT)
    algorithm = parts[0].lower().rstrip(".")
    if algorithm not in ALGORITHMS:
        # the word may be a part of the secret
        raise BadUsage(
            f"the key in {place} has no algorithm that is known here",
            hint=f"Known are {', '.join(ALGORITHMS)}.",
        )
    try:
        name = dns.name.from_text(parts[1])
        secret = base64.b64decode(parts[2], validate=True)
    except (dns.exception.DNSException, binascii.Error, ValueError):
        secret = b""
    if not secret:
        raise BadUsage(f"the name or the secret of the key in {place} is damaged", hint=RIGHT)
    return Key(name, algorithm, secret)
