"""What of /etc is compared after an undo: all of it, but for what useradd and userdel leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lab.tree import TreeEntry

# written anew for each account that comes and goes: the bytes count, the time does not
ACCOUNTS = tuple(
    f"/etc/{name}" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
)
# what they were before the last account came or went (passwd(5), FILES)
OF_TOOLS = {"/etc/.pwd.lock", *(f"{name}-" for name in ACCOUNTS)}


def comparable(files: Mapping[str, TreeEntry]) -> dict[str, TreeEntry]:
    """The tree without what the tools for accounts keep for themselves."""
    return {
        name: replace(entry, mtime_ns=0) if name in ACCOUNTS else entry
        for name, entry in files.items()
        if name not in OF_TOOLS
    }
