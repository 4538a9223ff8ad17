"""What waits in the queue."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from support.recorded import RecordedHost

from mailwizard import probes
from mailwizard.model import Completed, Outcome


class Sending(RecordedHost):
    """A host whose queue says this."""

    queue = ""
    code = 0

    def ask(self, argv: Sequence[str], *, stdin: str = "", **options: Any) -> Completed:
        assert argv[0] == "postqueue"
        return Completed(tuple(argv), self.code, self.queue, "postqueue: fatal: down")


def waiting(age: float, reason: str = "", queue: str = "deferred") -> str:
    recipient = {"address": "x@example.net"} | ({"delay_reason": reason} if reason else {})
    entry = {
        "queue_name": queue,
        "queue_id": "4Zabc",
        "arrival_time": int(time.time() - age),
        "sender": "alice@example.org",
        "recipients": [recipient],
    }
    return json.dumps(entry) + "\n"


QUEUES: list[tuple[str, Outcome, str]] = [
    ("", Outcome.PASS, "0 messages"),
    (waiting(60, "SASL authentication failed"), Outcome.PASS, "1 message waits, none for long"),
    (waiting(7300, "connection timed out"), Outcome.WARN, "connection timed out"),
    (waiting(3 * 86400), Outcome.WARN, "3 days; mostly: not tried yet"),
    (waiting(7300, "one") + waiting(7300, "two") * 2, Outcome.WARN, "mostly: two"),
    (waiting(90000, "held", "hold"), Outcome.PASS, "0 messages"),
    ("this is no json\n[]\n{}\n", Outcome.PASS, "0 messages"),
    (waiting(7300, "\x1b]0;owned\x07"), Outcome.WARN, "^[]0;owned^G"),
]


@pytest.mark.parametrize(("queue", "outcome", "words"), QUEUES, ids=range(len(QUEUES)))
def test_what_waits_and_why(queue: str, outcome: Outcome, words: str) -> None:
    host = Sending()
    host.queue = queue
    result = probes.QueueFlows().ask(host)
    assert result.outcome is outcome, result
    assert words in result.said
    assert not any("\x1b" in line for line in (result.said, *result.transcript))


def test_a_queue_that_cannot_be_read_is_unknown() -> None:
    host = Sending()
    host.code = 69
    assert probes.QueueFlows().ask(host).outcome is Outcome.UNKNOWN
