"""What every kind of field shares: how it is refused, and the characters that never pass."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

INTERPRETED = "$`{}%|<>;\"'\\"
"""Characters that Postfix, Dovecot, amavis or a shell would act on instead of keep."""

LONGEST = 4096
_NAMES = {"\0": "a NUL character", "\n": "a line break", "\r": "a carriage return", "\t": "a tab"}


@dataclass(frozen=True, slots=True)
class Field:
    """A kind of field whose values are texts; the others override what differs."""

    @property
    def hint(self) -> str:
        return "a text"

    @property
    def example(self) -> Any:
        """A value that passes, for the example answer file."""
        return "text"

    def check(self, value: Any) -> Any:
        return visible(value)

    def parse(self, text: str) -> Any:
        return self.check(text)

    def show(self, value: Any) -> str:
        return str(value)

    def display(self, value: Any) -> str:
        """The value for reading, with what a reader wants to know beside it."""
        return self.show(value)

    def toml(self, value: Any) -> Any:
        """The value as it stands in the answer file."""
        return value


def quoted(value: object, longest: int = 40) -> str:
    """The value in quotes for a message: short, and nothing in it acts on a terminal."""
    text = value if isinstance(value, str) else str(value)
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "'" + "".join(_seen(char) for char in cut) + "'"


def nearest(word: str, known: Iterable[str]) -> str:
    """A question that names the known word most like this one; empty when none is."""
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean '{found[0]}'?" if found else ""


def text_of(value: Any) -> str:
    """The value if it is a text."""
    if not isinstance(value, str):
        raise ValueError(f"{quoted(value)} is {kind_of(value)}; a text in quotes is needed")
    return value


def kind_of(value: Any) -> str:
    """What a TOML value is, in words."""
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        tuple: "a list",
        dict: "a table",
    }
    return names.get(type(value), "a " + type(value).__name__)


def visible(value: Any, longest: int = LONGEST) -> str:
    """The text without outer blanks; refuses everything a reader could not see."""
    text = text_of(value).strip(" \t")
    if not text:
        raise ValueError("nothing was given; a value is needed")
    if len(text) > longest:
        raise ValueError(f"{len(text)} characters are too many; at most {longest} are right")
    for char in text:
        reason = _unseen(char)
        if reason:
            raise ValueError(f"{quoted(text)} contains {reason}; type it again without that")
    return text


def inert(value: Any, longest: int = LONGEST, *, blanks: bool = False) -> str:
    """The text if no daemon, tool or shell would act on anything in it."""
    text = visible(value, longest)
    if text.startswith("-"):
        raise ValueError(f"{quoted(text)} begins with '-' and would be read as an option")
    for char in text:
        if char in INTERPRETED:
            raise ValueError(f"{quoted(text)} contains {char}, which programs act on; leave it out")
        if char.isspace() and not (blanks and char == " "):
            raise ValueError(f"{quoted(text)} contains a blank; write it as one word")
    return text


def _unseen(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cc":
        return _NAMES.get(char, f"the control character U+{ord(char):04X}")
    if category == "Cs":
        return f"half a character (U+{ord(char):04X})"
    if category in {"Cf", "Zl", "Zp", "Co", "Cn"} or char in "\u115f\u1160\u3164\uffa0":
        name = unicodedata.name(char, "no name").lower()
        return f"the invisible character U+{ord(char):04X} ({name})"
    return ""


def _seen(char: str) -> str:
    return f"\\u{ord(char):04x}" if _unseen(char) else char
