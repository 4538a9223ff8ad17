"""The journal's file: what is in it, whether it is whole, and how it is put in its place."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from mailwizard.errors import HostRefused

SCHEMA = 1
TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE entries(
  id INTEGER PRIMARY KEY, step TEXT NOT NULL, title TEXT NOT NULL, state TEXT NOT NULL,
  subjects TEXT NOT NULL, before TEXT NOT NULL, after TEXT, shell TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE gates(
  id INTEGER PRIMARY KEY, step TEXT NOT NULL, open INTEGER NOT NULL, outcome TEXT NOT NULL,
  at TEXT NOT NULL, entry INTEGER NOT NULL);
"""
# it is in use, or the disk is in trouble: that says nothing about what is in the file
_PASSING = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
)


def connect(path: str, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection that any thread may use, one at a time."""
    if read_only:
        uri = f"{Path(path).absolute().as_uri()}?mode=ro"
        db = sqlite3.connect(uri, uri=True, check_same_thread=False)
    else:
        db = sqlite3.connect(path, check_same_thread=False)
        # a commit is on the disk, and the deletion of its rollback journal too
        db.execute("PRAGMA synchronous = EXTRA")
    return db


def put(temporary: Path, path: Path) -> None:
    """A finished file takes its place; both are durable afterwards (R2)."""
    _sync(temporary)
    temporary.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _rows(db: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    yield from db.execute("SELECT key, value FROM meta WHERE key != 'seal' ORDER BY key")
    yield from db.execute("SELECT * FROM entries ORDER BY id")
    yield from db.execute("SELECT * FROM gates ORDER BY id")


def seal(db: sqlite3.Connection) -> str:
    """A digest over every row but its own."""
    digest = sha256()
    for row in _rows(db):
        digest.update(repr(row).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def sound(path: str, *, read_only: bool) -> bool:
    """True when every row is as it was written; raises HostRefused for a newer journal."""
    if not os.access(path, os.F_OK):
        return False
    try:
        # a rollback journal left by a killed writer is played back here, before anything is read
        with contextlib.closing(connect(path, read_only=read_only)) as db:
            intact = db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            # one transaction: a writer may be at work while we look
            db.execute("BEGIN")
            said = dict(db.execute("SELECT key, value FROM meta WHERE key IN ('schema', 'seal')"))
            _refuse_newer(path, str(said.get("schema", "")))
            ours = _layout(db) == _wanted_layout() and said["seal"] == seal(db)
            return intact and ours and _writable_format(path)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING:
            raise
        return False
    except (UnicodeDecodeError, KeyError):
        return False


def _writable_format(path: str) -> bool:
    # SQLite reads a file of an unknown write version, and would refuse the first change to it
    # (sqlite.org/fileformat2.html, 1.3.3)
    with Path(path).open("rb") as file:
        return file.read(20)[18:] == b"\x01\x01"


def _refuse_newer(path: str, schema: str) -> None:
    # before the seal is looked at: a newer one may be made in another way
    if schema.isdecimal() and int(schema) > SCHEMA:
        raise HostRefused(
            f"{path} was written by a newer mailwizard (format {schema}, this knows {SCHEMA})",
            hint="Use that newer version; nothing was changed.",
        )


def _layout(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 2").fetchall()


@cache
def _wanted_layout() -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript(TABLES)
        return _layout(db)


def aside(path: str) -> tempfile.TemporaryDirectory[str] | None:
    """A copy to look at, when a killed writer left a rollback journal: looking changes nothing."""
    try:
        with contextlib.closing(connect(path, read_only=True)) as db:
            db.execute("SELECT name FROM sqlite_master").fetchall()
        return None
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_READONLY_ROLLBACK:
            return None
    folder = tempfile.TemporaryDirectory(prefix="mailwizard-")
    copy = f"{folder.name}/journal.db"
    for ending in ("", "-journal", ".good"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(f"{path}{ending}", f"{copy}{ending}")
    with contextlib.suppress(sqlite3.Error), contextlib.closing(connect(copy)) as db:
        db.execute("SELECT name FROM sqlite_master").fetchall()
    return folder
