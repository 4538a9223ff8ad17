"""The probes of the protection step against servers that are right, wrong, and neither."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from support import mailboxes
from support.fake_servers import FakeServer, FakeSmtp, silent
from support.recorded import RecordedHost
from support.seats import sit
from support.verdicts import FAIL, PASS, UNKNOWN, WARN, checked

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Probe, Result
from mailwizard.probes.carrying import stuffed
from mailwizard.probes.crowd import time_value
from mailwizard.probes.watching import counted

HERE, USER = "127.0.0.1", "alice@example.test"
ZEN = "zen.spamhaus.org"
EHLO = b"250-mail.example.test\r\n250-8BITMIME\r\n250 SMTPUTF8"


# mail that must arrive whole ---------------------------------------------------------------------


@dataclass
class Mailbox(RecordedHost):
    """A host whose user's mailbox is what the server was handed."""

    server: FakeSmtp | None = None
    changed: Callable[[bytes], bytes] = field(default=lambda body: body)

    def _answer(self, argv: Sequence[str], stdin: str) -> Completed | None:
        if argv[0] == "getent":
            return Completed(tuple(argv), 0, "alice:x:1000:1000::/home/alice:/bin/bash\n")
        if argv[0] == "sh":  # nothing waits
            return Completed(tuple(argv), 0)
        if not mailboxes.is_look(argv):
            return RecordedHost._answer(self, argv, stdin)
        assert self.server is not None
        found = [m for m in self.server.messages if mailboxes.mark_of(argv) in m]
        if not found:
            return mailboxes.nothing(argv)
        message = (b"\r\n" + found[0] + b"\r\n").replace(b"\r\n..", b"\r\n.")
        return mailboxes.told(argv, self.changed(message[2:].replace(b"\r\n", b"\n")))


def carried(
    kind: type,
    changed: Callable[[bytes], bytes] = lambda body: body,
    *,
    reply: bytes = b"250 2.1.5 Ok",
    ehlo: bytes = EHLO,
    replies: Mapping[str, bytes] | None = None,
) -> Result:
    said = {"NOOP": b"250 2.0.0 Ok", **(replies or {})}
    with FakeSmtp(ehlo=ehlo, replies=said, recipient=lambda *_: reply) as server:
        probe: Probe = kind(USER, "alice", wait=0.2, server=HERE, port=server.port)
        return probe.ask(Mailbox(server=server, changed=changed))


CARRYING = (probes.LongLines, probes.EightBitWhole, probes.Utf8Sender, probes.TraceKept)


@pytest.mark.parametrize("kind", CARRYING)
def test_what_arrives_as_it_was_sent_passes(kind: type) -> None:
    checked(carried(kind), PASS)


@pytest.mark.parametrize(
    ("kind", "changed", "outcome", "said"),
    [
        (probes.LongLines, lambda b: b.replace(b"x" * 900, b"x\n"), FAIL, "998 octets was changed"),
        (probes.LongLines, lambda b: b.replace(b"x" * 1500, b"x\n"), WARN, "2000 octets"),
        (probes.EightBitWhole, lambda b: b.replace(b"\xfc", b"ue"), FAIL, "8-bit was changed"),
        (probes.EightBitWhole, lambda b: b.replace(b"\n..\n", b"\n.\n"), FAIL, "8-bit was changed"),
        (probes.EightBitWhole, lambda b: b.replace(b"blank \n", b"blank\n"), FAIL, "was changed"),
        (probes.TraceKept, lambda b: b.replace(b"hop1", b"xxx"), FAIL, "1 of 3"),
    ],
)
def test_what_is_changed_on_its_way_is_seen(
    kind: type, changed: Callable[[bytes], bytes], outcome: Outcome, said: str
) -> None:
    checked(carried(kind, changed), outcome, said)


@pytest.mark.parametrize("kind", CARRYING)
def test_later_is_unknown(kind: type) -> None:
    checked(carried(kind, reply=b"450 4.2.0 Greylisted"), UNKNOWN, "put off")


@pytest.mark.parametrize("kind", CARRYING)
def test_what_does_not_arrive_fails(kind: type) -> None:
    with FakeSmtp(ehlo=EHLO, recipient=lambda *_: b"250 ok", replies={"NOOP": b"250 ok"}) as server:
        probe: Probe = kind(USER, "alice", wait=0.2, server=HERE, port=server.port)
        other = FakeSmtp()
        checked(probe.ask(Mailbox(server=other)), FAIL, "did not reach")


def test_refusals_at_the_door() -> None:
    refused = b"550 5.6.7 no"
    checked(carried(probes.Utf8Sender, reply=refused), PASS, "refused at the door")
    checked(carried(probes.Utf8Sender, ehlo=b"250 mail"), PASS, "not offered")
    checked(carried(probes.TraceKept, reply=refused), FAIL, "is refused")
    checked(carried(probes.EightBitWhole, ehlo=b"250 mail"), WARN, "8BITMIME")


