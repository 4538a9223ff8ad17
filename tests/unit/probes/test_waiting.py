"""A test message that does not arrive: it waits, or its reader has sent it on; it is taken back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from support.fake_servers import FakeSmtp
from support.recorded import RecordedHost, Written
from support.verdicts import FAIL, UNKNOWN, WARN

from mailwizard import probes
from mailwizard.model import Completed, Probe
from mailwizard.probes import queued
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.forwarding import stays_here

HERE, USER, FORWARD = "127.0.0.1", "alice@example.test", "/home/alice/.forward"
TIMED_OUT = Completed((), 124, "", "no answer within 10 s")


@dataclass
class Waits(RecordedHost):
    """A host on which no message arrives: what its queue holds of it, and why."""

    found: Completed = field(default_factory=lambda: Completed((), 0, "active/4F8A\n"))
    reason: str = ""
    queue: str = "active"
    conf: dict[str, str] = field(default_factory=dict)

    def _answer(self, argv: Sequence[str], stdin: str) -> Completed | None:
        words = tuple(argv)
        if argv[0] == "getent":
            people = ("alice", "bob")
            rows = (f"{name}:x:1000:1000::/home/{name}:/bin/bash\n" for name in people)
            return Completed(words, 0, "".join(rows))
        if argv[0] == "postconf" and self.conf:
            return Completed(words, 0, "".join(f"{k} = {v}\n" for k, v in self.conf.items()))
        if argv[0] == "postqueue":
            entry = {"queue_id": "4F8A", "queue_name": self.queue}
            reasons = {"recipients": [{"delay_reason": self.reason} if self.reason else {}]}
            return Completed(words, 0, json.dumps(entry | reasons) + "\n")
        if argv[:2] == ["sh", "-c"]:
            return self.found
        if argv[0] == "runuser" and argv[4] == "cat":
            return Completed(words, 0, self.read(argv[-1]).decode())
        return Completed(words, 1 if "sh" in argv else 0)


def over_the_wire(kind: type, *fields: object) -> Callable[[RecordedHost], list[object]]:
    def asked(host: RecordedHost) -> list[object]:
        ehlo = b"250-mail.example.test\r\n250-8BITMIME\r\n250 SMTPUTF8"
        said = {"NOOP": b"250 ok"}
        with FakeSmtp(ehlo=ehlo, replies=said, recipient=lambda *_: b"250 ok") as server:
            probe: Probe = kind(*fields, wait=0.2, server=HERE, port=server.port)
            result = probe.ask(host)
        return [result.outcome, result.said, len(server.messages)]

    return asked


def by_hand(probe: Probe) -> Callable[[RecordedHost], list[object]]:
    def asked(host: RecordedHost) -> list[object]:
        result = probe.ask(host)
        sent = sum("sendmail" in argv for argv in host.ran)
        return [result.outcome, result.said, sent]

    return asked


SENDERS = {
    "SMTP-09": over_the_wire(probes.DeliversMail, USER, "alice"),
    "a list": over_the_wire(probes.DeliversTo, "staff", "example.test", ("bob", "alice")),
    "SMTP-20": over_the_wire(probes.LongLines, USER, "alice"),
    "SMTP-22": over_the_wire(probes.Utf8Sender, USER, "alice"),
    "SENDER": by_hand(probes.SenderRewritten("bob", USER, "alice", wait=0.2)),
    "OUT-06": by_hand(probes.BounceReturns("alice", "example.test", wait=0.2)),
}
every = pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
Sender = Callable[[RecordedHost], list[object]]


@every
def test_what_postfix_has_not_come_to_proves_nothing(sender: Sender) -> None:
    host = Waits()
    outcome, said, _ = sender(host)
    assert (outcome, "still busy" in str(said)) == (UNKNOWN, True), said
    assert ("postsuper", "-d", "4F8A") in host.ran


@every
def test_what_waits_for_a_reason_fails_and_is_taken_back(sender: Sender) -> None:
    host = Waits(reason="mail transport unavailable", queue="deferred")
    assert sender(host)[0] is FAIL
    assert ("postsuper", "-d", "4F8A") in host.ran


@every
def test_a_queue_that_cannot_be_looked_through_proves_nothing(sender: Sender) -> None:
    outcome, said, _ = sender(Waits(found=TIMED_OUT))
    assert (outcome, "could not be seen (no answer within 10 s)" in str(said)) == (UNKNOWN, True)


@every
def test_what_is_nowhere_was_lost(sender: Sender) -> None:
    assert sender(Waits(found=Completed((), 0)))[0] is FAIL


@every
def test_nothing_is_sent_to_somebody_whose_mail_goes_on(sender: Sender) -> None:
    host = Waits(files={FORWARD: Written(b"alice@elsewhere.test\n", owner=(1000, 1000))})
    outcome, said, sent = sender(host)
    assert (outcome, sent) == (UNKNOWN, 0), said
    assert f"mail for alice is forwarded by {FORWARD}" in str(said)


@pytest.mark.parametrize(
    ("entry", "others", "said"),
    [
        ("incoming", (), "the queue manager, qmgr(8), does not take it out of the folder incoming"),
        ("maildrop", (), "pickup(8) does not take it out of the folder maildrop"),
        # it may have much to do
        ("incoming", ("active",), ""),
        ("maildrop", ("incoming",), ""),
        ("active", (), ""),
    ],
)
@pytest.mark.parametrize("age", [60, 0])
def test_what_nobody_takes_up(entry: str, others: Sequence[str], said: str, age: int) -> None:
    names = {"4F8A": entry} | {f"{n}AA": name for n, name in enumerate(others)}
    then = int(time.time()) - age
    rows = [
        {"queue_id": number, "queue_name": name, "arrival_time": then, "recipients": [{}]}
        for number, name in names.items()
    ]
    host = Waits()
    host.answers["postqueue -j"] = Completed((), 0, "\n".join(map(json.dumps, rows)))
    host._answer = RecordedHost._answer.__get__(host)  # type: ignore[method-assign]
    host.programs["sh"] = lambda *_: Completed(("sh",), 0, f"{entry}/4F8A\n")
    host.programs["postsuper"] = lambda *_: Completed(("postsuper",), 0)
    found = queued.taken_back(host, "mark", Transcript())
    assert found == queued.Waiting("4F8A", said if age else "")


def test_no_report_is_asked_for_where_everybody_is_somebody() -> None:
    host = Waits(conf={"luser_relay": "john"})
    outcome, said, sent = SENDERS["OUT-06"](host)
    assert (outcome, sent, "luser_relay = john" in str(said)) == (WARN, 0, True), said
    other = probes.BounceReturns("alice", "example.test", "x@nowhere.test", wait=0.2)
    assert by_hand(other)(host)[2] == 1


def test_all_of_a_message_is_taken_back() -> None:
    host, transcript = Waits(found=Completed((), 0, "active/4F8A\ndeferred/5/5B\n")), Transcript()
    assert queued.taken_back(host, "mark", transcript) == queued.Waiting("4F8A", "")
    assert host.ran == [("postsuper", "-d", "4F8A", "-d", "5B")]
    held = queued.taken_back(Waits(queue="hold"), "mark", transcript)
    assert held == queued.Waiting("4F8A", "it was put on hold")


DEFAULT = "$home/.forward${recipient_delimiter}${extension}, $home/.forward"


@pytest.mark.parametrize(
    ("conf", "path", "text", "away"),
    [
        ({"forward_path": DEFAULT}, FORWARD, "a@elsewhere.test", True),
        ({"forward_path": DEFAULT}, FORWARD, "\\alice, a@elsewhere.test", True),
        ({"forward_path": DEFAULT}, FORWARD, '"|/usr/bin/procmail"', True),
        ({"forward_path": DEFAULT}, FORWARD, "# nobody\n\n", False),
        ({"forward_path": DEFAULT}, FORWARD, "\\alice\n/home/alice/Maildir/\n", False),
        ({"forward_path": DEFAULT}, "/home/alice/.forward+", "a@elsewhere.test", False),
        ({"forward_path": "/etc/fwd/${user}"}, "/etc/fwd/alice", "a@elsewhere.test", True),
        ({"forward_path": "/etc/fwd/$(user)"}, FORWARD, "a@elsewhere.test", False),
        ({"forward_path": ""}, FORWARD, "a@elsewhere.test", False),
        ({"local_transport": "local:$myhostname"}, FORWARD, "a@elsewhere.test", True),
        ({"local_transport": "lmtp:unix:private/x"}, FORWARD, "a@elsewhere.test", False),
    ],
)
def test_what_local_heeds(conf: dict[str, str], path: str, text: str, away: bool) -> None:
    host = Waits(conf=conf, files={path: Written(text.encode(), owner=(1000, 1000))})
    try:
        stays_here(host, "alice")
    except CannotAsk as trouble:
        assert (away, path in trouble.sentence) == (True, True)
    else:
        assert not away


@pytest.mark.parametrize("file", [Written(b"a@b", owner=(1001, 1)), Written(b"a@b", mode=0o666)])
def test_what_local_does_not_heed(file: Written) -> None:
    stays_here(Waits(files={FORWARD: file}), "alice")
