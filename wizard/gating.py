"""What is asked at a gate, what was heard, and what that means for each step's verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailwizard.events import ProbeDone
from mailwizard.model import Outcome, Probe, worst


@dataclass(slots=True)
class Asking:
    """The probes to ask, each for its step, and every outcome that counts at the steps' gates."""

    probes: Sequence[tuple[str, Probe]]
    outcomes: dict[str, dict[str, Outcome]]
    critical: frozenset[str]
    _proposed: set[str] = field(default_factory=set)

    def hear(self, heard: ProbeDone) -> bool:
        """Whether what is suggested by it is news."""
        found = heard.result.outcome
        self.outcomes[heard.step][heard.id] = found
        if heard.id in self.critical:
            # it holds at every gate: where it was asked for another step its verdict is the same
            for others in self.outcomes.values():
                others.update({heard.id: found} if heard.id in others else {})
        news = bool(heard.result.suggests) and heard.result.suggests not in self._proposed
        self._proposed.add(heard.result.suggests)
        return news

    def verdict(self, step_id: str) -> tuple[Outcome, bool]:
        """The worst that was heard for a step, and whether what is critical failed."""
        heard = self.outcomes[step_id]
        broken = any(heard.get(name) is Outcome.FAIL for name in self.critical)
        return worst(heard.values()), broken


def asking(probes: Sequence[tuple[str, Probe]], step_ids: Sequence[str]) -> Asking:
    """Everything is asked, nothing is known yet."""
    critical = frozenset(probe.id for _, probe in probes if probe.critical)
    return Asking(probes, {step_id: {} for step_id in step_ids}, critical)


def waiting(heard: Sequence[ProbeDone], step_ids: Sequence[str]) -> list[ProbeDone]:
    """What had no verdict for want of a step that was made only afterwards."""
    order = {step_id: number for number, step_id in enumerate(step_ids)}
    return [
        one
        for one in heard
        if one.result.outcome is Outcome.UNKNOWN
        and order.get(one.result.suggests, -1) > order[one.step]
    ]


def once_more(
    heard: Sequence[ProbeDone],
    again: Sequence[ProbeDone],
    probes_of: Callable[[str], Sequence[Probe]],
) -> Asking:
    """Only what waited is asked, at its own step; what else was heard at those gates counts on."""
    steps = list(dict.fromkeys(one.step for one in again))
    names = {(one.step, one.id) for one in again}
    chosen = [(step, p) for step in steps for p in probes_of(step) if (step, p.id) in names]
    found = asking(chosen, steps)
    for one in heard:
        if one.step in found.outcomes:
            found.outcomes[one.step][one.id] = one.result.outcome
    return found
