"""Each probe of port 25 against servers that are right, wrong, and neither."""

import dataclasses
import re
from collections.abc import Callable

import pytest
from support import fake_servers
from support.fake_servers import FakeServer, FakeSmtp
from support.recorded import RecordedHost
from support.seats import sit

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Probe, Result

NAME = "mail.example.test"
USER = "alice@example.test"
Make = Callable[[int], Probe]
HERE = "127.0.0.1"


def make(kind: type, *args: object) -> Make:
    return lambda port: kind(*args, server=HERE, port=port)


GREETING = make(probes.SmtpGreeting, NAME)
EHLO = make(probes.SmtpEhlo, NAME)
HELO = make(probes.RequiresHelo)
NOBODY = make(probes.UnknownRecipient, "example.test")
NULL = make(probes.NullSender, USER)
TAGGED = make(probes.TaggedRecipient, USER)
SIZE = make(probes.MessageSize, 1000, USER)
VRFY = make(probes.VrfySilent, "alice", "example.test")
EARLY = make(probes.EarlyTalker)
VERBS = make(probes.NoDangerousVerbs)
ROLES = make(probes.AcceptsRoleMail, ("example.test",))


def yes(*_: str) -> bytes:
    return b"250 2.1.5 Ok"


def later(*_: str) -> bytes:
    return b"450 4.2.0 Greylisted"


def unknown_user(*_: str) -> bytes:
    return b"550 5.1.1 User unknown"


PASS, WARN, FAIL, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN
CASES: list[tuple[str, Make, FakeSmtp, Outcome]] = [
    ("greets", GREETING, FakeSmtp(), PASS),
    ("other name", GREETING, FakeSmtp(banner=b"220 debian ESMTP"), FAIL),
    ("not now", GREETING, FakeSmtp(banner=b"554 no service"), FAIL),
    ("busy", GREETING, FakeSmtp(banner=b"421 too many"), FAIL),
    ("ehlo", EHLO, FakeSmtp(), PASS),
    ("ehlo other", EHLO, FakeSmtp(ehlo=b"250 localhost"), FAIL),
    ("ehlo refused", EHLO, FakeSmtp(ehlo=b"502 no"), FAIL),
    ("ehlo busy", EHLO, FakeSmtp(banner=b"421 too many"), UNKNOWN),
    ("helo needed", HELO, FakeSmtp(replies={"MAIL": b"503 5.5.1 hello?"}), PASS),
    ("helo, soft", HELO, FakeSmtp(replies={"MAIL": b"403 4.5.1 send HELO/EHLO first"}), PASS),
    ("helo, busy", HELO, FakeSmtp(replies={"MAIL": b"421 4.3.2 too busy"}), UNKNOWN),
    ("helo, later", HELO, FakeSmtp(replies={"MAIL": b"450 4.7.1 HALO later"}), UNKNOWN),
    ("helo not needed", HELO, FakeSmtp(), WARN),
    ("nobody", NOBODY, FakeSmtp(recipient=unknown_user), PASS),
    ("nobody later", NOBODY, FakeSmtp(recipient=later), WARN),
    ("anybody", NOBODY, FakeSmtp(recipient=yes), FAIL),
    ("bounces", NULL, FakeSmtp(recipient=yes), PASS),
    ("bounces later", NULL, FakeSmtp(recipient=later), UNKNOWN),
    ("no bounces", NULL, FakeSmtp(replies={"MAIL": b"550 5.7.1 who?"}), FAIL),
    ("tag", TAGGED, FakeSmtp(recipient=lambda a, _: yes(a) if "+" in a else unknown_user(a)), PASS),
    ("no tag", TAGGED, FakeSmtp(recipient=unknown_user), FAIL),
    ("size kept", SIZE, FakeSmtp(replies={"MAIL": b"552 5.3.4 too big"}), PASS),
    ("size not kept", SIZE, FakeSmtp(recipient=yes), FAIL),
    ("size other", SIZE, FakeSmtp(ehlo=b"250-mail\r\n250 SIZE 5"), FAIL),
    ("no size", SIZE, FakeSmtp(ehlo=b"250 mail"), FAIL),
    ("disk full", SIZE, FakeSmtp(replies={"MAIL": b"452 4.3.1 full"}), FAIL),
    ("no vrfy", VRFY, FakeSmtp(), PASS),
    ("early refused", EARLY, FakeSmtp(hasty=False), PASS),
    ("early obeyed", EARLY, FakeSmtp(), FAIL),
    ("no verbs", VERBS, FakeSmtp(), PASS),
    ("auth offered", VERBS, FakeSmtp(ehlo=b"250-mail\r\n250 AUTH PLAIN"), FAIL),
    ("xclient obeyed", VERBS, FakeSmtp(replies={"XCLI": b"220 as you like"}), FAIL),
    ("roles", ROLES, FakeSmtp(recipient=yes), PASS),
    (
        "no abuse",
        ROLES,
        FakeSmtp(recipient=lambda a, _: b"550 no" if "abuse" in a else yes(a)),
        FAIL,
    ),
    ("roles later", ROLES, FakeSmtp(recipient=later), UNKNOWN),
]


