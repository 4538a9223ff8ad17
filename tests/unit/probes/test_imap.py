"""Each probe of IMAP, POP3 and ManageSieve against servers that are right, wrong and neither."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import fake_servers
from support.fake_mail import ALICE, NAME, FakeImap, Pki, knowing_alice, make_pki
from support.fake_servers import FakeServer
from support.recorded import RecordedHost, Written
from support.verdicts import FAIL, PASS, UNKNOWN, WARN, proved

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Probe

HERE = "127.0.0.1"
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl(1)")


GREETING, CLEAR, LOGIN, INJECTION = (
    probes.ImapGreeting,
    probes.NoPlaintextImap,
    probes.ClearLoginRefused,
    probes.ImapNoInjection,
)
CASES: list[tuple[str, Callable[..., Probe], dict[str, Any], Outcome]] = [
    ("greets", GREETING, {}, PASS),
    ("no imap", GREETING, {"inside": "POP"}, FAIL),
    ("bye", GREETING, {"greeting": "* BYE busy"}, FAIL),
    ("not tls", GREETING, {"wrapped": False}, FAIL),
    ("disabled", CLEAR, {"wrapped": False}, PASS),
    ("open", CLEAR, {"wrapped": False, "clear": "IMAP4rev1 STARTTLS AUTH=PLAIN"}, FAIL),
    ("no word", CLEAR, {"wrapped": False, "clear": "IMAP4rev1 STARTTLS"}, FAIL),
    ("useless", CLEAR, {"wrapped": False, "clear": "IMAP4rev1 LOGINDISABLED"}, WARN),
    ("not imap", CLEAR, {"wrapped": False, "greeting": "220 mail ESMTP"}, UNKNOWN),
    ("refused", LOGIN, {"wrapped": False}, PASS),
    ("tried", LOGIN, {"wrapped": False, "clear_login": "NO [AUTHENTICATIONFAILED]"}, FAIL),
    ("let in", LOGIN, {"wrapped": False, "clear_login": "OK in"}, FAIL),
    ("thrown away", INJECTION, {"wrapped": False}, PASS),
    ("obeyed", INJECTION, {"wrapped": False, "keeps_clear": True}, FAIL),
]


@pytest.mark.parametrize(
    ("kind", "options", "outcome"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_verdicts_of_a_stranger(
    pki: Pki, kind: Callable[..., Probe], options: dict[str, Any], outcome: Outcome
) -> None:
    with FakeImap(pki, **options).server() as server:
        result = kind(server=HERE, port=server.port).ask(knowing_alice())
    proved(result, outcome)


def logged_in(kind: Callable[..., Probe], pki: Pki, port: int, *more: object) -> Probe:
    return kind(ALICE, *more, name=NAME, trust=pki.ca, server=HERE, port=port)


IN = [
    ("login", probes.ImapLogin, {}, PASS),
    ("wrong password", probes.ImapLogin, {"users": {"alice": "other"}}, FAIL),
    ("anybody", probes.ImapLogin, {"lets_in": True}, FAIL),
    ("later", probes.ImapLogin, {"refusal": "NO [UNAVAILABLE] later", "users": {}}, UNKNOWN),
    ("round trip", probes.ImapRoundTrip, {}, PASS),
    ("spoiled", probes.ImapRoundTrip, {"spoils": lambda d: d.replace(b"\r\n", b"\n")}, FAIL),
    ("lost", probes.ImapRoundTrip, {"spoils": lambda _: b""}, FAIL),
    ("kept", probes.ImapRoundTrip, {"keeps_deleted": True}, FAIL),
    ("no inbox", probes.ImapRoundTrip, {"opens": "nothing"}, FAIL),
    ("trip, no login", probes.ImapRoundTrip, {"users": {}}, UNKNOWN),
    ("folders", probes.SpecialFolders, {}, PASS),
    ("no junk", probes.SpecialFolders, {"folders": (r"\Sent", r"\Drafts")}, FAIL),
    ("apart", probes.MailboxesApart, {}, PASS),
    ("shared", probes.MailboxesApart, {"opens": "user/root"}, FAIL),
    ("apart, no login", probes.MailboxesApart, {"users": {}}, UNKNOWN),
]


@pytest.mark.parametrize(
    ("kind", "options", "outcome"), [c[1:] for c in IN], ids=[c[0] for c in IN]
)
def test_verdicts_of_a_user(
    pki: Pki, kind: Callable[..., Probe], options: dict[str, Any], outcome: Outcome
) -> None:
    more = ("example.test",) if kind is probes.ImapLogin else ()
    with FakeImap(pki, **options).server() as server:
        proved(logged_in(kind, pki, server.port, *more).ask(knowing_alice()), outcome)


USERS = [
    (probes.ImapLogin, ("example.test",)),
    (probes.ImapRoundTrip, ()),
    (probes.SpecialFolders, ()),
    (probes.MailboxesApart, ()),
]


@pytest.mark.parametrize(("kind", "more"), USERS)
def test_no_password_leaves_for_a_server_that_does_not_prove_its_name(
    pki: Pki, tmp_path: Path, kind: Callable[..., Probe], more: tuple[str, ...]
) -> None:
    other = make_pki(tmp_path)
    fake = FakeImap(other)
    with fake.server() as server:
        result = logged_in(kind, pki, server.port, *more).ask(knowing_alice())
        pinned = dataclasses.replace(logged_in(kind, pki, server.port, *more), name="")  # type: ignore[type-var]
        unpinned = pinned.ask(knowing_alice())
    assert result.outcome is UNKNOWN
    assert "does not prove" in result.said
    assert unpinned.outcome is UNKNOWN
    assert not [line for line in fake.heard if "AUTH" in line]


def test_without_a_name_the_certificate_dovecot_is_configured_with_is_proof(pki: Pki) -> None:
    look = knowing_alice()
    look.files["/etc/cert.pem"] = Written(Path(pki.chain).read_bytes())
    look.answers["doveconf ssl_server"] = _said("ssl_server {\n  cert_file = /etc/cert.pem\n}\n")
    with FakeImap(pki).server() as server:
        probe = probes.SpecialFolders(ALICE, server=HERE, port=server.port)
        assert probe.ask(look).outcome is PASS
        look.answers["doveconf ssl_server"] = _said("")
        look.answers["doveconf ssl_cert"] = _said("ssl_cert = </etc/cert.pem\n")
        assert probe.ask(look).outcome is PASS


def _said(out: str) -> Completed:
    return Completed((), 0, out)


def test_the_password_is_nowhere_in_what_is_shown(pki: Pki) -> None:
    look = RecordedHost(secrets={"PW": "s3cr3t-Pa55"})
    with FakeImap(pki, users={"alice": "s3cr3t-Pa55"}).server() as server:
        result = logged_in(probes.ImapLogin, pki, server.port, "example.test").ask(look)
    assert result.outcome is PASS
    assert "s3cr3t" not in repr(result)
    assert "czNjcjN0" not in repr(result)  # in base64


@pytest.mark.parametrize(("kind", "more"), [*USERS, (probes.AuthTest, ("example.test",))])
def test_without_a_known_password_nothing_is_proved(
    kind: Callable[..., Probe], more: tuple[str, ...]
) -> None:
    options = {} if kind is probes.AuthTest else {"server": HERE}
    for accounts in ((), ALICE):
        result = kind(accounts, *more, **options).ask(RecordedHost())
        assert result.outcome is UNKNOWN
        assert "no password known here" in result.said


STRANGERS = [GREETING, CLEAR, LOGIN, INJECTION, probes.PopClosed, probes.SieveNotInClear]


@pytest.mark.parametrize("kind", STRANGERS)
def test_without_a_vantage_the_verdict_is_unknown(kind: Callable[..., Probe]) -> None:
    result = kind().ask(RecordedHost())
    assert result.outcome is UNKNOWN
    assert "from outside" in result.said


@pytest.mark.parametrize("kind", [CLEAR, LOGIN, INJECTION, probes.SieveNotInClear])
def test_a_closed_port_passes_and_a_broken_one_is_unknown(kind: Callable[..., Probe]) -> None:
    with FakeServer(fake_servers.reset) as server:
        port = server.port
        assert kind(server=HERE, port=port).ask(knowing_alice()).outcome is UNKNOWN
    assert kind(server=HERE, port=port).ask(knowing_alice()).outcome is PASS


def test_pop_is_closed_or_chosen_and_never_in_clear() -> None:
    def pop(capabilities: bytes) -> fake_servers.Script:
        def talk(connection: Any) -> None:
            connection.sendall(b"+OK ready\r\n")
            while connection.recv(100):
                connection.sendall(b"+OK\r\n" + capabilities + b"\r\n.\r\n")

        return talk

    with FakeServer(pop(b"STLS")) as server:
        port = server.port
        assert probes.PopClosed(server=HERE, port=port).ask(knowing_alice()).outcome is FAIL
        assert probes.PopClosed(True, server=HERE, port=port).ask(knowing_alice()).outcome is PASS
    assert probes.PopClosed(server=HERE, port=port).ask(knowing_alice()).outcome is PASS
    with FakeServer(pop(b"STLS\r\nUSER")) as server:
        result = probes.PopClosed(True, server=HERE, port=server.port).ask(knowing_alice())
    assert result.outcome is FAIL


@pytest.mark.parametrize(
    ("sasl", "outcome"), [(b'"SASL" ""', PASS), (b'"SASL" "PLAIN LOGIN"', FAIL), (b'"X"', PASS)]
)
def test_sieve(sasl: bytes, outcome: Outcome) -> None:
    def talk(connection: Any) -> None:
        connection.sendall(b'"IMPLEMENTATION" "x"\r\n' + sasl + b'\r\n"STARTTLS"\r\nOK "hi"\r\n')
        connection.recv(100)

    with FakeServer(talk) as server:
        result = probes.SieveNotInClear(server=HERE, port=server.port).ask(knowing_alice())
    assert result.outcome is outcome


def test_a_sieve_server_that_is_busy_proves_nothing() -> None:
    with FakeServer(lambda connection: connection.sendall(b'BYE "too many"\r\n')) as server:
        result = probes.SieveNotInClear(server=HERE, port=server.port).ask(knowing_alice())
    assert result.outcome is UNKNOWN
    assert "BYE" in result.said


@pytest.mark.parametrize(
    ("opens", "outcome"), [("/srv/bob/Maildir/", FAIL), ("/srv/alice/Maildir/", PASS)]
)
def test_the_homes_of_all_other_people_are_tried(pki: Pki, opens: str, outcome: Outcome) -> None:
    look = knowing_alice()
    bob = "bob:x:1001:1001::/srv/bob:/bin/bash\n"
    look.answers["getent passwd bob"] = _said(bob)
    look.answers["getent passwd"] = _said(f"alice:x:1000:1000::/srv/alice:/bin/bash\n{bob}")
    with FakeImap(pki, opens=opens).server() as server:
        result = logged_in(probes.MailboxesApart, pki, server.port).ask(look)
    assert result.outcome is outcome
    assert "bob" in result.said


def test_without_dovecots_word_about_its_certificate_nothing_is_proved(pki: Pki) -> None:
    with FakeImap(pki).server() as server:
        result = probes.SpecialFolders(ALICE, server=HERE, port=server.port).ask(knowing_alice())
    assert result.outcome is UNKNOWN
    assert "does not tell where its certificate is" in result.said


SHADOW = "root:*:1::::::\nalice:{}:1::::::\nbob:!$y$j9T$x:1::::::\n"


@pytest.mark.parametrize(
    ("word", "files", "outcome", "said"),
    [
        ("!", "files", WARN, "nobody can log in: alice, bob have no password"),
        ("*", "files systemd", WARN, "nobody can log in: alice, bob have no password"),
        ("", "files", WARN, "nobody can log in"),
        ("$y$j9T$x", "files", PASS, "not everybody is locked"),
        # a directory keeps passwords elsewhere
        ("!", "files sss", PASS, "not everybody is locked"),
    ],
)
def test_that_nobody_can_log_in_is_said_once(
    word: str, files: str, outcome: Outcome, said: str
) -> None:
    people = "alice:x:1000:1000::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\nwww-data:x:33:33::/:/x\n"
    host = RecordedHost(answers={"getent passwd": Completed((), 0, people)})
    host.files["/etc/nsswitch.conf"] = Written(f"passwd: {files}\n".encode())
    host.files["/etc/shadow"] = Written(SHADOW.format(word).encode())
    result = probes.SomebodyHasPassword().ask(host)
    assert (result.outcome, said in result.said) == (outcome, True), result
    other = probes.AuthTest((), "example.test").ask(host)
    assert other.outcome is (Outcome.SKIPPED if outcome is WARN else Outcome.UNKNOWN), other
