"""DNS blocklists as Postfix asks them: a zone, and the answers that mean "listed" (RFC 5782).

An answer that is not listed in the filter counts for nothing: a list that is closed, or that
refuses this host's resolver, answers every question, and without a filter all mail is refused.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

ZEN = "zen.spamhaus.org"
ERRORS = ("127.255.255.252", "127.255.255.254", "127.255.255.255")
"""What Spamhaus answers instead: a misspelt zone, a public resolver, too many questions."""

# what the first label of a zone (or the second, behind a customer's key) says of its answers
_CODES = {"zen": "127.0.0.[2..11]", "dbl": "127.0.1.[2..99]"}
_OTHERS = "127.0.0.[2..254]"
_NAMES = frozenset({"dbl", "rhsbl", "uribl"})
_FIELD = re.compile(r"[0-9]{1,3}|\[[0-9]{1,3}(\.\.[0-9]{1,3})?(;[0-9]{1,3}(\.\.[0-9]{1,3})?)*\]")

CLOSED = {
    "sorbs.net": "was closed in June 2024",
    "cbl.abuseat.org": "is part of zen.spamhaus.org",
    "sbl.spamhaus.org": "is part of zen.spamhaus.org",
    "xbl.spamhaus.org": "is part of zen.spamhaus.org",
    "pbl.spamhaus.org": "is part of zen.spamhaus.org",
    "sbl-xbl.spamhaus.org": "was replaced by zen.spamhaus.org",
    "multi.surbl.org": "lists addresses of web pages, not of senders",
    "multi.uribl.com": "lists addresses of web pages, not of senders",
    "njabl.org": "was closed in 2013",
    "ahbl.org": "was closed in 2015 and then listed everybody",
    "dsbl.org": "was closed in 2008",
    "ordb.org": "was closed in 2006 and then listed everybody",
}


@dataclass(frozen=True, slots=True)
class Blocklist:
    """A zone and its filter, in Postfix's own notation (postconf(5), reject_rbl_client)."""

    zone: str
    codes: str

    def __str__(self) -> str:
        return f"{self.zone}={self.codes}"

    @property
    def of_names(self) -> bool:
        """Whether it lists senders' domains, not clients' addresses."""
        return bool(_NAMES & set(self.zone.split(".")[:2]))

    @property
    def restriction(self) -> str:
        """What stands in smtpd_recipient_restrictions."""
        return f"{'reject_rhsbl_sender' if self.of_names else 'reject_rbl_client'} {self}"

    @property
    def test_entries(self) -> tuple[str, ...]:
        """Names of which one must be listed, or the list cannot be believed (RFC 5782, 5)."""
        # the second is what Spamhaus documents for its list of domains
        names = ("test", "dbltest.com") if self.of_names else ("2.0.0.127",)
        return tuple(f"{name}.{self.zone}" for name in names)

    @property
    def never_listed(self) -> str:
        """The name that no list may hold (RFC 5782, 5)."""
        return f"{'invalid' if self.of_names else '1.0.0.127'}.{self.zone}"

    def counts(self, answer: str) -> bool:
        """Whether this answer means "listed"."""
        return counts(self.codes, answer)


def blocklist(text: str) -> Blocklist:
    """A "zone" or "zone=filter" that was checked (fields.BlocklistField)."""
    zone, _, codes = text.partition("=")
    return Blocklist(zone, codes or usual_codes(zone))


def usual_codes(zone: str) -> str:
    """The answers that mean "listed" in this zone, as far as its name tells."""
    labels = zone.split(".")[:2]
    return next((_CODES[label] for label in labels if label in _CODES), _OTHERS)


def closed(zone: str) -> str:
    """Why this list must not be asked; empty when nothing is known against it."""
    whole = f".{zone}"
    return next((why for name, why in CLOSED.items() if whole.endswith(f".{name}")), "")


def counts(codes: str, answer: str) -> bool:
    """Whether an address fits a filter such as 127.0.0.[2..11]; raises ValueError for a bad one."""
    octets = ipaddress.IPv4Address(answer).packed
    return all(octet in allowed for octet, allowed in zip(octets, ranges(codes), strict=True))


def ranges(codes: str) -> list[set[int]]:
    """The values that each of the four numbers may have; raises ValueError."""
    parts = re.findall(r"\[[^\]]*\]|[^.\[\]]+", codes)
    # ".." inside brackets is a range: the dots outside are what is left between the parts
    if ".".join(parts) != codes or len(parts) != 4 or not all(map(_FIELD.fullmatch, parts)):
        raise ValueError("four numbers with dots are right, or a range of them in brackets")
    return [_values(part) for part in parts]


def _values(part: str) -> set[int]:
    found: set[int] = set()
    for piece in part.strip("[]").split(";"):
        first, _, last = piece.partition("..")
        low, high = int(first), int(last or first)
        if high > 255 or low > high:
            raise ValueError(f"{piece} is no range of numbers up to 255")
        found |= set(range(low, high + 1))
    return found
