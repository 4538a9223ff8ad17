"""The gate before a new signing key: every server of the zone and this host's resolver know it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.dnsworld import DOMAIN, World

from mailwizard.dkim import gate
from mailwizard.dnsdesk import nearby, spent
from mailwizard.model import Record
from mailwizard.zoneedits import RecordSet

OWNER = f"mw202611._domainkey.{DOMAIN}"
KEY = Record(OWNER, "TXT", "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0B", "the new key")
HERE = f'"{KEY.value}"'
OTHER = '"v=DKIM1; k=rsa; p=MIIBsomebodyelse"'


@pytest.fixture(autouse=True)
def near(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearby, "NEAR", replace(world.where, public=()))


def closed(world: World) -> str:
    return gate.closed(nearby.findings(world.host, [KEY]))


def test_it_opens_when_everybody_has_the_record(world: World) -> None:
    world.publish(KEY, HERE, at=(world.first, world.second, world.own))
    assert closed(world) == ""


def test_nothing_is_remembered_by_a_resolver_that_nobody_asked(world: World) -> None:
    assert "127.0.0.2, a private address): has nothing" in closed(world)
    assert (OWNER.lower(), "TXT") not in world.own.asked


def test_one_server_without_it_keeps_it_closed(world: World) -> None:
    world.publish(KEY, HERE, at=(world.first, world.own))
    assert "127.0.0.3, a private address): has nothing" in closed(world)
    world.publish(KEY, OTHER, at=(world.second,))
    assert "127.0.0.3, a private address): has v=DKIM1" in closed(world)


def test_an_old_answer_at_this_hosts_resolver_keeps_it_closed(world: World) -> None:
    world.publish(KEY, HERE, at=(world.first, world.second))
    world.publish(KEY, OTHER, at=(world.own,), ttl=77)
    assert "this host's resolver): says" in closed(world)


@pytest.mark.usefixtures("impatient")
def test_silence_is_no_consent(world: World) -> None:
    world.publish(KEY, HERE, at=(world.first, world.second, world.own))
    world.second.faults[OWNER.lower()] = lambda _query, _tcp: None
    assert "127.0.0.3, a private address): not known" in closed(world)


def test_a_name_is_free_where_no_server_has_a_key_there(world: World) -> None:
    assert gate.foreign(world.host, [OWNER]) == ""
    # a wildcard may answer for every name
    world.publish(KEY, '"v=spf1 -all"')
    assert gate.foreign(world.host, [OWNER]) == ""
    world.publish(KEY, OTHER, at=(world.second,))
    assert gate.foreign(world.host, [OWNER]) == f"{OWNER} exists already, with another key"


@pytest.mark.usefixtures("impatient")
def test_where_nobody_answers_it_is_not_known_to_be_free(world: World) -> None:
    for server in (world.first, world.second):
        server.faults[OWNER.lower()] = lambda _query, _tcp: None
    assert "cannot be told" in gate.foreign(world.host, [OWNER])


def test_what_may_go_is_what_a_server_still_has(world: World) -> None:
    assert spent.found(world.host, [KEY]) == []
    world.publish(KEY, HERE, at=(world.second,))
    (found,) = spent.found(world.host, [KEY])
    assert found.record is KEY


@pytest.mark.parametrize(
    ("values", "drops"),
    [
        ((HERE,), (HERE,)),
        ((f'"{KEY.value[:20]}" "{KEY.value[20:]}"', OTHER), None),
        (('"v=DKIM1; t=s; p=MIIBIjANBgkq hkiG9w0B"', OTHER), None),
        ((OTHER,), ()),
        ((), ()),
    ],
)
def test_only_our_own_record_is_taken_out(
    values: tuple[str, ...], drops: tuple[str, ...] | None
) -> None:
    made = spent.draft(KEY, RecordSet(OWNER, "TXT", 300, values))
    taken = made.edit.drops if made else ()
    assert taken == (values[:1] if drops is None else drops)
    assert made is None or (made.edit.adds, made.foreign) == ((), False)
