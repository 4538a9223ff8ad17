"""The last verdict of each check of this run, for its last words."""

from __future__ import annotations

from collections.abc import Sequence

from mailwizard.events import Event, Gate, ProbeDone, Undone


class Heard:
    """What was heard at each step's last gate; nothing of a step that was undone."""

    def __init__(self) -> None:
        self._at_gates: dict[str, list[ProbeDone]] = {}
        self._arriving: dict[str, list[ProbeDone]] = {}

    def take(self, said: Sequence[Event]) -> None:
        """Take in what a stream reports; what was heard counts from its gate on."""
        for event in said:
            if isinstance(event, ProbeDone):
                self._arriving.setdefault(event.step, []).append(event)
            elif isinstance(event, Gate):
                # what holds at every gate was last heard at the newest
                self._at_gates.pop(event.step, None)
                self._at_gates[event.step] = self._arriving.pop(event.step, [])
            elif isinstance(event, Undone):
                self._at_gates.pop(event.step, None)

    @property
    def verdicts(self) -> list[ProbeDone]:
        """All of them, step by step."""
        return [one for heard in self._at_gates.values() for one in heard]
