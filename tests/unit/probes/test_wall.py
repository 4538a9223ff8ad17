"""Whom this host's own firewall keeps out cannot judge the server: all who sit in his seat know."""

from __future__ import annotations

import dataclasses
import socket
from typing import Any

import pytest
from support.fake_mail import ALICE, NAME, FakeImap, Pki, knowing_alice
from support.fake_servers import FakeServer, FakeSmtp
from support.recorded import RecordedHost, Written
from support.seats import DROPPED, REJECTED, sit
from support.verdicts import FAIL, PASS, UNKNOWN

from mailwizard import probes
from mailwizard.model import Completed, Result
from mailwizard.platform.firewalls import UFW_CONF
from mailwizard.probes import wall
from mailwizard.probes.conversation import Conversation
from mailwizard.probes.deadline import CannotAsk, Filtered, KeptOut, Trouble
from mailwizard.probes.wall import Wall
from mailwizard.steps import STEPS

OUTSIDE = "127.0.0.2"
KEPT = "this host's own firewall does not let strangers in at port"
PERSON = "alice@example.test"
ANSWERS: dict[str, Any] = {
    "accounts": ALICE, "addresses": ("192.0.2.9",), "chain": "/etc/chain.pem",
    "domain": "example.test",
    "domains": ("example.test",), "fqdn": NAME, "hops": (10024,), "hostname": NAME, "limit": 1000,
    "lists": ("bl.example.test=127.0.0.2",), "login": "alice", "logins": ("alice",),
    "name": NAME, "path": "/etc/key", "protocol": "", "recipient": PERSON, "selector": "s1",
}  # fmt: skip
SMTPD = """\
smtpd_timeout = 300s
smtpd_recipient_restrictions = reject_rbl_client bl.example.test=127.0.0.2
"""
# what it asks of the DNS comes first, and is tried where there is one: tests/hosts
DNS_FIRST = {"SpfAsked"}
# wrong passwords are tried from loopback, so that the stranger is not locked out
FROM_HERE = {"SameAnswerForUnknownUser"}


def seated() -> dict[str, type[Conversation]]:
    """Every probe that connects from the stranger's seat."""
    every = {name: getattr(probes, name) for name in probes.MODULES}
    return {
        name: kind
        for name, kind in every.items()
        if isinstance(kind, type) and issubclass(kind, Conversation)
    }


def made(kind: type[Conversation], port: int) -> Conversation:
    """The probe with answers for what it must be given, at this port."""
    given: dict[str, Any] = {}
    for one in dataclasses.fields(kind):
        if one.name == "port":
            given["port"] = port
        elif one.name == "ports":
            given["ports"] = (port,)
        elif one.name in ANSWERS and (one.default is dataclasses.MISSING or one.name == "name"):
            given[one.name] = ANSWERS[one.name]
    return kind(**given)


def host() -> RecordedHost:
    """A host with ufw at work."""
    known = knowing_alice()
    known.files[UFW_CONF] = Written(b"ENABLED=yes\n")
    pem = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
    known.files["/etc/chain.pem"] = Written(pem)
    known.answers["getent passwd alice"] = Completed(
        (), 0, "alice:x:1000:1000::/home/alice:/bin/sh\n"
    )
    known.answers["postconf -x smtpd_timeout"] = Completed((), 0, SMTPD)
    known.answers["postconf -M"] = Completed((), 0, "smtp inet n - y - - smtpd\n")
    return known


def asked(probe: Conversation) -> Result:
    return probe.ask(host())


