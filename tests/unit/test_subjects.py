"""Each kind of subject: photographed, compared, put back; of shared files only what is ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.recorded import RecordedHost, Written
from support.toys import ToyHost

from mailwizard.errors import CommandFailed, HandEdited
from mailwizard.model import Completed, Image, Subject
from mailwizard.subjects import (
    DebconfAnswers,
    File,
    Generated,
    InstalledPackages,
    KernelHostName,
    Lines,
    MainCf,
    MasterCf,
    Unit,
    WaitingMail,
    load,
    path_of,
)
from mailwizard.subjects.system import SHOWN

SUBJECTS: list[tuple[Subject, str]] = [
    (File("/etc/a"), "/etc/a"),
    (Generated("/etc/a.db"), "/etc/a.db"),
    (Lines.of("/etc/aliases", ":", ["root", "Abuse"]), "/etc/aliases"),
    (MainCf.of("/etc/postfix/main.cf", ["b", "a"]), "/etc/postfix/main.cf"),
    (MasterCf.of("/etc/postfix/master.cf", ["smtp/inet/x"]), "/etc/postfix/master.cf"),
    (Unit("postfix.service"), ""),
    (WaitingMail(), ""),
    (KernelHostName(), ""),
    (DebconfAnswers("postfix"), ""),
    (InstalledPackages(), ""),
]


@pytest.fixture
def host(tmp_path: Path) -> ToyHost:
    return ToyHost(tmp_path)


@pytest.mark.parametrize(("subject", "path"), SUBJECTS, ids=lambda x: getattr(x, "kind", ""))
def test_the_journal_can_say_it_and_get_it_back(subject: Subject, path: str) -> None:
    assert load(subject.kind, subject.name) == subject
    assert path_of(subject) == path


def changed(
    host: ToyHost, subject: Subject, path: Path, before: bytes | None, after: bytes
) -> tuple[Image, Image]:
    if before is not None:
        host.write(str(path), before)
    first = subject.capture(host)
    host.write(str(path), after)
    second = subject.capture(host)
    return json.loads(json.dumps(first)), json.loads(json.dumps(second))


@pytest.mark.parametrize("before", [b"old\n", b"", b"\xff\x00\r\n", None])
@pytest.mark.parametrize("kind", ["file", "lines", "main.cf", "generated"])
def test_untouched_since_it_is_as_it_was_byte_by_byte(
    host: ToyHost, tmp_path: Path, kind: str, before: bytes | None
) -> None:
    path = tmp_path / "file"
    subjects: dict[str, Subject] = {
        "file": File(str(path)),
        "lines": Lines.of(str(path), ":", ["a"]),
        "main.cf": MainCf.of(str(path), ["a"]),
        "generated": Generated(str(path)),
    }
    subject = subjects[kind]
    one, two = changed(host, subject, path, before, b"a: 1\n")
    subject.restore(host, one, two)
    assert (path.read_bytes() if path.exists() else None) == before
    # a second undo, after a kill, ends the same
    subject.restore(host, one, two)
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_file_edited_since_is_left_and_one_of_a_cut_short_change_is_not(
    host: ToyHost, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    one, two = changed(host, File(str(path)), path, b"old\n", b"new\n")
    path.write_bytes(b"by hand\n")
    with pytest.raises(HandEdited):
        File(str(path)).restore(host, one, two)
    assert path.read_bytes() == b"by hand\n"
    File(str(path)).restore(host, one, None)
    assert path.read_bytes() == b"old\n"


def test_a_changed_mode_or_owner_is_drift_a_changed_time_is_not(
    host: ToyHost, tmp_path: Path
) -> None:
    path, subject = tmp_path / "file", File(str(tmp_path / "file"))
    path.write_text("x")
    parts = subject.parts(subject.capture(host))
    path.touch()
    assert subject.parts(subject.capture(host)) == parts
    path.chmod(0o600)
    assert subject.parts(subject.capture(host)) != parts


ENTRIES = [
    # before, as we left it, as somebody edited it, after our undo
    (b"root: a\n", b"root: x\n", b"root: x\nnew: y\n", b"root: a\nnew: y\n"),
    (b"", b"root: x\n", b"new: y\nroot: x\n", b"new: y\n"),
    (b"root: a,\n  b\n", b"root: x\n", b"# hi\nroot: x\n", b"# hi\nroot: a,\n  b\n"),
    (b"root: a\nroot: b\n", b"root: x\n", b"root: x\nz: z\n", b"root: a\nroot: b\nz: z\n"),
    (
        b"o: \xff\n",
        b"o: \xff\nroot: x\n",
        b"o: \xff\nroot: x\np: \xfe\r\n",
        b"o: \xff\np: \xfe\r\n",
    ),
    (b"root: a\n", b"root: x\n", b"c: d\x0ce\nroot: x\n", b"c: d\x0ce\nroot: a\n"),
]


@pytest.mark.parametrize(("before", "left", "edited", "undone"), ENTRIES)
def test_entries_others_wrote_beside_ours_stay(
    host: ToyHost, tmp_path: Path, before: bytes, left: bytes, edited: bytes, undone: bytes
) -> None:
    path, subject = tmp_path / "aliases", Lines.of(str(tmp_path / "aliases"), ":", ["Root"])
    one, two = changed(host, subject, path, before, left)
    host.write(str(path), edited)
    assert subject.parts(subject.capture(host)) == subject.parts(two)
    subject.restore(host, one, two)
    assert path.read_bytes() == undone
    subject.restore(host, one, two)
    assert path.read_bytes() == undone


PARAMETERS = [
    (b"a = 1\n", b"a = 9\n", b"a = 9\nb = 2\n", b"a = 1\nb = 2\n"),
    (b"", b"a = 9\n", b"# by hand\na = 9\n", b"# by hand\n"),
    (b"a = 1\n# n\n  2\n", b"a = 9\n# n\n", b"a = 9\n# n\nb = 3\n", b"a = 1 2\n# n\nb = 3\n"),
    (b"a = 1\na = 2\n", b"a = 9\n", b"b = 1\r\na = 9\n", b"b = 1\r\na = 2\n"),
    (b"# \xff\n", b"# \xff\na = 9\n", b"# \xff\na = 9\nb = \xfe\n", b"# \xff\nb = \xfe\n"),
]


@pytest.mark.parametrize(("before", "left", "edited", "undone"), PARAMETERS)
def test_parameters_others_set_beside_ours_stay(
    host: ToyHost, tmp_path: Path, before: bytes, left: bytes, edited: bytes, undone: bytes
) -> None:
    path, subject = tmp_path / "main.cf", MainCf.of(str(tmp_path / "main.cf"), ["a"])
    one, two = changed(host, subject, path, before, left)
    host.write(str(path), edited)
    subject.restore(host, one, two)
    assert path.read_bytes() == undone


def test_parts_name_what_is_ours_alone(host: ToyHost, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("root: a\nother: b\n")
    lines = Lines.of(str(path), ":", ["root", "none"])
    assert lines.parts(lines.capture(host)) == {f"{path} root": "root: a", f"{path} none": ""}
    path.write_text("a = 1,\t2\n    3\nother = b\n")
    main = MainCf.of(str(path), ["a", "none"])
    assert main.parts(main.capture(host)) == {f"{path} a": "1, 2 3", f"{path} none": ""}
    assert Generated(str(path)).parts(Generated(str(path)).capture(host)) == {}


@pytest.mark.parametrize(
    ("before", "now", "verbs"),
    [
        (("enabled", "active"), ("enabled", "active"), ["reset-failed", "restart"]),
        (("disabled", "inactive"), ("enabled", "active"), ["disable", "stop"]),
        (("enabled", "active"), ("disabled", "inactive"), ["enable", "reset-failed", "restart"]),
        (("disabled", "inactive"), ("disabled", "inactive"), []),
        (("static", "inactive"), ("static", "active"), ["stop"]),
    ],
)
def test_a_unit_runs_and_is_enabled_as_before(
    host: ToyHost, before: tuple[str, str], now: tuple[str, str], verbs: list[str]
) -> None:
    unit = Unit("postfix.service")
    host.units[unit.name] = before
    image = unit.capture(host)
    host.units[unit.name] = now
    host.changed[unit.name] = 8
    unit.restore(host, image, None)
    assert [argv[1] for argv in host.ran] == verbs
    assert host.units[unit.name] == before


@pytest.mark.parametrize("known", ["", "enabled"])
def test_a_unit_whose_file_is_gone_needs_no_disabling(known: str) -> None:
    unit, host = Unit("mailwizard-definitions.path"), RecordedHost()
    shown = f"UnitFileState={known}\nActiveState=inactive\n"
    host.answers = {
        f"systemctl show -p {SHOWN} {unit.name}": Completed((), 0, shown),
        f"systemctl disable --quiet -- {unit.name}": Completed((), 1),
    }
    before = {"enabled": "disabled", "active": False}
    if known:
        with pytest.raises(CommandFailed):
            unit.restore(host, before, None)
    else:
        unit.restore(host, before, None)


def test_a_unit_that_nobody_touched_is_not_restarted(host: ToyHost) -> None:
    unit = Unit("dovecot.service")
    host.units[unit.name] = ("enabled", "active")
    unit.restore(host, unit.capture(host), None)
    assert host.ran == []
    older = {"enabled": "enabled", "active": True}  # of a journal that did not write it down
    unit.restore(host, older, None)
    assert [argv[1] for argv in host.ran] == ["reset-failed", "restart"]


def test_the_running_name_is_set_back() -> None:
    host = RecordedHost(answers={"hostname": Completed((), 0, "old\n")})
    image = KernelHostName().capture(host)
    KernelHostName().restore(host, image, None)
    assert host.ran == [("hostname", "--", "old")]


def test_options_of_services_others_set_stay() -> None:
    from support.programs import POSTFIX

    path = "/etc/postfix/master.cf"
    text = b"smtp inet n - y - - smtpd\n"
    host = RecordedHost(files={path: Written(text)}, programs=dict(POSTFIX))
    subject = MasterCf.of(path, ["smtp/inet/a"])
    before = subject.capture(host)
    host.write(path, b"smtp inet n - y - - smtpd\n    -o a=1\n")
    after = subject.capture(host)
    assert subject.parts(after) == {f"{path} smtp/inet/a": "1"}
    subject.restore(host, before, after)
    assert host.read(path) == text
