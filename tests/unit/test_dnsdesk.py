"""`mailwizard dns` against name servers that are right, wrong, late, silent, broken and hostile."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rrset
import dns.zone
import pytest
from dns.rdtypes.ANY.TXT import TXT
from support.nameserver import Fault, Server, fails, serving, silent

from mailwizard import dnsdesk
from mailwizard.answers import Answers
from mailwizard.dnsdesk import Finding, Verdict, Where
from mailwizard.dnsdesk.servers import Zone
from mailwizard.dnsdesk.text import guess
from mailwizard.dnsdesk.verdict import rdata
from mailwizard.engine import Engine
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.model import Record
from mailwizard.platform.debian import TRIXIE
from mailwizard.steps import hostname, postfix

FQDN, DOMAIN, REVERSE = "mail.example.org", "example.org", "10.2.0.192.in-addr.arpa"
A = Record(FQDN, "A", "192.0.2.10", "the address")
MX = Record(DOMAIN, "MX", f"10 {FQDN}.", "the mail")
PTR = Record(REVERSE, "PTR", f"{FQDN}.", "the name")
ALL = [A, MX, PTR]
STEPS = (hostname.STEP, postfix.STEP)
ANSWERS = f"""
[hostname]
fqdn = "{FQDN}"
address = "192.0.2.10"
address6 = "2001:db8::10"
[postfix]
domains = ["{DOMAIN}", "lists.example.net"]
"""


@dataclass
class World:
    """Two servers of the zones, this host's resolver and one that others use."""

    first: Server
    second: Server
    own: Server
    public: Server
    where: Where
    host: LocalHost

    @property
    def everyone(self) -> tuple[Server, ...]:
        return (self.first, self.second, self.own, self.public)

    def publish(
        self, record: Record, *values: str, at: tuple[Server, ...] = (), ttl: int = 300
    ) -> None:
        for each in at or self.everyone:
            each.set(record.owner, record.type, *(values or (record.value,)), ttl=ttl)

    def look(self, *records: Record) -> list[Finding]:
        return dnsdesk.look(self.host, records or ALL, self.where)

    def outcomes(self, finding: Finding) -> list[str]:
        return [str(view.outcome) for view in finding.views]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    first, second = Server("127.0.0.2"), Server("127.0.0.3")
    own, public = Server("127.0.0.4", recursive=True), Server("127.0.0.5", recursive=True)
    with serving(first, second, own, public) as port:
        where = Where((own.address,), ((public.address,),), port, 4.0)
        host = LocalHost(TRIXIE, str(tmp_path / "state"))
        world = World(first, second, own, public, where, host)
        for each in world.everyone:
            each.zones = (DOMAIN, "2.0.192.in-addr.arpa", "org", "example.net")
            for zone in (DOMAIN, "2.0.192.in-addr.arpa", "example.net"):
                each.set(zone, "NS", "ns1.example.net.", "ns2.example.net.")
        own.set("ns1.example.net", "A", first.address)
        own.set("ns2.example.net", "A", second.address)
        yield world


@pytest.fixture
def engine(world: World, tmp_path: Path) -> Iterator[Engine]:
    journal = Journal(str(tmp_path / "journal.db"), "machine", read_only=True)
    yield Engine(STEPS, Answers.from_text(ANSWERS, STEPS), world.host, journal)
    journal.close()


def test_everything_right_is_right_at_every_server(world: World) -> None:
    for record in ALL:
        world.publish(record)
    for finding in world.look():
        assert finding.outcome is Verdict.RIGHT
        assert world.outcomes(finding) == ["right"] * 4
        assert [view.view for view in finding.views] == ["authoritative"] * 2 + ["own", "public"]


def test_what_is_not_there_is_absent_and_fails(world: World) -> None:
    (finding,) = world.look(A)
    assert finding.outcome is Verdict.ABSENT
    assert finding.failed
    assert world.outcomes(finding) == ["absent"] * 4
    assert not replace(finding, record=replace(A, required=False)).failed


@pytest.mark.parametrize(
    ("record", "there"),
    [
        (A, ("192.0.2.99",)),
        (A, ("192.0.2.10", "192.0.2.99")),
        (MX, ("10 old.example.net.",)),
        (MX, ("0 .",)),
        (MX, (f"10 {FQDN}.", "0 .")),
        (PTR, ("static-10.provider.example.",)),
        (Record(DOMAIN, "TXT", "v=spf1 mx -all", ""), ('"v=spf1 a -all"',)),
        (Record(DOMAIN, "TXT", "v=spf1 mx -all", ""), ('"v=spf1 mx -all"', '"v=spf1 -all"')),
        (Record(f"s._domainkey.{DOMAIN}", "TXT", "v=DKIM1; p=AAA", ""), ('"k=rsa; p=BBB"',)),
    ],
)
def test_something_else_is_wrong_and_is_shown(
    world: World, record: Record, there: tuple[str, ...]
) -> None:
    world.publish(record, *there)
    (finding,) = world.look(record)
    assert finding.outcome is Verdict.WRONG
    assert finding.failed
    assert set(finding.views[0].answer) == {text.strip('"') for text in there}