@pytest.mark.parametrize("error", [DROPPED, *REJECTED], ids=["dropped", "refused", "prohibited"])
@pytest.mark.parametrize("name", sorted(set(seated()) - DNS_FIRST - FROM_HERE))
def test_who_is_kept_out_knows_nothing(
    name: str, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    sit(monkeypatch, OUTSIDE, drops=(OUTSIDE,), error=error)
    with FakeSmtp(address=OUTSIDE) as server:
        result = asked(made(seated()[name], server.port))
    assert result.outcome is UNKNOWN, result
    assert f"{KEPT} {server.port}" in result.said
    assert f"`ufw allow {server.port}/tcp`" in result.fix
    assert result.suggests in to_be_chosen()


def to_be_chosen() -> set[str]:
    """What may be suggested: a step that can be left out."""
    return {step.id for step in STEPS if step.optional}


@pytest.mark.parametrize("name", ["ImapGreeting", "SubmissionPorts", "SmtpGreeting"])
def test_a_server_that_does_not_greet_at_home_either_has_failed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sit(monkeypatch, OUTSIDE, drops=(OUTSIDE,))
    with FakeSmtp(address=OUTSIDE, banner=b"554 no") as server:
        result = asked(made(seated()[name], server.port))
    assert (result.outcome, "no answer in time" in result.said) == (FAIL, True), result
    result = asked(made(seated()[name], server.port))
    assert (result.outcome, "nobody listens" in result.said) == (FAIL, True), result


@pytest.mark.parametrize("name", ["PopClosed", "SieveNotInClear", "NoPlaintextImap"])
def test_where_nobody_listens_a_dropped_port_is_closed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sit(monkeypatch, OUTSIDE, drops=(OUTSIDE,))
    with FakeSmtp(address=OUTSIDE) as server:
        port = server.port
    result = asked(made(seated()[name], port))
    assert (result.outcome, "closed" in result.said) == (PASS, True), result


def test_the_own_networks_too_are_asked_for_no_password_in_clear(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in (probes.NoPlaintextImap, probes.ClearLoginRefused, probes.ImapNoInjection):
        sit(monkeypatch, OUTSIDE, drops=(OUTSIDE,))
        with FakeImap(pki, wrapped=False).server() as server:
            result = asked(kind(port=server.port))
        assert (result.outcome, "strangers are kept out" in result.said) == (PASS, True), result
    with FakeImap(pki, wrapped=False, clear="IMAP4rev1 AUTH=PLAIN").server() as server:
        result = asked(probes.NoPlaintextImap(port=server.port))
    assert result.outcome is FAIL


def test_who_refuses_and_listens_elsewhere_is_no_firewall() -> None:
    with FakeSmtp() as server:
        trouble = CannotAsk(Trouble.REFUSED, "refused")
        assert Wall(host()).judged(trouble, OUTSIDE, server.port, ("127.0.0.1",)) is trouble
        kept = Wall(host()).judged(Filtered("dropped"), OUTSIDE, server.port, ("127.0.0.1",))
    assert isinstance(kept, KeptOut)


@pytest.mark.parametrize(("greeting", "kept"), [("* OK ready", True), ("* BYE full", False)])
def test_a_port_that_begins_with_tls_is_greeted_at_in_tls(
    greeting: str, kept: bool, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeImap(pki, greeting=greeting).server() as server:
        monkeypatch.setattr(wall, "TLS_AT_ONCE", {server.port})
        trouble = Wall(host()).judged(Filtered("dropped"), "127.0.0.1", server.port, ())
    assert isinstance(trouble, KeptOut) is kept


def test_the_third_who_comes_need_not_wait() -> None:
    one = Wall(host())
    with FakeServer(greet) as server:
        for known in (False, False, True):
            assert bool(one.known("127.0.0.1", server.port)) is known
            one.judged(Filtered("dropped"), "127.0.0.1", server.port, ())
    assert one.known("127.0.0.1", 1) is None


def greet(connection: socket.socket) -> None:
    connection.sendall(b"+OK ready\r\n")


@pytest.mark.parametrize(
    ("files", "way"),
    [
        ({}, "`tcp dport 25 accept` in /etc/nftables.conf"),
        ({UFW_CONF: "ENABLED=yes\n"}, "`ufw allow 25/tcp`"),
        ({"/etc/iptables/rules.v4": ""}, "`iptables -I INPUT -p tcp --dport 25 -j ACCEPT`"),
    ],
)
def test_each_firewall_is_opened_by_its_own_command(files: dict[str, str], way: str) -> None:
    there = RecordedHost(files={path: Written(text.encode()) for path, text in files.items()})
    assert way in wall.by_hand(there, 25)


def test_firewalld_is_opened_for_now_and_later() -> None:
    show = "systemctl show -p UnitFileState,ActiveState firewalld.service"
    there = RecordedHost(answers={show: Completed((), 0, "UnitFileState=enabled\nActiveState=a\n")})
    assert "--permanent --add-port=25/tcp && firewall-cmd --reload" in wall.by_hand(there, 25)
