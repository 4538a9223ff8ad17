"""Alias graphs that end with people, in circles, or nowhere; and a message followed to its end."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from support import mailboxes
from support.fake_servers import FakeSmtp
from support.recorded import RecordedHost

from mailwizard import probes
from mailwizard.model import Completed, Outcome
from mailwizard.probes.aliases import targets_of

PEOPLE = {"alice": 1000, "bob": 1001, "root": 0, "www-data": 33}
TABLE = "hash:/etc/aliases"


class AliasHost(RecordedHost):
    """A host whose alias table is a dictionary."""

    table: Mapping[str, str] = {}
    code = 0

    def ask(self, argv: Sequence[str], *, stdin: str = "", **options: Any) -> Completed:
        if argv[0] == "postconf":
            out = f"alias_maps = {TABLE}\nmydestination = example.test, localhost\n"
            return Completed(tuple(argv), 0, out + "recipient_delimiter = +\n")
        if argv[0] == "postalias":
            found = [f"{key}:\t{self.table[key]}\n" for key in stdin.split() if key in self.table]
            return Completed(tuple(argv), self.code, "".join(found), "postalias: fatal: open")
        if argv[0] == "getent":
            rows = (f"{name}:x:{n}:{n}::/home/{name}:/bin/sh\n" for name, n in PEOPLE.items())
            return Completed(tuple(argv), 0, "".join(rows))
        return Completed(tuple(argv), 2)


GOOD = {"postmaster": "root", "abuse": "postmaster", "root": "alice"}


@pytest.mark.parametrize(
    ("changes", "outcome", "word"),
    [
        ({}, Outcome.PASS, "person"),
        ({"sales": "alice, bob"}, Outcome.PASS, "person"),
        ({"root": '"alice"'}, Outcome.PASS, "person"),
        ({"root": "\\alice"}, Outcome.PASS, "person"),
        ({"root": "alice", "alice": "alice, bob"}, Outcome.PASS, "person"),
        ({"root": "Alice+root@EXAMPLE.test"}, Outcome.PASS, "person"),
        ({"sales": "|/usr/bin/ticket, /var/log/mail"}, Outcome.PASS, "person"),
        ({"abuse": ""}, Outcome.FAIL, "abuse ends nowhere"),
        ({"root": "alicia"}, Outcome.FAIL, "alicia ends nowhere"),
        ({"root": "abuse"}, Outcome.FAIL, "circles"),
        ({"sales": "team", "team": "sales, alice"}, Outcome.FAIL, "circles"),
        ({"sales": "alice, nobody-here"}, Outcome.FAIL, "nobody-here"),
        ({"webmaster": "www-data"}, Outcome.WARN, "system account"),
        ({"root": ""}, Outcome.WARN, "root ends in the mailbox of a system account"),
        ({"root": "me@gmail.example"}, Outcome.WARN, "leaves this host"),
    ],
)
def test_where_names_end(changes: dict[str, str], outcome: Outcome, word: str) -> None:
    host = AliasHost()
    host.table = {name: to for name, to in (GOOD | changes).items() if to}
    result = probes.AliasGraph(("sales",) if "sales" in changes else ()).ask(host)
    assert result.outcome is outcome, result
    assert word in result.said


@pytest.mark.parametrize(
    ("meant", "said"),
    [
        ("alice", ""),
        ("Alice+shop", ""),
        ("bob", "sales leads to alice, x@far.test, and not to bob"),
        ("x@far.test", ""),
    ],
)
def test_whoever_is_meant_to_read_it_does(meant: str, said: str) -> None:
    host = AliasHost()
    host.table = GOOD | {"sales": "alice, x@far.test"}
    result = probes.AliasGraph(("sales",), ends=(("sales", (meant,)),)).ask(host)
    assert (result.said == said, result.outcome is Outcome.FAIL) == (bool(said), bool(said))


def test_thousands_are_looked_up_a_level_at_a_time() -> None:
    host = AliasHost()
    names = {f"name{n}": f"list{n % 50}" for n in range(20_000)}
    host.table = GOOD | names | {f"list{n}": "alice, bob" for n in range(50)}
    asked: list[str] = []
    ask = host.ask

    def counted(argv: Sequence[str], **options: Any) -> Completed:
        asked.append(argv[0])
        return ask(argv, **options)

    host.ask = counted  # type: ignore[method-assign]
    graph = probes.AliasGraph(tuple(names), ends=tuple((n, ("alice", "bob")) for n in names))
    result = graph.ask(host)
    assert result.outcome is Outcome.PASS, result.said
    assert asked.count("postalias") <= 4
    assert len(result.transcript) <= 200


def test_a_table_that_cannot_be_read_is_unknown() -> None:
    host = AliasHost()
    host.code = 127
    assert probes.AliasGraph().ask(host).outcome is Outcome.UNKNOWN
    assert probes.AliasGraph().ask(RecordedHost()).outcome is Outcome.UNKNOWN


def test_a_long_chain_of_aliases_ends() -> None:
    host = AliasHost()
    host.table = GOOD | {"root": "a0"} | {f"a{n}": f"a{n + 1}" for n in range(60)}
    assert probes.AliasGraph().ask(host).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("value", "targets"),
    [
        ("alice, bob", ["alice", "bob"]),
        ('"|/usr/bin/x -a, b", alice', ["|/usr/bin/x -a, b", "alice"]),
        (":include:/etc/list", [":include:/etc/list"]),
        ('"a b"@example.test', ['"a b"@example.test']),
        ("", []),
    ],
)
def test_targets(value: str, targets: list[str]) -> None:
    assert list(targets_of(value)) == targets


class MailHost(AliasHost):
    """A host whose users' folders hold what the server took."""

    def __init__(self, server: FakeSmtp, readers: tuple[str, ...]) -> None:
        super().__init__()
        self.server, self.readers = server, readers
        self.looked: list[tuple[str, ...]] = []

    def ask(self, argv: Sequence[str], *, stdin: str = "", **options: Any) -> Completed:
        if argv[0] == "sh":  # nothing waits
            return Completed(tuple(argv), 0)
        return super().ask(argv, stdin=stdin, **options)

    def run(self, argv: Sequence[str], **options: Any) -> Completed:
        self.looked.append(tuple(argv))
        mark, path = mailboxes.mark_of(argv), argv[argv.index("-c") + 3]
        there = any(mark in message for message in self.server.messages)
        if there and path.split("/")[2] in self.readers:
            return mailboxes.told(argv, b"Return-Path: <>\x1b[2J\n\n")
        return mailboxes.nothing(argv)


