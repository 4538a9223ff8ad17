"""What `mailwizard dns` prints: the table, JSON, and files of the zones."""

from __future__ import annotations

import json

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rrset
import dns.zone
import pytest
from dns.rdtypes.ANY.TXT import TXT
from support.dnsworld import ALL, DOMAIN, FQDN, MX, REVERSE, A, World
from support.nameserver import fails

from mailwizard import dnsdesk
from mailwizard.dnsdesk.form import form, guess, rdata
from mailwizard.engine import Engine
from mailwizard.model import Record
from mailwizard.probes.zones import Zone


def test_the_steps_need_addresses_names_and_exchangers(engine: Engine) -> None:
    needed = engine.records()
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
        "how": "",
        "answer": ["192.0.2.10"],
        "ttl": 300,
        "note": "",
    }


def test_the_exit_code_is_0_when_all_is_right_or_unknown(
    world: World, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    for record in engine.records():
        world.publish(record)
    assert dnsdesk.run(engine, where=world.where) == 0
    assert "6 records: " in capsys.readouterr().out
    for each in world.everyone:
        each.faults[""] = fails(dns.rcode.SERVFAIL)
    assert dnsdesk.run(engine, where=world.where) == 0
    assert "6 records: 6 unknown." in capsys.readouterr().out


def _sections(text: str) -> dict[str, str]:
    _, *parts = text.split("$ORIGIN ")
    named = (part.partition("\n") for part in parts)
    return {name: body for name, _, body in named}


def test_each_zone_is_read_back_as_a_whole_file_with_what_was_wanted(
    world: World, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dnsdesk.run(engine, zone=True, where=world.where) == 0
    text = capsys.readouterr().out
    found = set()
    for origin, body in _sections(text).items():
        # SOA and NS are demanded at the top
        zone = dns.zone.from_text(body, origin, relativize=False, check_origin=True)
        found |= {
            (name.to_text(omit_final_dot=True), each)
            for name, node in zone.nodes.items()
            for rdataset in node
            for each in rdataset
        }
    wanted = {(one.owner, rdata(one)) for one in engine.records()}
    assert wanted <= found
    assert set(_sections(text)) == {
        "example.org.",
        "2.0.192.in-addr.arpa.",
        "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
        "example.net.",
    }
    assert "(a guess: the DNS does not tell it yet)" in text
    assert "ns1 IN A 127.0.0.2" in _sections(text)["example.net."]


def test_a_long_text_stands_in_the_zone_in_strings_of_255_octets() -> None:
    value = 'v=DKIM1; p="\\' + "é" * 400
    record = Record(f"mw._domainkey.{DOMAIN}", "TXT", value, "the key")
    zone = Zone(dns.name.from_text(DOMAIN), ())
    entry = form(record, zone, [record])
    owner, ttl, _, kind, text = entry.line.split(" ", 4)
    assert (owner, ttl, kind) == ("mw._domainkey", "3600", "TXT")
    assert entry.owner == f"mw._domainkey.{DOMAIN}."
    assert (entry.relative, entry.zone, entry.known) == ("mw._domainkey", DOMAIN, True)
    assert len(entry.chunks) == 4
    assert form(A, None, ALL).relative == "mail"
    assert form(MX, None, ALL).relative == "@"
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
