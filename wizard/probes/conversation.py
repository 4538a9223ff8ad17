"""A probe that talks to a port: from its seat, within its deadline, with the evidence kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import AtFault, CannotAsk, Deadline, KeptOut
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.putoff import PutOffByItself, own_fault
from mailwizard.probes.vantage import Seat, seat
from mailwizard.probes.verdict import could_not_ask, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Ask through the stranger, or straight to `server` where one is given."""

    server: str = ""
    deadline: ClassVar[float] = 30.0
    octets: ClassVar[int] = 256 * 1024
    critical: ClassVar[bool] = False

    def ask(self, host: Host) -> Result:
        transcript = Transcript()
        clock = Deadline(self.deadline - 1, self.octets)
        try:
            with seat(host, self.server) as place:
                result = self._hear(host, place, clock, transcript)
        except CannotAsk as trouble:
            if isinstance(trouble, PutOffByItself):
                trouble = own_fault(host, trouble.what, trouble.reply)
            transcript.note(trouble.sentence)
            result = self._unasked(trouble)
        return replace(result, transcript=(*result.transcript, *transcript.lines()))

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        """The question and the verdict; raises CannotAsk."""
        raise NotImplementedError

    def _unasked(self, trouble: CannotAsk) -> Result:
        if isinstance(trouble, AtFault) and self.critical:
            # a fault of something else: what was proved before stands (R28)
            return unknown(trouble.sentence, trouble.expected, trouble.fix)
        told = isinstance(trouble, AtFault | KeptOut)
        return could_not_ask(trouble) if told else self._no_answer(trouble)

    def _no_answer(self, trouble: CannotAsk) -> Result:
        """The verdict when the conversation broke; overridden where silence is one."""
        return could_not_ask(trouble)
