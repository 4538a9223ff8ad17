"""The journal: every change's intent and before-image is durable before its first byte changes.

SQLite with full synchronisation. Each row is sealed by a digest over all rows, so that a damaged
file is noticed and the last good copy is used instead (R10); the damaged one is kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailwizard import subjects
from mailwizard.errors import HostRefused
from mailwizard.journalfile import SCHEMA, TABLES, aside, connect, put, seal, sound
from mailwizard.model import Image, Subject

OUTDATED = "outdated"
"""In the place of a verdict: the answers are others since."""


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


_Kept = tuple[tuple[int, int], list[Entry], dict[str, str] | None]
"""The version of the file, what stands in it, and how that left things, once somebody asked."""


class Journal:
    """The state of this host under mailwizard's hands; one writer at a time (lock.py)."""

    def __init__(self, path: str, machine: str, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self.notices: list[str] = []
        self._kept: _Kept | None = None
        # a package transaction may run beside the questions, on a thread of its own
        self._turn = threading.Lock()
        fresh = not any(os.access(name, os.F_OK) for name in (path, f"{path}.good"))
        self._aside = aside(path) if read_only and not fresh else None
        if self._aside:
            self.path = f"{self._aside.name}/journal.db"
        if not fresh and not sound(self.path, read_only=read_only):
            self._fall_back()
        if fresh and not read_only:
            self._create(machine)
        if read_only and fresh:
            self._db = connect(":memory:")
        else:
            self._db = connect(self.path, read_only=read_only)
        if fresh and read_only:
            self._fill(machine)
        self._refuse_foreign(machine)

    def close(self) -> None:
        self._db.close()
        if self._aside:
            self._aside.cleanup()

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

    def rebased(self, entry: int, before: Sequence[Image], after: Sequence[Image] | None) -> None:
        """What was there before and what was left: what this was built on is gone."""
        left = None if after is None else json.dumps(list(after))
        self._write(
            "UPDATE entries SET before=?, after=? WHERE id=?", json.dumps(list(before)), left, entry
        )

    def undone(self, entries: Sequence[int]) -> None:
        marks = ", ".join("?" * len(entries))
        self._write(f"UPDATE entries SET state='undone' WHERE id IN ({marks})", *entries)

    def gate(self, step: str, is_open: bool, outcome: str) -> None:
        """Record the probes' verdict; an open gate also makes the good copy."""
        newest = self._read("SELECT COALESCE(MAX(id), 0) FROM entries")[0][0]
        self._write(
            "INSERT INTO gates(step, open, outcome, at, entry) VALUES(?, ?, ?, ?, ?)",
            *(step, int(is_open), outcome, now(), newest),
        )
        if is_open:
            self._copy()

    def outdate(self, step: str) -> None:
        """The step's verdict was about other answers; its gate is still one to go back to."""
        gate = self.last_gate(step, only_open=True)
        if gate is not None and gate.outcome != OUTDATED:
            self._write("UPDATE gates SET outcome = ? WHERE step = ?", OUTDATED, step)

    def forget_gates(self, step: str) -> None:
        """An undone step has no verdict."""
        self._write("DELETE FROM gates WHERE step = ?", step)

    def note(self, key: str, value: str) -> None:
        """Remember one word of our own, e.g. which answers a step was applied with."""
        self._write("INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", key, value)

    def noted(self, key: str) -> str:
        rows = self._read("SELECT value FROM meta WHERE key=?", key)
        return str(rows[0][0]) if rows else ""

    def entries(self, step: str | None = None) -> list[Entry]:
        """What stands (not undone), oldest first."""
        return [entry for entry in self._every()[1] if step is None or entry.step == step]

    def _every(self) -> _Kept:
        """All that stands, read again when somebody has written."""
        version = (self._read("PRAGMA data_version")[0][0], self._db.total_changes)
        kept = self._kept
        if kept is None or kept[0] != version:
            rows = self._read(
                "SELECT id, step, title, state, subjects, before, after, at FROM entries"
                " WHERE state != 'undone' ORDER BY id"
            )
            kept = self._kept = version, [_entry(row) for row in rows], None
        return kept

    def last_gate(self, step: str, *, only_open: bool = False) -> GateRecord | None:
        rows = self._read(
            "SELECT step, open, outcome, at, entry FROM gates WHERE step = ? AND open >= ?"
            " ORDER BY id DESC LIMIT 1",
            *(step, int(only_open)),
        )
        return next((GateRecord(name, bool(is_open), *rest) for name, is_open, *rest in rows), None)

    def since_gate(self, step: str) -> list[Entry]:
        """What the step changed after its gate was open for the last time."""
        gate = self.last_gate(step, only_open=True)
        newest = gate.entry if gate else 0
        return [entry for entry in self.entries(step) if entry.id > newest]

    def left_behind(self) -> dict[str, str]:
        """Each part we own and how we left it, but none of a change that was cut short."""
        version, every, parts = self._every()
        if parts is None:
            parts = _left_behind(every)
            self._kept = version, every, parts
        return dict(parts)

    def _create(self, machine: str) -> None:
        """Complete under another name first: a killed run leaves no half-made journal."""
        unborn = f"{self.path}.new"
        for leftover in (unborn, f"{unborn}-journal", f"{self.path}-journal"):
            Path(leftover).unlink(missing_ok=True)
        Path(unborn).touch(mode=0o600)
        self._db = connect(unborn)
        self._fill(machine)
        self._db.close()
        put(Path(unborn), Path(self.path))

    def _fill(self, machine: str) -> None:
        self._db.executescript(TABLES)
        self._write("INSERT INTO meta VALUES('schema', ?)", str(SCHEMA))
        self._write("INSERT INTO meta VALUES('machine', ?)", machine)

    def _refuse_foreign(self, machine: str) -> None:
        if self.noted("machine") != machine:
            raise HostRefused(
                f"{self.path} belongs to another host (its machine-id differs)",
                hint="A copied state is not replayed. Name another folder with --state.",
            )

    def _read(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._turn:
            return self._db.execute(statement, values).fetchall()

    def _write(self, statement: str, *values: Any) -> int:
        """The one place where the journal is written: a change and its seal, in one commit."""
        with self._turn, self._db:
            cursor = self._db.execute(statement, values)
            sealed = seal(self._db)
            self._db.execute("INSERT OR REPLACE INTO meta VALUES('seal', ?)", (sealed,))
        return cursor.lastrowid or 0

    def _copy(self) -> None:
        unborn = Path(f"{self.path}.good-new")
        with self._turn:
            unborn.unlink(missing_ok=True)
            unborn.touch(mode=0o600)
            with contextlib.closing(connect(str(unborn))) as copy:
                self._db.backup(copy)
            put(unborn, Path(f"{self.path}.good"))

    def _fall_back(self) -> None:
        good = f"{self.path}.good"
        kept = f"{self.path}.damaged-{int(time.time())}"
        if not sound(good, read_only=self.read_only):
            raise HostRefused(
                f"{self.path} is damaged, and there is no good copy of it",
                hint=f"Move {self.path}* away to start anew: what was changed so far can then not "
                "be undone.",
            )
        if self.read_only:
            self.path = kept = good
        else:
            # its rollback journal goes with it: it would be played into the good copy
            for ending in ("", "-journal"):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self.path}{ending}").replace(f"{kept}{ending}")
            copy = Path(f"{self.path}.new")
            copy.unlink(missing_ok=True)
            copy.touch(mode=0o600)
            copy.write_bytes(Path(good).read_bytes())
            put(copy, Path(self.path))
        self.notices.append(f"the journal was damaged: its last good copy is used, see {kept}")


def _left_behind(entries: Sequence[Entry]) -> dict[str, str]:
    parts: dict[str, str] = {}
    for entry in entries:
        for place, subject in enumerate(entry.subjects):
            mine = subject.parts((entry.after or entry.before)[place])
            for part in mine:
                parts.pop(part, None)
            parts.update(mine if entry.after is not None else {})
    return parts


def _entry(row: Sequence[Any]) -> Entry:
    number, step, title, state, touched, before, after, at = row
    return Entry(
        id=number,
        step=step,
        title=title,
        state=state,
        subjects=tuple(subjects.load(kind, name) for kind, name in json.loads(touched)),
        before=tuple(json.loads(before)),
        after=None if after is None else tuple(json.loads(after)),
        at=at,
    )