def take(*_: str) -> bytes:
    return b"250 Ok"


@pytest.mark.parametrize(
    ("readers", "outcome"),
    [(("alice", "bob"), Outcome.PASS), (("alice",), Outcome.FAIL), ((), Outcome.FAIL)],
)
def test_a_message_to_a_list_reaches_everybody(readers: tuple[str, ...], outcome: Outcome) -> None:
    server = FakeSmtp(recipient=take)
    host = MailHost(server, readers)
    with server:
        result = probes.DeliversTo(
            "staff", "example.test", ("alice", "bob"), server="127.0.0.1", port=server.port
        ).ask(host)
    assert result.outcome is outcome, result
    assert "RCPT TO:<staff@example.test>" in server.heard
    assert not any("\x1b" in line for line in result.transcript)
    # Never as root in a user's folder.
    assert {argv[:4] for argv in host.looked} == {
        ("setpriv", f"--reuid={number}", f"--regid={number}", "--init-groups")
        for number in (PEOPLE["alice"], PEOPLE["bob"])
    }


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [(b"550 5.1.1 unknown", Outcome.FAIL), (b"450 4.2.0 Greylisted", Outcome.UNKNOWN)],
)
def test_a_refused_message_is_not_looked_for(reply: bytes, outcome: Outcome) -> None:
    server = FakeSmtp(recipient=lambda *_: reply)
    host = MailHost(server, ("alice",))
    with server:
        result = probes.DeliversMail(
            "alice@example.test", "alice", server="127.0.0.1", port=server.port
        ).ask(host)
    assert result.outcome is outcome
    assert host.looked == []


def test_each_delivery_has_a_name_of_its_own() -> None:
    one = probes.DeliversTo("root", "example.test", ("alice",))
    many = probes.DeliversTo("staff", "example.test", ("alice", "bob"))
    assert (one.id, many.id) == ("DELIVERY-ALIAS:root", "DELIVERY-LIST:staff")
