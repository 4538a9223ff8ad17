"""What the engine hands to a face: plans, drift and states, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mailwizard.model import Preview, Step


class State(StrEnum):
    """Where a step stands; verified is earned by live probes, never by a flag alone."""

    PENDING = "pending"
    APPLIED = "applied"
    VERIFIED = "verified"
    FAILED = "failed"
    DRIFTED = "drifted"
    SKIPPED = "skipped"


NOT_BEGUN = frozenset({State.PENDING, State.SKIPPED})


@dataclass(frozen=True, slots=True)
class Drift:
    """Parts of ours edited by hand since: what we left, what is there, what we would write."""

    parts: tuple[str, ...]
    ours: str
    theirs: str
    wanted: str
    diff: str


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One change of a step as it stands now."""

    title: str
    needed: bool
    preview: Preview
    drift: Drift | None = None


@dataclass(frozen=True, slots=True)
class StepPlan:
    """All changes of one step, in order, and what about this host decided over its answers."""

    step: Step
    items: tuple[PlanItem, ...]
    reasons: tuple[str, ...] = ()

    @property
    def pending(self) -> tuple[PlanItem, ...]:
        return tuple(item for item in self.items if item.needed)

    @property
    def drifted(self) -> tuple[PlanItem, ...]:
        return tuple(item for item in self.items if item.drift is not None)


@dataclass(frozen=True, slots=True)
class StepStatus:
    """A step's state and since when (ISO 8601, UTC; empty when never run)."""

    id: str
    state: State
    since: str = ""
