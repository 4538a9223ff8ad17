"""Postfix's main.cf as text (last definition wins, postconf(5)), and master.cf through postconf."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from mailwizard.errors import CommandFailed
from mailwizard.model import Look

# Every Postfix program sleeps until main.cf is two seconds old (a guard against half-written
# files); ours is complete when it appears, so it is dated back.
AGE_NS = 10 * 10**9


def backdated() -> int:
    """A modification time that Postfix does not wait for, in nanoseconds."""
    return time.time_ns() - AGE_NS


def _logical(text: str) -> Iterator[tuple[str | None, list[str]]]:
    """(parameter or None for comments and blanks, its physical lines), in order."""
    name: str | None = None
    block: list[str] = []
    for line in text.splitlines():
        if line.strip() and line[0] in " \t" and block:
            block.append(line)
            continue
        if block:
            yield name, block
        plain = line.strip() and not line.lstrip().startswith("#") and "=" in line
        name, block = (line.split("=", 1)[0].strip() if plain else None), [line]
    if block:
        yield name, block


def _value(block: list[str]) -> str:
    first = block[0].split("=", 1)[1].strip()
    rest = [line.strip() for line in block[1:] if not line.lstrip().startswith("#")]
    return " ".join(part for part in [first, *rest] if part)


def parse(text: str) -> dict[str, str]:
    """Each parameter's raw value, continuation lines joined."""
    return {name: _value(block) for name, block in _logical(text) if name is not None}


def edited(text: str, wanted: Mapping[str, str | None]) -> str:
    """The text with these parameters set in their place (None: removed), all else untouched."""
    left = dict(wanted)
    out: list[str] = []
    for name, block in _logical(text):
        if name is None or name not in wanted:
            out += block
        elif (value := left.pop(name, None)) is not None:
            out.append(f"{name} = {value}")
    out += [f"{name} = {value}" for name, value in left.items() if value is not None]
    return "\n".join(out) + "\n" if out else ""


def master_values(look: Look, names: Sequence[str]) -> dict[str, str]:
    """What master.cf says: service/type -> its line, service/type/parameter -> its value."""
    found: dict[str, str] = {}
    for line in look.ask(["postconf", "-P"]).out.splitlines():
        name, _, value = line.partition(" = ")
        found[name.strip()] = value.strip()
    if any(name.count("/") == 1 for name in names):
        for line in look.ask(["postconf", "-M"]).out.splitlines():
            words = line.split()
            found["/".join(words[:2])] = " ".join(words)
    return {name: found[name] for name in names if name in found}


def edited_master(look: Look, text: bytes, wanted: Mapping[str, str | None]) -> bytes:
    """master.cf with these entries and values set (None: removed), by postconf itself."""
    with look.draft({"main.cf": b"compatibility_level = 3.6\n", "master.cf": text}) as folder:
        for depth, kind in ((1, "M"), (2, "P")):
            mine = {name: value for name, value in wanted.items() if name.count("/") == depth}
            setting = [f"{name}={value}" for name, value in mine.items() if value is not None]
            removing = [name for name, value in mine.items() if value is None]
            for option, names in ((f"-{kind}", setting), (f"-{kind}X", removing)):
                if names:
                    done = look.ask(["postconf", "-c", folder, option, *names])
                    if not done.ok:
                        raise CommandFailed(done.argv, done.code, tuple(done.err.splitlines()))
        return look.read(f"{folder}/master.cf")
