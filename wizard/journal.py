"""The journal: every change's intent and before-image is durable before its first byte changes.

SQLite with full synchronisation. Each row is sealed by a digest over all rows, so that a damaged
file is noticed and the last good copy is used instead (R10); the damaged one is kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from mailwizard import subjects
from mailwizard.errors import HostRefused
from mailwizard.model import Image, Subject

SCHEMA = 1
_TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE entries(
  id INTEGER PRIMARY KEY, step TEXT NOT NULL, title TEXT NOT NULL, state TEXT NOT NULL,
  subjects TEXT NOT NULL, before TEXT NOT NULL, after TEXT, shell TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE gates(
  id INTEGER PRIMARY KEY, step TEXT NOT NULL, open INTEGER NOT NULL, outcome TEXT NOT NULL,
  at TEXT NOT NULL, entry INTEGER NOT NULL);
"""


def now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Entry:
    """One journalled change; state is intent, done, kept or undone."""

    id: int
    step: str
    title: str
    state: str
    subjects: tuple[Subject, ...]
    before: tuple[Image, ...]
    after: tuple[Image, ...] | None
    at: str


@dataclass(frozen=True, slots=True)
class GateRecord:
    """The last verdict of a step's gate, and the newest entry at that time."""

    step: str
    open: bool
    outcome: str
    at: str
    entry: int


