"""Records that are right, absent, wrong and late, as each server has them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.dnsworld import ALL, DOMAIN, FQDN, MX, PTR, REVERSE, A, World

from mailwizard import dnsdesk
from mailwizard.dnsdesk import Verdict
from mailwizard.model import Record


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
        (Record(DOMAIN, "TXT", "v=spf1 mx -all", ""), ('"v=spf1 mx include:x.example -all"',)),
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


def test_a_private_server_of_a_public_zone_is_said(world: World) -> None:
    (finding,) = world.look(A)
    assert finding.views[0].server == "ns1.example.net (at 127.0.0.2, a private address)"


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
