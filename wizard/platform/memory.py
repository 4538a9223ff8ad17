"""How much memory this host has and may still use: a container's limit counts, not the machine's.

The kernel tells the machine's in /proc/meminfo (proc(5)) even where a control group allows less
(Documentation/admin-guide/cgroup-v2.rst, memory.max; cgroup-v1/memory.rst).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailwizard.model import Look

SPARE = 160 << 20
"""Octets that a check leaves to all others. One question takes up to a fifth of that: an smtpd, a
policy server and a process of a filter that were not there before."""

# version 1 shows no limit as the largest number that is whole pages
_NONE = 1 << 62
# limit, what is used, and the name of what the kernel gives back by itself
_FILES = {
    "cgroup2": ("memory.max", "memory.current", "inactive_file"),
    "cgroup": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


@dataclass(frozen=True, slots=True)
class Memory:
    """Octets: all there is, and what can still be had; 0 and 0 where nobody tells."""

    total: int
    available: int


def memory(look: Look) -> Memory:
    """The tightest of what the machine has and what the groups around this process allow."""
    shown = dict(_pairs(look.read("/proc/meminfo").decode("ascii", "replace")))
    total = shown.get("MemTotal", 0) << 10
    available = shown.get("MemAvailable", shown.get("MemFree", 0)) << 10
    for limit, used in _limits(look):
        if not total or limit < total:
            total = limit
        available = min(available, max(0, limit - used)) if available else max(0, limit - used)
    return Memory(total, available)


def _pairs(text: str) -> Iterator[tuple[str, int]]:
    for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE):
        yield name, int(kib)


def _limits(look: Look) -> Iterator[tuple[int, int]]:
    """Of each group from ours up to the outermost that is seen here: the limit, what is used."""
    own = dict(_own(look))
    for place, root, kind in _mounts(look):
        path = own.get(kind, "/")
        # what lies above the mount's own root is not to be seen from here
        path = path.removeprefix(root) if root != "/" else path
        parts = [part for part in path.split("/") if part and part != ".."]
        for depth in range(len(parts), -1, -1):
            folder = "/".join((place, *parts[:depth]))
            if found := _limit(look, folder, kind):
                yield found


def _own(look: Look) -> Iterator[tuple[str, str]]:
    """The kind of hierarchy, and the group of this process in it (cgroups(7))."""
    for line in look.read("/proc/self/cgroup").decode("utf-8", "replace").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield "cgroup2", path
        elif "memory" in controllers.split(","):
            yield "cgroup", path


def _mounts(look: Look) -> Iterator[tuple[str, str, str]]:
    """Where the hierarchies are that limit memory: the place, what is seen there, the kind."""
    for line in look.read("/proc/self/mountinfo").decode("utf-8", "replace").splitlines():
        left, _, right = line.partition(" - ")
        words, kind = left.split(), right.split()
        if len(words) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2" or (kind[0] == "cgroup" and "memory" in kind[2].split(",")):
            yield words[4].rstrip("/"), words[3], kind[0]


def _limit(look: Look, folder: str, kind: str) -> tuple[int, int] | None:
    names = _FILES[kind]
    limit, used = (look.read(f"{folder}/{name}").strip() for name in names[:2])
    if not limit.isdigit() or not used.isdigit() or int(limit) >= _NONE:
        return None
    stat = look.read(f"{folder}/memory.stat").decode("ascii", "replace")
    spare = re.search(rf"^{names[2]} (\d+)$", stat, re.MULTILINE)
    return int(limit), max(0, int(used) - (int(spare[1]) if spare else 0))
