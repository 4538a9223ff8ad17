r"""The one gate for bytes from network, files and commands: what leaves it is inert.

Escape sequences, C1 bytes and direction overrides come out visible (`^[`, `\x9b`, `<U+202E>`);
long lines and long texts are cut and say so.
"""

from __future__ import annotations

import re
import unicodedata

WIDTH = 2000
LINES = 1000

# Everything but printable ASCII, tab and newline is looked at one by one.
_SUSPECT = re.compile(r"[^\t\n\x20-\x7e]")


def _visible(match: re.Match[str]) -> str:
    char = match.group()
    point = ord(char)
    if point < 0x20 or point == 0x7F:
        return "^" + chr(point ^ 0x40)
    if point < 0xA0:
        return f"\\x{point:02x}"
    # Cf holds the bidi controls and the zero-width characters; Zl and Zp break lines unseen.
    if unicodedata.category(char) in {"Cf", "Zl", "Zp", "Cs"}:
        return f"<U+{point:04X}>"
    return char


def lines(data: bytes | str, *, width: int = WIDTH, limit: int = LINES) -> tuple[str, ...]:
    """The text as at most `limit` safe lines of at most `width` characters (and a word on cuts)."""
    if isinstance(data, bytes):
        # Before decoding, so that a gigabyte without a newline costs nothing more.
        over = len(data) > (room := 4 * (width + 1) * limit)
        text = data[:room].decode("utf-8", errors="backslashreplace")
    else:
        over, text = False, data
    rows = text.replace("\r\n", "\n").split("\n")
    if rows and not rows[-1]:
        rows.pop()
    shown = [_line(row, width) for row in rows[:limit]]
    if over or len(rows) > limit:
        shown.append(f"… ({len(rows) - limit} more lines)" if len(rows) > limit else "… (cut)")
    return tuple(shown)


def _line(row: str, width: int) -> str:
    cut = len(row) - width
    safe = _SUSPECT.sub(_visible, row[:width])
    return f"{safe}… ({cut} more characters)" if cut > 0 else safe


def clean(data: bytes | str, *, width: int = WIDTH, limit: int = LINES) -> str:
    """The text made safe as one string; newlines and tabs stay."""
    return "\n".join(lines(data, width=width, limit=limit))
