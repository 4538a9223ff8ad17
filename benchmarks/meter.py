"""What a command costs a host of the lab: seconds, processor seconds, processes.

Processor seconds are those of everything in the host, its daemons included (cpu.stat of the host's
control group), and of each unit by itself: "mailwizard" is the command with all that it started
itself. What a unit used before it was ended or started anew is in the sum alone.

Processes are those of the host that ended while the command ran, as the kernel's accounting wrote
them down (acct(2), switched on in the host's own PID namespace, so that nothing of the machine
around it is counted): a daemon that the command started and that goes on is not among them, one
that the command ended is. Each is counted under the last program that it ran: a program that
another one replaced (exec) is not seen. "(fork)" never ran one of its own.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab import cgroups, shell
from lab.host import Host

TIMEOUT = 400
# acct_v3 of acct(5): the flags, what is not needed here, the program's name
RECORD = struct.Struct("<B47x16s")
FORKED = 1  # AFORK
# the whole host, and the group that the lab puts its own commands into
ALL, COMMAND, MAILWIZARD = "", "lab", "mailwizard"
SWITCH = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.acct(os.fsencode(sys.argv[1])) != 0:
    sys.exit("no process accounting here: " + os.strerror(ctypes.get_errno()))
"""


@dataclass(frozen=True)
class Cost:
    """What one command took of a host: seconds, and how often each program, how long each unit."""

    seconds: float
    processor: float
    programs: Counter[str]
    units: dict[str, float]

    @property
    def processes(self) -> float:
        """How many processes ended."""
        return float(self.programs.total())


class Meter:
    """Measures commands on one host, as long as it does not boot again."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self._ended = folder / f"{host.name}.acct"
        self._ended.touch()
        enter = ["nsenter", "-t", str(host.pid), "--pid", sys.executable, "-Ic", SWITCH]
        shell.run([*enter, str(self._ended)])

    def measure(self, argv: Sequence[str]) -> Cost:
        """Run a command; one that fails ends the benchmark."""
        os.truncate(self._ended, 0)
        before, begun = by_unit(self.host), time.monotonic()
        done = self.host.run(argv, check=False, timeout=TIMEOUT)
        seconds, after = time.monotonic() - begun, by_unit(self.host)
        if not done.ok:
            sys.exit(f"{' '.join(argv)}: {done.status}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        # a unit that was started anew has a new group, which counts from nothing
        spent = {
            unit: now - (old if (old := before.get(unit, 0)) <= now else 0)
            for unit, now in after.items()
        }
        return Cost(seconds, spent.pop(ALL), self._programs(), spent)

    def _programs(self) -> Counter[str]:
        """The programs of the processes that ended, each as often as it did."""
        ended: Counter[str] = Counter()
        for flags, name in RECORD.iter_unpack(self._ended.read_bytes()):
            program = name.rstrip(b"\0").decode(errors="replace")
            ended[f"{program} (fork)" if flags & FORKED else program] += 1
        return ended


def by_unit(host: Host) -> dict[str, float]:
    """Processor seconds so far of the host and of each unit that is there now."""
    groups = [root / host.name for root in cgroups.roots()]
    top = next(group for group in groups if (group / "cpu.stat").exists())
    found = {ALL: used(top)}
    for stat in top.rglob("cpu.stat"):
        group = stat.parent
        if group.suffix == ".service" or group.name == COMMAND:
            with suppress(OSError):  # it may end just now
                found[MAILWIZARD if group.name == COMMAND else group.stem] = used(group)
    return found


def used(group: Path) -> float:
    """Processor seconds of all that has run in a control group."""
    return int((group / "cpu.stat").read_text().split()[1]) / 1e6
