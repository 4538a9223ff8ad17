"""What others see of outgoing mail, and what waits in the queue."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest
from support.recorded import RecordedHost

from mailwizard import probes
from mailwizard.model import Completed, Outcome

HERE = ["198.51.100.7", "2001:db8::7"]


class Sending(RecordedHost):
    """A host whose Postfix and network say these things."""

    conf: Mapping[str, str] = MappingProxyType({})
    routed = "198.51.100.7"
    routed6 = ""
    queue = ""
    code = 0

    def ask(self, argv: Sequence[str], *, stdin: str = "", **options: Any) -> Completed:
        words = tuple(argv)
        if argv[0] == "postconf":
            conf = {"smtp_helo_name": "mail.example.org", **self.conf}
            return Completed(words, 0, "".join(f"{k} = {v}\n" for k, v in conf.items()))
        if argv[:2] == ["ip", "-j"] and "route" in argv:
            routed = self.routed if argv[2] == "-4" else self.routed6
            found = [{"prefsrc": routed}] if routed else []
            return Completed(words, 0, json.dumps(found))
        if argv[:2] == ["ip", "-j"]:
            inside = [{"local": self.routed}]
            return Completed(words, 0, json.dumps([{"addr_info": inside}]))
        if argv[0] == "postqueue":
            return Completed(words, self.code, self.queue, "postqueue: fatal: down")
        return Completed(words, 127)


IDENTITIES: list[tuple[dict[str, str], str, Outcome, str]] = [
    ({}, "198.51.100.7", Outcome.PASS, "mail.example.org from 198.51.100.7"),
    ({"smtp_helo_name": "localhost"}, "198.51.100.7", Outcome.FAIL, "the name localhost"),
    ({"smtp_bind_address": "127.0.0.1"}, "198.51.100.7", Outcome.FAIL, "does not have"),
    ({"smtp_bind_address6": "2001:db8::9"}, "198.51.100.7", Outcome.FAIL, "does not have"),
    ({}, "192.168.1.5", Outcome.UNKNOWN, "only others can see"),
    ({}, "198.51.100.4", Outcome.WARN, "not the address that was answered"),
]


@pytest.mark.parametrize(("conf", "routed", "outcome", "words"), IDENTITIES)
def test_name_and_address(conf: dict[str, str], routed: str, outcome: Outcome, words: str) -> None:
    host = Sending()
    host.conf, host.routed = conf, routed
    result = probes.OutgoingIdentity("mail.example.org", tuple(HERE)).ask(host)
    assert result.outcome is outcome, result
    assert words in result.said


@pytest.mark.parametrize(
    ("conf", "outcome", "words"),
    [
        ({}, Outcome.UNKNOWN, "only others can see"),
        ({"smtp/unix/inet_protocols": "ipv4"}, Outcome.PASS, "from 198.51.100.7"),
        ({"inet_protocols": "ipv4"}, Outcome.PASS, "from 198.51.100.7"),
        ({"inet_protocols": "ipv6, ipv4"}, Outcome.UNKNOWN, "only others can see"),
    ],
)
def test_an_address_that_mail_does_not_leave_from(
    conf: dict[str, str], outcome: Outcome, words: str
) -> None:
    host = Sending()
    host.conf, host.routed6 = conf, "2a01:4f8:1:2::3"
    result = probes.OutgoingIdentity("mail.example.org", tuple(HERE[:1])).ask(host)
    assert (result.outcome, words in result.said) == (outcome, True), result


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