@pytest.mark.parametrize(
    ("probe", "server", "outcome"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_verdicts(probe: Make, server: FakeSmtp, outcome: Outcome) -> None:
    with server:
        result = probe(server.port).ask(RecordedHost())
    assert result.outcome is outcome, result
    assert result.transcript
    if outcome is not PASS:
        assert result.expected
        assert result.fix


SETTINGS = "postconf -x virtual_alias_maps luser_relay"
TABLE = "hash:/etc/postfix/virtual"


@pytest.mark.parametrize(
    ("reply", "settings", "found", "outcome", "said"),
    [
        (yes, f"virtual_alias_maps = {TABLE}\nluser_relay =", "", FAIL, "whom nobody knows"),
        (yes, f"virtual_alias_maps = {TABLE}", "@example.test\tjohn", WARN, "leads to john in"),
        (yes, f"virtual_alias_maps = {TABLE}", "@example.test\t@x.test", FAIL, "whom nobody"),
        (yes, "luser_relay = john", "", WARN, "luser_relay = john"),
        (unknown_user, "luser_relay = john", "", PASS, "unknown recipient: 550"),
        (later, "", "", WARN, "soft_bounce = yes: everything refused is tried again for days"),
    ],
)
def test_a_catch_all_is_legal_and_told(
    reply: Callable[..., bytes],
    settings: str,
    found: str,
    outcome: Outcome,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = RecordedHost()
    host.answers[SETTINGS] = Completed((), 0, f"{settings}\n")
    host.answers[f"postmap -q - {TABLE}"] = Completed((), 0 if found else 1, f"{found}\n")
    host.answers["postconf -x soft_bounce"] = Completed((), 0, "soft_bounce = no\n")
    # for port 25 alone, as while only watching
    host.answers["postconf -Px"] = Completed((), 0, "smtp/inet/soft_bounce = yes\n")
    sit(monkeypatch, HERE)
    with FakeSmtp(recipient=reply) as server:
        result = probes.UnknownRecipient("example.test", port=server.port).ask(host)
    assert (result.outcome, said in result.said) == (outcome, True), result


def test_soft_refusals_of_early_talkers() -> None:
    soft = b"454 4.5.0 Error: SMTP protocol synchronization"
    with FakeSmtp(replies={"MAIL": soft}) as server:
        assert EARLY(server.port).ask(RecordedHost()).outcome is PASS


def test_vrfy_that_tells_people_apart_fails() -> None:
    def tell(name: str) -> bytes:
        return b"252 2.0.0 alice" if name.startswith("alice") else b"550 5.1.1 unknown"

    with FakeSmtp(vrfy=tell) as server:
        result = VRFY(server.port).ask(RecordedHost())
    assert result.outcome is FAIL
    assert "252" in result.said


EVERY = [EHLO, HELO, NOBODY, NULL, TAGGED, SIZE, VRFY, EARLY, VERBS, ROLES]
EVERY += [
    make(probes.RefusesRelay, ("example.test",), "alice"),
    make(probes.RefusesSmuggling, USER),
    make(probes.DeliversMail, USER, "alice"),
    make(probes.DeliversTo, "staff", "example.test", ("alice", "bob")),
]


@pytest.mark.parametrize("probe", EVERY)
@pytest.mark.parametrize("script", [fake_servers.reset, fake_servers.endless_line])
def test_no_answer_is_unknown_never_pass_never_fail(
    probe: Make, script: fake_servers.Script
) -> None:
    with FakeServer(script) as server:
        result = probe(server.port).ask(RecordedHost())
    assert result.outcome is UNKNOWN, result


@pytest.mark.parametrize("probe", EVERY)
def test_without_a_vantage_the_verdict_is_unknown(probe: Make) -> None:
    stranger: Probe = dataclasses.replace(probe(25), server="")  # type: ignore[type-var]
    result: Result = stranger.ask(RecordedHost())
    assert result.outcome is UNKNOWN
    assert "from outside" in result.said


def test_silence_and_refusal_fail_the_greeting_only() -> None:
    with FakeServer(fake_servers.silent) as server:
        port = server.port
    result = GREETING(port).ask(RecordedHost())
    assert result.outcome is FAIL
    assert "refused" in result.said
    assert EHLO(port).ask(RecordedHost()).outcome is UNKNOWN


@pytest.mark.parametrize(
    ("banner", "outcome", "said"),
    [
        (b"220 mail.example.test ESMTP", UNKNOWN, "does not let strangers in"),
        (b"554 no service", FAIL, "no answer in time"),
    ],
)
def test_who_is_kept_out_by_a_firewall_knows_nothing_of_the_world(
    banner: bytes, outcome: Outcome, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sit(monkeypatch, "127.0.0.2", drops=("127.0.0.2",))
    with FakeSmtp(banner=banner) as server:
        result = probes.SmtpGreeting(NAME, port=server.port).ask(RecordedHost())
    assert (result.outcome, said in result.said) == (outcome, True), result
    # where nobody greets at home it is the server that is down
    result = probes.SmtpGreeting(NAME, port=server.port).ask(RecordedHost())
    assert (result.outcome, "no answer in time" in result.said) == (FAIL, True), result


def test_a_dripping_server_is_left_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes.SmtpEhlo, "deadline", 1.5)
    with FakeServer(fake_servers.drip) as server:
        result = EHLO(server.port).ask(RecordedHost())
    assert result.outcome is UNKNOWN
    # in the end it hangs up by itself, and that would be said otherwise
    assert re.search("no (complete )?answer", result.said), result


def test_the_transcript_shows_both_sides() -> None:
    with FakeSmtp(recipient=yes) as server:
        result = NULL(server.port).ask(RecordedHost())
    assert "> MAIL FROM:<>" in result.transcript
    assert f"> RCPT TO:<{USER}>" in result.transcript
    assert "< 250 2.1.5 Ok" in result.transcript
    assert "> RSET" in result.transcript


@pytest.mark.parametrize("probe", [GREETING, *EVERY])
def test_by_hand_is_a_command_for_a_shell(probe: Make) -> None:
    shown = probe(2525).by_hand
    assert "nc " in shown
    assert "2525" in shown
