"""A probe whose failure this step cannot mend: it warns, and the gate stays open."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mailwizard.model import Host, Outcome, Probe, Result


@dataclass(frozen=True, slots=True)
class Advisory:
    """The other probe, with its fails said as warnings; everything else as it is."""

    probe: Probe

    @property
    def id(self) -> str:
        return self.probe.id

    @property
    def title(self) -> str:
        return self.probe.title

    @property
    def by_hand(self) -> str:
        return self.probe.by_hand

    @property
    def deadline(self) -> float:
        return self.probe.deadline

    @property
    def critical(self) -> bool:
        return False

    def ask(self, host: Host) -> Result:
        result = self.probe.ask(host)
        if result.outcome is Outcome.FAIL:
            return replace(result, outcome=Outcome.WARN)
        return result
