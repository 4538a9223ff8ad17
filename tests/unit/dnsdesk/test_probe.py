"""DNS-16: each step that needs records asks for them at its gate, and never fails over them."""

from __future__ import annotations

from dataclasses import replace

import dns.rcode
import pytest
from support.dnsworld import FQDN, MX, A, World
from support.nameserver import fails

from mailwizard import cli, commands
from mailwizard.answers import Answers
from mailwizard.dnsdesk import Where, command
from mailwizard.dnsdesk.probe import RecordsPublished
from mailwizard.engine import Engine
from mailwizard.errors import BadAnswer, BadUsage
from mailwizard.model import Outcome, Record, Result


def ask(world: World, *records: Record) -> Result:
    near = replace(world.where, public=())
    probe = RecordsPublished("postfix", records or (A, MX), near)
    result = probe.ask(world.host)
    assert probe.id == "DNS-16:postfix"
    assert f"dig +noall +answer {FQDN}. A" in RecordsPublished("postfix", (A,)).by_hand
    if result.outcome is not Outcome.PASS:
        assert result.expected
        assert result.fix
    return result


def test_what_is_required_must_stand_and_the_rest_is_advice(world: World) -> None:
    assert ask(world).outcome is Outcome.WARN
    world.publish(MX)
    found = ask(world)
    assert (found.outcome, found.said) == (Outcome.WARN, f"{FQDN} A is absent")
    assert "mail 3600 IN A 192.0.2.10" in found.expected
    world.publish(A)
    assert ask(world).outcome is Outcome.PASS
    found = ask(world, A, replace(MX, owner=f"lists.{MX.owner}", required=False))
    assert (found.outcome, "better to have: lists." in found.said) == (Outcome.PASS, True)


def test_an_old_answer_is_said_with_its_seconds(world: World) -> None:
    world.publish(MX)
    world.publish(A)
    world.publish(A, "192.0.2.99", at=(world.own,), ttl=55)
    found = ask(world)
    assert found.outcome is Outcome.WARN
    assert "not propagated yet (old answer cached, for up to 55 s)" in found.said


def test_no_answer_is_unknown(world: World) -> None:
    for each in world.everyone:
        each.faults[""] = fails(dns.rcode.SERVFAIL)
    found = ask(world)
    assert found.outcome is Outcome.UNKNOWN
    assert "SERVFAIL" in found.said


def test_a_step_that_needs_records_asks_for_them(engine: Engine) -> None:
    *_, last = engine.probes("hostname")
    assert isinstance(last, RecordsPublished)
    assert last.id == "DNS-16:hostname"
    assert {one.owner for one in last.records} <= {one.owner for one in engine.records()}
    assert last.where == Where(public=())


def test_records_are_shown_from_the_first_answer_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unanswered() -> None:
        raise BadAnswer("aliases.root", "no answer was given")

    monkeypatch.setattr(engine, "resolved", unanswered)
    monkeypatch.setattr(commands, "_looking", lambda *_, **__: engine)
    monkeypatch.setattr(command, "run", lambda asked, _options: len(asked.records()))
    options = cli.parser().parse_args(["dns"])
    assert commands.dns(options) == len(engine.records()) > 0
    monkeypatch.setattr(engine, "records", list)
    with pytest.raises(BadAnswer):
        commands.dns(options)
    engine.answers = Answers.empty(engine.steps)
    with pytest.raises(BadUsage, match="has not set up anything on this host yet"):
        commands.dns(options)
