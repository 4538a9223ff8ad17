"""Every way in which a record goes wrong is called by its name."""

from __future__ import annotations

from dataclasses import replace

import dns.flags
import dns.rcode
import pytest
from support.dnsworld import DOMAIN, FQDN, MX, PTR, A, World
from support.nameserver import Server, fails

from mailwizard import dnsdesk
from mailwizard.dnsdesk import Finding, How, Verdict
from mailwizard.model import Record

KEY = "v=DKIM1; k=rsa; p=" + "MIIBIjANBgkqhki/" * 20
DKIM = Record(f"mw._domainkey.{DOMAIN}", "TXT", KEY, "the key")
SPF = Record(DOMAIN, "TXT", "v=spf1 mx -all", "the senders")
DMARC = Record(f"_dmarc.{DOMAIN}", "TXT", "v=DMARC1; p=none", "the policy")
SRV = Record(f"_imaps._tcp.{DOMAIN}", "SRV", f"0 1 993 {FQDN}.", "reading")
CAA = Record(FQDN, "CAA", '0 issue "ca.example"', "the authority")


def chunks(text: str) -> str:
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))


def one(world: World, record: Record) -> Finding:
    (finding,) = world.look(record)
    said = "\n".join(dnsdesk.table([finding]))
    assert not finding.how or finding.how.capitalize() in said
    return finding


@pytest.mark.parametrize(
    ("record", "there", "how"),
    [
        (DKIM, [f'"{KEY[:255]}"'], How.CUT),
        (DKIM, [f'"\\"{KEY[:200]}\\" \\"" "{KEY[200:]}\\""'], How.QUOTED),
        (SPF, ['"\\"v=spf1 mx -all\\""'], How.QUOTED),
        (DMARC, ['"v=DMARC1\\\\; p=none"'], How.QUOTED),
        (DKIM, [f'"v=DKIM1; k=r sa; p=" {chunks(KEY[18:])}'], How.BLANKS),
        (SPF, ['" v=spf1 mx -all"'], How.BLANKS),
        (SPF, ['"v=spf1 m x -all"'], How.BLANKS),
        (DMARC, ['"v=DMARC1; p=no ne"'], How.BLANKS),
        (SPF, ['"v=spf1 mx -all"', '"v=spf1 include:x.example -all"'], How.SEVERAL),
        (DMARC, ['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'], How.SEVERAL),
        (DKIM, [chunks(KEY), '"v=DKIM1; p=AAA"'], How.SEVERAL),
        (A, [A.value, "192.0.2.99"], How.SEVERAL),
        (MX, [f"10 {FQDN}.{DOMAIN}."], How.DOUBLED),
        (SRV, [f"0 1 993 {FQDN}.{DOMAIN}."], How.DOUBLED),
        (PTR, [f"{FQDN}.2.0.192.in-addr.arpa."], How.DOUBLED),
        (PTR, ["static.provider.example."], How.OTHER),
        (SRV, ["0 0 0 ."], How.OTHER),
        (CAA, ['0 issue "other.example"'], How.OTHER),
        (SPF, ['"v=spf1 a -all"'], How.LACKS),
        (SPF, ['"v=spf1 mx include:x.example ~all"'], How.OTHER),
        (SPF, ['"v=spf1 include:x.example -all"'], How.LACKS),
    ],
)
def test_a_wrong_value_is_named(world: World, record: Record, there: list[str], how: How) -> None:
    world.publish(record, *there)
    finding = one(world, record)
    assert finding.outcome is Verdict.WRONG
    assert finding.how is how


@pytest.mark.parametrize(
    ("record", "there"),
    [
        (DKIM, chunks(KEY)),
        (DKIM, f'"v=DKIM1;k=rsa;p={KEY[18:118]}" "{KEY[118:]}"'),
        (SRV, f"5 50 993 {FQDN}."),
        (CAA, '0 issue "ca.example; validationmethods=http-01"'),
    ],
)
def test_what_says_the_same_is_right(world: World, record: Record, there: str) -> None:
    world.publish(record, there)
    assert one(world, record).outcome is Verdict.RIGHT