@pytest.mark.parametrize(
    ("record", "there"),
    [
        (MX, (f"20 {FQDN.upper()}.", "30 backup.example.net.")),
        (PTR, ("other.example.org.", f"{FQDN}.")),
        (Record(DOMAIN, "TXT", "v=spf1 mx -all", ""), ('"site=abc"', '"v=spf1  MX -all"')),
        (Record(DOMAIN, "TXT", "v=DMARC1; p=none", ""), ('"v=DMARC1;p=none;"',)),
        (Record(DOMAIN, "TXT", "v=DKIM1; p=" + "A" * 300, ""), ('"v=DKIM1; p=" "{}"',)),
        (Record(DOMAIN, "CAA", '0 issue "ca.example"', ""), ('0 issue "ca.example"',)),
    ],
)
def test_what_does_not_matter_is_still_right(
    world: World, record: Record, there: tuple[str, ...]
) -> None:
    halves = "A" * 150 + '" "' + "A" * 150
    world.publish(record, *(text.replace("{}", halves) for text in there))
    assert world.look(record)[0].outcome is Verdict.RIGHT


def test_another_exchanger_that_is_preferred_is_said(world: World) -> None:
    world.publish(MX, "5 old.example.net.", f"10 {FQDN}.")
    (finding,) = world.look(MX)
    assert finding.outcome is Verdict.RIGHT
    assert "old.example.net. first" in finding.views[0].note


def test_an_old_answer_elsewhere_is_not_wrong_but_late(world: World) -> None:
    world.publish(A, at=(world.first, world.second))
    world.publish(A, "192.0.2.99", at=(world.public,), ttl=1234)
    (finding,) = world.look(A)
    assert finding.outcome is Verdict.LATE
    assert not finding.failed
    assert world.outcomes(finding) == ["right", "right", "absent", "wrong"]
    assert [view.ttl for view in finding.views[2:]] == [30, 1234]
    said = "\n".join(dnsdesk.table([finding]))
    assert "not propagated yet" in said
    assert "nothing, for up to 30 s more" in said
    assert "192.0.2.99, for up to 1234 s more" in said


def test_one_server_of_the_zone_that_lags_is_enough_to_fail(world: World) -> None:
    world.publish(A, at=(world.first, world.own, world.public))
    (finding,) = world.look(A)
    assert finding.outcome is Verdict.ABSENT
    assert "Right on 1 of the zone's 2 servers only." in "\n".join(dnsdesk.table([finding]))


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (silent, "no answer in time"),
        (fails(dns.rcode.SERVFAIL), "SERVFAIL"),
        (fails(dns.rcode.REFUSED), "REFUSED"),
        (lambda _query, _tcp: b"\x00nonsense", "no answer in time"),
        (lambda query, _tcp: dns.message.make_response(query), "does not have it"),
    ],
)
def test_a_server_that_does_not_answer_is_unknown(
    world: World, fault: Fault, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailwizard.dnsdesk.ask.SECONDS", 0.5)
    world.publish(A, at=(world.own, world.public))
    world.first.faults[FQDN] = world.second.faults[FQDN] = fault
    (finding,) = world.look(A)
    assert world.outcomes(finding) == ["unknown", "unknown", "right", "right"]
    assert why in finding.views[0].note
    assert finding.outcome is Verdict.RIGHT


def test_nobody_answers_in_time_and_nothing_fails(world: World) -> None:
    for each in world.everyone:
        each.faults[""] = silent
    begun = time.monotonic()
    findings = world.look()
    assert time.monotonic() - begun < world.where.seconds + 1
    assert {finding.outcome for finding in findings} == {Verdict.UNKNOWN}
    assert not any(finding.failed for finding in findings)
    assert "cannot be found" in findings[0].views[0].note


def test_nobody_listens_and_it_is_known_at_once(world: World) -> None:
    where = replace(world.where, own=("127.0.0.99",), public=(("127.0.0.98", "127.0.0.97"),))
    begun = time.monotonic()
    (finding,) = dnsdesk.look(world.host, [A], where)
    assert time.monotonic() - begun < 1
    assert finding.outcome is Verdict.UNKNOWN
    assert "nobody listens" in finding.views[-1].note


def test_the_second_address_answers_when_the_first_does_not(world: World) -> None:
    world.publish(A)
    where = replace(world.where, public=(("127.0.0.98", world.public.address),))
    assert dnsdesk.look(world.host, [A], where)[0].views[-1].outcome is Verdict.RIGHT


def test_a_private_server_of_a_public_zone_is_said(world: World) -> None:
    (finding,) = world.look(A)
    assert finding.views[0].server == "ns1.example.net (at 127.0.0.2, a private address)"


def _for_another_name(query: dns.message.Message, _tcp: bool) -> dns.message.Message:
    said = dns.message.make_response(query)
    said.flags |= dns.flags.AA
    said.answer.append(dns.rrset.from_text("evil.example.", 60, "IN", "A", "192.0.2.10"))
    return said


def test_an_answer_for_another_name_is_no_answer(world: World) -> None:
    for each in (world.first, world.second):
        each.faults[FQDN] = _for_another_name
    (finding,) = world.look(A)
    assert world.outcomes(finding)[:2] == ["unknown", "unknown"]
    assert "another name" in finding.views[0].note


def test_a_flood_of_records_is_no_answer(world: World) -> None:
    world.publish(MX, *(f"{n} mx{n}.example.net." for n in range(1000)))
    (finding,) = world.look(MX)
    assert world.outcomes(finding) == ["unknown"] * 4
    assert "more than 100" in finding.views[0].note


def test_a_cut_answer_is_fetched_over_tcp_or_unknown(world: World) -> None:
    long = Record(DOMAIN, "TXT", "v=x " + "y" * 3000, "")
    for each in world.everyone:
        each.set(DOMAIN, "TXT", rdata(long).to_text())
    plain = world.public._plain
    world.public.faults[""] = lambda query, tcp: None if tcp else plain(query, tcp)
    (finding,) = world.look(long)
    assert world.outcomes(finding) == ["right", "right", "right", "unknown"]
    assert "over TCP" in finding.views[-1].note


def test_a_circle_of_aliases_is_wrong(world: World) -> None:
    for each in world.everyone:
        each.set(FQDN, "CNAME", f"x.{DOMAIN}.")
        each.set(f"x.{DOMAIN}", "CNAME", f"{FQDN}.")
    (finding,) = world.look(A)
    assert finding.outcome is Verdict.WRONG
    assert finding.views[0].answer[:2] == (f"CNAME x.{DOMAIN}.", f"CNAME {FQDN}.")


def test_a_chain_of_eight_aliases_is_followed_and_of_nine_is_not(world: World) -> None:
    text = Record("l0.example.org", "TXT", "v=x", "")
    for each in world.everyone:
        for n in range(8):
            each.set(f"l{n}.example.org", "CNAME", f"l{n + 1}.example.org.")
        each.set("l8.example.org", "TXT", "v=x")
    assert world.look(text)[0].outcome is Verdict.RIGHT
    for each in world.everyone:
        del each.records["l8.example.org", "TXT"]
        each.set("l8.example.org", "CNAME", "l9.example.org.")
        each.set("l9.example.org", "TXT", "v=x")
    assert world.look(text)[0].outcome is Verdict.WRONG


def test_a_reverse_name_in_somebody_elses_zone_is_followed_there(world: World) -> None:
    for each in (world.first, world.second):
        each.zones = ("2.0.192.in-addr.arpa",)
        each.set(REVERSE, "CNAME", "10.customer.example.net.")
    third = world.public
    third.set("10.customer.example.net", "PTR", f"{FQDN}.")
    third.recursive = False
    world.own.set("example.net", "NS", "ns3.example.net.")
    world.own.set("ns3.example.net", "A", third.address)
    (finding,) = world.look(PTR)
    assert world.outcomes(finding)[:2] == ["right", "right"]


def test_control_bytes_from_the_network_never_come_out(world: World) -> None:
    hostile = "v=spf1 \\027]52;c;aGk=\\007\\010 \\226\\128\\174 \\155"
    record = Record(DOMAIN, "TXT", "v=spf1 -all", "")
    world.publish(record, f'"{hostile}"')
    world.publish(MX, "10 \\027[2J.example.net.")
    findings = world.look(record, MX)
    lines = list(dnsdesk.table(findings))
    assert findings[0].outcome is Verdict.WRONG
    assert all(line.isprintable() for line in lines)
    assert "^[" in "\n".join(lines)
    assert all(text.isprintable() for one in findings for v in one.views for text in v.answer)


def test_no_line_of_the_table_is_too_long(world: World) -> None:
    long = Record(f"mw._domainkey.{DOMAIN}", "TXT", "v=DKIM1; p=" + "M" * 400, "why " * 40)
    reverse = Record("1." + "0." * 31 + "ip6.arpa", "PTR", f"{FQDN}.", "the name", required=False)
    world.publish(long, '"' + "z" * 200 + '" "' + "z" * 200 + '"')
    lines = list(dnsdesk.table(world.look(long, reverse, *ALL)))
    assert max(map(len, lines)) <= 78
    assert any(line.startswith("warn  1.0.0.") for line in lines)


# the commands --------------------------------------------------------------------------------


def test_the_steps_need_addresses_names_and_exchangers(engine: Engine) -> None:
    needed = dnsdesk.records(engine)
    assert [(one.owner.split(".")[0], one.type, one.value) for one in needed] == [
        ("mail", "A", "192.0.2.10"),
        ("10", "PTR", f"{FQDN}."),
        ("mail", "AAAA", "2001:db8::10"),
        ("0", "PTR", f"{FQDN}."),
        ("example", "MX", f"10 {FQDN}."),
        ("lists", "MX", f"10 {FQDN}."),
    ]
    assert all(one.required and one.why for one in needed)


def test_json_is_for_programs(
    world: World, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    world.publish(A)
    assert dnsdesk.run(engine, as_json=True, where=world.where) == 1
    first, *others = json.loads(capsys.readouterr().out)["records"]
    assert len(others) == 5
    assert {"owner", "type", "value", "required", "outcome", "views"} <= set(first)
    assert first["outcome"] == "right"
    assert first["views"][-1] == {
        "view": "public",
        "server": "127.0.0.5 (public)",
        "outcome": "right",
        "answer": ["192.0.2.10"],
        "ttl": 300,
        "note": "",
    }


def test_the_exit_code_is_0_when_all_is_right_or_unknown(
    world: World, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    for record in dnsdesk.records(engine):
        world.publish(record)
    assert dnsdesk.run(engine, where=world.where) == 0
    assert "6 records: " in capsys.readouterr().out
    for each in world.everyone:
        each.faults[""] = fails(dns.rcode.SERVFAIL)
    assert dnsdesk.run(engine, where=world.where) == 0
    assert "6 records: 6 unknown." in capsys.readouterr().out


def _sections(text: str) -> dict[str, str]:
    head, *parts = text.split("$ORIGIN ")
    ttl = next(line for line in head.splitlines() if line.startswith("$TTL"))
    named = (part.partition("\n") for part in parts)
    return {name: f"{ttl}\n{body}" for name, _, body in named}


def test_the_zone_text_is_read_back_as_what_was_wanted(
    world: World, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dnsdesk.run(engine, zone=True, where=world.where) == 0
    text = capsys.readouterr().out
    soa = "@ SOA ns.example.net. me.example.net. 1 60 60 60 60\n@ NS ns.example.net.\n"
    found = set()
    for origin, body in _sections(text).items():
        ttl, _, records = body.partition("\n")
        zone = dns.zone.from_text(f"{ttl}\n{soa}{records}", origin, relativize=False)
        found |= {
            (name.to_text(omit_final_dot=True), each)
            for name, node in zone.nodes.items()
            for rdataset in node
            for each in rdataset
        }
    wanted = {(one.owner, rdata(one)) for one in dnsdesk.records(engine)}
    assert wanted <= found
    assert set(_sections(text)) == {
        "example.org.",
        "2.0.192.in-addr.arpa.",
        "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
        "example.net.",
    }
    assert "(a guess: the DNS does not tell it yet)" in text


def test_a_long_text_stands_in_the_zone_in_strings_of_255_octets() -> None:
    value = 'v=DKIM1; p="\\' + "é" * 400
    record = Record(f"mw._domainkey.{DOMAIN}", "TXT", value, "the key")
    zone = Zone(dns.name.from_text(DOMAIN), ())
    *_, line = dnsdesk.zone_text([record], {record.owner: zone})
    owner, _, kind, text = line.split(" ", 3)
    assert (owner, kind) == ("mw._domainkey", "TXT")
    parsed = dns.rdata.from_text("IN", "TXT", text)
    assert isinstance(parsed, TXT)
    assert max(map(len, parsed.strings)) == 255
    assert b"".join(parsed.strings).decode() == value


@pytest.mark.parametrize(
    ("owner", "zone"),
    [
        (FQDN, "example.org."),
        ("mail.dc1.example.com", "dc1.example.com."),
        ("example.com", "example.com."),
        (f"_dmarc.{DOMAIN}", "example.org."),
        (REVERSE, "2.0.192.in-addr.arpa."),
    ],
)
def test_where_the_dns_tells_no_zone_it_is_guessed(owner: str, zone: str) -> None:
    assert guess(owner, ALL).to_text() == zone
