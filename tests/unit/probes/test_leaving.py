"""Where a test message is looked at: brought to the stranger's server, or in a mailbox."""

from __future__ import annotations

import json
import smtplib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.clocks import HUNG
from support.recorded import RecordedHost, Written

from mailwizard.model import Completed, Outcome
from mailwizard.probes import leaving
from mailwizard.probes.deadline import AtFault, CannotAsk, Trouble
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.leaving import Way, led_away, way_out
from mailwizard.probes.nexthop import NextHop, next_hop
from mailwizard.probes.redirected import not_copied
from mailwizard.probes.vantage import NoVantage, Seat
from mailwizard.probes.verdict import could_not_ask

HERE = "127.0.0.1"
ASKED = (
    "postconf -x relayhost transport_maps sender_dependent_relayhost_maps "
    "sender_dependent_default_transport_maps default_transport defer_transports "
    "smtp_tls_security_level inet_protocols"
)


def free_port() -> int:
    with socket.create_server((HERE, 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def listening() -> Iterator[tuple[NextHop, int]]:
    port = free_port()
    with next_hop(Seat((HERE,), (HERE,), own=HERE), port) as hop:
        yield hop, port


def brought(hop: NextHop, port: int, mark: str, text: bytes) -> None:
    with smtplib.SMTP(HERE, port) as client:
        assert client.ehlo()[0] == 250
        assert not client.has_extn("8bitmime")
        client.sendmail("a@example.test", [hop.recipient(mark)], text)


def test_a_message_is_kept_octet_by_octet() -> None:
    text = b"Subject: x\r\n\r\n.dot\r\n..\r\nGr\xc3\xbc\xc3\x9fe  \r\n" + b"x" * 1200 + b"\r\n\r\n"
    with listening() as (hop, port):
        later = threading.Timer(0.05, brought, (hop, port, "mailwizard-1", text))
        later.start()
        assert hop.take("mailwizard-1", HUNG) == text
        later.join()
        assert hop.take("mailwizard-1", 0.01) == b""


def test_one_server_serves_all_who_ask_at_once() -> None:
    with listening() as (hop, port):
        with next_hop(Seat((HERE,), (HERE,), own=HERE), port) as same:
            assert same is hop
        brought(hop, port, "mailwizard-2", b"Subject: y\r\n\r\nhello\r\n")
        assert b"hello" in hop.take("mailwizard-2", HUNG)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((HERE, port), 1)


@pytest.mark.parametrize("recipient", ["a@example.test", "mailwizard-1@[127.0.0.9]"])
def test_mail_for_others_is_refused(recipient: str) -> None:
    with listening() as (_, port), smtplib.SMTP(HERE, port) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            client.sendmail("a@example.test", [recipient], "x")
        assert client.docmd("VRFY x")[0] == 502


def test_without_a_place_outside_nothing_listens() -> None:
    with pytest.raises(CannotAsk, match="nobody outside"), next_hop(Seat((HERE,), (HERE,))):
        pass
    port = free_port()
    with (
        socket.create_server((HERE, port)),
        pytest.raises(CannotAsk, match="nobody can listen"),
        next_hop(Seat((HERE,), (HERE,), own=HERE), port),
    ):
        pass


def host(**settings: str) -> RecordedHost:
    values = {
        "default_transport": "smtp",
        "smtp_tls_security_level": "may",
        "inet_protocols": "all",
        **settings,
    }
    shown = "".join(f"{name} = {value}\n" for name, value in values.items())
    master = "smtp unix - - y - - smtp\n"
    answers = {ASKED: shown, "postconf -M": master, "postconf -Px": ""}
    return RecordedHost(answers={line: Completed((), 0, out) for line, out in answers.items()})


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, ""),
        ({"default_transport": "smtp:", "smtp_tls_security_level": "dane"}, ""),
        ({"relayhost": "[smtp.example.net]:587"}, "relayhost is [smtp.example.net]:587"),
        ({"transport_maps": "hash:/etc/postfix/transport"}, "transport_maps is"),
        ({"sender_dependent_relayhost_maps": "hash:/x"}, "sender_dependent_relayhost_maps is"),
        ({"default_transport": "relay-smtps"}, "default_transport is relay-smtps"),
        ({"smtp_tls_security_level": "encrypt"}, "smtp_tls_security_level is encrypt"),
        ({"inet_protocols": "ipv6"}, "inet_protocols is ipv6"),
    ],
)
def test_mail_that_is_led_elsewhere_is_not_sent_to_the_stranger(
    settings: dict[str, str], why: str
) -> None:
    found = led_away(host(**settings))
    assert found.startswith(why)
    assert bool(found) is bool(why)


