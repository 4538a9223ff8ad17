"""Where a path really leads, and whether anybody else could have led it there (R20)."""

from __future__ import annotations

import os
import stat

from mailwizard.errors import HostRefused

MOST_LINKS = 40


def _shared(folder: str) -> bool:
    """True for a folder such as /tmp; raises when others could swap what is in it (R20)."""
    about = os.stat(folder)
    loose = bool(about.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
    if not _ours(about.st_uid) or (loose and not about.st_mode & stat.S_ISVTX):
        raise HostRefused(
            f"{folder} can be changed by others than its owner root",
            hint=f"Files of a mail server are not written there. See: ls -ld {folder}",
        )
    return loose


def _ours(uid: int) -> bool:
    return uid in (0, os.geteuid())


def settled(path: str) -> str:
    """Where the path leads, link by link; raises HostRefused where others lead it (R20)."""
    place, ahead, links = "/", os.path.abspath(path).split("/"), 0
    while ahead:
        name = ahead.pop(0)
        if name == "..":
            place = os.path.dirname(place)
        if name in ("", ".", ".."):
            continue
        shared, there = _shared(place), os.path.join(place, name)
        if shared and os.path.lexists(there) and not _ours(os.lstat(there).st_uid):
            raise HostRefused(
                f"{there} belongs to somebody else, in a folder for everybody",
                hint=f"It is not followed and not written over. See: ls -ld {there}",
            )
        if not os.path.islink(there):
            place = there
            continue
        links += 1
        if links > MOST_LINKS:
            raise HostRefused(f"{path} is a link that leads in a circle", hint=f"See: ls -l {path}")
        target = os.readlink(there)
        ahead = target.split("/") + ahead
        place = "/" if target.startswith("/") else place
    return place
