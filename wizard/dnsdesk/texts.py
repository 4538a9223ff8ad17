"""TXT records compared by what they mean, and the slips that happen when they are entered."""

from __future__ import annotations

from collections.abc import Sequence

from mailwizard.dnsdesk.how import How
from mailwizard.model import Record

SHORTEST_CUT = 200


def alike(record: Record, found: Sequence[str]) -> list[str]:
    """Those texts that are, or were meant to be, what the record is."""
    kind = _kind(record.value)
    if not kind or "._domainkey." in record.owner:
        # nothing else belongs at such a name; for a text without a version: the text itself
        own = "._domainkey." in record.owner
        return [one for one in found if own or _squeezed(one) == _squeezed(record.value)]
    return [one for one in found if _kind(_bare(one).strip()) == kind]


def _kind(text: str) -> str:
    """The version tag that a text begins with ("v=spf1"), which tells what it is for."""
    first = text.replace(";", " ").split(" ", 1)[0].lower()
    return first if first.startswith("v=") else ""


def meaning(text: str) -> tuple[str, ...]:
    """The text without the white space that does not count (RFC 6376, 3.2; RFC 7208, 4.5)."""
    kind = _kind(text)
    # a blank in front makes it no SPF record at all (RFC 7208, 4.5)
    if kind == "v=spf1":
        return tuple(text.lower().split())
    if not kind and ";" not in text:
        return (text,)
    tags = (tag.partition("=") for tag in text.split(";") if tag.strip())
    return tuple(sorted(f"{name.strip()}={value.strip()}" for name, _, value in tags))


def says(found: str, wanted: str) -> bool:
    """Whether a text says what is wanted; SPF may name others who also send (RFC 7208 5)."""
    there, asked = meaning(found), meaning(wanted)
    if there == asked or _kind(wanted) != "v=spf1":
        return there == asked
    return (there[0], there[-1]) == (asked[0], asked[-1]) and set(asked) <= set(there)


def slip(wanted: str, found: str) -> How:
    """What was done wrong in entering it; OTHER when it is simply something else."""
    if _squeezed(found) == _squeezed(wanted):
        return How.QUOTED if _bare(found) != found and _bare(wanted) == wanted else How.BLANKS
    whole, part = _squeezed(wanted), _squeezed(found)
    if len(found) >= SHORTEST_CUT and whole.startswith(part):
        return How.CUT
    return How.OTHER


def extent(wanted: str, found: str, how: How) -> str:
    """Where it was cut off."""
    if how is not How.CUT:
        return ""
    return f"{len(found.encode())} of {len(wanted.encode())} octets are there"


def _bare(text: str) -> str:
    """Without the marks that belong to the zone file, not to the text."""
    return text.replace('"', "").replace("\\", "")


def _squeezed(text: str) -> str:
    return "".join(_bare(text).split())
