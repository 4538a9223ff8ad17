"""Files are replaced whole, durably, privately, and stay what they were."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailwizard import host as module
from mailwizard.errors import HostRefused
from mailwizard.host import LocalHost, temporary_name
from mailwizard.host.places import settled
from mailwizard.model import FileState
from mailwizard.platform.debian import TRIXIE
from mailwizard.subjects import File

SOMEBODY = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to somebody else")


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    return LocalHost(TRIXIE, str(tmp_path / "state"))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done to the disk, in order."""
    seen: list[str] = []
    sync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        seen.append(f"fsync {Path(f'/proc/self/fd/{handle}').readlink().name}")
        sync(handle)

    def replaced(old: str, new: str) -> None:
        seen.append(f"rename to {Path(new).name}")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    return seen


def test_a_file_is_durable_before_its_name_and_the_name_after(
    host: LocalHost, tmp_path: Path, calls: list[str]
) -> None:
    host.write(str(tmp_path / "main.cf"), b"x")
    wanted = ["fsync .main.cf.mailwizard-new", "rename to main.cf", f"fsync {tmp_path.name}"]
    assert calls == wanted


def test_removals_and_folders_are_durable_too(
    host: LocalHost, tmp_path: Path, calls: list[str]
) -> None:
    host.make_dir(str(tmp_path / "a"))
    host.remove(str(tmp_path / "a"))
    host.remove(str(tmp_path / "never was"))
    assert calls == [f"fsync {tmp_path.name}"] * 2
    assert not (tmp_path / "a").exists()


def test_a_file_is_born_private(
    host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    opened = os.fdopen

    def watched(handle: int, how: str) -> object:
        modes.append(os.fstat(handle).st_mode & 0o777)
        return opened(handle, how)

    monkeypatch.setattr(os, "fdopen", watched)
    before = os.umask(0)
    try:
        host.write(str(tmp_path / "secret"), b"x", mode=0o600)
        host.write(str(tmp_path / "public"), b"x", mode=0o644)
    finally:
        os.umask(before)
    assert modes == [0o600, 0o600]
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "public").stat().st_mode & 0o777 == 0o644


@as_root
def test_mode_owner_attributes_and_link_stay(host: LocalHost, tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o640)
    os.chown(real, SOMEBODY, SOMEBODY)
    if able := attributes_work(real):
        os.setxattr(real, "user.note", b"kept")
    link.symlink_to("real")
    host.write(str(link), b"new", mode=0o600)
    about = real.stat()
    assert link.is_symlink()
    assert link.readlink() == Path("real")
    assert real.read_bytes() == b"new"
    assert (about.st_mode & 0o777, about.st_uid, about.st_gid) == (0o640, SOMEBODY, SOMEBODY)
    if able:
        assert os.getxattr(real, "user.note") == b"kept"


def attributes_work(path: Path) -> bool:
    try:
        os.setxattr(path, "user.try", b"x")
        os.removexattr(path, "user.try")
    except OSError:
        return False
    return True


