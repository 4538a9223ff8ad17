"""The words of the program: questions, steps, changes, probes, and what they report.

Pure values and protocols. Nothing here reads a file, starts a process or knows a mail daemon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from mailwizard.model.host import (
    Completed,
    Detached,
    FileState,
    Host,
    Look,
    Platform,
    Preseed,
    SecretRef,
    Tier,
)

__all__ = [
    "Change",
    "Completed",
    "Context",
    "Detached",
    "FileState",
    "Host",
    "Image",
    "Kind",
    "Look",
    "Outcome",
    "Platform",
    "Preseed",
    "Preview",
    "Probe",
    "Question",
    "Record",
    "Result",
    "SecretRef",
    "Step",
    "Subject",
    "TakesSecrets",
    "Tier",
    "worst",
]


class Outcome(StrEnum):
    """A verdict; "could not ask" is unknown, never pass and never fail."""

    SKIPPED = "skipped"
    PASS = "pass"
    UNKNOWN = "unknown"
    WARN = "warn"
    FAIL = "fail"

    @property
    def severity(self) -> int:
        return list(Outcome).index(self)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The most severe of the verdicts; pass when there are none."""
    return max(outcomes, key=lambda outcome: outcome.severity, default=Outcome.PASS)


@dataclass(frozen=True, slots=True)
class Result:
    """What a probe heard, and for anything but a pass what should be and who can change it.

    suggests: the optional step that would be a way on.
    """

    outcome: Outcome
    said: str
    expected: str = ""
    fix: str = ""
    transcript: tuple[str, ...] = ()
    suggests: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a step may know: everybody's checked answers, the platform, and a look at the host."""

    step: str
    answers: Mapping[str, Mapping[str, Any]]
    look: Look

    def __getitem__(self, name: str) -> Any:
        return self.answers[self.step][name]

    @property
    def platform(self) -> Platform:
        return self.look.platform

    def of(self, step: str) -> Mapping[str, Any]:
        """Another step's answers."""
        return self.answers[step]


class Kind(Protocol):
    """One validator for one kind of field; both ways from what a person types."""

    @property
    def hint(self) -> str:
        """What is right, in a few words, e.g. "a full host name such as mail.example.org"."""
        ...

    def check(self, value: Any) -> Any:
        """The normalised value; raises ValueError saying what is wrong and what would be right."""
        ...

    def parse(self, text: str) -> Any:
        """What a person typed, as a checked value; raises ValueError likewise."""
        ...

    def show(self, value: Any) -> str:
        """The value as a person would type it."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """One thing only the administrator can know; name is its key in the answer file."""

    name: str
    label: str
    kind: Kind
    default: Callable[[Context], Any]
    help: str = ""
    optional: bool = False
    secret: bool = False
    reason: Callable[[Context], str] = lambda _context: ""
    """Why the default is what it is on this host, a sentence; mostly there is nothing to say."""


Image = dict[str, Any]
"""A JSON value that holds everything needed to restore a subject."""


class Subject(Protocol):
    """A thing on the host that a change touches, can be photographed and put back."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    def capture(self, look: Look) -> Image: ...
    def parts(self, image: Image) -> Mapping[str, str]:
        """What we own of it, by part: drift is a part that is not what we left."""
        ...

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        """Put the before-image back; where others edited since `after`, only what we own."""
        ...


@dataclass(frozen=True, slots=True)
class Preview:
    """A change as shown before it is made: a unified diff or the commands."""

    text: str
    is_diff: bool = False


class Change(Protocol):
    """One idempotent edit: look, compare, act, and know how to say itself in sh."""

    @property
    def title(self) -> str: ...
    @property
    def follows(self) -> str:
        """The file whose change makes this due too; "*": any change of its step; else empty.

        "<": any change of its step that stands before it.
        """
        ...

    def needed(self, look: Look) -> bool: ...
    def preview(self, look: Look) -> Preview: ...
    def subjects(self, look: Look) -> Sequence[Subject]: ...
    def apply(self, host: Host) -> None: ...
    def shell(self, look: Look) -> str:
        """The same edit as idempotent POSIX sh, everything quoted."""
        ...


@runtime_checkable
class TakesSecrets(Protocol):
    """A change that reads secrets while it is made."""

    @property
    def secrets(self) -> Sequence[SecretRef]: ...


class Probe(Protocol):
    """One live test; asking never changes the host's configuration."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def by_hand(self) -> str:
        """The command a person would type to see the same."""
        ...

    @property
    def deadline(self) -> float:
        """Seconds after which the verdict is unknown, whatever happens."""
        ...

    @property
    def critical(self) -> bool:
        """A fail restores the previous configuration by itself (open relay)."""
        ...

    def ask(self, host: Host) -> Result: ...


@dataclass(frozen=True, slots=True)
class Record:
    """A record that the DNS must hold for a step to do its work in the world.

    The owner is absolute, without the final dot. The value stands as in a zone file, names in it
    absolute with the final dot; only TXT is the bare text, unquoted and of any length.
    """

    owner: str
    type: str
    value: str
    why: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One HOWTO step: explains itself, asks, plans its changes, and proves itself."""

    id: str
    title: str
    explain: str
    questions: tuple[Question, ...]
    plan: Callable[[Context], Iterator[Change]]
    probes: Callable[[Context], Iterator[Probe]]
    packages: Callable[[Context], Sequence[str]] = field(default=lambda _context: ())
    """Platform roles, e.g. "postfix"; all steps' packages go into one transaction."""
    review: Callable[[Context], Iterator[tuple[str, str]]] = field(
        default=lambda _context: iter(())
    )
    """Complaints over answers that no single field can see: (question name, what is wrong)."""
    records: Callable[[Context], Iterator[Record]] = field(default=lambda _context: iter(()))
    """What the DNS must hold; somebody else's hands publish it, `mailwizard dns` compares."""
    needs: tuple[str, ...] = ()
    optional: bool = False
    proposed: bool = False
    """An optional step that is done unless somebody says otherwise."""
