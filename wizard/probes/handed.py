"""A probe that hands a message in on this host and looks for what comes of it in a mailbox."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard.errors import CommandFailed
from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.putoff import ROOM, short_of_room
from mailwizard.probes.verdict import could_not_ask, failed, unknown


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

    def _refused(self, host: Host, login: str, error: CommandFailed, expected: str) -> Result:
        """The verdict over a message that sendmail(1) did not take."""
        said = f"could not send as {login}: {error.message}"
        if full := short_of_room(host):
            return failed(f"{said}; {full}", expected, ROOM)
        return unknown(said, expected, "See what sendmail(1) says, then check again.")

    def _sent(self, host: Host, transcript: Transcript) -> Result:
        """The verdict; raises CannotAsk."""
        raise NotImplementedError
