"""Answers that change after they were built on, and complaints that somebody mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from support.recorded import RecordedHost, Written
from support.toys import ToyProbe, World, done

import mailwizard.engine
from mailwizard import former, planning, unattended
from mailwizard.answers import Answers
from mailwizard.changes.hostname import HOSTS, HostsEntry
from mailwizard.engine import Engine
from mailwizard.events import Gate
from mailwizard.fields import Text
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.making import make
from mailwizard.model import Outcome, Question
from mailwizard.stages import State


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def asking(world: World, wrong: Sequence[tuple[str, str]] = ()) -> Engine:
    """The engine where the first step has a question, and this to say of its answer."""
    word = Question("word", "Word", Text(), lambda _context: "usual")
    one = replace(world.step("one"), questions=(word,), review=lambda _context: iter(wrong))
    steps = [one, *world.engine.steps[1:]]
    return Engine(steps, Answers.empty(steps), world.host, world.engine.journal)


def test_steps_that_were_built_on_another_answer_show_anew_that_they_hold(world: World) -> None:
    engine = asking(world)
    done(unattended.run(engine, ["one", "two"]))

    def states() -> list[State]:
        return [status.state for status in engine.states()][:2]

    engine.set_answer("one", "word", "usual")
    engine.set_enabled("more", False)
    assert states() == [State.VERIFIED, State.VERIFIED]
    engine.set_answer("one", "word", "another")
    assert states() == [State.APPLIED, State.APPLIED]
    assert engine.next_step() == "one"
    # what the gate let through is still what is gone back to
    before, world.text["one"] = world.files(), "an open relay\n"
    world.probes["one"] = [ToyProbe("relay", Outcome.FAIL, critical=True)]
    done(engine.apply("one"))
    done(engine.probe("one"))
    assert world.files() == before
    world.text["one"] = before["one.conf"]
    world.probes["one"] = [ToyProbe("relay")]
    done(engine.probe("one"))
    assert states() == [State.VERIFIED, State.APPLIED]
    assert engine.next_step() == "two"
    done(engine.probe("two"))
    assert engine.next_step() is None


def test_checks_that_pass_do_not_verify_a_step_with_changes_to_make(world: World) -> None:
    done(unattended.run(world.engine, ["one", "two"]))
    world.text["one"] = "what the answers say now\n"
    engine = world.opened()
    events = done(engine.probe("one", "two"))
    assert [e.open for e in events if isinstance(e, Gate)] == [True, True]
    assert [status.state for status in engine.states()[:2]] == [State.APPLIED, State.VERIFIED]
    assert engine.next_step() == "one"
    done(engine.apply("one"))
    done(engine.probe("one"))
    assert engine.next_step() is None


def naming(world: World) -> Engine:
    """The engine where later answers are made from the first step's name, and one of the host's."""
    name = Question("name", "Name", Text(), lambda _context: None)
    domain = Question("domain", "Domain", Text(), lambda c: c.of("one")["name"].partition(".")[2])
    names = Question("names", "Names", Text(), lambda c: f"{c.of('one')['name']}, {c['domain']}")
    memory = Question("memory", "Memory", Text(), lambda _context: str(world.host.changed["ram"]))
    steps = [
        replace(world.step("one"), questions=(name,)),
        replace(world.step("two", needs=("one",)), questions=(domain, names, memory)),
    ]
    return Engine(steps, Answers.empty(steps), world.host, world.engine.journal)


def test_a_proposal_that_was_accepted_follows_what_it_was_made_from(world: World) -> None:
    world.host.changed["ram"] = 2
    engine = naming(world)

    def accept() -> None:
        for key, value in engine.defaults("two").items():
            engine.set_answer("two", key, value)

    engine.set_answer("one", "name", "mail.new.test")
    accept()
    assert engine.defaults("two")["names"] == "mail.new.test, new.test"
    world.host.changed["ram"] = 4
    engine.set_answer("one", "name", "mx.other.test")
    followed = {"domain": "other.test", "names": "mx.other.test, other.test", "memory": "2"}
    assert engine.defaults("two") == followed
    accept()
    engine.set_answer("two", "names", "mine.test")
    engine.set_answer("one", "name", "mail.new.test")
    assert engine.defaults("two") == {**followed, "domain": "new.test", "names": "mine.test"}


def test_a_file_with_other_answers_puts_steps_in_doubt(world: World) -> None:
    engine = asking(world)
    done(unattended.run(engine, ["one", "two"]))
    for before, after, state in (
        ({"one": {"word": "a"}}, {"one": {"word": "a"}, "two": {}}, State.VERIFIED),
        ({"one": {"word": "a"}}, {"one": {"word": "b"}}, State.APPLIED),
    ):
        planning.outdate_changed(engine.journal, engine.steps, before, after)
        assert {status.state for status in engine.states()[:2]} == {state}
    done(engine.probe("one"))
    planning.outdate_changed(engine.journal, engine.steps, {}, {"two": {"enabled": True}})
    assert [status.state for status in engine.states()[:2]] == [State.VERIFIED, State.APPLIED]


def test_what_was_wrong_is_looked_into_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [("word", "no such login")]
    engine = asking(world, wrong)
    assert engine.complaints("one") == wrong
    wrong.clear()
    assert engine.complaints("one"), "while somebody types it is not asked again and again"
    monkeypatch.setattr(world.host, "shell", lambda: None)
    engine.shell()
    assert engine.complaints("one") == []
    wrong.append(("word", "gone"))
    monkeypatch.setattr(mailwizard.engine, "STALE", -1.0)
    assert engine.complaints("one") == [], "what was right is not looked into again"
    engine.shell()
    assert engine.complaints("one") == [("word", "gone")]
    wrong.clear()
    assert engine.complaints("one") == []


def test_the_line_of_an_earlier_name_goes_and_others_stay(tmp_path: Path) -> None:
    old = b"127.0.0.1 localhost\n10.0.0.5 web.example.org web mail\n10.0.0.6 db.example.org db\n"
    host = RecordedHost(files={HOSTS: Written(old)})
    journal = Journal(str(tmp_path / "journal.db"), "host-1")

    def name(fqdn: str) -> list[str]:
        entry = HostsEntry(("10.0.0.5",), fqdn, fqdn.partition(".")[0])
        make(cast("LocalHost", host), journal, "hostname", former.cleared(journal, entry))
        return host.files[HOSTS].data.decode().splitlines()

    left = ["10.0.0.5 web.example.org web", "10.0.0.6 db.example.org db"]
    assert name("mail.new.test") == ["127.0.0.1 localhost", "10.0.0.5 mail.new.test mail", *left]
    assert name("mx.new.test") == ["127.0.0.1 localhost", "10.0.0.5 mx.new.test mx", *left]
    assert name("web.example.org") == ["127.0.0.1 localhost", *left]
    assert name("mail.new.test")[:2] == ["127.0.0.1 localhost", "10.0.0.5 mail.new.test mail"]
    for entry in reversed(journal.entries()):
        for place, subject in enumerate(entry.subjects):
            assert entry.after is not None
            subject.restore(cast("LocalHost", host), entry.before[place], entry.after[place])
    assert host.files[HOSTS].data == old
