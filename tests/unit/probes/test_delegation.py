"""A zone's servers, its signatures, TCP and wildcards; servers that cannot be asked are unknown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import dns.dnssec
import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import pytest
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from support.dnsworld import DOMAIN, World, made_world
from support.nameserver import Fault, Server, fails, silent

from mailwizard.model import Outcome, Probe, Result
from mailwizard.probes import (
    KeysVouchedFor,
    LongTextsHeard,
    NoWildcard,
    SignaturesHold,
    ZoneServers,
)
from mailwizard.probes import nameserver as client

PASS, WARN, FAIL, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN
NAME = f"mw._domainkey.{DOMAIN}"
KEY = dns.rdata.from_text(
    "IN", "DNSKEY", "257 3 13 " + "oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XN" * 2
)
OLD = dns.rdata.from_text("IN", "DNSKEY", "257 3 5 AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTO")
SOA = f"ns1.example.net. me.{DOMAIN}. {{}} 60 60 60 30"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(client, "SECONDS", 4)
    with made_world(tmp_path) as world:
        yield world


def ask(world: World, kind: type, argument: object) -> Result:
    probe: Probe = kind(argument, nameservers=world.where.own, dns_port=world.where.port)
    result = probe.ask(world.host)
    assert probe.by_hand.startswith("dig ")
    if result.outcome is not PASS:
        assert result.expected
        assert result.fix
    return result


def meets(result: Result, outcome: Outcome, said: str) -> None:
    plain = re.sub(r" \(at [0-9.]+, a private address\)", "", result.said)
    assert (result.outcome, said in plain) == (outcome, True), result


def test_two_servers_with_the_same_zone(world: World) -> None:
    result = ask(world, ZoneServers, DOMAIN)
    meets(result, PASS, "ns1.example.net, ns2.example.net")
    assert any("example.org SOA: ns1.example.net. me" in row for row in result.transcript)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (silent, "ns2.example.net, a server of example.org: over UDP: no answer in time"),
        (fails(dns.rcode.REFUSED), "answers REFUSED"),
        (lambda query, _tcp: dns.message.make_response(query), "does not have it"),
    ],
)
def test_a_server_that_does_not_have_its_zone(
    world: World, fault: Fault, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SECONDS", 1.5)
    world.second.faults[""] = fault
    meets(ask(world, ZoneServers, DOMAIN), FAIL, said)
    world.first.faults[""] = fault
    meets(ask(world, ZoneServers, DOMAIN), UNKNOWN, "no server of example.org answers this host")


def test_servers_that_disagree_or_are_one(world: World) -> None:
    world.second.set(DOMAIN, "SOA", SOA.format(6))
    meets(ask(world, ZoneServers, DOMAIN), WARN, "ns1.example.net has 7, ns2.example.net has 6")
    world.second.set(DOMAIN, "SOA", SOA.format(7))
    world.own.set("ns2.example.net", "A", world.first.address)
    meets(ask(world, ZoneServers, DOMAIN), WARN, "one server only")
    # both families of one server are still one
    world.own.set("ns2.example.net", "AAAA", "2001:db8::53")
    meets(ask(world, ZoneServers, DOMAIN), WARN, "one server only")


def test_a_server_without_address_and_one_without_a_way(world: World) -> None:
    del world.own.records["ns2.example.net", "A"]
    meets(ask(world, ZoneServers, DOMAIN), FAIL, "has no address")
    # nothing is routed there
    world.own.set("ns2.example.net", "A", "255.255.255.255")
    meets(ask(world, ZoneServers, DOMAIN), UNKNOWN, "ns2.example.net cannot be reached from here")


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        *((kind, DOMAIN) for kind in (ZoneServers, SignaturesHold, KeysVouchedFor, NoWildcard)),
        (LongTextsHeard, (NAME,)),
    ],
)
def test_a_resolver_that_fails_is_unknown(
    world: World, kind: type, argument: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SECONDS", 0.3)
    for fault in (silent, fails(dns.rcode.SERVFAIL), fails(dns.rcode.REFUSED)):
        world.own.faults[""] = fault
        assert ask(world, kind, argument).outcome is UNKNOWN


def bogus(query: dns.message.Message, _tcp: bool) -> dns.message.Message:
    """As a resolver that checks, and finds that the signatures do not fit."""
    said = dns.message.make_response(query)
    said.flags |= dns.flags.RA
    if not query.flags & dns.flags.CD:
        said.set_rcode(dns.rcode.SERVFAIL)
    return said


def test_signatures(world: World) -> None:
    meets(ask(world, SignaturesHold, DOMAIN), PASS, "not signed, or")
    plain = world.own._plain

    def proved(query: dns.message.Message, tcp: bool) -> dns.message.Message:
        said = plain(query, tcp)
        said.flags |= dns.flags.AD
        return said

    world.own.faults[DOMAIN] = proved
    meets(ask(world, SignaturesHold, DOMAIN), PASS, "the signatures hold")
    world.own.faults[DOMAIN] = bogus
    meets(ask(world, SignaturesHold, DOMAIN), FAIL, "do not hold: answers SERVFAIL")


def ds(key: dns.rdata.Rdata, digest: str = "SHA256") -> str:
    made = dns.dnssec.make_ds(f"{DOMAIN}.", key, digest, policy=dns.dnssec.allow_all_policy)
    return made.to_text()


def other() -> dns.rdata.Rdata:
    assert isinstance(KEY, DNSKEY)
    return KEY.replace(key=KEY.key[::-1])


@pytest.mark.parametrize(
    ("keys", "above", "outcome", "said"),
    [
        ([], [], PASS, "is not signed"),
        ([KEY], [], PASS, "nobody checks"),
        ([KEY], [ds(KEY)], PASS, "names its key"),
        ([KEY], [ds(other()), ds(KEY, "SHA384")], PASS, "names its key"),
        ([], [ds(KEY)], FAIL, "has no key"),
        ([KEY], [ds(other())], FAIL, "which example.org lacks"),
        ([KEY], [ds(KEY, "SHA1")], WARN, "algorithm 13, digest 1 are old"),
        ([OLD], [ds(OLD)], WARN, "algorithm 5, digest 2 are old"),
        ([KEY], ["1 13 9 00"], FAIL, "lacks"),
    ],
)
def test_what_the_zone_above_says(
    world: World, keys: list[dns.rdata.Rdata], above: list[str], outcome: Outcome, said: str
) -> None:
    for each in (world.first, world.second):
        if keys:
            each.set(DOMAIN, "DNSKEY", *(key.to_text() for key in keys))
    if above:
        world.own.set(DOMAIN, "DS", *above)
    meets(ask(world, KeysVouchedFor, DOMAIN), outcome, said)


def no_tcp(server: Server) -> Fault:
    return lambda query, tcp: None if tcp else server._plain(query, tcp)


@pytest.mark.parametrize("length", [100, 3000])
def test_texts_over_tcp(world: World, length: int) -> None:
    strings = " ".join(f'"{"y" * 250}"' for _ in range(0, length, 250))
    for each in (world.first, world.second):
        each.set(NAME, "TXT", f'"v=DKIM1; p=" {strings}')
    meets(ask(world, LongTextsHeard, (NAME,)), PASS, "the same over UDP and TCP")
    world.second.faults[""] = no_tcp(world.second)
    meets(ask(world, LongTextsHeard, (NAME,)), FAIL, "ns2.example.net: no answer over TCP")
    # nobody is heard over TCP: it may be this host's own way out
    world.first.faults[""] = no_tcp(world.first)
    meets(ask(world, LongTextsHeard, (NAME,)), UNKNOWN, "and from here none comes from others")
    # the servers of the zone above are heard
    above = Server("127.0.0.6", zones=("org",))
    above.set("org", "SOA", "a.nic.example.net. me. 1 60 60 60 30")
    world.own.set("org", "NS", "a.nic.example.net.")
    world.own.set("a.nic.example.net", "A", above.address)
    with world.beside(above):
        meets(ask(world, LongTextsHeard, (NAME,)), FAIL, "no answer over TCP")


def test_two_programs_on_one_port(world: World) -> None:
    def double(query: dns.message.Message, tcp: bool) -> dns.message.Message:
        world.first.set(NAME, "TXT", '"new"' if tcp else '"old"')
        return world.first._plain(query, tcp)

    world.first.faults[NAME] = double
    meets(ask(world, LongTextsHeard, (NAME,)), FAIL, "says something else")


@pytest.mark.parametrize(
    ("suffix", "kind", "value"),
    [
        ("", "TXT", "v=spf1 -all"),
        ("", "CNAME", "parking.example.net."),
        ("._domainkey", "TXT", "v=DKIM1; p="),
    ],
)
def test_a_wildcard(world: World, suffix: str, kind: str, value: str) -> None:
    meets(ask(world, NoWildcard, DOMAIN), PASS, "made-up names")
    plain = world.own._plain

    def star(query: dns.message.Message, tcp: bool) -> dns.message.Message:
        name = query.question[0].name.to_text(omit_final_dot=True)
        if name.endswith(f"{suffix}.{DOMAIN}") and not name.startswith("_dmarc"):
            world.own.set(name, kind, f'"{value}"' if kind == "TXT" else value)
        return plain(query, tcp)

    world.own.faults[""] = star
    result = ask(world, NoWildcard, DOMAIN)
    meets(result, WARN, f"has {kind}")
    assert f"*{suffix}.{DOMAIN} {kind}" in result.fix
