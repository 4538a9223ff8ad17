"""What the system says when it cannot write, in a sentence that helps; not a defect of ours."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from mailwizard.errors import HostRefused, WizardError

_ROOM = "Make room (see `df -h`), then run mailwizard again: it goes on where it stopped."
_WRITABLE = "Make it writable, or name another folder with --state."
_HINTS = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: "The file system is mounted read-only; often the disk is failing (see `dmesg`).",
    errno.EPERM: "It may be immutable: see `lsattr`, and `chattr -i` takes that away.",
    errno.EIO: "The disk may be failing: see `dmesg`, and save what is on it.",
}


def in_words(error: BaseException, place: str) -> WizardError | None:
    """An error of the system below us as one of ours; None when it may be our own mistake."""
    if isinstance(error, OSError) and error.errno in _HINTS:
        return WizardError(sentence(error, place), hint=_HINTS[error.errno])
    if isinstance(error, sqlite3.OperationalError):
        full = "full" in str(error)
        said = "no space left on the disk" if full else str(error)
        return WizardError(f"{place} cannot be written: {said}", hint=_ROOM if full else _WRITABLE)
    return None


def understood(error: BaseException) -> WizardError | None:
    """What the reader can mend, as one of our errors; None when it may be our own mistake."""
    return error if isinstance(error, WizardError) else in_words(error, "what mailwizard keeps")


def not_a_state_folder(folder: str) -> HostRefused | None:
    """Why nothing can be kept there, when something else than a folder is in its way."""
    for place in (Path(folder), *Path(folder).parents):
        if place.exists() and not place.is_dir():
            return HostRefused(f"{place} is not a folder", hint=_WRITABLE)
    return None


def sentence(error: OSError, place: str) -> str:
    """Which file and why; of a rename it is the file that was to be replaced."""
    names = (error.filename2, error.filename, place)
    path = next(name for name in names if isinstance(name, str) and name)
    reason = os.strerror(error.errno or 0)
    return f"{path} cannot be written: {reason[:1].lower()}{reason[1:]}"