def test_a_long_command_is_answered_once() -> None:
    result = carried(probes.LongLines, replies={"NOOP": b"500 too long\r\n500 what?"})
    checked(result, FAIL, "NOOP is answered with 500")

    def hangs_up(connection: socket.socket) -> None:
        connection.sendall(b"220 mail\r\n")
        connection.recv(100)
        connection.sendall(b"250 mail\r\n")
        connection.recv(100)

    with FakeServer(hangs_up) as server:
        probe = probes.LongLines(USER, "alice", server=HERE, port=server.port)
        checked(probe.ask(RecordedHost()), FAIL, "hang up")


def test_dots_are_doubled_where_a_line_begins_with_one() -> None:
    assert stuffed(b"a\r\n.\r\n..b\r\nc.\r\n") == b"a\r\n..\r\n...b\r\nc.\r\n.\r\n"


# many at once ------------------------------------------------------------------------------------


def crowd_host(idle: str = "300s", processes: str = "-") -> RecordedHost:
    return RecordedHost(
        answers={
            "postconf -x smtpd_timeout": Completed((), 0, f"smtpd_timeout = {idle}\n"),
            "postconf -x default_process_limit": Completed((), 0, "default_process_limit = 100\n"),
            "postconf -M": Completed((), 0, f"smtp inet n - y - {processes} smtpd\n"),
        }
    )


def test_many_are_served_at_once() -> None:
    with FakeSmtp() as server:
        probe = probes.ServesMany(connections=50, server=HERE, port=server.port)
        checked(probe.ask(crowd_host()), PASS, "50 connections")
        checked(probe.ask(crowd_host("1h")), FAIL, "kept for 1h")
        checked(probe.ask(RecordedHost()), UNKNOWN)


def test_some_are_not_served() -> None:
    with FakeSmtp(banner=b"421 4.7.0 Error: too many connections") as server:
        probe = probes.ServesMany(connections=5, server=HERE, port=server.port)
        checked(probe.ask(crowd_host()), WARN, "only 0 of 5")
    with FakeSmtp(banner=b"554 no") as server:
        probe = probes.ServesMany(connections=5, server=HERE, port=server.port)
        checked(probe.ask(crowd_host()), FAIL, "only 0 of 5")
    checked(dataclasses.replace(probe, port=1).ask(crowd_host()), UNKNOWN, "refused")


@pytest.mark.parametrize(
    ("drops", "outcome", "said"),
    [
        ((), PASS, "50 connections"),
        (("127.0.0.2",), PASS, "20 connections"),
        (("127.0.0.1",), PASS, "20 connections"),
        (("127.0.0.1", "127.0.0.2"), UNKNOWN, "does not let strangers in"),
    ],
)
def test_nobody_is_counted_whom_the_firewall_keeps_out(
    drops: tuple[str, ...], outcome: Outcome, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sit(monkeypatch, "127.0.0.1", "127.0.0.2", drops=drops)
    with FakeSmtp() as server, FakeSmtp(address="127.0.0.2", port=server.port):
        checked(probes.ServesMany(port=server.port).ask(crowd_host()), outcome, said)


def test_who_waits_for_a_greeting_waits_for_a_process() -> None:
    with FakeServer(silent) as server:
        probe = probes.ServesMany(connections=5, patience=0.2, server=HERE, port=server.port)
        checked(probe.ask(crowd_host()), WARN, "only 0 of 5")
        checked(probe.ask(crowd_host(processes="4")), FAIL, "there may be 4 processes")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("300s", 300), ("5m", 300), ("1h", 3600), ("7", 7), ("", None), ("x", None)],
)
def test_time_values_of_postfix(text: str, seconds: int | None) -> None:
    assert time_value(text) == seconds


# greetings ---------------------------------------------------------------------------------------


def helo(refused: Callable[[str], bool], code: bytes = b"550") -> Result:
    def recipient(*_: str) -> bytes:
        name = [line for line in server.heard if line.startswith("EHLO")][-1].split()[1]
        return code + b" 5.7.1 Helo command rejected" if refused(name) else b"250 ok"

    server = FakeSmtp(recipient=recipient)
    with server:
        known = ("192.0.2.25", "10.0.0.5", "2001:db8::25")
        where: dict[str, Any] = {"server": HERE, "port": server.port}
        probe = probes.OnlyWeAreWe("mail.example.test", USER, known, **where)
        return probe.ask(RecordedHost())


def test_greetings() -> None:
    checked(helo(lambda name: "stranger" not in name), PASS)
    checked(helo(lambda name: name == "laptop"), FAIL, "mail.example.test is let in")
    for left_out in ("[192.0.2.25]", "[10.0.0.5]", "[IPv6:2001:db8::25]"):
        others = helo(lambda name, out=left_out: name != out and "stranger" not in name)  # type: ignore[misc]
        checked(others, FAIL, f"{left_out} is let in")
    checked(helo(lambda _: True), FAIL, "as he should is refused")
    checked(helo(lambda _: True, b"450"), UNKNOWN, "put off")