class Journal:
    """The state of this host under mailwizard's hands; one writer at a time (lock.py)."""

    def __init__(self, path: str, machine: str, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self.notices: list[str] = []
        # a package transaction may run beside the questions, on a thread of its own
        self._turn = threading.Lock()
        fresh = not (os.path.exists(path) or os.path.exists(f"{path}.good"))
        if not fresh and not _sound(path):
            self._fall_back()
        if fresh and not read_only:
            self._create(machine)
        self._db = _connect(
            ":memory:" if read_only and fresh else self.path, read_only and not fresh
        )
        if fresh and read_only:
            self._fill(machine)
        self._refuse_foreign(machine)

    def close(self) -> None:
        self._db.close()

    def intend(
        self, step: str, title: str, subs: Sequence[Subject], before: Sequence[Image], shell: str
    ) -> int:
        """Write down what is about to change and how it was; durable on return."""
        values = {
            "step": step,
            "title": title,
            "state": "intent",
            "subjects": json.dumps([[s.kind, s.name] for s in subs]),
            "before": json.dumps(list(before)),
            "shell": shell,
            "at": now(),
        }
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        return self._write(f"INSERT INTO entries({columns}) VALUES({marks})", *values.values())

    def done(self, entry: int, after: Sequence[Image], state: str = "done") -> None:
        """The change is made and read back."""
        self._write(
            "UPDATE entries SET state=?, after=? WHERE id=?", state, json.dumps(list(after)), entry
        )

    def undone(self, entries: Sequence[int]) -> None:
        marks = ", ".join("?" * len(entries))
        self._write(f"UPDATE entries SET state='undone' WHERE id IN ({marks})", *entries)

    def gate(self, step: str, is_open: bool, outcome: str) -> None:
        """Record the probes' verdict; an open gate also makes the good copy."""
        newest = self._db.execute("SELECT COALESCE(MAX(id), 0) FROM entries").fetchone()[0]
        self._write(
            "INSERT INTO gates(step, open, outcome, at, entry) VALUES(?, ?, ?, ?, ?)",
            *(step, int(is_open), outcome, now(), newest),
        )
        if is_open:
            self._copy()

    def forget_gates(self, step: str) -> None:
        """An undone step has no verdict."""
        self._write("DELETE FROM gates WHERE step = ?", step)

    def note(self, key: str, value: str) -> None:
        """Remember one word of our own, e.g. which answers a step was applied with."""
        self._write("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", key, value)

    def noted(self, key: str) -> str:
        row = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return row[0] if row else ""

    def entries(self, step: str | None = None) -> list[Entry]:
        """What stands (not undone), oldest first."""
        rows = self._db.execute(
            "SELECT id, step, title, state, subjects, before, after, at FROM entries"
            " WHERE state != 'undone' AND (? IS NULL OR step = ?) ORDER BY id",
            (step, step),
        )
        return [_entry(row) for row in rows]

    def last_gate(self, step: str, *, only_open: bool = False) -> GateRecord | None:
        row = self._db.execute(
            "SELECT step, open, outcome, at, entry FROM gates WHERE step = ? AND open >= ?"
            " ORDER BY id DESC LIMIT 1",
            (step, int(only_open)),
        ).fetchone()
        return GateRecord(row[0], bool(row[1]), *row[2:]) if row else None

    def left_behind(self) -> dict[str, str]:
        """Each part we own and how we left it; parts of a change that was cut short are not in it."""
        parts: dict[str, str] = {}
        for entry in self.entries():
            for place, subject in enumerate(entry.subjects):
                image = (entry.after or entry.before)[place]
                mine = subject.parts(image)
                for part in mine:
                    parts.pop(part, None)
                parts.update(mine if entry.after is not None else {})
        return parts

    def _create(self, machine: str) -> None:
        """Complete under another name first: a killed run leaves no half-made journal."""
        unborn = f"{self.path}.new"
        for leftover in (unborn, f"{unborn}-journal", f"{self.path}-journal"):
            Path(leftover).unlink(missing_ok=True)
        self._db = _connect(unborn, False)
        os.chmod(unborn, 0o600)
        self._fill(machine)
        self._db.close()
        _put(unborn, self.path)

    def _fill(self, machine: str) -> None:
        self._db.executescript(_TABLES)
        self._write("INSERT INTO meta VALUES('schema', ?)", str(SCHEMA))
        self._write("INSERT INTO meta VALUES('machine', ?)", machine)

    def _refuse_foreign(self, machine: str) -> None:
        schema = int(self.noted("schema") or 0)
        if schema > SCHEMA:
            raise HostRefused(
                f"{self.path} was written by a newer mailwizard (format {schema}, this knows {SCHEMA})",
                hint="Use that newer version; nothing was changed.",
            )
        if self.noted("machine") != machine:
            raise HostRefused(
                f"{self.path} belongs to another host (its machine-id differs)",
                hint="A copied state is not replayed. Move it away, or use --state with a new folder.",
            )

    def _write(self, statement: str, *values: Any) -> int:
        """The one place where the journal is written: a change and its seal, in one commit."""
        with self._turn, self._db:
            cursor = self._db.execute(statement, values)
            seal = _seal(self._db)
            self._db.execute("INSERT OR REPLACE INTO meta VALUES('seal', ?)", (seal,))
        return cursor.lastrowid or 0

    def _copy(self) -> None:
        temporary = f"{self.path}.good-new"
        Path(temporary).unlink(missing_ok=True)
        copy = _connect(temporary, False)
        self._db.backup(copy)
        copy.close()
        os.chmod(temporary, 0o600)
        _put(temporary, f"{self.path}.good")

    def _fall_back(self) -> None:
        good = f"{self.path}.good"
        kept = f"{self.path}.damaged-{int(time.time())}"
        if not _sound(good):
            raise HostRefused(
                f"{self.path} is damaged, and there is no good copy of it",
                hint="Move it away to start anew: what was changed so far can then not be undone.",
            )
        if self.read_only:
            self.path = good
        else:
            # its rollback journal goes with it: it would be played into the good copy
            for ending in ("", "-journal"):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(f"{self.path}{ending}", f"{kept}{ending}")
            copy = f"{self.path}.new"
            Path(copy).write_bytes(Path(good).read_bytes())
            os.chmod(copy, 0o600)
            _put(copy, self.path)
        self.notices.append(f"the journal was damaged: went back to its last good copy ({kept})")


def _connect(path: str, read_only: bool) -> sqlite3.Connection:
    if read_only:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
    else:
        db = sqlite3.connect(path, check_same_thread=False)
        # a commit is on the disk, and the deletion of its rollback journal too
        db.execute("PRAGMA synchronous = EXTRA")
    return db


def _put(temporary: str, path: str) -> None:
    """A finished file takes its place; both are durable afterwards (R2)."""
    for name in (temporary, os.path.dirname(path)):
        handle = os.open(name, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
        if name == temporary:
            os.replace(temporary, path)


def _rows(db: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    yield from db.execute("SELECT key, value FROM meta WHERE key != 'seal' ORDER BY key")
    yield from db.execute("SELECT * FROM entries ORDER BY id")
    yield from db.execute("SELECT * FROM gates ORDER BY id")


def _seal(db: sqlite3.Connection) -> str:
    digest = sha256()
    for row in _rows(db):
        digest.update(repr(row).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _sound(path: str) -> bool:
    """True when the file is a journal whose every row is as it was written."""
    if not os.path.exists(path):
        return False
    try:
        # a rollback journal left by a killed writer is played back here, before anything is read
        db = _connect(path, not os.access(path, os.W_OK))
        try:
            checked = db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            row = db.execute("SELECT value FROM meta WHERE key='seal'").fetchone()
            return checked and bool(row) and row[0] == _seal(db)
        finally:
            db.close()
    except (sqlite3.Error, UnicodeDecodeError):
        return False


def _entry(row: Sequence[Any]) -> Entry:
    found: list[Mapping[str, Any]] = json.loads(row[5])
    after = None if row[6] is None else tuple(json.loads(row[6]))
    loaded = tuple(subjects.load(kind, name) for kind, name in json.loads(row[4]))
    return Entry(*row[:4], loaded, tuple(dict(image) for image in found), after, row[7])
