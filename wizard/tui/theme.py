"""Which colours are used."""

from __future__ import annotations

from collections.abc import Mapping


def theme_for(environ: Mapping[str, str]) -> str:
    """The terminal's own colours; light where it says that it is, and whatever the user named."""
    if named := environ.get("TEXTUAL_THEME"):
        return named
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    return "ansi-light" if background in {"7", "15"} else "ansi-dark"
