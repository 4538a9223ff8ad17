"""The relay battery and the smuggling set against servers that are open in one way each."""

import pytest
from support.fake_servers import FakeSmtp
from support.recorded import RecordedHost
from support.seats import sit

from mailwizard import probes
from mailwizard.model import Outcome, Result
from mailwizard.probes import smuggling
from mailwizard.probes.relay import pairs
from mailwizard.probes.smuggling import ENDINGS

DENIED = b"554 5.7.1 Relay access denied"


def relay(server: FakeSmtp, *domains: str) -> Result:
    own = domains or ("example.test",)
    with server:
        probe = probes.RefusesRelay(own, "alice", server="127.0.0.1", port=server.port)
        return probe.ask(RecordedHost())


def test_every_pair_is_tried_and_refused() -> None:
    server = FakeSmtp()
    result = relay(server, "example.test", "example.net")
    assert result.outcome is Outcome.PASS
    assert "18 tries" in result.said
    asked = [line for line in server.heard if line.startswith("RCPT")]
    assert len(asked) == 18
    assert "MAIL FROM:<alice@example.net>" in server.heard
    assert "DATA" not in server.heard
    shown = "\n".join(result.transcript)
    assert all(f"> {line}" in shown for line in asked)


def test_the_sixteen_spellings() -> None:
    sixteen = list(pairs("example.com", "mail.example.test", "[192.0.2.1]", ()))
    assert len(set(sixteen)) == 16
    assert {pair.sender for pair in sixteen[3:]} == {"antispam@[192.0.2.1]"}


@pytest.mark.parametrize(
    "hole",
    [
        "relaytest@example.com",
        "relaytest%example.com@mail.example.test",
        "example.com!relaytest",
        '"relaytest@example.com"',
        "@mail.example.test:relaytest@example.com",
    ],
)
def test_one_open_spelling_is_an_open_relay(hole: str) -> None:
    result = relay(FakeSmtp(recipient=lambda to, _: b"250 Ok" if to == hole else DENIED))
    assert result.outcome is Outcome.FAIL
    assert "OPEN RELAY" in result.said
    assert hole in result.said
    assert "smtpd_relay_restrictions" in result.fix


def test_only_the_own_sender_opens_it() -> None:
    def recipient(_: str, sender: str) -> bytes:
        return b"250 Ok" if sender == "alice@example.test" else DENIED

    assert relay(FakeSmtp(recipient=recipient)).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (b"450 4.1.2 Domain not found", Outcome.UNKNOWN),
        (b"451 4.3.0 Temporary lookup failure", Outcome.UNKNOWN),
        (b"454 4.7.1 <x>: Relay access denied", Outcome.PASS),
        (b"421 4.7.0 too many errors", Outcome.UNKNOWN),
    ],
)
def test_put_off_is_not_refused(reply: bytes, outcome: Outcome) -> None:
    assert relay(FakeSmtp(recipient=lambda *_: reply)).outcome is outcome


@pytest.mark.parametrize(
    ("drops", "outcome", "said"),
    [
        (("127.0.0.2",), Outcome.PASS, "over IPv4; not asked, filtered: IPv4"),
        (("127.0.0.1",), Outcome.PASS, "over IPv4; not asked, filtered: IPv4"),
        (("127.0.0.1", "127.0.0.2"), Outcome.UNKNOWN, "does not let strangers in"),
        ((), Outcome.PASS, "over IPv4"),
    ],
)
def test_an_address_that_a_firewall_shuts_is_left_out(
    drops: tuple[str, ...], outcome: Outcome, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sit(monkeypatch, "127.0.0.1", "127.0.0.2", drops=drops)
    with FakeSmtp() as server, FakeSmtp(address="127.0.0.2", port=server.port):
        result = probes.RefusesRelay(("example.test",), "alice", port=server.port).ask(
            RecordedHost()
        )
    assert (result.outcome, said in result.said) == (outcome, True), result
    assert ("not asked" in result.said) is (outcome is Outcome.PASS and bool(drops))


def test_the_foreign_domain_is_never_one_of_ours() -> None:
    def foreign(*own: str) -> str:
        return probes.RefusesRelay(own, "alice").foreign

    assert foreign("example.test") == "example.com"
    assert foreign("Example.com") == "example.net"
    assert foreign("mail.example.com", "example.net") == "example.org"
    assert foreign("example.com", "example.net", "example.org").endswith(".invalid")


def test_it_is_critical_and_refuses_to_guess() -> None:
    assert probes.RefusesRelay(("example.test",), "alice").critical
    assert not probes.RefusesSmuggling("alice@example.test").critical


def smuggle(server: FakeSmtp) -> Result:
    with server:
        probe = probes.RefusesSmuggling("alice@example.test", server="127.0.0.1", port=server.port)
        return probe.ask(RecordedHost())


def yes(*_: str) -> bytes:
    return b"250 Ok"


def test_a_strict_server_takes_none_of_the_endings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smuggling, "_SILENCE", 0.3)
    server = FakeSmtp(recipient=yes)
    result = smuggle(server)
    assert result.outcome is Outcome.PASS
    assert server.messages == []
    assert sum(line == "DATA" for line in server.heard) == len(ENDINGS) == 10


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_ending_is_found_by_itself(ending: str) -> None:
    result = smuggle(FakeSmtp(recipient=yes, endings=(b"\r\n.\r\n", ENDINGS[ending])))
    assert result.outcome is Outcome.FAIL
    assert ending in result.said


def test_smuggling_needs_a_recipient() -> None:
    assert smuggle(FakeSmtp()).outcome is Outcome.UNKNOWN
