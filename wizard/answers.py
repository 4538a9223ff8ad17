"""The answers: what the administrator gave, and everything that follows from it."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mailwizard.answerfile import SYSTEM, as_line, dump, example, system_accepted
from mailwizard.errors import BadAnswer, BadUsage
from mailwizard.fields import Bool, Listing, Table, nearest, quoted
from mailwizard.model import Context, Host, Kind, Look, Question, Step
from mailwizard.secret import read_secret

__all__ = ["ENABLED", "Answers", "Complaint", "dump", "example", "read_secret", "refuse"]

LARGEST = 2**20
ENABLED = "enabled"

Complaint = tuple[str, str]
"""A key as in the answer file, e.g. "postfix.domains", and what is wrong with its value."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The given answers by step and key; what was not given is found out by `resolve`."""

    steps: tuple[Step, ...] = ()
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    accepted: bool = False
    """Whether to go on where this system is expected to work, but not proven."""

    @classmethod
    def empty(cls, steps: Sequence[Step] = ()) -> Answers:
        """Nothing given yet."""
        return cls(tuple(steps))

    @classmethod
    def load(cls, path: str, steps: Sequence[Step]) -> Answers:
        """The answers in a TOML file; raises BadUsage, or BadAnswer naming the key."""
        return cls.from_text(_read(path), steps, path)

    @classmethod
    def from_text(cls, text: str, steps: Sequence[Step], name: str = "the answers") -> Answers:
        """The answers in TOML; every table and key is known, the values are not yet checked."""
        tables = _decode(text, name)
        accepted, complaints = system_accepted(tables.pop(SYSTEM, {}))
        complaints += [found for key in tables for found in _unknown(key, tables[key], steps)]
        refuse(complaints)
        known = {step.id: step for step in steps}
        return cls(
            tuple(steps),
            {
                step: {key: _settled(known[step], key, value) for key, value in table.items()}
                for step, table in tables.items()
            },
            accepted,
        )

    def given(self, step: str, key: str) -> Any:
        """The given value; None when there is none."""
        return self.values.get(step, {}).get(key)

    def is_given(self, step: str, key: str) -> bool:
        """Whether there is a value, be it an empty one."""
        return key in self.values.get(step, {})

    def with_value(self, step: str, key: str, value: Any) -> Answers:
        """The answers with this one, checked; raises BadAnswer."""
        kinds = {each.id: _kinds(each) for each in self.steps}
        if key not in kinds.get(step, {}):
            raise BadAnswer(f"{step}.{key}", "there is no such question")
        question = self._question(step, key)
        try:
            checked = _checked(kinds[step][key], value, bool(question and question.optional))
        except ValueError as error:
            raise BadAnswer(f"{step}.{key}", str(error)) from None
        return replace(
            self, values={**self.values, step: {**self.values.get(step, {}), key: checked}}
        )

    def without(self, step: str, key: str) -> Answers:
        """The answers without this one, so that its default counts again."""
        kept = {name: value for name, value in self.values.get(step, {}).items() if name != key}
        return replace(self, values={**self.values, step: kept})

    def enabled(self, step: str, default: bool = False) -> bool:
        """Whether an optional step is wanted: as it says, or because something was given for it."""
        given = self.values.get(step, {})
        return given.get(ENABLED, bool(given) or default) is True

    def decided(self, step: str) -> bool:
        """Whether somebody said that an optional step is wanted, or that it is not."""
        return bool(self.values.get(step))

    def examine(
        self, steps: Sequence[Step], look: Look
    ) -> tuple[dict[str, dict[str, Any]], list[Complaint]]:
        """Every value that can be had, in step order, and everything that is wrong."""
        resolved: dict[str, dict[str, Any]] = {}
        complaints: list[Complaint] = []
        for step in steps:
            resolved[step.id] = {}
            complaints += self._resolve_step(step, resolved, look, bool(complaints))
        return resolved, complaints

    def resolve(self, steps: Sequence[Step], look: Look) -> dict[str, dict[str, Any]]:
        """Every value, checked; raises one BadAnswer that tells everything that is wrong."""
        resolved, complaints = self.examine(steps, look)
        refuse(complaints)
        return resolved

    def save(self, host: Host, path: str) -> None:
        """Write what was given as an answer file, readable by its owner only."""
        host.write(path, dump(self.steps, self.values, self.accepted).encode(), mode=0o600)

    def _resolve_step(
        self, step: Step, resolved: dict[str, dict[str, Any]], look: Look, broken: bool
    ) -> list[Complaint]:
        context = Context(step.id, resolved, look)
        complaints = self._switch(step, context, resolved)
        if not resolved[step.id].get(ENABLED, True):
            return complaints
        for question in step.questions:
            if question.name != ENABLED:
                unsure = broken or bool(complaints)
                complaints += self._answer(question, context, resolved[step.id], unsure)
        if complaints:
            return complaints
        try:
            return [(f"{step.id}.{key}", said) for key, said in step.review(context)]
        except KeyError:
            # It looks at an answer of another step that is complained of already.
            if not broken:
                raise
            return []

    def _switch(
        self, step: Step, context: Context, resolved: dict[str, dict[str, Any]]
    ) -> list[Complaint]:
        key = f"{step.id}.{ENABLED}"
        given = self.given(step.id, ENABLED)
        if not step.optional:
            wrong = given is not None and given is not True
            return [(key, "this step cannot be left out; remove the line")] if wrong else []
        if given is not None and not isinstance(given, bool):
            return [(key, f"{quoted(given)} is not right; true or false without quotes is")]
        asked = [question for question in step.questions if question.name == ENABLED]
        proposed = bool(asked[0].default(context)) if asked else step.proposed
        on = self.enabled(step.id, default=proposed)
        resolved[step.id][ENABLED] = on
        missing = [need for need in step.needs if not resolved.get(need, {}).get(ENABLED, True)]
        return [(key, f"needs the step '{need}', which is left out") for need in missing if on]

    def _answer(
        self, question: Question, context: Context, into: dict[str, Any], unsure: bool
    ) -> list[Complaint]:
        key = f"{context.step}.{question.name}"
        given = self.is_given(context.step, question.name)
        value = self.given(context.step, question.name)
        try:
            value = value if given else question.default(context)
            if value is None and not given and not question.optional:
                return [(key, _needed(context.step, question))]
            into[question.name] = _checked(question.kind, value, question.optional)
        except ValueError as error:
            return [(key, str(error) if given else _found(value, error))]
        except KeyError:
            # The default builds on an answer that is complained of already.
            if not unsure:
                raise
        return []

    def _question(self, step: str, key: str) -> Question | None:
        found = (each for part in self.steps if part.id == step for each in part.questions)
        return next((each for each in found if each.name == key), None)


