"""What becomes of mail that cannot leave this host."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, ClassVar

from mailwizard import sanitise
from mailwizard.errors import CommandFailed
from mailwizard.model import Host, Result
from mailwizard.probes.catchall import MEANT, catch_all
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.forwarding import stays_here
from mailwizard.probes.handed import HandedIn
from mailwizard.probes.mailbox import take_out
from mailwizard.probes.queued import taken_back, unfinished
from mailwizard.probes.verdict import failed, passed, unknown, warned


@dataclass(frozen=True, slots=True)
class QueueFlows:
    """No message has waited for long; where one has, why."""

    longest: float = 3600.0
    id: ClassVar[str] = "OUT-05"
    title: ClassVar[str] = "No mail is stuck on its way out"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = "postqueue -p"

    def ask(self, host: Host) -> Result:
        asked = host.ask(["postqueue", "-j"], timeout=15)
        if not asked.ok:
            said = sanitise.clean(asked.err, width=200, limit=1) or "postqueue gave no answer"
            return unknown(said, "the queue", "The administrator: start Postfix and check again.")
        waiting = [found for found in map(_entry, asked.out.splitlines()) if found]
        now = time.time()
        rows = [
            f"{entry['queue_id']} for {_lasting(now - entry['arrival_time'])}: {_reason(entry)}"
            for entry in waiting
        ]
        shown = sanitise.lines("\n".join(rows), width=300, limit=50) if rows else ()
        old = [e for e in waiting if now - e["arrival_time"] > self.longest]
        if not old:
            return passed(f"{_waiting(len(waiting))}, none for long", shown)
        oldest = max(now - entry["arrival_time"] for entry in old)
        [(reason, _)] = Counter(map(_reason, old)).most_common(1)
        why = sanitise.clean(reason, width=300, limit=1)
        return warned(
            f"{_waiting(len(old))}, the longest for {_lasting(oldest)}; mostly: {why}",
            f"none for more than {_lasting(self.longest)}",
            "The administrator: the reason names who can mend it; then `postqueue -f` tries again "
            "at once.",
            shown,
        )


def _entry(line: str) -> Mapping[str, Any] | None:
    """One message of the queue; None for what is not one, or was put aside by hand."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict) or found.get("queue_name") == "hold":
        return None
    arrival = found.get("arrival_time")
    return found if isinstance(arrival, int) and "queue_id" in found else None


def _waiting(count: int) -> str:
    return "1 message waits" if count == 1 else f"{count} messages wait"


def _reason(entry: Mapping[str, Any]) -> str:
    reasons: Iterator[str] = (
        str(recipient["delay_reason"])
        for recipient in entry.get("recipients", [])
        if isinstance(recipient, dict) and recipient.get("delay_reason")
    )
    return next(reasons, "not tried yet")


def _lasting(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class BounceReturns(HandedIn):
    """Who writes to nobody is told so, by a report that cannot bounce again (RFC 5321 4.5.5).

    login: who writes, and reads the report. recipient: nobody; "": a name not in the domain.
    """

    login: str
    domain: str
    recipient: str = ""
    id: ClassVar[str] = "OUT-06"
    title: ClassVar[str] = "Senders are told what could not be delivered"

    @property
    def by_hand(self) -> str:
        to = self.recipient or f"nobody-of-that-name@{self.domain}"
        return f"runuser -u {self.login} -- sendmail -i {to} < message; postqueue -p"

    def _sent(self, host: Host, transcript: Transcript) -> Result:
        stays_here(host, self.login)
        mark = f"mailwizard-{secrets.token_hex(12)}@probe.invalid"
        nobody = self.recipient or f"nobody-{secrets.token_hex(6)}@{self.domain}"
        fix = (
            "The administrator: the address that mail of this login is sent under must lead back "
            "to it (aliases.senders, aliases.aliases); `journalctl -t postfix/local -n 20` says "
            "more."
        )
        expected = f"a report in {self.folder} of {self.login}, from <>"
        if not self.recipient and (where := catch_all(host, self.domain)):
            return warned(
                f"no report was asked for, nobody is unknown here: {where}", expected, MEANT
            )
        try:
            argv = ["runuser", "-u", self.login, "--", "sendmail", "-i", "--", nobody]
            host.run(argv, stdin=_message(mark, nobody), timeout=20)
        except CommandFailed as error:
            return self._refused(host, self.login, error, expected)
        told = take_out(
            host, self.login, mark, wait=self.wait, transcript=transcript, folder=self.folder
        )
        if not told:
            waiting = taken_back(host, mark, transcript)
            if waiting and waiting.busy:
                return unfinished(f"a message to {nobody}", self.wait, expected)
            where = f"; {waiting.sentence}" if waiting else ""
            said = f"{self.login} was not told that {nobody} is nobody{where}"
            return failed(said, expected, fix)
        lines = transcript.lines()
        sender = next((line for line in lines if line.startswith("< Return-Path:")), "< (none)")
        if sender.split(":", 1)[-1].strip() != "<>":
            said = f"the report came with {sender.removeprefix('< ')}"
            return failed(said, "Return-Path: <>", fix)
        return passed(f"{self.login} was told that {nobody} is nobody; nobody can bounce that")


def _message(mark: str, recipient: str) -> str:
    return (
        f"Message-ID: <{mark}>\nDate: {formatdate(localtime=False)}\nTo: {recipient}\n"
        "Subject: mailwizard test message, removed when found\n\n"
        "mailwizard sent this to nobody, to see that its sender is told.\n"
    )
