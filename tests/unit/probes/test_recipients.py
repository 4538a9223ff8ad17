"""Accounts of passwd(5) that are nobody's mailbox, and what a server says to mail for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.fake_servers import FakeSmtp
from support.recorded import RecordedHost
from support.seats import sit

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Result

PASS, WARN, FAIL, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN
PASSWD = """\
root:x:0:0:root:/root:/bin/bash
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
alice:x:1000:1000::/home/alice:/bin/bash
kiosk:x:60000:60000::/:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
ldapuser:*:1234500001:100::/home/ldapuser:/bin/bash
"""
ALIASES, PEOPLE = "hash:/etc/aliases", "pipemap:{proxy:unix:passwd.byname,regexp:/etc/people}"
Reply = Callable[[str, str], bytes]


def refused(*_: str) -> bytes:
    return b"550 5.1.1 User unknown in local recipient table"


def taken(*names: str) -> Reply:
    return lambda to, _: b"250 2.1.5 Ok" if to.partition("@")[0] in names else refused()


def later(*_: str) -> bytes:
    return b"450 4.1.1 User unknown in local recipient table"


def asked(monkeypatch: pytest.MonkeyPatch, reply: Reply, host: RecordedHost) -> Result:
    sit(monkeypatch, "127.0.0.1")
    with FakeSmtp(recipient=reply) as server:
        result = probes.OnlyPeople("example.test", port=server.port).ask(host)
    tried = {line[9:-1].partition("@")[0] for line in server.heard if line.startswith("RCPT")}
    assert not tried & {"root", "alice", "ldapuser"}, tried
    return result


@pytest.fixture
def host() -> RecordedHost:
    settings = f"alias_maps = {ALIASES}\nlocal_recipient_maps = {ALIASES}, {PEOPLE}\n"
    settings += "virtual_alias_maps =\nluser_relay =\n"
    answers = {
        "getent passwd": Completed((), 0, PASSWD),
        "postconf -x": Completed((), 0, settings),
        f"postmap -q - {ALIASES}": Completed((), 0, "root\talice\n"),
        f"postmap -q - '{PEOPLE}'": Completed((), 1),
    }
    return RecordedHost(answers=answers)


CASES: list[tuple[Reply, Outcome, str]] = [
    (refused, PASS, "3 accounts of the system's own are nobody's mailbox"),
    (taken("nobody"), FAIL, "mail for nobody is accepted, and nobody reads it"),
    (taken("www-data", "kiosk", "nobody"), FAIL, "is accepted, and nobody reads it"),
    (later, WARN, "is put off: 450"),
]


@pytest.mark.parametrize(("reply", "outcome", "said"), CASES)
def test_verdicts(
    monkeypatch: pytest.MonkeyPatch, host: RecordedHost, reply: Reply, outcome: Outcome, said: str
) -> None:
    result = asked(monkeypatch, reply, host)
    assert (result.outcome, said in result.said) == (outcome, True), result
    assert result.transcript


def test_a_catch_all_is_told(monkeypatch: pytest.MonkeyPatch, host: RecordedHost) -> None:
    settings = host.answers["postconf -x"].out.replace("luser_relay =", "luser_relay = alice")
    host.answers["postconf -x"] = Completed((), 0, settings)
    result = asked(monkeypatch, taken("nobody"), host)
    assert (result.outcome, "luser_relay = alice" in result.said) == (WARN, True), result


def test_what_the_tables_know_is_tried_first(
    monkeypatch: pytest.MonkeyPatch, host: RecordedHost
) -> None:
    many = [f"dust{number}" for number in range(40)]
    rows = "".join(f"{name}:x:{100 + at}:9::/:/bin/false\n" for at, name in enumerate(many))
    host.answers["getent passwd"] = Completed((), 0, PASSWD + rows)
    known = "".join(f"{name}\tperson\n" for name in many[31:39])
    host.answers[f"postmap -q - '{PEOPLE}'"] = Completed((), 0, known)
    result = asked(monkeypatch, taken(*many[31:39]), host)
    assert result.outcome is FAIL
    assert "and 2 more is accepted" in result.said


def test_tables_that_cannot_be_read_are_unknown(
    monkeypatch: pytest.MonkeyPatch, host: RecordedHost
) -> None:
    wrong = Completed((), 1, "", "postmap: fatal: open /etc/people: No such file")
    host.answers[f"postmap -q - '{PEOPLE}'"] = wrong
    assert asked(monkeypatch, refused, host).outcome is UNKNOWN
    host.answers["getent passwd"] = Completed((), 2)
    assert asked(monkeypatch, refused, host).outcome is UNKNOWN