def _read(path: str) -> str:
    data = _bytes(path)
    if len(data) > LARGEST:
        raise BadUsage(f"{path} is larger than 1 MiB", hint="An answer file has a page or two.")
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise BadUsage(
            f"{path} begins with a byte order mark", hint="Save it as UTF-8 without BOM."
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadUsage(f"{path}: line {line} is not UTF-8 text", hint="Save it as UTF-8.") from None


def _bytes(path: str) -> bytes:
    hint = "`mailwizard answers > FILE` writes a commented example."
    try:
        # O_NONBLOCK: a named pipe must not keep an unattended run waiting.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name is not valid"
        if isinstance(error, PermissionError):
            hint = "Use sudo, or let its owner make it readable for you."
        raise BadUsage(f"{path} cannot be read: {reason}", hint=hint) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise BadUsage(f"{path} is not a plain file", hint=hint)
        with open(handle, "rb", closefd=False) as file:
            return file.read(LARGEST + 1)
    finally:
        os.close(handle)


_TOML_HINTS = (
    ("Cannot overwrite|twice|already defined", "Each key and each [table] may stand only once."),
    ("Expected '='|Invalid statement|Expected newline", 'A line is: key = "value"'),
    ("Unescaped|Illegal character|Unterminated", 'A text stands in quotes, on one line: "text"'),
    (
        "Invalid value",
        'A text stands in quotes: fqdn = "mail.example.org"; yes is true, no is false.',
    ),
    ("Unclosed array|array", 'A list is: ["one", "two"]'),
)


def _decode(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise BadUsage(f"{name}: brackets are nested too deeply") from None
    except ValueError as error:
        said = re.sub(r" \(at (.*)\)$", "", str(error))
        place = re.search(r"\(at (.*)\)$", str(error))
        hints = (hint for pattern, hint in _TOML_HINTS if re.search(pattern, said))
        raise BadUsage(
            f"{name}: {place[1] if place else 'a value'}: {said[:1].lower()}{said[1:]}",
            hint=next(hints, "`mailwizard answers` prints a commented example."),
        ) from None


def _unknown(name: str, table: Any, steps: Sequence[Step]) -> list[Complaint]:
    step = next((each for each in steps if each.id == name), None)
    if step is None:
        return [(name, _stray(name, table, steps))]
    if not isinstance(table, dict):
        return [(name, f"must be a table: a line [{name}], and its keys below that")]
    kinds = _kinds(step)
    return [
        (f"{name}.{key}", f"there is no such key; {_suggest(key, kinds)}")
        for key in table
        if key not in kinds
    ]


def _stray(name: str, value: Any, steps: Sequence[Step]) -> str:
    owners = [step.id for step in steps if name in _kinds(step)]
    if owners and not isinstance(value, dict):
        return f"stands outside of a table; it belongs below the line [{owners[0]}]"
    return f"there is no such step; {_suggest(name, [step.id for step in steps])}"


def _suggest(word: str, known: Iterable[str]) -> str:
    return nearest(word, known) or f"known are: {', '.join(known)}"


def _kinds(step: Step) -> dict[str, Kind]:
    # A mandatory step knows the key too, so that `enabled = false` gets an answer of its own.
    return {**{question.name: question.kind for question in step.questions}, ENABLED: Bool()}


def _settled(step: Step, key: str, value: Any) -> Any:
    optional = any(each.optional for each in step.questions if each.name == key)
    try:
        return _checked(_kinds(step)[key], value, optional)
    except ValueError:
        return value


def _checked(kind: Kind, value: Any, optional: bool) -> Any:
    if not optional or value not in (None, ""):
        return kind.check(value)
    # "" says "none"; of a list or a table that is an empty one
    if isinstance(kind, Table):
        return kind.check({})
    return kind.check([]) if isinstance(kind, Listing) else None


def _needed(step: str, question: Question) -> str:
    return (
        "no answer was given, and this host does not tell it; "
        f"write below [{step}], for example: {as_line(question)}"
    )


def _found(value: Any, error: ValueError) -> str:
    return (
        f"what this host says, {quoted(value)}, cannot be used; give the answer yourself ({error})"
    )


def refuse(complaints: Sequence[Complaint]) -> None:
    """Raise one BadAnswer that tells every complaint; none, none."""
    if not complaints:
        return
    key, reason = complaints[0]
    more = "".join(f"\n{other}: {said}" for other, said in complaints[1:])
    raise BadAnswer(
        key, reason + more, hint="`mailwizard answers` prints every key with an example."
    )
