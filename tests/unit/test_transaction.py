"""The package transaction: what it brought and nothing else is ours, however it ended."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.toys import ToyHost

from mailwizard import transaction
from mailwizard.errors import CommandFailed
from mailwizard.events import ChangeDone, ChangeStarted, Event, Failed
from mailwizard.host.process import TransientUnit
from mailwizard.journal import Journal
from mailwizard.model import Completed
from mailwizard.platform import managers
from mailwizard.platform.apt import Apt
from mailwizard.subjects import InstalledPackages
from mailwizard.transaction import STEP, UNIT, added, install, recover
from mailwizard.undoing import undo

POLICY = "/usr/sbin/policy-rc.d"
ROLES = ["dovecot"]
OURS = ("dovecot-core", "dovecot-imapd", "dovecot-lmtpd")


class Ended(TransientUnit):
    """A unit that is over before anybody looks."""

    def __init__(self, log: str, said: str, code: int) -> None:
        super().__init__(UNIT, log, process=None)
        self.said = said
        self.code = code

    def lines(self) -> Iterator[str]:
        yield from self.said.splitlines()


class PackageHost(ToyHost):
    """Its packages are a table: an installation puts them there, or breaks off on its way."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.packages = {"base": "installed"}
        self.quiet: dict[tuple[str, ...], bool] = {}
        self.breaks = ""
        self.damaged = self.working = False
        self.differ: set[str] = set()

    def is_running(self, unit: str) -> bool:
        return self.working

    def ask(self, argv: Sequence[str], *, stdin: str = "", **_: object) -> Completed:
        if tuple(argv) == Apt().query():
            said = "".join(f"{state} {name}\n" for name, state in self.packages.items())
            return Completed(tuple(argv), 2 if self.damaged else 0, "" if self.damaged else said)
        if tuple(argv) == Apt().audit():
            broken = [name for name, state in self.packages.items() if state in ("unpacked", "cut")]
            return Completed(tuple(argv), 0, "".join(f" {name} x\n" for name in broken))
        if tuple(argv) == Apt().damage():
            flags = [
                f"{'reinstreq' if s == 'cut' else 'ok'} {n}\n" for n, s in self.packages.items()
            ]
            return Completed(tuple(argv), 0, "".join(flags))
        if argv[:2] == ("dpkg", "--verify"):
            wrong = "".join(f"??5??????   /usr/bin/{n}\n" for n in argv if n in self.differ)
            return Completed(tuple(argv), 0, f"??5?????? c /etc/own\n{wrong}")
        return super().ask(argv) if argv[0] == "systemctl" else Completed(tuple(argv), 0)

    def start_detached(
        self, unit: str, argv: Sequence[str], *, before: Sequence[str] = (), **_: object
    ) -> Ended:
        self.quiet[tuple(argv)] = bool(before)
        said = ""
        if "--reinstall" in argv:
            brought = argv[argv.index("--") + 1 :]
            self.packages |= dict.fromkeys(brought, "installed")
            self.differ -= set(brought)
        elif "--configure" in argv and "cut" not in self.packages.values():
            self.packages = dict.fromkeys(self.packages, "installed")
        elif "--no-install-recommends" in argv:
            said = self.unpack(OURS[:1] if self.breaks else OURS)
        code = 100 if self.breaks and self.breaks in argv else 0
        return Ended(self.log_of(unit), said, code)

    def unpack(self, names: Sequence[str]) -> str:
        """What is new arrives, and the log says so."""
        new = [name for name in names if name not in self.packages]
        state = "unpacked" if self.breaks else "installed"
        self.packages |= dict.fromkeys(new, state)
        said = "".join(f"Unpacking {name}:amd64 (2.4) ...\n" for name in new)
        log = Path(self.log_of(UNIT))
        log.parent.mkdir(exist_ok=True)
        log.write_text((log.read_text() if log.exists() else "") + said)
        return said


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackageHost:
    monkeypatch.setattr(transaction, "PLACE", str(tmp_path / "run"))
    monkeypatch.setattr(transaction, "LISTS", str(tmp_path / "run/lists"))
    return PackageHost(tmp_path)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(str(tmp_path / "journal.db"), "machine")


