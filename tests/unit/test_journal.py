"""The journal remembers what was, before anything is changed, and refuses what is not its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from mailwizard.errors import HostRefused
from mailwizard.journal import Journal
from mailwizard.journalfile import SCHEMA
from mailwizard.subjects import File, MainCf

FILE, MAIN = File("/etc/a"), MainCf.of("/etc/postfix/main.cf", ["inet_protocols"])
ABSENT = {
    "kind": "absent",
    "mode": 0,
    "uid": 0,
    "gid": 0,
    "mtime_ns": 0,
    "target": "",
    "xattrs": [],
}
THERE = {**ABSENT, "kind": "file", "data": "eA=="}
OTHER = {**ABSENT, "kind": "file", "data": "eQ=="}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal.db")


def bytes_of(folder: Path) -> dict[str, str]:
    return {p.name: sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_what_is_written_is_read_again(path: str) -> None:
    journal = Journal(path, "host-1")
    first = journal.intend("postfix", "write it", (FILE, MAIN), [ABSENT, THERE], "put_file x")
    journal.done(first, [THERE, THERE])
    second = journal.intend("aliases", "über", (FILE,), [THERE], "")
    journal.note("answers", "abc")
    journal.gate("postfix", True, "pass")
    journal.gate("postfix", False, "fail")
    journal.close()
    again = Journal(path, "host-1")
    one, two = again.entries()
    assert (one.id, one.step, one.title, one.state) == (first, "postfix", "write it", "done")
    assert one.subjects == (FILE, MAIN)
    assert (one.before, one.after) == ((ABSENT, THERE), (THERE, THERE))
    assert (two.id, two.title, two.state, two.after) == (second, "über", "intent", None)
    assert again.entries("aliases") == [two]
    assert again.noted("answers") == "abc"
    assert again.noted("never") == ""
    last, opened = again.last_gate("postfix"), again.last_gate("postfix", only_open=True)
    assert last is not None
    assert (last.open, last.outcome, last.entry) == (False, "fail", second)
    assert opened is not None
    assert opened.open
    assert again.last_gate("aliases") is None


def test_what_is_undone_is_gone_and_gates_can_be_forgotten(path: str) -> None:
    journal = Journal(path, "host-1")
    ids = [journal.intend("s", str(n), (FILE,), [ABSENT], "") for n in range(3)]
    journal.gate("s", True, "pass")
    journal.undone(ids[:2])
    journal.forget_gates("s")
    assert [entry.id for entry in journal.entries()] == ids[2:]
    assert journal.last_gate("s") is None


def test_what_we_left_behind_is_the_newest_and_never_of_a_change_cut_short(path: str) -> None:
    journal = Journal(path, "host-1")
    one = journal.intend("s", "first", (FILE,), [ABSENT], "")
    journal.done(one, [THERE])
    left = journal.left_behind()
    assert left == FILE.parts(THERE)
    two = journal.intend("s", "second", (FILE,), [THERE], "")
    assert journal.left_behind() == {}
    journal.done(two, [OTHER])
    assert journal.left_behind() == FILE.parts(OTHER)


def test_the_before_image_outlives_a_kill_at_once(path: str) -> None:
    program = (
        "import os, signal, sys\n"
        "from mailwizard.journal import Journal\n"
        "from mailwizard.subjects import File\n"
        f"journal = Journal({path!r}, 'host-1')\n"
        f"journal.intend('s', 'write it', (File('/etc/a'),), [{THERE!r}], '')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert run(program) == -signal.SIGKILL
    (entry,) = Journal(path, "host-1").entries()
    assert (entry.state, entry.before) == ("intent", (THERE,))


def test_every_write_is_synchronised_and_private(path: str) -> None:
    journal = Journal(path, "host-1")
    journal.gate("s", True, "pass")
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (3,)
    modes = {p.name: p.stat().st_mode & 0o777 for p in Path(path).parent.iterdir()}
    assert modes == {"journal.db": 0o600, "journal.db.good": 0o600}


def leave_hot(path: str) -> None:
    """A writer killed in the middle of a commit, its rollback journal left behind."""
    program = (
        "import os, signal, sqlite3\n"
        f"db = sqlite3.connect({path!r}, isolation_level=None)\n"
        "db.execute('PRAGMA cache_size = 1')\n"
        "db.execute('BEGIN IMMEDIATE')\n"
        "for n in range(200):\n"
        "    db.execute('INSERT INTO gates(step, open, outcome, at, entry) VALUES(?,1,?,?,0)',"
        " ('s', 'x' * 900, 'now'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert run(program) == -signal.SIGKILL
    assert Path(f"{path}-journal").stat().st_size > 0


def run(program: str) -> int:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode


def test_a_rollback_journal_left_behind_is_honoured(path: str) -> None:
    journal = Journal(path, "host-1")
    journal.intend("s", "write it", (FILE,), [ABSENT], "")
    journal.close()
    leave_hot(path)
    again = Journal(path, "host-1")
    assert [entry.title for entry in again.entries()] == ["write it"]
    assert again.last_gate("s") is None
    assert again.notices == []


def test_looking_plays_it_back_in_a_copy(path: str, tmp_path: Path) -> None:
    journal = Journal(path, "host-1")
    journal.intend("s", "write it", (FILE,), [ABSENT], "")
    journal.close()
    leave_hot(path)
    before = bytes_of(tmp_path)
    again = Journal(path, "host-1", read_only=True)
    assert [entry.title for entry in again.entries()] == ["write it"]
    assert again.last_gate("s") is None
    again.close()
    assert bytes_of(tmp_path) == before


def test_looking_creates_and_changes_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "a folder?#%41" / "journal.db")
    nothing = Journal(path, "host-1", read_only=True)
    assert nothing.entries() == []
    assert list(tmp_path.iterdir()) == []
    Path(path).parent.mkdir()
    journal = Journal(path, "host-1")
    journal.intend("s", "write it", (FILE,), [ABSENT], "")
    journal.gate("s", True, "pass")
    before = bytes_of(Path(path).parent)
    looking = Journal(path, "host-1", read_only=True)
    assert len(looking.entries()) == 1
    with pytest.raises(sqlite3.OperationalError):
        looking.note("key", "value")
    assert bytes_of(Path(path).parent) == before


def test_looking_while_a_writer_is_at_work_finds_no_damage(path: str) -> None:
    journal = Journal(path, "host-1")
    journal.gate("s", True, "pass")
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            journal.note("beat", os.urandom(2000).hex())
            over.wait(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(40):
            looking = Journal(path, "host-1", read_only=True)
            assert looking.notices == []
            looking.close()
    finally:
        over.set()
        writer.join()


def test_two_threads_write_side_by_side(path: str) -> None:
    journal = Journal(path, "host-1")

    def work(step: str) -> None:
        for number in range(25):
            entry = journal.intend(step, str(number), (FILE,), [ABSENT], "")
            journal.done(entry, [THERE])
            journal.entries(step)
            journal.gate(step, True, "pass")

    threads = [threading.Thread(target=work, args=(step,)) for step in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    again = Journal(path, "host-1")
    assert again.notices == []
    for step in ("a", "b"):
        assert [e.title for e in again.entries(step)] == [str(n) for n in range(25)]
        assert {e.state for e in again.entries(step)} == {"done"}


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_journal_is_refused_and_stays_as_it_is(path: str, read_only: bool) -> None:
    Journal(path, "host-1").gate("s", True, "pass")
    db = sqlite3.connect(path)
    with db:
        db.execute("UPDATE meta SET value=? WHERE key='schema'", (str(SCHEMA + 1),))
        # how it is sealed and laid out by then is not for us to know
        db.execute("CREATE TABLE later(id INTEGER)")
    db.close()
    before = bytes_of(Path(path).parent)
    with pytest.raises(HostRefused, match="newer mailwizard"):
        Journal(path, "host-1", read_only=read_only)
    assert bytes_of(Path(path).parent) == before


@pytest.mark.parametrize("read_only", [False, True])
def test_the_journal_of_another_host_is_refused(path: str, read_only: bool) -> None:
    Journal(path, "host-1").close()
    before = bytes_of(Path(path).parent)
    with pytest.raises(HostRefused, match="another host"):
        Journal(path, "host-2", read_only=read_only)
    assert bytes_of(Path(path).parent) == before


def test_a_run_killed_while_the_journal_was_made_leaves_a_fresh_start(path: str) -> None:
    Path(f"{path}.new").write_bytes(b"half of one")
    Path(f"{path}.new-journal").write_bytes(b"and its journal")
    assert Journal(path, "host-1").entries() == []
    assert {p.name for p in Path(path).parent.iterdir()} == {"journal.db"}


def test_a_journal_in_use_is_not_taken_for_a_damaged_one(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path, "host-1")
    journal.gate("s", True, "pass")
    journal.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **{**k, "timeout": 0.05}))
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Journal(path, "host-1")
    other.close()
    assert not list(Path(path).parent.glob("*.damaged*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes somebody else")
def test_for_somebody_who_may_not_look_there_is_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    Journal(str(tmp_path / "journal.db"), "host-1").close()
    program = (
        "import os\n"
        "from mailwizard.journal import Journal\n"
        "os.setuid(65534)\n"
        f"assert Journal({str(tmp_path / 'journal.db')!r}, 'x', read_only=True).entries() == []\n"
    )
    assert run(program) == 0