@pytest.mark.parametrize("reason", ["a relay", "no namespace"])
def test_else_it_is_looked_at_in_a_mailbox(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_seat(_: object) -> Seat:
        raise NoVantage("no namespace here")

    monkeypatch.setattr(leaving, "seat", no_seat)
    there = host(relayhost="[smtp.example.net]:587") if reason == "a relay" else host()
    there.programs["sh"] = lambda *_: Completed(("sh",), 0)  # nothing waits
    transcript = Transcript()
    with way_out(
        there, "alice", "example.test", folder="Maildir", wait=0.1, transcript=transcript
    ) as way:
        assert way.where == "in the mailbox of alice"
        assert way.recipient("mailwizard-3") == "alice@example.test"
        with pytest.raises(CannotAsk, match="not seen in the mailbox of alice in time"):
            way.taken(there, "mailwizard-3", transcript)
    assert any("not on the way out" in line for line in transcript.lines())


def test_nobody_is_written_to_whose_mail_goes_on() -> None:
    there = host(relayhost="[smtp.example.net]:587")
    there.answers["getent passwd alice"] = Completed((), 0, "alice:x:9:9::/home/alice:/bin/sh\n")
    there.answers["runuser -u alice -- cat -- /home/alice/.forward"] = Completed((), 0, "a@b.test")
    there.files["/home/alice/.forward"] = Written(b"a@b.test")
    with (
        pytest.raises(CannotAsk, match=r"is forwarded by /home/alice/\.forward"),
        way_out(
            there, "alice", "example.test", folder="Maildir", wait=0.1, transcript=Transcript()
        ),
    ):
        pytest.fail("a way into the mailbox")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"default_transport": "nosuch:"}, "default_transport = nosuch, which master.cf does not"),
        (
            {"relayhost": "[smtp.example.net]:587", "defer_transports": "local, smtp"},
            "defer_transports = local, smtp",
        ),
    ],
)
def test_what_nobody_would_bring_away_is_not_looked_for_inside(
    settings: dict[str, str], said: str
) -> None:
    there = host(**settings)
    with (
        pytest.raises(AtFault, match=f"no mail leaves: {said}"),
        way_out(
            there, "alice", "example.test", folder="Maildir", wait=0.1, transcript=Transcript()
        ),
    ):
        pytest.fail("a way into the mailbox")


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("deferred transport", Trouble.FAULT),
        ("connect to 198.19.192.2[198.19.192.2]:25: Connection timed out", Trouble.NO_VANTAGE),
        ("", Trouble.TIMED_OUT),
    ],
)
def test_what_the_queue_says_is_the_answer(reason: str, kind: Trouble) -> None:
    there = host()
    told = {"queue_id": "4F8A", "recipients": [{"delay_reason": reason}]}
    there.answers["postqueue -j"] = Completed((), 0, json.dumps(told))
    there.programs["sh"] = lambda *_: Completed(("sh",), 0, "deferred/4/4F8A\n")
    there.programs["postsuper"] = lambda *_: Completed(("postsuper",), 0)
    way = Way("as it leaves", lambda mark: mark, lambda _: b"", "198.19.192.2")
    with pytest.raises(CannotAsk) as raised:
        way.taken(there, "mailwizard-4", Transcript())
    assert raised.value.kind is kind
    assert reason in raised.value.sentence
    assert ("postsuper", "-d", "4F8A") in there.ran
    outcome = could_not_ask(raised.value).outcome
    assert (outcome is Outcome.FAIL) is (kind is Trouble.FAULT)


def test_no_message_is_sent_whose_copy_would_leave() -> None:
    there = host(always_bcc="archive@other.test", mydestination="example.test")
    with (
        pytest.raises(
            CannotAsk, match=r"always_bcc .*copy to archive@other\.test: no test message"
        ),
        way_out(
            there, "alice", "example.test", folder="Maildir", wait=0.1, transcript=Transcript()
        ),
    ):
        pytest.fail("a way out")
    not_copied(host(always_bcc="archive@example.test", mydestination="example.test"), "alice")


def test_a_copy_of_some_mail_is_looked_up() -> None:
    there = host(recipient_bcc_maps="hash:/bcc", mydestination="example.test")
    there.answers["postmap -q - hash:/bcc"] = Completed((), 0, "alice@example.test\tx@far.test\n")
    with pytest.raises(CannotAsk, match=r"recipient_bcc_maps .*copy to x@far\.test"):
        not_copied(there, "alice")