def last(events: Iterator[Event]) -> Event:
    return list(events)[-1]


def purged(host: PackageHost, journal: Journal) -> set[str]:
    """What an undo with packages removes."""
    host.ran.clear()
    list(undo(journal, host, journal.entries(), packages=True))
    return {name for argv in host.ran for name in argv[argv.index("--") + 1 :]}


def test_what_others_install_between_two_of_ours_is_theirs(
    host: PackageHost, journal: Journal
) -> None:
    assert added(host, journal) == ()
    assert isinstance(last(install(host, journal, ROLES)), ChangeDone)
    host.packages["theirs"] = "installed"
    del host.packages["dovecot-lmtpd"]
    assert isinstance(last(install(host, journal, ROLES)), ChangeDone)
    assert added(host, journal) == OURS
    assert purged(host, journal) == set(OURS)


def test_a_run_that_failed_half_way_and_a_later_one_bring_what_is_ours(
    host: PackageHost, journal: Journal
) -> None:
    host.packages["half"] = "unpacked"
    host.breaks = "--no-install-recommends"
    assert isinstance(last(install(host, journal, ROLES)), Failed)
    assert added(host, journal) == OURS[:1]
    host.breaks = ""
    host.packages["theirs"] = "installed"
    assert isinstance(last(install(host, journal, ROLES)), ChangeDone)
    assert set(host.packages.values()) == {"installed"}
    assert added(host, journal) == OURS
    assert purged(host, journal) == set(OURS), "nor what a repair of ours only finished"


def test_what_an_earlier_run_brought_is_not_that_of_one_that_failed(
    host: PackageHost, journal: Journal
) -> None:
    assert isinstance(last(install(host, journal, ROLES)), ChangeDone)
    purged(host, journal)
    assert journal.entries(STEP) == []
    for name in OURS:
        host.packages.pop(name, None)
    host.breaks = "--no-install-recommends"
    assert isinstance(last(install(host, journal, ROLES)), Failed)
    came = added(host, journal)
    host.packages.update(dict.fromkeys(OURS, "installed"))
    assert added(host, journal) == came, "what others install now is theirs"


@pytest.mark.parametrize("log", [True, False])
def test_what_a_killed_run_brought_is_what_its_own_log_tells(
    host: PackageHost, journal: Journal, log: bool
) -> None:
    subject = InstalledPackages()
    before = subject.capture(host)
    journal.intend(STEP, "x", (subject,), [before], "")
    host.unpack(OURS[:2])
    host.packages["theirs"] = "installed"
    if not log:
        Path(host.log_of(UNIT)).unlink()
    host.working = True
    recover(host, journal)
    assert added(host, journal) == (), "it is not known yet what it brings"
    subject.restore(host, before, None)
    assert host.ran == []
    host.working = False
    recover(host, journal)
    known = OURS[:2] if log else ()
    assert added(host, journal) == known
    assert purged(host, journal) == set(known)


def test_without_a_list_of_what_is_installed_nothing_begins(
    host: PackageHost, journal: Journal
) -> None:
    host.damaged = True
    failed = last(install(host, journal, ROLES))
    assert isinstance(failed, Failed)
    assert "must be able to list" in failed.hint
    assert (host.quiet, journal.entries()) == ({}, [])
    with pytest.raises(CommandFailed, match="ended with code 2"):
        managers.installed(host)


def test_no_daemon_is_started_by_a_repair(host: PackageHost, journal: Journal) -> None:
    host.packages["postfix"] = "unpacked"
    assert isinstance(last(install(host, journal, ROLES)), ChangeDone)
    quiet = {argv[-1]: is_quiet for argv, is_quiet in host.quiet.items()}
    assert quiet == {"-a": True, "install": True, "update": False, "dovecot-lmtpd": True}


@pytest.mark.parametrize("name", ["mail wizard", "100%n", "$HOME", "it's"])
def test_a_unit_can_be_told_whatever_the_state_folder_is_called(
    host: PackageHost, name: str
) -> None:
    host.state_dir = f"{host.state_dir}/../{name}"
    before, after = transaction._no_start(host)
    assert before == [
        f"/bin/cp --no-clobber --preserve=mode {transaction.PLACE}/policy-rc.d {POLICY}"
    ]
    assert not any(name in line for line in (*before, *after))
    # what it is called there is taken literally (tests/hosts/test_circumstances.py)
    assert host.log_of(UNIT).endswith(f"/{name}/log/{UNIT}.log")
    assert "/../" not in host.log_of(UNIT)