def test_a_draft_left_by_a_killed_run_is_replaced_and_swept(
    host: LocalHost, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    draft = Path(temporary_name(str(path)))
    draft.symlink_to("/nowhere")
    host.write(str(path), b"x")
    assert path.read_bytes() == b"x"
    draft.write_bytes(b"half")
    (tmp_path / "link").symlink_to("file")
    Path(temporary_name(str(tmp_path / "link"))).symlink_to("elsewhere")
    host.sweep(str(tmp_path / "link"))
    assert {p.name for p in tmp_path.iterdir()} == {"file", "link"}


@pytest.mark.parametrize("fails", ["write", "sync", "rename"])
def test_a_full_disk_leaves_the_old_file_and_no_draft(
    host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    what = {"write": "fchmod", "sync": "fsync", "rename": "replace"}[fails]
    monkeypatch.setattr(os, what, full)
    with pytest.raises(OSError, match="No space left") as caught:
        host.write(str(path), b"new")
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert {p.name for p in tmp_path.iterdir()} == {"file"}


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", place], check=False
    )
    if mounted.returncode:
        pytest.skip("cannot mount a file system here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_really_full(host: LocalHost, tiny: Path) -> None:
    path = tiny / "file"
    host.write(str(path), b"old")
    for room in range(0, 64 * 1024, 4096):
        (tiny / "ballast").write_bytes(b"x" * (56 * 1024 - room) if room < 56 * 1024 else b"")
        try:
            host.write(str(path), b"new" * 4000)
        except OSError as error:
            assert error.errno == errno.ENOSPC
            assert path.read_bytes() == b"old"
        else:
            assert path.read_bytes() == b"new" * 4000
            (tiny / "ballast").unlink()
            host.write(str(path), b"old")
        assert not Path(temporary_name(str(path))).exists()


@as_root
@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_that_others_may_change_is_refused(
    host: LocalHost, tmp_path: Path, mode: int
) -> None:
    folder = tmp_path / "open" / "deeper"
    folder.mkdir(parents=True)
    folder.parent.chmod(mode)
    with pytest.raises(HostRefused, match="can be changed by others"):
        host.write(str(folder / "file"), b"x")
    folder.parent.chmod(0o755)
    os.chown(folder.parent, SOMEBODY, SOMEBODY)
    with pytest.raises(HostRefused, match="can be changed by others"):
        host.write(str(folder / "file"), b"x")
    assert list(folder.iterdir()) == []


@as_root
def test_links_planted_by_others_are_not_followed(host: LocalHost, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"keep")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    for name, target in (("file", precious), ("folder", tmp_path)):
        (shared / name).symlink_to(target)
        os.lchown(shared / name, SOMEBODY, SOMEBODY)
    for path in (shared / "file", shared / "folder" / "precious"):
        with pytest.raises(HostRefused, match="belongs to somebody else"):
            host.write(str(path), b"x")
        with pytest.raises(HostRefused):
            host.restore(str(path / "x"), FileState("file", 0o644), b"x")
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to(precious)
    os.chown(home, SOMEBODY, SOMEBODY)
    with pytest.raises(HostRefused, match="can be changed by others"):
        host.write(str(home / "link"), b"x")
    (tmp_path / "through").symlink_to(home / "link")
    with pytest.raises(HostRefused, match="can be changed by others"):
        host.write(str(tmp_path / "through"), b"x")
    assert precious.read_bytes() == b"keep"


def test_a_path_is_settled_link_by_link(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "to-a").symlink_to("a")
    (tmp_path / "a" / "up").symlink_to("../to-a/./file")
    (tmp_path / "round").symlink_to("round")
    assert settled(str(tmp_path / "to-a" / "up")) == str(tmp_path / "a" / "file")
    with pytest.raises(HostRefused, match="circle"):
        settled(str(tmp_path / "round"))


@as_root
def test_what_was_there_is_restored_exactly(host: LocalHost, tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"\x00\xff old")
    file.chmod(0o4750)
    os.chown(file, SOMEBODY, SOMEBODY)
    file.chmod(0o4750)
    os.utime(file, ns=(1, 1_600_000_000_123_456_789))
    link.symlink_to("file")
    os.lchown(link, SOMEBODY, SOMEBODY)
    before = {p: host.state(str(p)) for p in (file, link)}
    image = File(str(link)).capture(host)
    # postconf -e makes a plain file of a link, and of mode 0600 a 0644 (E12)
    link.unlink()
    link.write_bytes(b"new")
    file.unlink()
    shutil.copy(link, file)
    File(str(link)).restore(host, image, None)
    assert {p: host.state(str(p)) for p in (file, link)} == before
    assert file.read_bytes() == b"\x00\xff old"


def test_what_was_not_there_is_gone_again(host: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "file"
    image = File(str(path)).capture(host)
    host.write(str(path), b"x")
    File(str(path)).restore(host, image, File(str(path)).capture(host))
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_a_circle_is_said_and_not_followed(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(HostRefused, match="circle"):
        File(str(tmp_path / "round")).capture(host)


def test_the_kill_points_are_where_the_writes_are(
    host: LocalHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(module, "_replace", lambda _new, path: seen.append(Path(path).name))
    host.write(str(tmp_path / "one"), b"")
    host.restore(
        str(tmp_path / "two"),
        FileState("link", uid=os.geteuid(), gid=os.getegid(), target="x"),
        b"",
    )
    assert seen == ["one", "two"]
