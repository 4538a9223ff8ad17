"""Services in a plan: what they follow, in which stages they start, what is proved then."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.recorded import RecordedHost
from support.toys import ToyProbe, World, done, state

from mailwizard import unattended
from mailwizard.changes import FileContent, Service, WaitingMailRerouted
from mailwizard.errors import ProofFailed
from mailwizard.events import Failed
from mailwizard.model import Completed, Outcome, Result
from mailwizard.stages import State
from mailwizard.subjects import File


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_service_follows_what_its_step_changed_and_two_do_not_chase_each_other(
    world: World,
) -> None:
    world.extra["one"] = [Service("dovecot")]
    done(unattended.run(world.engine, ["one"]))
    assert world.engine.plan("one").pending == ()
    world.text["one"] = "changed\n"
    titles = [item.title for item in world.engine.plan("one").pending]
    assert titles[-2:] == ["put dovecot into service", "put postfix into service"]
    # killed after the file, before the services: they are behind
    world.path("one").write_text("changed\n")
    change = FileContent(str(world.path("one")), "changed\n")
    subjects = tuple(change.subjects(world.host))
    images = [subject.capture(world.host) for subject in subjects]
    entry = world.engine.journal.intend("one", change.title, subjects, images, "")
    world.engine.journal.done(entry, images)
    world.text["one"] = "changed\n"
    titles = [item.title for item in world.opened().plan("one").pending]
    assert "put dovecot into service" in titles
    assert "put postfix into service" in titles


def test_a_start_that_waits_for_the_network_names_it() -> None:
    host = RecordedHost()
    host.answers["systemctl list-jobs --plain --no-legend"] = Completed(
        (),
        0,
        "901 postfix.service start waiting\n902 network-online.target start waiting\n"
        "903 systemd-networkd-wait-online.service start running\n",
    )
    host.answers["systemctl start postfix.service"] = Completed((), 124, "", "no answer")
    with pytest.raises(ProofFailed) as failed:
        Service("postfix", "restart").apply(host)
    assert failed.value.message == (
        "postfix.service does not start: "
        "systemd still waits for systemd-networkd-wait-online.service"
    )


def test_stages_follow_their_own_file_and_what_stands_before_them(world: World) -> None:
    world.service = False
    files = [str(world.path(name)) for name in ("a", "b")]

    def staged(*texts: str) -> list[str]:
        first, second = (FileContent(*each) for each in zip(files, texts, strict=True))
        started = [Service("amavis", follow=path, stage=path[-6:]) for path in files]
        world.extra["one"] = [first, started[0], Service("postfix", follow="<"), second, started[1]]
        return [item.title for item in world.opened().plan("one").pending]

    one, two = "put amavis into service: a.conf", "put amavis into service: b.conf"
    reload = "put postfix into service"
    assert len(staged("1\n", "1\n")) == 7
    done(world.opened().apply("one"))
    assert staged("1\n", "1\n") == []
    assert staged("2\n", "1\n") == [f"write {files[0]}", one, reload]
    assert staged("1\n", "2\n") == [f"write {files[1]}", two]
    # killed after the second file, before what follows it
    engine = world.opened()
    subjects = (File(files[1]),)
    entry = engine.journal.intend("one", f"write {files[1]}", subjects, [{}], "")
    engine.journal.done(entry, [subjects[0].capture(world.host)])
    assert staged("1\n", "1\n") == [two]


def test_a_stage_that_fails_is_named_and_all_of_its_step_is_taken_back(world: World) -> None:
    done(unattended.run(world.engine, ["one"]))
    before = world.files()
    proof = ToyProbe("x", lambda: Result(Outcome.FAIL, "spam is not marked", fix="do this"))
    world.extra["one"] = [
        FileContent(str(world.path("a")), "1\n"),
        Service("amavis", follow=str(world.path("a")), stage="stage 3, spam", proofs=(proof,)),
    ]
    events = done(world.opened().apply("one"))
    failed = next(event for event in events if isinstance(event, Failed))
    assert failed.message == "stage 3, spam: spam is not marked"
    assert failed.hint == "do this The previous configuration was put back."
    assert world.files() == before


def test_what_waited_for_a_filter_is_tried_again_before_it_is_proved(world: World) -> None:
    def ask() -> Result:
        assert world.host.ran[-1] == ("postqueue", "-f")
        return Result(Outcome.PASS, "so it is")

    world.extra["one"] = [Service("amavis", flush=True, proofs=(ToyProbe("x", ask),))]
    assert state(world) is State.PENDING
    done(world.engine.apply("one"))
    assert state(world) is State.APPLIED


def test_mail_that_waits_is_sent_on_its_way_when_postfix_knows_the_old_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.host, "which", lambda program: f"/usr/sbin/{program}")
    world.extra["one"] = [WaitingMailRerouted()]
    done(world.engine.apply("one"))
    world.host.ran.clear()
    done(world.engine.undo(["one"]))
    assert world.host.ran[-2:] == [
        ("systemctl", "stop", "--", "postfix.service"),
        ("postsuper", "-r", "ALL"),
    ]
