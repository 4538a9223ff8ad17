"""Each probe of STARTTLS and submission against servers that are right, wrong and neither."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import fake_servers
from support.fake_mail import ALICE, NAME, FakeSubmission, Pki, knowing_alice, make_pki
from support.fake_servers import FakeServer
from support.recorded import RecordedHost, Written
from support.verdicts import FAIL, PASS, UNKNOWN, WARN, proved

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Probe
from mailwizard.probes import mailbox, submitted

HERE = "127.0.0.1"
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl(1)")


# what soft_bounce = yes makes of refusals
SOFT = "430 4.7.0 Must issue a STARTTLS command first"
SOFT_LOGIN = "435 4.7.8 Error: authentication failed: (reason unavailable)"
SOFT_RELAY = "454 4.7.1 <x@example.com>: Recipient address rejected: Access denied"
AT = [
    ("starttls", probes.OffersStartTls, {}, PASS),
    ("no starttls", probes.OffersStartTls, {"starttls": False}, FAIL),
    ("no auth at 25", probes.NoAuthOnPort25, {"mechanisms": ""}, PASS),
    ("auth in tls", probes.NoAuthOnPort25, {}, WARN),
    ("auth in clear", probes.NoAuthOnPort25, {"auth_in_clear": True}, FAIL),
    ("thrown away", probes.NoSmtpInjection, {}, PASS),
    ("obeyed", probes.NoSmtpInjection, {"keeps_clear": True}, FAIL),
    ("nothing to inject", probes.NoSmtpInjection, {"starttls": False}, UNKNOWN),
    ("first starttls", probes.StartTlsFirst, {}, PASS),
    ("mail in clear", probes.StartTlsFirst, {"clear_mail": "250 ok"}, FAIL),
    ("no password in clear", probes.NoAuthInClear, {}, PASS),
    ("offered in clear", probes.NoAuthInClear, {"auth_in_clear": True}, FAIL),
    ("tried in clear", probes.NoAuthInClear, {"clear_auth": "535 5.7.8 no"}, FAIL),
    ("soft mail", probes.StartTlsFirst, {"clear_mail": SOFT}, PASS),
    ("mail later", probes.StartTlsFirst, {"clear_mail": "451 4.7.1 x"}, UNKNOWN),
    ("soft auth", probes.NoAuthInClear, {"clear_auth": SOFT}, PASS),
    ("no auth, soft", probes.NoAuthInClear, {"clear_auth": "403 4.5.1 x not enabled"}, PASS),
    ("tried, soft", probes.NoAuthInClear, {"clear_auth": "435 4.7.8 no"}, FAIL),
    ("auth later", probes.NoAuthInClear, {"clear_auth": "421 4.3.0 busy"}, UNKNOWN),
    ("busy", probes.StartTlsFirst, {"greeting": "421 busy"}, UNKNOWN),
]


@pytest.mark.parametrize(
    ("kind", "options", "outcome"), [c[1:] for c in AT], ids=[c[0] for c in AT]
)
def test_verdicts_before_tls(
    pki: Pki, kind: Callable[..., Probe], options: dict[str, Any], outcome: Outcome
) -> None:
    with FakeSubmission(pki, **options).server() as server:
        proved(kind(server=HERE, port=server.port).ask(knowing_alice()), outcome)


def enumerating(login: str) -> str:
    return "535 5.7.8 failed" if login == "root" else "535 5.7.8 who is that"


IN = [
    ("answers", probes.SubmissionPorts, {"wrapped": True}, PASS),
    ("587 only", probes.SubmissionPorts, {}, WARN),
    ("nobody home", probes.SubmissionPorts, {"greeting": "421 busy"}, FAIL),
    ("login", probes.SubmissionLogin, {}, PASS),
    ("wrong password", probes.SubmissionLogin, {"users": {}}, FAIL),
    ("later", probes.SubmissionLogin, {"users": {}, "refusal": lambda _: "454 4.7.0 x"}, UNKNOWN),
    ("same answer", probes.SameAnswerForUnknownUser, {}, PASS),
    ("tells", probes.SameAnswerForUnknownUser, {"refusal": enumerating}, FAIL),
    ("busy", probes.SameAnswerForUnknownUser, {"refusal": lambda _: "454 4.7.0 later"}, UNKNOWN),
    ("soft login", probes.SubmissionLogin, {"users": {}, "refusal": lambda _: SOFT_LOGIN}, FAIL),
    ("soft answer", probes.SameAnswerForUnknownUser, {"refusal": lambda _: SOFT_LOGIN}, PASS),
    ("no relay, soft", probes.NoRelayWithoutLogin, {"without_login": SOFT_RELAY}, PASS),
    ("own, soft", probes.OnlyOwnSender, {"unknown_sender": "453 4.7.1 x not owned"}, PASS),
    ("mechanisms", probes.Mechanisms, {}, PASS),
    ("anonymous", probes.Mechanisms, {"mechanisms": "PLAIN ANONYMOUS"}, FAIL),
    ("old", probes.Mechanisms, {"mechanisms": "PLAIN CRAM-MD5"}, WARN),
    ("none", probes.Mechanisms, {"mechanisms": "GSSAPI"}, FAIL),
    ("no relay", probes.NoRelayWithoutLogin, {}, PASS),
    ("relay", probes.NoRelayWithoutLogin, {"without_login": "250 ok"}, FAIL),
    ("relay later", probes.NoRelayWithoutLogin, {"without_login": "450 4.7.1 x"}, UNKNOWN),
    ("own sender", probes.OnlyOwnSender, {}, PASS),
    ("any sender", probes.OnlyOwnSender, {"unknown_sender": "250 ok"}, FAIL),
    ("sender later", probes.OnlyOwnSender, {"unknown_sender": "450 4.7.1 x"}, UNKNOWN),
    ("alias", probes.AliasAsSender, {}, PASS),
    ("any helo", probes.AnyHelo, {}, PASS),
    ("strict helo", probes.AnyHelo, {"helo": lambda h: "504 x" if h == "laptop" else ""}, FAIL),
    ("helo later", probes.AnyHelo, {"helo": lambda _: "450 4.7.1 x"}, UNKNOWN),
    ("nobody sends", probes.OnlyOwnSender, {"unknown_sender": "550 5.1.0 unknown"}, UNKNOWN),
    ("no login", probes.OnlyOwnSender, {"users": {}}, UNKNOWN),
]
WITH_LOGIN = (probes.SubmissionLogin, probes.OnlyOwnSender, probes.AliasAsSender, probes.AnyHelo)


def make(kind: Any, pki: Pki, port: int, wrapped: bool = False, **options: Any) -> Probe:
    fields = {"server": HERE, "ports": (port,), "wrapped": (port,) if wrapped else (), **options}
    if kind is not probes.SubmissionPorts:
        fields |= {"name": NAME, "trust": pki.ca}
    if issubclass(kind, (*WITH_LOGIN, submitted.Submitted)):
        fields |= {"accounts": ALICE, "domain": "example.test"}
    probe: Probe = kind(**fields)
    return probe


@pytest.mark.parametrize(
    ("kind", "options", "outcome"), [c[1:] for c in IN], ids=[c[0] for c in IN]
)
@pytest.mark.parametrize("wrapped", [False, True], ids=["starttls", "wrapped"])
def test_verdicts_inside_tls(
    pki: Pki, kind: type, options: dict[str, Any], outcome: Outcome, wrapped: bool
) -> None:
    wrapped = options.get("wrapped", wrapped and kind is not probes.SubmissionPorts)
    with FakeSubmission(pki, **{**options, "wrapped": wrapped}).server() as server:
        proved(make(kind, pki, server.port, wrapped).ask(knowing_alice()), outcome)


@pytest.mark.parametrize("kind", [probes.SubmissionLogin, probes.OnlyOwnSender])
def test_a_login_that_is_put_off_is_tried_once_more(pki: Pki, kind: type) -> None:
    fake = FakeSubmission(pki)
    known, fake.users = fake.users, {}

    def later(_: str) -> str:
        fake.users = known
        return "454 4.7.0 Temporary authentication failure"

    fake.refusal = later
    with fake.server() as server:
        proved(make(kind, pki, server.port).ask(knowing_alice()), PASS)


@pytest.mark.parametrize(
    ("others", "tried"),
    [
        ((("root", "alice"), ("sales", "alice bob")), "nobody-"),
        ((("root", "alice"), ("bob", "bob"), ("press", "bob")), "bob@"),
        ((), "nobody-"),
    ],
)
def test_the_other_sender_is_nobody_who_is_the_tester(
    pki: Pki, others: tuple[tuple[str, str], ...], tried: str
) -> None:
    owned = tuple((f"{name}@example.test", tuple(logins.split())) for name, logins in others)
    fake = FakeSubmission(pki)
    with fake.server() as server:
        probe = make(probes.OnlyOwnSender, pki, server.port, others=owned)
        proved(probe.ask(knowing_alice()), PASS)
        fake.unknown_sender = "250 ok"
        proved(probe.ask(knowing_alice()), FAIL)
    assert all(line.startswith(f"MAIL FROM:<{tried}") for line in fake.heard if "MAIL" in line)


def test_each_alias_is_tried(pki: Pki) -> None:
    fake = FakeSubmission(pki)
    with fake.server() as server:
        for address, outcome in (("sales@example.test", PASS), ("boss@example.test", FAIL)):
            aliases = (("alice", address), ("bob", "bob@example.test"))
            probe = make(probes.AliasAsSender, pki, server.port, addresses=aliases)
            proved(probe.ask(knowing_alice()), outcome)
    assert "MAIL FROM:<bob@example.test>" not in fake.heard


@pytest.mark.parametrize("kind", [*WITH_LOGIN, probes.SameAnswerForUnknownUser])
def test_where_starttls_is_stripped_no_password_is_sent(pki: Pki, kind: type) -> None:
    # TLS-24: a man in the middle takes STARTTLS out and would take the password in clear
    fake = FakeSubmission(pki, starttls=False, auth_in_clear=True, clear_auth="235 thank you")
    with fake.server() as server:
        result = make(kind, pki, server.port).ask(knowing_alice())
    assert result.outcome is UNKNOWN
    assert "STARTTLS" in result.said
    assert not [line for line in fake.heard if "AUTH" in line]


@pytest.mark.parametrize("kind", [*WITH_LOGIN, probes.SameAnswerForUnknownUser])
def test_no_password_leaves_for_a_server_that_does_not_prove_its_name(
    pki: Pki, tmp_path: Path, kind: type
) -> None:
    fake = FakeSubmission(make_pki(tmp_path))
    with fake.server() as server:
        result = make(kind, pki, server.port).ask(knowing_alice())
    assert result.outcome is UNKNOWN
    assert "does not prove" in result.said
    assert not [line for line in fake.heard if "AUTH" in line]


@pytest.mark.parametrize("kind", WITH_LOGIN)
def test_without_a_known_password_nothing_is_proved(pki: Pki, kind: type) -> None:
    result = make(kind, pki, 1).ask(RecordedHost())
    assert result.outcome is UNKNOWN
    assert "no password known here" in result.said


@pytest.mark.parametrize("kind", [*WITH_LOGIN, probes.Mechanisms, probes.NoRelayWithoutLogin])
def test_no_answer_is_unknown(pki: Pki, kind: type) -> None:
    with FakeServer(fake_servers.reset) as server:
        assert make(kind, pki, server.port).ask(knowing_alice()).outcome is UNKNOWN
        assert make(kind, pki, server.port, server="").ask(knowing_alice()).outcome is UNKNOWN


ARRIVED = ("< Return-Path: <alice@example.test>", "< From: <alice@example.test>", "< To: x")


@pytest.mark.parametrize(
    ("kind", "more", "outcome"),
    [
        (probes.HeadersAdded, ("< Date: now", "< Message-ID: <x>"), PASS),
        (probes.HeadersAdded, ("< Date: now",), FAIL),
        (probes.ClientHidden, ("< Received: by mail.example.test",), PASS),
        (probes.ClientHidden, ("< Received: from x (y [127.0.0.1])",), WARN),
        (probes.HeadersAdded, None, UNKNOWN),
    ],
)
def test_what_becomes_of_a_message(
    pki: Pki, monkeypatch: pytest.MonkeyPatch, kind: type, more: tuple[str, ...] | None,
    outcome: Outcome,
) -> None:  # fmt: skip
    def take_out(*_: object, transcript: Any, **options: object) -> bool:
        for line in (*ARRIVED, *(more or ())):
            transcript.add("<", line.removeprefix("< "))
        return more is not None

    monkeypatch.setattr(submitted, "take_out", take_out)
    assert mailbox.take_out is not take_out
    with FakeSubmission(pki).server() as server:
        proved(make(kind, pki, server.port).ask(knowing_alice()), outcome)


def test_a_message_that_does_not_come_is_taken_back_and_none_is_sent_on(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitted, "take_out", lambda *_, **__: False)
    host = knowing_alice()
    host.programs["sh"] = lambda *_: Completed(("sh",), 0, "active/4F8A\n")
    fake = FakeSubmission(pki)
    with fake.server() as server:
        result = make(probes.HeadersAdded, pki, server.port).ask(host)
        assert (result.outcome, "it waits in the queue" in result.said) == (UNKNOWN, True), result
        assert host.ran == [("postsuper", "-d", "4F8A")]
        said = "alice:x:1000:1000::/home/alice:/bin/bash\n"
        host.answers["getent passwd alice"] = Completed((), 0, said)
        host.files["/home/alice/.forward"] = Written(b"alice@elsewhere.test\n")
        argv = "runuser -u alice -- cat -- /home/alice/.forward"
        host.answers[argv] = Completed((), 0, "alice@elsewhere.test\n")
        heard = len(fake.heard)
        result = make(probes.HeadersAdded, pki, server.port).ask(host)
    assert (result.outcome, "is forwarded by" in result.said) == (UNKNOWN, True), result
    assert len(fake.heard) == heard


@pytest.mark.parametrize(
    ("extension", "sent", "outcome"), [("8BITMIME", 1, PASS), ("SMTPUTF8", 2, WARN)]
)
def test_what_another_word_in_the_trace_shows_is_heard_too(
    pki: Pki, monkeypatch: pytest.MonkeyPatch, extension: str, sent: int, outcome: Outcome
) -> None:
    marks: list[str] = []

    def take_out(_host: object, _login: str, mark: str, *, transcript: Any, **_: object) -> bool:
        marks.append(mark)
        transcript.add("<", ["From: x", "Received: from x ([127.0.0.1])"][len(marks) - 1])
        return True

    monkeypatch.setattr(submitted, "take_out", take_out)
    fake = FakeSubmission(pki, extension=extension)
    with fake.server() as server:
        proved(make(probes.ClientHidden, pki, server.port).ask(knowing_alice()), outcome)
    assert len(set(marks)) == sent
    assert fake.heard.count("MAIL FROM:<alice@example.test> SMTPUTF8") == sent - 1


@pytest.mark.parametrize(
    ("wrapper", "relay", "outcome"),
    [
        ("no", "", PASS),
        ("yes", "", FAIL),
        ("yes", "[smtp.example.net]:587", FAIL),
        ("yes", "[smtp.example.net]:465", PASS),
    ],
)
def test_wrapper_mode(wrapper: str, relay: str, outcome: Outcome) -> None:
    look = knowing_alice()
    assert probes.WrapperModeScoped().ask(look).outcome is UNKNOWN
    said = f"smtp_tls_wrappermode = {wrapper}\nrelayhost = {relay}\n"
    look.answers["postconf -x smtp_tls_wrappermode relayhost"] = Completed((), 0, said)
    proved(probes.WrapperModeScoped().ask(look), outcome)