@pytest.mark.parametrize("record", [A, DKIM, replace(MX, owner=f"lists.{DOMAIN}")])
def test_a_name_that_got_the_zone_twice_is_found(world: World, record: Record) -> None:
    world.publish(replace(record, owner=f"{record.owner}.{DOMAIN}"), chunks(record.value)
                  if record.type == "TXT" else record.value)  # fmt: skip
    finding = one(world, record)
    assert (finding.outcome, finding.how) == (Verdict.WRONG, How.DOUBLED)
    assert f"{record.owner}.{DOMAIN}" in finding.note


def test_an_old_answer_is_told_from_a_wrong_one(world: World) -> None:
    world.publish(A, at=(world.first, world.second, world.own))
    world.publish(A, "192.0.2.99", at=(world.public,), ttl=77)
    finding = one(world, A)
    assert (finding.outcome, finding.how) == (Verdict.LATE, How.CACHED)
    assert (finding.views[-1].how, finding.views[-1].ttl) == (How.CACHED, 77)


def test_a_resolver_with_a_zone_of_its_own_is_a_split_horizon(world: World) -> None:
    world.publish(A)
    world.publish(A, "10.0.0.5", at=(world.own,))
    finding = one(world, A)
    assert (finding.outcome, finding.how) == (Verdict.RIGHT, How.SPLIT)
    assert next(iter(dnsdesk.table([finding]))).startswith("warn")


def test_servers_that_only_the_inside_reaches_are_a_split_horizon(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailwizard.probes.zones._is_internal", lambda _address: True)
    world.publish(A, "10.0.0.5", at=(world.first, world.second, world.own))
    world.publish(A, at=(world.public,))
    finding = one(world, A)
    assert (finding.outcome, finding.how) == (Verdict.RIGHT, How.SPLIT)


def test_servers_that_disagree_are_shown_with_their_serials(world: World) -> None:
    world.publish(A, at=(world.first, world.own))
    world.first.set(DOMAIN, "SOA", "ns1.example.net. me.example.net. 8 60 60 60 30")
    finding = one(world, A)
    assert (finding.outcome, finding.how) == (Verdict.ABSENT, How.DISAGREE)
    assert "ns1.example.net (at 127.0.0.2, a private address) has 8" in finding.note
    assert "Right on 1 of the zone's 2 servers only." in finding.note


def test_a_hidden_primary_that_has_it_is_named(world: World) -> None:
    hidden = Server("127.0.0.6", zones=(DOMAIN,))
    head = "hidden.example.net. me.example.net. {} 60 60 60 30"
    for each in (world.first, world.second):
        each.set(DOMAIN, "SOA", head.format(7))
    world.own.set("hidden.example.net", "A", hidden.address)
    hidden.set(DOMAIN, "SOA", head.format(8))
    with world.beside(hidden):
        # it holds the old zone too: nothing is explained by it
        assert one(world, MX).how is How.NOTHING
        hidden.set(DOMAIN, "MX", MX.value)
        finding = one(world, MX)
    assert (finding.outcome, finding.how) == (Verdict.ABSENT, How.PRIMARY)
    assert finding.failed
    assert (finding.views[-1].view, finding.views[-1].outcome) == ("primary", Verdict.RIGHT)
    assert "has 8" in finding.note
    # and one that answers nobody leaves everything as it is
    assert one(world, MX).how is How.NOTHING


def test_a_dead_resolver_of_this_host_leaves_the_others_to_be_asked(world: World) -> None:
    world.publish(A)
    for name in ("ns1.example.net", "ns2.example.net"):
        world.public.records[name, "A"] = world.own.records[name, "A"]
    where = replace(world.where, own=("127.0.0.99",))
    (finding,) = dnsdesk.look(world.host, [A], where)
    assert finding.outcome is Verdict.RIGHT
    assert world.outcomes(finding) == ["right", "right", "unknown", "right"]


def test_a_chain_of_signatures_that_is_broken_is_said_and_unknown(world: World) -> None:
    world.publish(A)
    plain, broken = world.own._plain, fails(dns.rcode.SERVFAIL)

    world.own.faults[FQDN] = lambda query, tcp: (plain if query.flags & dns.flags.CD else broken)(
        query, tcp
    )
    (finding,) = world.look(A)
    view = finding.views[2]
    assert view.outcome is Verdict.UNKNOWN
    assert "DNSSEC" in view.note
    assert finding.outcome is Verdict.RIGHT
