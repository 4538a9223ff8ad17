"""A probe that hands a message in on this host and looks for what comes of it in a mailbox."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.verdict import could_not_ask


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """Hand it in, wait, judge; the evidence is kept whatever comes of it."""

    folder: str = "Maildir"
    wait: float = 20.0
    critical: ClassVar[bool] = False
    deadline: ClassVar[float] = 60.0

    @property
    def by_hand(self) -> str:
        """The command that a person would type."""
        raise NotImplementedError

    def ask(self, host: Host) -> Result:
        transcript = Transcript()
        transcript.note(self.by_hand)
        try:
            result = self._sent(host, transcript)
        except CannotAsk as trouble:
            result = could_not_ask(trouble)
        return replace(result, transcript=transcript.lines())

    def _sent(self, host: Host, transcript: Transcript) -> Result:
        """The verdict; raises CannotAsk."""
        raise NotImplementedError