@pytest.mark.parametrize(
    ("age", "asked"),
    [(None, True), (0, False), (transaction.FRESH - 60, False), (transaction.FRESH + 60, True)],
)
def test_lists_that_the_launcher_has_just_brought_are_not_asked_for_again(
    host: PackageHost, journal: Journal, age: float | None, asked: bool
) -> None:
    """Nor is a mark of the future believed: a clock that was set back makes none."""
    mark = Path(transaction.LISTS)
    if age is not None:
        mark.parent.mkdir()
        mark.touch()
        os.utime(mark, (time.time() - age,) * 2)
    assert isinstance(last(install(host, journal, ["dovecot"])), ChangeDone)
    assert (tuple(Apt().update()) in host.quiet) is asked
    host.packages, host.quiet = {"base": "installed"}, {}
    if age is not None:
        os.utime(mark, (time.time() + 3600,) * 2)
    list(install(host, journal, ["dovecot"]))
    assert tuple(Apt().update()) in host.quiet


def test_a_package_that_was_cut_in_unpacking_is_brought_again_first(
    host: PackageHost, journal: Journal
) -> None:
    host.packages |= {"libfoo": "cut", "half": "unpacked"}
    assert isinstance(last(install(host, journal, ROLES)), ChangeDone)
    assert set(host.packages.values()) == {"installed"}
    assert [argv[-1] for argv in host.quiet] == ["update", "libfoo", "-a", "install", OURS[-1]]
    assert added(host, journal) == OURS


def test_what_somebody_s_upgrade_left_half_done_is_finished_where_it_is_ours_or_akin(
    host: PackageHost, journal: Journal
) -> None:
    assert isinstance(last(install(host, journal, ROLES)), ChangeDone)
    host.packages |= {"dovecot-core": "unpacked", "theirs": "unpacked", "dovecot-solr": "unpacked"}
    assert transaction.due(host, journal, ["postfix"]) == ("postfix", "dovecot-core")
    assert transaction.due(host, journal, ROLES) == ("dovecot-core", "dovecot-solr")
    host.quiet.clear()
    events = list(install(host, journal, ROLES))
    assert isinstance(events[0], ChangeStarted)
    assert "dpkg --force-confdef --force-confold --configure -a" in events[0].preview
    assert set(host.packages.values()) == {"installed"}
    assert [argv[-1] for argv in host.quiet] == ["update", "-a", "install"]
    assert transaction.due(host, journal, ROLES) == ()


def test_what_did_not_get_to_the_disk_whole_is_brought_again(
    host: PackageHost, journal: Journal
) -> None:
    assert isinstance(last(install(host, journal, ROLES)), ChangeDone)
    assert Apt().settle() in host.ran
    subject = InstalledPackages()
    journal.intend(STEP, "x", (subject,), [{"installed": ["base"]}], "")
    host.differ = {OURS[1], "base"}
    recover(host, journal)
    assert transaction.spoiled(journal) == OURS[1:2], "what others brought is theirs to mend"
    host.quiet.clear()
    assert isinstance(last(install(host, journal, ROLES)), ChangeDone)
    assert [argv[-1] for argv in host.quiet] == ["update", OURS[1], "-a", "install"]
    assert transaction.spoiled(journal) == ()


def test_another_run_that_was_still_ending_is_not_taken_for_ours(
    host: PackageHost, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, begun = host.start_detached, list[tuple[str, ...]]()

    def start_detached(unit: str, argv: Sequence[str], **options: Sequence[str]) -> Ended:
        begun.append(tuple(argv))
        run = start(unit, argv, **options)
        run.code = run.code if begun.count(tuple(argv)) > 1 else None
        return run

    monkeypatch.setattr(host, "start_detached", start_detached)
    assert isinstance(last(install(host, journal, ROLES)), ChangeDone)
    assert begun == [argv for argv in dict.fromkeys(begun) for _ in range(2)]
