"""A server that puts mail off and says why has answered: that is a fault of this host."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.fake_servers import FakeSmtp
from support.recorded import RecordedHost
from support.verdicts import FAIL, UNKNOWN

from mailwizard import probes
from mailwizard.model import Completed
from mailwizard.probes.dialogue import Reply
from mailwizard.probes.putoff import is_own_fault, short_of_room

HERE, USER = "127.0.0.1", "alice@example.test"
DF = "df -B1 --output=size,avail,iavail,target /var/spool/postfix"
HEAD = "1B-blocks Avail IFree Mounted on\n"
LIMIT = "postconf -x message_size_limit queue_minfree"
CONF = "message_size_limit = 52428800\nqueue_minfree = {}\n"


def disk(free_mib: int, inodes: int = 9, least: int = 0) -> RecordedHost:
    row = f"{HEAD}{100 << 20} {free_mib << 20} {inodes} /var\n"
    answers = {
        DF: row,
        LIMIT: CONF.format(least),
        "getent passwd": "alice:x:1:1::/home/a:/bin/sh\n",
    }
    return RecordedHost(answers={line: Completed((), 0, out) for line, out in answers.items()})


@pytest.mark.parametrize(
    ("reply", "own"),
    [
        ("452 4.3.1 Insufficient system storage", True),
        ("451 4.3.0 <a@b>: Temporary lookup failure", True),
        ("451 4.3.5 Server configuration problem", True),
        ("450 4.2.0 Greylisted", False),
        ("451 4.7.1 Service unavailable - try again later", False),
        ("421 4.3.2 All server ports are busy", False),
        ("421 4.3.0 busy", False),
        ("452 4.3.4 Message size exceeds fixed limit", False),
        ("552 5.3.4 Message size exceeds fixed limit", False),
    ],
)
def test_what_is_this_hosts_own_fault(reply: str, own: bool) -> None:
    assert is_own_fault(Reply(int(reply[:3]), (reply[4:],))) is own


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (disk(74), "74 of 100 MiB are left on /var, which holds /var/spool/postfix, and Postfix"),
        (disk(74), "Postfix wants 75 MiB"),
        (disk(76), ""),
        (disk(76, least=90 << 20), "Postfix wants 90 MiB"),
        (disk(76, inodes=0), "no file can be made any more on /var"),
        (RecordedHost(), ""),
    ],
)  # fmt: skip
def test_how_much_room_is_left(host: RecordedHost, said: str) -> None:
    assert said in short_of_room(host)
    assert bool(short_of_room(host)) is bool(said)


FULL, BROKEN = b"452 4.3.1 Insufficient system storage", b"451 4.3.5 Server configuration problem"
ASKED: list[tuple[Any, str, bytes, object, str]] = [
    (probes.DeliversMail(USER, "alice", wait=0.1), "MAIL", FULL, FAIL, "are left on /var"),
    (probes.DeliversMail(USER, "alice", wait=0.1), "DATA", FULL, FAIL, "are left on /var"),
    (probes.NullSender(USER), "MAIL", FULL, FAIL, "are left on /var"),
    (probes.NullSender(USER), "RCPT", BROKEN, FAIL, "451 4.3.5 Server configuration problem"),
    (probes.AcceptsRoleMail(("example.test",)), "MAIL", FULL, FAIL, "are left on /var"),
    (probes.TraceKept(USER, "alice", wait=0.1), "MAIL", FULL, FAIL, "are left on /var"),
    # what was proved before stands: no configuration is put back for a full disk
    (probes.RefusesRelay(("example.test",)), "MAIL", FULL, UNKNOWN, ""),
    (probes.NullSender(USER), "RCPT", b"450 4.2.0 Greylisted", UNKNOWN, "Greylisted"),
]


@pytest.mark.parametrize(("probe", "verb", "reply", "outcome", "said"), ASKED)
def test_the_verdict_over_it(
    probe: Any, verb: str, reply: bytes, outcome: object, said: str
) -> None:
    heard = b"250 2.1.5 Ok" if verb != "RCPT" else reply
    with FakeSmtp(replies={verb: reply}, recipient=lambda *_: heard) as server:
        asked: Any = replace(probe, server=HERE, port=server.port)
        result = asked.ask(disk(12))
    assert (result.outcome, said in result.said) == (outcome, True), result.said
