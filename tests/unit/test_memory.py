"""What memory there is: the machine's, or less where a control group allows less."""

from __future__ import annotations

import pytest
from support.recorded import RecordedLook, Written

from mailwizard.platform.memory import Memory, memory

MIB = 1 << 20
MACHINE = "MemTotal: 8192 kB\nMemAvailable: 4096 kB\n"
TWO = "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate\n"
ONE = "31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
INSIDE = "32 24 0:28 /lxc/a /sys/fs/cgroup rw - cgroup2 cgroup rw\n"


def look(**files: str) -> RecordedLook:
    names = {
        "meminfo": "/proc/meminfo",
        "own": "/proc/self/cgroup",
        "mounts": "/proc/self/mountinfo",
    }
    found = {names.get(name, f"/sys/fs/cgroup/{name}"): text for name, text in files.items()}
    return RecordedLook(files={path: Written(text.encode()) for path, text in found.items()})


def group(folder: str, limit: str, used: int, spare: int = 0) -> dict[str, str]:
    return {
        f"{folder}memory.max": f"{limit}\n",
        f"{folder}memory.current": f"{used}\n",
        f"{folder}memory.stat": f"anon 1\ninactive_file {spare}\n",
    }


@pytest.mark.parametrize(
    ("files", "total", "available"),
    [
        ({}, 0, 0),
        ({"meminfo": MACHINE}, 8 * MIB, 4 * MIB),
        ({"meminfo": MACHINE, "own": "0::/\n", "mounts": TWO}, 8 * MIB, 4 * MIB),
        # no limit, and one above what the machine has
        ({"meminfo": MACHINE, "own": "0::/a\n", "mounts": TWO, **group("a/", "max", 9)}, 8 * MIB,
         4 * MIB),
        ({"meminfo": MACHINE, "own": "0::/a\n", "mounts": TWO, **group("a/", str(99 * MIB), 9)},
         8 * MIB, 4 * MIB),
        # the container's own root, with what the kernel gives back when it is asked for
        ({"meminfo": MACHINE, "own": "0::/a/b\n", "mounts": TWO,
          **group("", str(6 * MIB), 5 * MIB, MIB)}, 6 * MIB, 2 * MIB),
        # the tightest of several
        ({"meminfo": MACHINE, "own": "0::/a/b\n", "mounts": TWO,
          **group("a/", str(3 * MIB), MIB), **group("a/b/", str(5 * MIB), 0)}, 3 * MIB, 2 * MIB),
        # what lies above the mount is not to be seen
        ({"meminfo": MACHINE, "own": "0::/lxc/a/init\n", "mounts": INSIDE,
          **group("", str(2 * MIB), MIB)}, 2 * MIB, MIB),
        ({"own": "0::/\n", "mounts": TWO, **group("", str(2 * MIB), 3 * MIB)}, 2 * MIB, 0),
        ({"meminfo": MACHINE, "own": "4:memory:/x\n0::/\n", "mounts": ONE,
          "memory/x/memory.limit_in_bytes": f"{5 * MIB}", "memory/x/memory.usage_in_bytes":
          f"{3 * MIB}", "memory/x/memory.stat": f"inactive_file 1\ntotal_inactive_file {MIB}\n"},
         5 * MIB, 3 * MIB),
    ],
)  # fmt: skip
def test_the_tightest_limit_counts(files: dict[str, str], total: int, available: int) -> None:
    assert memory(look(**files)) == Memory(total, available)
