"""What the engine says while it works; every face shows the same stream.

`as_json` is the shape of one line of `--json`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from mailwizard.model import Result


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a step ("packages" for the shared transaction)."""

    name: ClassVar[str] = "event"
    step: str

    def as_json(self) -> dict[str, Any]:
        return {"event": self.name, **asdict(self)}


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """The work on a step begins."""

    name: ClassVar[str] = "step-started"
    title: str


@dataclass(frozen=True, slots=True)
class ChangeStarted(Event):
    """A change is about to be made, as it was shown."""

    name: ClassVar[str] = "change-started"
    title: str
    preview: str
    is_diff: bool


@dataclass(frozen=True, slots=True)
class ChangeDone(Event):
    """A change was made and read back."""

    name: ClassVar[str] = "change-done"
    title: str
    seconds: float

    @property
    def sentence(self) -> str:
        return f"{self.title} ({self.seconds:.1f} s)"


@dataclass(frozen=True, slots=True)
class AlreadySo(Event):
    """A change was not needed."""

    name: ClassVar[str] = "already-so"
    title: str


@dataclass(frozen=True, slots=True)
class Output(Event):
    """One sanitised line of a running command's output."""

    name: ClassVar[str] = "output"
    line: str


@dataclass(frozen=True, slots=True)
class Waiting(Event):
    """Somebody else holds something we need; who, and since when."""

    name: ClassVar[str] = "waiting"
    reason: str


@dataclass(frozen=True, slots=True)
class Drifted(Event):
    """A part we own was edited by hand since; nothing was written over it."""

    name: ClassVar[str] = "drifted"
    title: str
    parts: tuple[str, ...]
    diff: str


@dataclass(frozen=True, slots=True)
class ProbeStarted(Event):
    """A probe is being asked."""

    name: ClassVar[str] = "probe-started"
    id: str
    title: str
    by_hand: str


@dataclass(frozen=True, slots=True)
class ProbeDone(Event):
    """What a probe heard."""

    name: ClassVar[str] = "probe-done"
    id: str
    title: str
    by_hand: str
    result: Result
    seconds: float


@dataclass(frozen=True, slots=True)
class Proposed(Event):
    """A check names an optional step as a way on, and nobody has decided on that step."""

    name: ClassVar[str] = "proposed"
    proposal: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gate(Event):
    """The step's verdict: open when no probe failed."""

    name: ClassVar[str] = "gate"
    open: bool
    outcome: str
    changes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """The step stopped; hint says what the reader can do, tail holds last log lines."""

    name: ClassVar[str] = "failed"
    message: str
    hint: str
    tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Undone(Event):
    """What one change touched is as it was, or why not."""

    name: ClassVar[str] = "undone"
    title: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class KeyStage(Event):
    """A change of signing keys has come this far."""

    name: ClassVar[str] = "key-stage"
    selector: str
    stage: str
    said: str

    @property
    def sentence(self) -> str:
        return f"{self.selector} {self.said}"


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """The run ended; `code` is the exit code of the command line."""

    name: ClassVar[str] = "finished"
    code: int
    said: str
