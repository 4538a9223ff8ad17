"""Lists, tables and records of the other kinds, and secrets kept elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mailwizard.fields.plain import Path
from mailwizard.fields.text import Field, inert, kind_of, nearest, quoted
from mailwizard.model import SecretRef

_ENTRY = re.compile(r"([^\s,=]+)\s*=")


@dataclass(frozen=True, slots=True)
class Listing(Field):
    """A list of values of one kind, without repeats; what is `always` there need not be given."""

    of: Field
    least: int = 0
    always: tuple[Any, ...] = ()

    @property
    def hint(self) -> str:
        return f"a list, each {self.of.hint}"

    @property
    def example(self) -> list[Any]:
        return [self.of.example]

    def check(self, value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{kind_of(value)} was given; a list in brackets is right")
        found: dict[Any, Any] = {}
        for entry in (*value, *self.always):
            checked = self.of.check(entry)
            found.setdefault(_frozen(checked), checked)
        kept = list(found.values())
        if len(kept) < self.least:
            raise ValueError(f"the list is too short; at least {self.least} needed: {self.hint}")
        return kept

    def parse(self, text: str) -> list[Any]:
        return self.check([self.of.parse(word) for word in self._words(text)])

    def _words(self, text: str) -> list[str]:
        separator = r"[;\n]" if isinstance(self.of, Record) else r"[,\s]+"
        return [word for word in re.split(separator, text) if word.strip()]

    def show(self, value: Any) -> str:
        return ("; " if isinstance(self.of, Record) else ", ").join(map(self.of.show, value))

    def display(self, value: Any) -> str:
        return ", ".join(self.of.display(entry) for entry in value)

    def toml(self, value: Any) -> list[Any]:
        return [self.of.toml(entry) for entry in value]


@dataclass(frozen=True, slots=True)
class OneOrMore(Listing):
    """A list that may be written as a single value when it holds only one."""

    least: int = 1

    @property
    def hint(self) -> str:
        return f"{self.of.hint}, or a list of such"

    def check(self, value: Any) -> list[Any]:
        entries = value if isinstance(value, list | tuple) else [value]
        # Not super(): slots make the class anew, and the short form would look in the old one.
        return Listing.check(self, entries)

    def toml(self, value: Any) -> Any:
        entries = Listing.toml(self, value)
        return entries[0] if len(entries) == 1 else entries


@dataclass(frozen=True, slots=True)
class Table(Field):
    """Names with a value each, in the order given; names that differ only in case are one."""

    key: Field
    value: Field

    @property
    def hint(self) -> str:
        return f"name = value; the name: {self.key.hint}; the value: {self.value.hint}"

    @property
    def example(self) -> dict[str, Any]:
        return {self.key.example: self.value.example}

    def check(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"{kind_of(value)} was given; a table of names is right")
        checked: dict[str, Any] = {}
        taken: set[str] = set()
        for name, entry in value.items():
            key = self.key.check(name)
            if key.lower() in taken:
                raise ValueError(f"{quoted(key)} is there twice; one entry is right")
            taken.add(key.lower())
            checked[key] = _named(key, self.value.check, entry)
        return checked

    def parse(self, text: str) -> dict[str, Any]:
        pairs = list(entries(text))
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            raise ValueError("a name is there twice; one entry with all its values is right")
        return self.check({name: _named(name, self.value.parse, typed) for name, typed in pairs})

    def show(self, value: Any) -> str:
        return "; ".join(f"{name} = {self.value.show(entry)}" for name, entry in value.items())

    def display(self, value: Any) -> str:
        return "\n".join(
            f"{self.key.display(name)} = {self.value.display(entry)}"
            for name, entry in value.items()
        )

    def toml(self, value: Any) -> dict[str, Any]:
        return {name: self.value.toml(entry) for name, entry in value.items()}


@dataclass(frozen=True, slots=True)
class Record(Field):
    """A small table whose names are fixed, all of them needed."""

    parts: tuple[tuple[str, Field], ...]

    @property
    def hint(self) -> str:
        return ", ".join(f"{name} = {kind.hint}" for name, kind in self.parts)

    @property
    def example(self) -> dict[str, Any]:
        return {name: kind.example for name, kind in self.parts}

    def check(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"{kind_of(value)} was given; a table is right: {self.hint}")
        names = [name for name, _ in self.parts]
        for name in value:
            if name not in names:
                raise ValueError(
                    f"{quoted(name)} is not known; {nearest(str(name), names) or self.hint}"
                )
        for name in names:
            if name not in value:
                raise ValueError(f"{quoted(name)} is missing; needed are {self.hint}")
        return {name: _named(name, kind.check, value[name]) for name, kind in self.parts}

    def parse(self, text: str) -> dict[str, Any]:
        typed, kinds = dict(entries(text)), dict(self.parts)
        return self.check(
            {
                name: kinds[name].parse(word) if name in kinds else word
                for name, word in typed.items()
            }
        )

    def show(self, value: Any) -> str:
        return ", ".join(f"{name} = {kind.show(value[name])}" for name, kind in self.parts)

    def toml(self, value: Any) -> dict[str, Any]:
        return {name: kind.toml(value[name]) for name, kind in self.parts}


@dataclass(frozen=True, slots=True)
class SecretField(Field):
    """Where a secret is kept; the secret itself is refused, and never repeated in a message."""

    @property
    def hint(self) -> str:
        return '{ env = "NAME" } or { file = "/root/secret" } (a file of your own with mode 0600)'

    @property
    def example(self) -> SecretRef:
        return SecretRef(file="/root/mail-password")

    def check(self, value: Any) -> SecretRef:
        if isinstance(value, SecretRef):
            value = {name: text for name, text in self.toml(value).items() if text}
        if not isinstance(value, Mapping):
            raise ValueError(
                f"a secret never stands in the answers themselves; {self.hint} is right"
            )
        if len(value) != 1 or not set(value) <= {"env", "file"}:
            raise ValueError(f"one of two forms is needed; {self.hint} is right")
        if "file" in value:
            return SecretRef(file=_named("file", Path().check, value["file"]))
        name = inert(value["env"], 128)
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(
                "that is not the name of an environment variable; RELAY_PASSWORD would be"
            )
        return SecretRef(env=name)

    def parse(self, text: str) -> SecretRef:
        form, _, rest = text.strip().partition(":")
        if form not in {"env", "file"}:
            raise ValueError(
                "the secret itself is not typed here; env:NAME or file:/root/secret is right"
            )
        return self.check({form: rest})

    def show(self, value: Any) -> str:
        return f"env:{value.env}" if value.env else f"file:{value.file}"

    def toml(self, value: Any) -> dict[str, str]:
        return {"env": value.env} if value.env else {"file": value.file}


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Typed "name = a, b; other = c" (or line by line) as pairs."""
    for line in filter(str.strip, re.split(r"[;\n]", text)):
        found = list(_ENTRY.finditer(line))
        if not found or line[: found[0].start()].strip():
            # Not repeated: it may be a secret that was typed where a record belongs.
            raise ValueError("what was typed has no name; 'name = value' is right")
        ends = [match.start() for match in found[1:]] + [len(line)]
        for match, end in zip(found, ends, strict=True):
            yield match[1], line[match.end() : end].strip(" \t,")


def _frozen(value: Any) -> Any:
    """What stands for a value in a set: two that are equal are one."""
    if isinstance(value, Mapping):
        return frozenset((name, _frozen(part)) for name, part in value.items())
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _named(name: str, check: Any, value: Any) -> Any:
    try:
        return check(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
