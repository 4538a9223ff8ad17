"""Many clients at once: each is greeted, and none may keep a process for ever."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.platform.memory import SPARE, memory
from mailwizard.probes.deadline import CannotAsk, Deadline, Filtered, Trouble
from mailwizard.probes.dialogue import Dialogue, Reply, Transcript
from mailwizard.probes.postconf import Postconf
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, warned
from mailwizard.probes.wire import OverTheWire

# smtpd_client_connection_count_limit is 50 for each address, and the other probes sit there too
_FROM_ONE, _FROM_FIRST = 20, 10
_LONGEST = 300
# octets that one more smtpd takes
_EACH = 4 << 20
_LIMIT = "smtpd_client_connection_count_limit"


@dataclass(frozen=True, slots=True)
class ServesMany(OverTheWire):
    """Fifty connections at once are served, and idle ones are closed within five minutes."""

    connections: int = 50
    patience: float = 20.0
    id: ClassVar[str] = "SMTP-32"
    title: ClassVar[str] = "Many at once are served, and idlers are sent away"
    # smtpd takes turns: each of the fifty would start a policyd-spf for the next one who asks it
    crowds: ClassVar[bool] = True

    @property
    def by_hand(self) -> str:
        where = self.server or '"$(postconf -h myhostname)"'
        one = f"nc -w 5 {where} {self.port} </dev/null"
        many = f"for i in $(seq {self.connections}); do {one} & done; wait"
        return f"({many}) | grep -c ^220; postconf -xh smtpd_timeout"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        conf = Postconf(host)
        idle = conf.values("smtpd_timeout").get("smtpd_timeout", "")
        limit = _processes(conf)
        transcript.note(f"smtpd_timeout = {idle}; processes for port 25: {limit or 'no limit'}")
        fitting = self._fewer_where_small(host, transcript)
        # the limit is one for each client, so they all come from one address
        place = replace(place, call=None)
        wanted = list(fitting._places(self._reached(place, clock, transcript)))
        with ExitStack() as opened, ThreadPoolExecutor(max_workers=len(wanted)) as pool:
            heard = list(pool.map(lambda one: self._greeting(place, one, clock, opened), wanted))
        served = sum(isinstance(one, Reply) and one.code == 220 for one in heard)
        transcript.note(f"{served} of {len(wanted)} connections at once were greeted")
        if served < len(wanted):
            return _fewer(heard, served, limit, self.patience, transcript)
        seconds = time_value(idle)
        if seconds is None or seconds > _LONGEST:
            return failed(
                f"who says nothing is kept for {idle or '(unknown)'}",
                f"at most {_LONGEST} s",
                "The administrator: smtpd_timeout = ${stress?{10}:{300}}s, then reload Postfix.",
            )
        return passed(f"{served} connections at once are served; idle ones end after {idle}")

    def _fewer_where_small(self, host: Host, transcript: Transcript) -> ServesMany:
        """So many as memory allows: a check must not take it from those who run."""
        found = memory(host)
        most = max(_FROM_FIRST, (found.available - SPARE) // _EACH)
        if not found.total or most >= self.connections:
            return self
        transcript.note(f"{found.available >> 20} MiB of memory are left: {most} are tried")
        return replace(self, connections=most)

    def _reached(self, place: Seat, clock: Deadline, transcript: Transcript) -> Seat:
        """The seat without an address at which nobody is let in, or nobody listens."""
        if len(place.addresses) == 1:
            return place
        reached = []
        for address in place.addresses:
            try:
                place.connect(address, self.port, clock).close()
                reached.append(address)
            except CannotAsk as trouble:
                transcript.note(f"left out: {trouble.sentence}")
        return replace(place, addresses=tuple(reached) or place.addresses)

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
            greeting = talk.reply(clock.within(self.patience))
            opened.callback(_part, talk)
            return greeting
        except CannotAsk as trouble:
            return trouble


def _part(talk: Dialogue) -> None:
    with suppress(CannotAsk):
        talk.send("QUIT")


def _processes(conf: Postconf) -> int:
    """How many smtpd there may be for port 25; 0 is any number (master(5), maxproc)."""
    usual = conf.values("default_process_limit").get("default_process_limit", "0")
    rows = [row for row in conf.master() if row[:2] in (["smtp", "inet"], ["25", "inet"])]
    found = usual if not rows or rows[0][6] == "-" else rows[0][6]
    return int(found) if found.isdigit() else 0


def _fewer(
    heard: list[Reply | CannotAsk],
    served: int,
    limit: int,
    patience: float,
    transcript: Transcript,
) -> Result:
    wanted = len(heard)
    troubles = [one for one in heard if isinstance(one, CannotAsk)]
    nobody = len(troubles) == wanted and troubles[0]
    if nobody and (
        nobody.kind in {Trouble.REFUSED, Trouble.UNREACHABLE} or isinstance(nobody, Filtered)
    ):
        raise nobody
    refusals = [one for one in heard if isinstance(one, Reply) and one.code != 220]
    said, expected = f"only {served} of {wanted} connections at once are served", "a greeting each"
    for text in sorted({one.sentence for one in troubles} | {one.text for one in refusals}):
        transcript.note(text)
    if refusals and not troubles and all("too many conn" in one.text for one in refusals):
        fix = f"Right if {_LIMIT} was made small on purpose; 50 is Postfix's own value."
        return warned(f"{said}: {refusals[0].text}", expected, fix)
    if not refusals and (not limit or limit >= wanted):
        fix = "Right on a small machine that is busy just now; else it needs more memory."
        return warned(f"{said} within {patience:.0f} s", expected, fix)
    return failed(
        f"{said}: there may be {limit} processes" if limit < wanted else said,
        expected,
        "The administrator: default_process_limit, or smtpd's own in master.cf: 100 is usual.",
    )


def time_value(text: str) -> int | None:
    """Seconds of a Postfix time value such as 300s or 5m; None for what is none."""
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}.get(text[-1:], 0)
    number = text[:-1] if unit else text
    with suppress(ValueError):
        return int(number) * (unit or 1)
    return None
