"""Which texts were meant to be a record, and the slips that happen when they are entered."""

from __future__ import annotations

import re
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
    tag = re.match(r"v\s*=\s*[^\s;]+", text, re.IGNORECASE)
    return "".join(tag[0].lower().split()) if tag else ""


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
