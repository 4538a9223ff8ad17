"""A test message that waits in Postfix's queue: why, and taken out again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard import sanitise
from mailwizard.errors import CommandFailed
from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk, Trouble
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
    for line in host.ask(["postqueue", "-j"], timeout=10).out.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict) or entry.get("queue_id") not in numbers:
            continue
        reasons = [to.get("delay_reason", "") for to in entry.get("recipients", ())]
        if entry.get("queue_name") == "hold":
            reasons.append("it was put on hold")
        if reason := next(filter(None, reasons), ""):
            return sanitise.clean(reason, width=200, limit=1)
    return ""
