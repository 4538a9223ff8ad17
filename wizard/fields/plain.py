"""Yes and no, numbers, sizes, choices, texts and paths."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mailwizard.fields.text import Field, inert, kind_of, nearest, quoted, visible

_YES = {"yes", "y", "true", "on", "1"}
_NO = {"no", "n", "false", "off", "0"}
_SIZE = re.compile(r"(\d{1,18})\s*([a-z]*)", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_UNITS |= dict.fromkeys(("k", "kib"), 2**10)
_UNITS |= dict.fromkeys(("m", "mib"), 2**20)
_UNITS |= dict.fromkeys(("g", "gib"), 2**30)


@dataclass(frozen=True, slots=True)
class Bool(Field):
    """Yes or no."""

    @property
    def hint(self) -> str:
        return "yes or no (true or false in the answer file)"

    @property
    def example(self) -> bool:
        return True

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(
                f"{quoted(value)} is {kind_of(value)}; true or false without quotes is right"
            )
        return value

    def parse(self, text: str) -> bool:
        word = visible(text).lower()
        if word in _YES | _NO:
            return word in _YES
        raise ValueError(f"{quoted(text)} is neither; yes or no is right")

    def show(self, value: Any) -> str:
        return "yes" if value else "no"


@dataclass(frozen=True, slots=True)
class Integer(Field):
    """A whole number between two limits, both included."""

    least: int = 0
    most: int = 2**31 - 1

    @property
    def hint(self) -> str:
        return f"a whole number from {self.least} to {self.most}"

    @property
    def example(self) -> int:
        return self.least

    def check(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(
                f"{quoted(value)} is {kind_of(value)}; {self.hint} without quotes is right"
            )
        if not self.least <= value <= self.most:
            raise ValueError(f"{quoted(value)} is out of range; {self.hint} is right")
        return value

    def parse(self, text: str) -> int:
        word = visible(text)
        if not re.fullmatch(r"-?[0-9]{1,19}", word):
            raise ValueError(f"{quoted(word)} is not a whole number; {self.hint} is right")
        return self.check(int(word))


@dataclass(frozen=True, slots=True)
class Size(Field):
    """A number of bytes, typed with or without a unit."""

    least: int = 1
    most: int = 2**40

    @property
    def hint(self) -> str:
        return f"a size such as 50 MiB, from {self.show(self.least)} to {self.show(self.most)}"

    @property
    def example(self) -> int:
        return 50 * 2**20

    def check(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f"{quoted(value)} is {kind_of(value)}; {self.hint} is right")
        count = value if isinstance(value, int) else self._bytes(visible(value))
        if not self.least <= count <= self.most:
            raise ValueError(f"{quoted(value)} is out of range; {self.hint} is right")
        return count

    def _bytes(self, text: str) -> int:
        found = _SIZE.fullmatch(text)
        if not found or found[2].lower() not in _UNITS:
            raise ValueError(f"{quoted(text)} is not a size; {self.hint} is right")
        return int(found[1]) * _UNITS[found[2].lower()]

    def show(self, value: Any) -> str:
        for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
            if value and value % factor == 0:
                return f"{value // factor} {unit}"
        return str(value)

    def toml(self, value: Any) -> str:
        return self.show(value)


@dataclass(frozen=True, slots=True)
class Choice(Field):
    """One of a few words; one that is a number stands in the answer file as a number."""

    options: tuple[str, ...]

    @property
    def hint(self) -> str:
        *others, last = (o if o.isdecimal() else f'"{o}"' for o in self.options)
        return f"{', '.join(others)} or {last}" if others else last

    @property
    def example(self) -> str:
        return self.options[0]

    def check(self, value: Any) -> str:
        number = isinstance(value, int) and not isinstance(value, bool)
        text = str(value) if number else visible(value, 100)
        if text not in self.options:
            near = nearest(text, self.options)
            raise ValueError(f"{quoted(text)} is not known; {near or self.hint + ' is right'}")
        return text

    def toml(self, value: Any) -> Any:
        return int(value) if value.isdecimal() else value


@dataclass(frozen=True, slots=True)
class Text(Field):
    """One line; `free` allows the characters that daemons act on."""

    max_length: int = 200
    free: bool = False

    @property
    def hint(self) -> str:
        return f"one line of at most {self.max_length} characters"

    def check(self, value: Any) -> str:
        if self.free:
            return visible(value, self.max_length)
        return inert(value, self.max_length, blanks=True)


@dataclass(frozen=True, slots=True)
class Path(Field):
    """The full path of a file or folder, without detours."""

    @property
    def hint(self) -> str:
        return "a full path such as /etc/ssl/mail.pem"

    @property
    def example(self) -> str:
        return "/etc/ssl/mail.pem"

    def check(self, value: Any) -> str:
        text = inert(value, 1024)
        if not text.startswith("/"):
            raise ValueError(f"{quoted(text)} does not begin with '/'; {self.hint} is needed")
        if ".." in text.split("/"):
            raise ValueError(f"{quoted(text)} goes up with '..'; the path without detour is right")
        normal = "/" + posixpath.normpath(text).lstrip("/")
        if normal == "/":
            raise ValueError(f"'/' is the root folder; {self.hint} is needed")
        return normal


@dataclass(frozen=True, slots=True)
class Url(Field):
    """An https address that a program is given to fetch."""

    @property
    def hint(self) -> str:
        return "an address such as https://acme.example.org/directory"

    @property
    def example(self) -> str:
        return "https://acme.example.org/directory"

    def check(self, value: Any) -> str:
        text = inert(value, 512)
        parts = urlsplit(text)
        if parts.scheme != "https":
            raise ValueError(f"{quoted(text)} does not begin with https://; {self.hint} is needed")
        host = parts.hostname or ""
        if parts.username or "@" in parts.netloc or not re.fullmatch(r"[A-Za-z0-9.:-]+", host):
            raise ValueError(f"{quoted(text)} names no server; {self.hint} is needed")
        return text
