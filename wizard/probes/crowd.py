"""Many clients at once: each is greeted, and none may keep a process for ever."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk, Deadline
from mailwizard.probes.dialogue import Dialogue, Reply, Transcript
from mailwizard.probes.postconf import Postconf
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, warned
from mailwizard.probes.wire import OverTheWire

# smtpd_client_connection_count_limit is 50 for each address, and the other probes sit there too
_FROM_ONE, _FROM_FIRST = 20, 10
_LONGEST = 300
_LIMIT = "smtpd_client_connection_count_limit"


@dataclass(frozen=True, slots=True)
class ServesMany(OverTheWire):
    """Fifty connections at once are served, and idle ones are closed within five minutes."""

    connections: int = 50
    id: ClassVar[str] = "SMTP-32"
    title: ClassVar[str] = "Many at once are served, and idlers are sent away"

    @property
    def by_hand(self) -> str:
        where = self.server or '"$(postconf -h myhostname)"'
        one = f"nc -w 5 {where} {self.port} </dev/null"
        many = f"for i in $(seq {self.connections}); do {one} & done; wait"
        return f"({many}) | grep -c ^220; postconf -xh smtpd_timeout"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        idle = Postconf(host).values("smtpd_timeout").get("smtpd_timeout", "")
        transcript.note(f"smtpd_timeout = {idle}")
        wanted = list(self._places(place))
        with ExitStack() as opened, ThreadPoolExecutor(max_workers=len(wanted)) as pool:
            heard = list(pool.map(lambda one: self._greeting(place, one, clock, opened), wanted))
        served = sum(isinstance(one, Reply) and one.code == 220 for one in heard)
        transcript.note(f"{served} of {len(wanted)} connections at once were greeted")
        if served < len(wanted):
            return _fewer(heard, served, len(wanted), transcript)
        seconds = time_value(idle)
        if seconds is None or seconds > _LONGEST:
            return failed(
                f"who says nothing is kept for {idle or '(unknown)'}",
                f"at most {_LONGEST} s",
                "The administrator: smtpd_timeout = ${stress?{10}:{300}}s, then reload Postfix.",
            )
        return passed(f"{served} connections at once are served; idle ones end after {idle}")

    def _places(self, place: Seat) -> Iterator[str]:
        """The address for each connection: no more from one of ours than others can spare."""
        first, *others = place.addresses
        if self.server:
            yield from [first] * self.connections
        elif others:
            yield from [first] * min(_FROM_FIRST, self.connections)
            yield from [others[0]] * (self.connections - _FROM_FIRST)
        else:
            yield from [first] * min(_FROM_ONE, self.connections)

    def _greeting(
        self, place: Seat, address: str, clock: Deadline, opened: ExitStack
    ) -> Reply | CannotAsk:
        """What is said at first; the connection stays open until all have heard theirs."""
        try:
            sock = place.connect(address, self.port, clock)
            talk = opened.enter_context(Dialogue(sock, clock, Transcript()))
            return talk.reply(clock.within(20))
        except CannotAsk as trouble:
            return trouble


def _fewer(
    heard: list[Reply | CannotAsk], served: int, wanted: int, transcript: Transcript
) -> Result:
    troubles = [one for one in heard if isinstance(one, CannotAsk)]
    refusals = [one for one in heard if isinstance(one, Reply) and one.code != 220]
    said = f"only {served} of {wanted} connections at once are served"
    for text in sorted({one.sentence for one in troubles} | {one.text for one in refusals}):
        transcript.note(text)
    if refusals and not troubles and all("too many conn" in one.text for one in refusals):
        return warned(
            f"{said}: {refusals[0].text}",
            f"{wanted} greetings",
            f"Right if {_LIMIT} was made small on purpose; 50 is Postfix's own value.",
        )
    return failed(
        said,
        f"{wanted} greetings",
        "The administrator: default_process_limit and smtpd's own limit in master.cf (100 is "
        "usual); and has this host memory left?",
    )


def time_value(text: str) -> int | None:
    """Seconds of a Postfix time value such as 300s or 5m; None for what is none."""
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}.get(text[-1:], 0)
    number = text[:-1] if unit else text
    with suppress(ValueError):
        return int(number) * (unit or 1)
    return None
