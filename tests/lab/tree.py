"""What is on a disk, recorded so that two moments can be compared."""

import fnmatch
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


@dataclass(frozen=True)
class TreeEntry:
    """Everything about one name but its access time; `content` is a SHA-256 or a link's target."""

    kind: str
    mode: int
    uid: int
    gid: int
    content: str
    mtime_ns: int
    xattrs: tuple[tuple[str, bytes], ...]


def read(root: Path, paths: Sequence[str], exclude: Sequence[str]) -> dict[str, TreeEntry]:
    """Record what is below some paths of a root, without following a link."""
    found = {}
    for path in paths:
        for full in _walk(root / path.strip("/")):
            name = "/" + str(full.relative_to(root))
            if not any(fnmatch.fnmatchcase(name, pattern) for pattern in exclude):
                found[name] = _entry(full)
    return found


def _walk(top: Path) -> Iterator[Path]:
    if not os.path.lexists(top):
        return
    yield top
    if top.is_dir() and not top.is_symlink():
        for folder, folders, files in os.walk(top):
            yield from (Path(folder, name) for name in [*folders, *files])


def _entry(path: Path) -> TreeEntry:
    status = path.lstat()
    kind = KINDS[stat.S_IFMT(status.st_mode)]
    content = ""
    if kind == "file":
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif kind == "link":
        content = str(path.readlink())
    names = sorted(os.listxattr(path, follow_symlinks=False))
    xattrs = tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
    mode = stat.S_IMODE(status.st_mode)
    times = 0 if kind == "folder" else status.st_mtime_ns
    return TreeEntry(kind, mode, status.st_uid, status.st_gid, content, times, xattrs)


def diff(
    before: Mapping[str, TreeEntry], after: Mapping[str, TreeEntry], *, times: bool = True
) -> dict[str, str]:
    """Say for every name that differs how it differs; `times=False` leaves out touched files."""
    found = dict.fromkeys(sorted(after.keys() - before.keys()), "added")
    found |= dict.fromkeys(sorted(before.keys() - after.keys()), "removed")
    for name in sorted(before.keys() & after.keys()):
        fields = [
            field
            for field in TreeEntry.__dataclass_fields__
            if getattr(before[name], field) != getattr(after[name], field)
            and (times or field != "mtime_ns")
        ]
        if fields:
            found[name] = "changed: " + ", ".join(fields)
    return found
