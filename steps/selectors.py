"""Which keys sign mail: the one that the signer uses, and those beside it while a key changes."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from mailwizard.model import Context, Look

_AMAVIS = re.compile(r"^dkim_key\('[^']+', '([^']+)', '[^']+'", re.MULTILINE)
_TABLE = re.compile(r"^[^#\s]\S*[ \t]+[^:\s]+:([^:\s]+):", re.MULTILINE)
_SIGNS = re.compile(r"^Mode[ \t]+s", re.MULTILINE)

Key = tuple[str, str, str]
"""A domain, a selector, and where the private half is."""


def keys(context: Context, selector: str) -> list[Key]:
    """Each domain's key of this selector."""
    folder, domains = context.platform.path("dkim-keys"), context.of("postfix")["domains"]
    return [(domain, selector, f"{folder}/{domain}.{selector}.pem") for domain in domains]


def in_use(look: Look) -> str:
    """The selector that the signer's own files name; empty where nobody signs yet."""
    platform = look.platform
    if _SIGNS.search(_text(look, platform.path("opendkim.conf"))):
        table = _text(look, f"{platform.path('dkim-keys')}/KeyTable")
        found = _TABLE.search(table)
    else:
        found = _AMAVIS.search(_text(look, platform.path("amavis-signing")))
    return found[1] if found else ""


def made(context: Context) -> list[Key]:
    """Every key of our domains that is on this host, whichever signs."""
    folder = context.platform.path("dkim-keys")
    names = context.look.list(folder)
    return [
        (domain, found[1], f"{folder}/{name}")
        for domain in context.of("postfix")["domains"]
        for name in names
        if (found := re.fullmatch(re.escape(domain) + r"\.([a-z0-9-]+)\.pem", name))
    ]


def default(context: Context) -> str:
    """The key in use, else the newest that is there, else the month: never one because of a date.

    A key that waits for its record is there as well, and must not sign yet.
    """
    newest = max((selector for _, selector, _ in made(context)), default="")
    return in_use(context.look) or newest or f"mw{datetime.now(UTC):%Y%m}"


def retired(look: Look) -> list[str]:
    """The selectors whose keys are gone."""
    text = _text(look, list_of_retired(look))
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def list_of_retired(look: Look) -> str:
    """Where they stand: an answer file of another day must not bring a name back."""
    return f"{look.platform.path('dkim-keys')}/retired"


def complaint(context: Context, selector: str) -> str:
    """Why this selector may not be chosen: the record of its old key may still be out there."""
    used = in_use(context.look)
    if selector not in retired(context.look) or used in ("", selector):
        return ""
    return f"its key was replaced by {used} and is gone; {used} is right, or leave the line out"


def _text(look: Look, path: str) -> str:
    return look.read(path).decode("utf-8", "replace") if path else ""
