"""A host that was upgraded under a set-up: old daemons, old files of several steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support.recorded import RecordedHost, Written
from support.toys import ToyHost, World, done

from mailwizard import unattended
from mailwizard.changes import FileContent, Service
from mailwizard.events import Failed, Finished, Waiting
from mailwizard.model import Completed, FileState
from mailwizard.platform import facts
from mailwizard.platform.debian import BOOKWORM, TRIXIE
from mailwizard.subjects.system import SHOWN

MASTER = "/usr/lib/postfix/sbin/master"


@dataclass
class Upgraded(RecordedHost):
    """A master of before, in a unit of before."""

    program: str = f"{MASTER} (deleted)"

    def state(self, path: str) -> FileState:
        if path == "/proc/77/exe":
            return FileState("link", target=self.program)
        return super().state(path)


def upgraded(**options: Any) -> Upgraded:
    host = Upgraded(**options)
    host.files |= {
        "/var/spool/postfix/pid/master.pid": Written(b"             77\n"),
        "/proc/77/comm": Written(b"master\n"),
        "/proc/77/cgroup": Written(b"0::/system.slice/system-postfix.slice/postfix@-.service\n"),
    }
    shown = "UnitFileState=enabled\nActiveState=active\nMainPID=0\n"
    host.answers[f"systemctl show -p {SHOWN} postfix.service"] = Completed((), 0, shown)
    return host


def test_a_daemon_older_than_its_program_is_started_again_by_its_new_name() -> None:
    service = Service("postfix", worker="postfix-worker")
    host = upgraded()
    assert service.needed(host)
    assert service.preview(host).text.splitlines() == [
        "systemctl stop postfix@-.service",
        "systemctl restart postfix.service",
    ]
    service.apply(host)
    ran = [argv for argv in host.ran if argv[1] != "reset-failed"]
    assert ran == [
        ("systemctl", "stop", "postfix@-.service"),
        ("systemctl", "restart", "postfix.service"),
        ("postqueue", "-f"),
    ], "and what it could hand to nobody is tried again"


@pytest.mark.parametrize("file", ["", "/proc/77/comm"])
def test_a_number_that_is_somebody_else_s_by_now_is_nobody_s(file: str) -> None:
    host = upgraded(program=MASTER if not file else f"{MASTER} (deleted)")
    if file:
        host.files[file] = Written(b"sshd\n")
    assert not Service("postfix", worker="postfix-worker").needed(host)


@pytest.mark.parametrize(
    ("said", "known"),
    [("2.4.1-4 (7d8c0e5759)\n", "2.4"), ("2.3.19.1 (9b53102964)\n", "2.3"), ("2.5.0\n", "2.3")],
)
def test_dovecot_s_files_are_for_the_one_that_is_installed(said: str, known: str) -> None:
    host = RecordedHost(platform=BOOKWORM)
    assert facts.dovecot(host) == "2.3"
    host.answers["dovecot --version"] = Completed((), 0, said)
    assert facts.dovecot(host) == known


class Parsing(ToyHost):
    """Its daemon reads a folder as one, and wants one word of every file in it."""

    word = "old"

    def ask(self, argv: Sequence[str], *, stdin: str = "", **_: object) -> Completed:
        if argv[0] != "parser":
            return super().ask(argv)
        folder = Path(self.platform.path("dovecot"))
        wrong = [path.name for path in folder.iterdir() if self.word not in path.read_text()]
        return Completed(tuple(argv), int(bool(wrong)), "", f"{wrong}\n" * bool(wrong))


class Upgrading(World):
    """Two steps with a file each for that daemon."""

    def __post_init__(self) -> None:
        folder = self.root / "dovecot"
        folder.mkdir()
        self.paths = {**TRIXIE.path_names, "dovecot": str(folder)}
        self.parser = Parsing(self.root)
        self.parser.platform = replace(TRIXIE, path_names=self.paths)
        self.host = self.parser
        self.engine = self.opened()


@pytest.fixture
def world(tmp_path: Path) -> Upgrading:
    made = Upgrading(tmp_path)
    for step in ("one", "two"):
        speak(made, step, "old")
    return made


def speak(world: Upgrading, step: str, word: str) -> None:
    path = f"{world.host.platform.path('dovecot')}/{step}"
    check = Service("dovecot", validate=(("parser",),), reads="dovecot")
    world.extra[step] = [FileContent(path, f"{word} of {step}\n"), check]


def said(world: Upgrading) -> dict[str, str]:
    folder = Path(world.host.platform.path("dovecot"))
    return {path.name: path.read_text().split()[0] for path in folder.iterdir()}


@pytest.mark.parametrize("first", ["one", "two"])
def test_files_of_one_daemon_change_together_where_it_reads_the_old_ones_no_more(
    world: Upgrading, first: str
) -> None:
    ended = done(unattended.run(world.engine, ["one", "two"]))[-1]
    assert isinstance(ended, Finished)
    assert ended.code == 0
    world.parser.word = "new"
    for step in ("one", "two"):
        speak(world, step, "new")
    events = done(world.opened().apply(first))
    assert not [event for event in events if isinstance(event, Failed)]
    assert said(world) == {"one": "new", "two": "new"}
    # each is its own step's, and goes with it
    done(world.engine.undo(["two"]))
    assert said(world) == {"one": "new"}


def test_together_they_are_put_back_when_that_does_not_help(world: Upgrading) -> None:
    done(unattended.run(world.engine, ["one", "two"]))
    world.parser.word = "newer"
    for step in ("one", "two"):
        speak(world, step, "new")
    events = done(world.opened().apply("one"))
    assert isinstance(events[-1], Failed)
    assert said(world) == {"one": "old", "two": "old"}


def test_where_the_daemon_is_content_each_step_changes_its_own_file(world: Upgrading) -> None:
    done(unattended.run(world.engine, ["one", "two"]))
    world.parser.word = ""
    for step in ("one", "two"):
        speak(world, step, "new")
    done(world.opened().apply("one"))
    assert said(world) == {"one": "new", "two": "old"}


def test_on_another_release_all_is_applied_before_any_of_it_is_judged(world: Upgrading) -> None:
    done(unattended.run(world.engine, ["one", "two"]))
    world.parser.platform = replace(BOOKWORM, path_names=world.paths)
    world.parser.word = "new"
    for step in ("one", "two"):
        speak(world, step, "new")
    events = done(unattended.run(world.opened(), ["one", "two"]))
    told = next(event.reason for event in events if isinstance(event, Waiting))
    assert told == (
        "this host was set up as debian 13 and is debian 12 now: "
        "all of it is renewed before it is judged"
    )
    assert isinstance(events[-1], Finished)
    assert events[-1].code == 0
    events = done(unattended.run(world.opened(), ["one", "two"]))
    assert not [event for event in events if isinstance(event, Waiting)], "once"
