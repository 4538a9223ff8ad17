"""A test message that waits in Postfix's queue: why, and taken out again."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailwizard import sanitise
from mailwizard.errors import CommandFailed
from mailwizard.model import Host, Result
from mailwizard.probes.deadline import AtFault, CannotAsk, Trouble
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.verdict import unknown

# $1 the queue's folder, $2 mark: the queue files that hold the message, or a report that quotes it
# (their names are the queue IDs). Files come and go meanwhile: what find says of that is no answer.
_FIND = (
    'cd "$1" || exit; find maildrop incoming active deferred hold -type f -mmin -60 '
    '-exec grep -lsF -- "$2" {} + 2>/dev/null; exit 0'
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message's number, and what Postfix was told when it last tried; empty before it tried."""

    number: str
    reason: str

    @property
    def not_scanned(self) -> bool:
        """Whether it waits because nobody can look for viruses in it (amavis: run_av)."""
        return "virus_scan" in self.reason

    @property
    def busy(self) -> bool:
        """Whether Postfix has not come to it yet: then nothing is known of its delivery."""
        return not self.reason

    @property
    def sentence(self) -> str:
        return f"it waits in the queue: {self.reason or 'Postfix is still busy with it'}"


def taken_back(host: Host, mark: str, transcript: Transcript) -> Waiting | None:
    """Where the message waits, which does so no more; None when it is not in the queue.

    Raises CannotAsk where the queue cannot be looked through. A test message that came hours later
    would puzzle whoever reads that mailbox.
    """
    queue = host.platform.path("queue")
    asked = host.ask(["sh", "-c", _FIND, "sh", queue, mark], timeout=10)
    if not asked.ok:
        said = "whether the test message waits in the queue could not be seen"
        raise CannotAsk(
            Trouble.TIMED_OUT, f"{said} ({sanitise.clean(asked.err, width=200, limit=1)})"
        )
    numbers = [found.rpartition("/")[2] for found in asked.out.split()]
    if not numbers:
        return None
    waiting = Waiting(numbers[0], _reason(host, numbers))
    transcript.note(f"{', '.join(numbers)}: {waiting.sentence}")
    try:
        host.run(["postsuper", *(word for one in numbers for word in ("-d", one))], timeout=10)
    except CommandFailed as error:
        transcript.note(f"it could not be taken out: {error.message}")
    return waiting


HELD = (
    "Mail waits here until it is mended; nothing is lost. The administrator: the reason names the "
    "setting or the service (`postconf -n`, `postqueue -p`, `journalctl -t postfix/qmgr -n 20`); "
    "then `postqueue -f`."
)


def not_come(host: Host, mark: str, transcript: Transcript, said: str, expected: str) -> CannotAsk:
    """Why a message did not come, to be raised: the queue's own reason, where it has one."""
    waiting = taken_back(host, mark, transcript)
    if waiting is None:
        return CannotAsk(Trouble.TIMED_OUT, said)
    if waiting.busy:
        return CannotAsk(Trouble.TIMED_OUT, f"{said}; {waiting.sentence}")
    return AtFault(f"{said}; {waiting.sentence}", expected, HELD)


def unfinished(what: str, wait: float, expected: str) -> Result:
    """The verdict over a message that Postfix was still busy with."""
    return unknown(
        f"{what}: Postfix was still busy with it after {wait:.0f} s",
        expected,
        "Nothing is proved either way. `postqueue -p` shows how much is before it, or what keeps "
        "it: check again when the queue is short.",
    )


def _reason(host: Host, numbers: Sequence[str]) -> str:
    """What the queue manager says of them (postqueue(1), -j)."""
    entries = list(_entries(host.ask(["postqueue", "-j"], timeout=10).out))
    mine = [entry for entry in entries if entry.get("queue_id") in numbers]
    for entry in mine:
        reasons = [to.get("delay_reason", "") for to in entry.get("recipients", ())]
        if entry.get("queue_name") == "hold":
            reasons.append("it was put on hold")
        if reason := next(filter(None, reasons), ""):
            return sanitise.clean(reason, width=200, limit=1)
    busy = {entry.get("queue_name") for entry in entries if entry not in mine}
    return next((why for entry in mine if (why := _left_lying(entry, busy))), "")


# who takes a message out of a queue (OVERVIEW), and the queues where others would keep him busy
_TAKERS = {
    "maildrop": ("pickup(8)", {"maildrop", "incoming", "active"}),
    "incoming": ("the queue manager, qmgr(8),", {"active"}),
}
_UNTOUCHED = 5


def _left_lying(entry: Mapping[str, Any], busy: Collection[Any]) -> str:
    """Whether nobody takes it up, though nobody is busy with others."""
    taker, others = _TAKERS.get(entry.get("queue_name", ""), ("", set()))
    arrival = entry.get("arrival_time")
    lying = isinstance(arrival, int) and time.time() - arrival > _UNTOUCHED
    if not taker or not lying or others & set(busy):
        return ""
    return f"{taker} does not take it out of the folder {entry['queue_name']}"


def _entries(out: str) -> Iterator[Mapping[str, Any]]:
    for line in out.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry
