"""Name servers that are silent, broken, cut off and hostile (R24): unknown stays unknown."""

from __future__ import annotations

from dataclasses import replace

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rrset
import dns.zone
import pytest
from support.dnsworld import ALL, DOMAIN, FQDN, MX, A, World
from support.nameserver import Fault, fails, silent

from mailwizard import dnsdesk
from mailwizard.dnsdesk import Verdict
from mailwizard.dnsdesk.form import rdata
from mailwizard.model import Record


@pytest.mark.usefixtures("impatient")
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
def test_a_server_that_does_not_answer_is_unknown(world: World, fault: Fault, why: str) -> None:
    world.publish(A, at=(world.own, world.public))
    world.first.faults[FQDN] = world.second.faults[FQDN] = fault
    (finding,) = world.look(A)
    assert world.outcomes(finding) == ["unknown", "unknown", "right", "right"]
    assert why in finding.views[0].note
    assert finding.outcome is Verdict.RIGHT


def test_nobody_answers_in_time_and_nothing_fails(world: World) -> None:
    for each in world.everyone:
        each.faults[""] = silent
    findings = dnsdesk.look(world.host, ALL, replace(world.where, seconds=1.5))
    assert {finding.outcome for finding in findings} == {Verdict.UNKNOWN}
    assert not any(finding.failed for finding in findings)
    assert "cannot be found" in findings[0].views[0].note


def test_when_the_time_is_over_nobody_is_asked_any_more(world: World) -> None:
    findings = dnsdesk.look(world.host, ALL, replace(world.where, seconds=0))
    assert {finding.outcome for finding in findings} == {Verdict.UNKNOWN}
    assert not any(each.asked for each in world.everyone)


def test_where_nobody_listens_that_is_what_is_said(world: World) -> None:
    where = replace(world.where, own=("127.0.0.99",), public=(("127.0.0.98", "127.0.0.97"),))
    (finding,) = dnsdesk.look(world.host, [A], where)
    assert finding.outcome is Verdict.UNKNOWN
    assert "nobody listens" in finding.views[-1].note


def test_the_second_address_answers_when_the_first_does_not(world: World) -> None:
    world.publish(A)
    where = replace(world.where, public=(("127.0.0.98", world.public.address),))
    assert dnsdesk.look(world.host, [A], where)[0].views[-1].outcome is Verdict.RIGHT


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