# greylisting -------------------------------------------------------------------------------------

ASKED = "reject_unlisted_recipient, check_policy_service { inet:127.0.0.1:10023, x=y }"


def policy(first: str, later: str) -> Callable[[socket.socket], None]:
    """A policy server that has one answer for now and one for later."""

    def script(connection: socket.socket) -> None:
        stream = connection.makefile("rwb")
        question: list[bytes] = []
        for line in stream:
            question.append(line.strip())
            if line != b"\n":
                continue
            hurried = any(row.startswith(b"policy_test_time") for row in question)
            stream.write(f"action={later if hurried else first}\n\n".encode())
            stream.flush()
            question.clear()

    return script


def greylisted(script: Callable[[socket.socket], None], value: str = ASKED) -> Result:
    line = f"smtpd_recipient_restrictions = {value}\n"
    host = RecordedHost(
        answers={"postconf -x smtpd_recipient_restrictions": Completed((), 0, line)}
    )
    with FakeServer(script) as server:
        return probes.Greylisted(USER, port=server.port).ask(host)


def test_greylisting() -> None:
    defer = "DEFER_IF_PERMIT 4.2.0 Greylisted"
    checked(greylisted(policy(defer, "PREPEND X-Greylist: x")), PASS)
    checked(
        greylisted(policy(defer, "DUNNO"), ASKED.replace("{ ", "").replace(", x=y }", "")), PASS
    )
    checked(greylisted(policy("DUNNO", "DUNNO")), FAIL, "at once")
    checked(greylisted(policy(defer, defer)), UNKNOWN, "later was not seen")
    checked(
        greylisted(policy(defer, "DUNNO"), f"{ASKED}, reject_unlisted"), FAIL, "everything else"
    )
    checked(greylisted(policy(defer, "DUNNO"), "reject"), FAIL, "does not ask")
    checked(greylisted(lambda connection: None), UNKNOWN)
    host = RecordedHost(
        answers={
            "postconf -x smtpd_recipient_restrictions": Completed(
                (), 0, f"smtpd_recipient_restrictions = {ASKED}\n"
            )
        }
    )
    checked(probes.Greylisted(USER, port=1).ask(host), FAIL, "nobody is greylisted")


# watching ----------------------------------------------------------------------------------------

TO = "to=<alice@example.test> proto=ESMTP"
BLOCKED = "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"
NAMELESS = "504 5.5.2 <b>: Helo command rejected: need fully-qualified hostname"
WARNED = "NOQUEUE: reject_warning: RCPT from"
OURS = "unknown[198.19.192.6]"
LOG = f"""
{WARNED} a.test[192.0.2.1]: {BLOCKED}; listed; from=<x@a.test> {TO} helo=<a.test>
{WARNED} b.test[192.0.2.2]: {BLOCKED}; from=<y@b.test> {TO} helo=<b.test>
{WARNED} b.test[192.0.2.2]: {NAMELESS}; from=<y@b.test> {TO} helo=<b>
{WARNED} {OURS}: {NAMELESS}; from=<> {TO} helo=<stranger.invalid>
1A: warning: header X-Mailer: S from c[192.0.2.3]; from=<z@c> {TO} helo=<c>: would be REJECT no
connect from a.test[192.0.2.1]
"""


@dataclass
class Log(RecordedHost):
    """A host with a journal."""

    said: Completed = field(default_factory=lambda: Completed((), 0, LOG))
    plain: Completed | None = None

    def _answer(self, argv: Sequence[str], stdin: str) -> Completed | None:
        return self.plain if self.plain and "-g" not in argv else self.said


def test_what_would_have_been_rejected_is_counted() -> None:
    result = probes.WouldReject().ask(Log())
    checked(result, WARN, "would have rejected 4 messages: 2 times: on the blocklist zen")
    assert "1 times: Helo command rejected: need fully-qualified hostname" in result.said
    assert "header check: would be REJECT no" in result.said
    assert len(result.transcript) == 4
    assert counted(probes.would_have_rejected(Log())[:1]) == f"1 times: on the blocklist {ZEN}"


def test_nothing_rejected_so_far_is_still_a_reminder() -> None:
    checked(probes.WouldReject().ask(Log(said=Completed((), 1))), WARN, "0 messages so far")


def test_a_journal_without_patterns_is_read_as_a_whole() -> None:
    refused = Completed((), 1, "", "Compiled without pattern matching support")
    result = probes.WouldReject().ask(Log(said=refused, plain=Completed((), 0, LOG)))
    checked(result, WARN, "4 messages")


def test_a_journal_that_cannot_be_read_is_unknown() -> None:
    checked(probes.WouldReject().ask(Log(said=Completed((), 127))), UNKNOWN)
    checked(probes.WouldReject().ask(Log(said=Completed((), 1, "", "no journal"))), UNKNOWN)
