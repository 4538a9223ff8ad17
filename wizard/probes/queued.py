"""A test message that waits in Postfix's queue: why, and taken out again."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mailwizard import sanitise
from mailwizard.errors import CommandFailed
from mailwizard.model import Host
from mailwizard.probes.dialogue import Transcript

# $1 the queue's folder, $2 mark: the queue file that holds the message (its name is the queue ID)
_FIND = (
    'cd "$1" && find maildrop incoming active deferred hold -type f -mmin -60 '
    '-exec grep -lsF -- "$2" {} + 2>/dev/null | head -n 1'
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
    def sentence(self) -> str:
        return f"it waits in the queue: {self.reason or 'Postfix is still busy with it'}"


def taken_back(host: Host, mark: str, transcript: Transcript) -> Waiting | None:
    """Where the message waits, which does so no more; None when it is not in the queue.

    A test message that came hours later would puzzle whoever reads that mailbox.
    """
    queue = host.platform.path("queue")
    found = host.ask(["sh", "-c", _FIND, "sh", queue, mark], timeout=10).out.strip()
    number = found.rpartition("/")[2]
    if not number:
        return None
    waiting = Waiting(number, _reason(host, number))
    transcript.note(f"{number}: {waiting.sentence}")
    try:
        host.run(["postsuper", "-d", number], timeout=10)
    except CommandFailed as error:
        transcript.note(f"it could not be taken out: {error.message}")
    return waiting


def _reason(host: Host, number: str) -> str:
    """What the queue manager says of it (postqueue(1), -j)."""
    for line in host.ask(["postqueue", "-j"], timeout=10).out.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("queue_id") == number:
            reasons = [to.get("delay_reason", "") for to in entry.get("recipients", ())]
            return sanitise.clean(next(filter(None, reasons), ""), width=200, limit=1)
    return ""
