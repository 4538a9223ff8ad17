"""The resolver and the blocklists asked through it: right, refused, closed, and out of reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest
from support.fake_servers import FakeSmtp
from support.nameserver import Server, fails, serving
from support.recorded import RecordedHost, Written
from support.verdicts import FAIL, PASS, SKIPPED, UNKNOWN, WARN, checked

from mailwizard import probes
from mailwizard.model import Completed, Outcome

HERE, USER = "127.0.0.1", "alice@example.test"
ZEN = "zen.spamhaus.org"
ENTRY = f"{ZEN}=127.0.0.[2..11]"
LISTED, NEVER = f"2.0.0.127.{ZEN}", f"1.0.0.127.{ZEN}"


def resolver(**records: Sequence[str]) -> Server:
    made = Server(HERE, recursive=True, zones=(ZEN, "dbl.spamhaus.org"))
    names = {"listed": LISTED, "never": NEVER}
    for name, values in records.items():
        made.set(names.get(name, name.replace("_", ".")), "A", *values)
    return made


@pytest.mark.parametrize(
    ("server", "outcome", "said"),
    [
        (resolver(listed=["127.0.0.2", "127.0.0.4"]), PASS, "answers as it should"),
        (resolver(), FAIL, "does not list its own test entry"),
        (resolver(listed=["127.0.0.2"], never=["127.0.0.2"]), FAIL, "would refuse everybody"),
        (resolver(listed=["127.255.255.254"]), FAIL, "public one"),
        (resolver(never=["127.255.255.252"]), FAIL, "no list of that name"),
        (resolver(listed=["127.0.0.99"]), FAIL, "does not take"),
    ],
)
def test_a_list_is_believed_by_its_test_entries(
    server: Server, outcome: Outcome, said: str
) -> None:
    with serving(server) as port:
        probe = probes.BlocklistsAnswer((ENTRY,), nameservers=(HERE,), dns_port=port)
        checked(probe.ask(RecordedHost()), outcome, said)
        unused = probes.BlocklistsAnswer((), nameservers=(HERE,), dns_port=port)
        checked(unused.ask(RecordedHost()), SKIPPED, said if outcome is FAIL else "none is chosen")


def test_a_list_of_domains_has_test_entries_of_its_own() -> None:
    server = resolver()
    server.set("dbltest.com.dbl.spamhaus.org", "A", "127.0.1.2")
    with serving(server) as port:
        lists = ("dbl.spamhaus.org=127.0.1.[2..99]",)
        probe = probes.BlocklistsAnswer(lists, nameservers=(HERE,), dns_port=port)
        checked(probe.ask(RecordedHost()), PASS)


def test_a_list_that_cannot_be_reached_is_unknown() -> None:
    server = resolver()
    server.faults[""] = fails(dns.rcode.SERVFAIL)
    with serving(server) as port:
        probe = probes.BlocklistsAnswer((ENTRY,), nameservers=(HERE,), dns_port=port)
        checked(probe.ask(RecordedHost()), UNKNOWN, "SERVFAIL")


def authentic(query: dns.message.Message, _over_tcp: bool) -> dns.message.Message:
    said = dns.message.make_response(query)
    said.flags |= dns.flags.AD
    return said


@pytest.mark.parametrize(
    ("fault", "outcome"), [(authentic, PASS), (None, WARN), (lambda *_: None, UNKNOWN)]
)
def test_a_resolver_here_must_validate(fault: Any, outcome: Outcome) -> None:
    server = resolver()
    if fault:
        server.faults[""] = fault
    with serving(server) as port:
        probe = probes.ResolverTrusted(nameservers=(HERE,), dns_port=port)
        checked(probe.ask(RecordedHost()), outcome)


@pytest.mark.parametrize("resolv", ["nameserver 9.9.9.9", "nameserver 127.0.0.1\nnameserver ::2"])
def test_a_resolver_elsewhere_is_a_warning(resolv: str) -> None:
    host = RecordedHost(files={"/etc/resolv.conf": Written(f"{resolv}\n".encode())})
    checked(probes.ResolverTrusted().ask(host), WARN, "this host asks")


def getent(**answers: tuple[int, str]) -> RecordedHost:
    names = {"listed": LISTED, "never": NEVER}
    commands = {
        f"getent ahostsv4 {names[key]}.": Completed((), code, out)
        for key, (code, out) in answers.items()
    }
    return RecordedHost(answers=commands)


@pytest.mark.parametrize(
    ("host", "why"),
    [
        (getent(listed=(0, "127.0.0.2 STREAM x\n127.0.0.2 DGRAM\n"), never=(2, "")), ""),
        (getent(listed=(2, ""), never=(2, "")), "does not list its own"),
        (getent(listed=(0, "127.255.255.254 STREAM x\n"), never=(2, "")), "public one"),
        (getent(listed=(0, "127.0.0.2 S x\n"), never=(0, "127.0.0.2 S x\n")), "refuse everybody"),
    ],
)
def test_why_a_list_is_not_asked_by_default(host: RecordedHost, why: str) -> None:
    found = probes.why_not(host, ENTRY)
    assert why in found
    assert bool(why) is bool(found)


def test_a_silent_resolver_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailwizard.probes.resolver._silent", {})
    host = getent(listed=(124, ""))
    host.files["/etc/resolv.conf"] = Written(b"nameserver 192.0.2.53\n")
    assert "does not answer" in probes.why_not(host, ENTRY)
    assert "does not answer" in probes.why_not(host, ENTRY)
    assert len(host.asked) == 1


def restricted(value: str) -> RecordedHost:
    stages = ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data")
    names = [f"smtpd_{stage}_restrictions" for stage in stages]
    lines = "".join(f"{n} = {value if 'recipient' in n else ''}\n" for n in names)
    return RecordedHost(
        answers={
            f"postconf -x {' '.join(names)}": Completed((), 0, lines),
            "postconf -Px": Completed((), 0, ""),
            "postconf -M": Completed((), 0, "smtp inet n - y - - smtpd\n"),
        }
    )


@pytest.mark.parametrize(
    ("value", "reply", "server", "outcome", "said"),
    [
        (f"reject_rbl_client {ENTRY}", b"250 ok", resolver(listed=["127.0.0.2"]), PASS, "let in"),
        (f"reject_rbl_client {ZEN}", b"250 ok", resolver(), FAIL, "takes an error message"),
        ("permit_mynetworks", b"250 ok", resolver(), FAIL, "does not ask"),
        (f"reject_rbl_client {ENTRY}", b"250 ok", resolver(), UNKNOWN, "own test entry"),
        (
            f"reject_rbl_client {ENTRY}",
            b"554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org",
            resolver(listed=["127.0.0.2"]),
            FAIL,
            "on no list is refused",
        ),
        (
            f"reject_rbl_client {ENTRY}",
            b"450 4.2.0 Greylisted",
            resolver(listed=["127.0.0.2"]),
            UNKNOWN,
            "was not seen",
        ),
    ],
)
def test_blocklists_in_use(
    value: str, reply: bytes, server: Server, outcome: Outcome, said: str
) -> None:
    with serving(server) as dns_port, FakeSmtp(recipient=lambda *_: reply) as smtp:
        probe = probes.RefusesListed((ENTRY,), USER, (HERE,), dns_port, server=HERE, port=smtp.port)
        checked(probe.ask(restricted(value)), outcome, said)


def test_without_a_list_there_is_nothing_to_ask() -> None:
    probe = probes.RefusesListed((), USER, server=HERE)
    checked(probe.ask(restricted("permit_mynetworks")), SKIPPED)
    checked(probe.ask(restricted("reject_rhsbl_helo multi.example.net")), FAIL, "error message")


def test_a_resolver_of_its_own_must_find_names() -> None:
    with serving(resolver(listed=["127.0.0.2"])) as port:
        probe = probes.OwnResolverAnswers(ZEN, nameservers=(HERE,), dns_port=port)
        checked(probe.ask(RecordedHost()), PASS, "answers")
    checked(probe.ask(RecordedHost()), FAIL, HERE)
