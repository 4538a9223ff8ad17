"""A damaged journal: its last good copy or a clear refusal, never a wrong state (R10).

Every bit of the header is flipped, and of the rest one bit in each eleventh byte; it is cut off at
each eleventh byte: 1443 files. EVERY_BIT=1 tries every bit and every length, 32256 files.
The journal is made with small pages to keep that short.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailwizard.errors import HostRefused
from mailwizard.journal import Entry, GateRecord, Journal
from mailwizard.subjects import File

IMAGE = {"kind": "absent", "mode": 0, "uid": 0, "gid": 0, "mtime_ns": 0, "target": "", "xattrs": []}
HEADER = 100
EVERY = bool(os.environ.get("EVERY_BIT"))
STRIDE = 1 if EVERY else 11
SPARSE = 6

State = tuple[list[Entry], GateRecord | None, str]


def state(journal: Journal) -> State:
    return journal.entries(), journal.last_gate("s"), journal.noted("word")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small journal that went on after its good copy was made."""
    folder = tmp_path_factory.mktemp("made")
    path = str(folder / "journal.db")
    journal = Journal(path, "host-1")
    journal.done(journal.intend("s", "one", (File("/etc/a"),), [IMAGE], "sh"), [IMAGE])
    journal.gate("s", True, "pass")
    journal.note("word", "later")
    journal.intend("s", "two", (File("/etc/b"),), [IMAGE], "sh")
    journal.close()
    small = sqlite3.connect(path)
    small.execute("PRAGMA page_size = 512")
    small.execute("VACUUM")
    small.close()
    return folder


def flipped(data: bytes) -> Iterator[bytes]:
    for offset in (*range(HEADER), *range(HEADER, len(data), STRIDE)):
        for bit in range(8) if EVERY or offset < HEADER else (offset % 8,):
            damaged = bytearray(data)
            damaged[offset] ^= 1 << bit
            yield bytes(damaged)


def truncated(data: bytes) -> Iterator[bytes]:
    yield from (data[:length] for length in range(0, len(data), STRIDE))


def outcome(path: Path, *, read_only: bool) -> State | None:
    """What the loader gives; None when it refuses."""
    try:
        journal = Journal(str(path), "host-1", read_only=read_only)
    except HostRefused:
        return None
    try:
        return state(journal)
    finally:
        journal.close()


@pytest.mark.parametrize("damage", [flipped, truncated])
def test_looking_gives_the_state_or_the_good_copy_or_refuses(
    made: Path, tmp_path: Path, damage: object
) -> None:
    assert callable(damage)
    good = outcome(made / "journal.db.good", read_only=True)
    newest = outcome(made / "journal.db", read_only=True)
    assert None not in (good, newest)
    assert good != newest
    data = (made / "journal.db").read_bytes()
    shutil.copy(made / "journal.db.good", tmp_path)
    seen = {"newest": 0, "good": 0, "refused": 0}
    for damaged in damage(data):
        (tmp_path / "journal.db").write_bytes(damaged)
        found = outcome(tmp_path / "journal.db", read_only=True)
        assert found in (newest, good, None)
        seen["newest" if found == newest else "good" if found else "refused"] += 1
    # only a flipped format number reads as "newer"
    assert seen["refused"] <= 8
    assert seen["good"] > seen["newest"] / 4


@pytest.mark.parametrize("damage", [flipped, truncated])
def test_a_run_goes_on_from_there_and_keeps_the_damaged_file(
    made: Path, tmp_path: Path, damage: object
) -> None:
    assert callable(damage)
    good = outcome(made / "journal.db.good", read_only=True)
    newest = outcome(made / "journal.db", read_only=True)
    data = (made / "journal.db").read_bytes()
    for number, damaged in enumerate(damage(data)):
        if number % SPARSE:
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(made / "journal.db.good", folder)
        (folder / "journal.db").write_bytes(damaged)
        try:
            journal = Journal(str(folder / "journal.db"), "host-1")
        except HostRefused:
            assert (folder / "journal.db").read_bytes() == damaged
            continue
        assert state(journal) in (newest, good)
        journal.note("word", "goes on")
        journal.close()
        again = outcome(folder / "journal.db", read_only=False)
        assert again is not None
        assert again[2] == "goes on"
        kept = [path.read_bytes() for path in folder.glob("*.damaged-*")]
        assert kept == ([damaged] if journal.notices else [])


def test_without_a_good_copy_damage_is_refused_and_nothing_starts_over(
    made: Path, tmp_path: Path
) -> None:
    newest = outcome(made / "journal.db", read_only=True)
    data = (made / "journal.db").read_bytes()
    for damaged in [b"", data[:700], *list(flipped(data))[HEADER * 8 :: 97]]:
        (tmp_path / "journal.db").write_bytes(damaged)
        assert outcome(tmp_path / "journal.db", read_only=False) in (newest, None)
        assert (tmp_path / "journal.db").read_bytes() == damaged


def test_both_damaged_is_refused(made: Path, tmp_path: Path) -> None:
    for name in ("journal.db", "journal.db.good"):
        (tmp_path / name).write_bytes((made / name).read_bytes()[:900])
    with pytest.raises(HostRefused, match="no good copy") as caught:
        Journal(str(tmp_path / "journal.db"), "host-1")
    assert "journal.db*" in caught.value.hint


def test_a_lost_journal_goes_back_to_the_good_copy(made: Path, tmp_path: Path) -> None:
    shutil.copy(made / "journal.db.good", tmp_path)
    journal = Journal(str(tmp_path / "journal.db"), "host-1")
    assert [entry.title for entry in journal.entries()] == ["one"]
    assert journal.notices
