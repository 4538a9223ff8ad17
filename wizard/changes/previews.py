"""How changes look before they are made, and how they are said in sh."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence

from mailwizard.keyed import rows
from mailwizard.model import Preview
from mailwizard.sanitise import clean


def diff(path: str, old: bytes, new: bytes) -> Preview:
    """A unified diff of a file's whole text; hostile bytes are shown, not sent."""
    before, after = (rows(data.decode("utf-8", "backslashreplace")) for data in (old, new))
    text = "\n".join(difflib.unified_diff(before, after, path, path, lineterm="", n=2))
    # another line ending is a difference too, and is to be seen
    return Preview(clean(text.replace("\r", "^M")), is_diff=True)


def commands(*argvs: Sequence[str]) -> Preview:
    """The commands as a person would type them."""
    return Preview("\n".join(shell(argv) for argv in argvs))


def shell(argv: Sequence[str]) -> str:
    """One command line for sh, every word quoted (R18)."""
    return shlex.join(argv)


def put_file(path: str, text: str, mode: int) -> str:
    """sh that gives a file this text, if it has another; `put_file` is in the script's head."""
    if text.endswith("\n"):
        words = [r"'%s\n'", *map(shlex.quote, text.removesuffix("\n").split("\n"))]
    else:
        words = ["%s", shlex.quote(text)]
    return f"printf {' '.join(words)} | put_file {shlex.quote(path)} {mode:04o}"
