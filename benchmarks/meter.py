"""What a command costs a host of the lab: seconds, processor seconds, processes.

Processor seconds are those of everything in the host, its daemons included (cpu.stat of the host's
control group). Processes are those of the host that ended while the command ran, as the kernel's
process accounting wrote them down (acct(2), switched on in the host's own PID namespace, so that
nothing of the machine around it is counted): a daemon that the command started and that goes on is
not among them, one that the command ended is. Each is counted under the last program that it ran:
a program that another one replaced (exec) is not seen. "(fork)" never ran one of its own. The
processor seconds of a program are the sum over its processes, each rounded down to a hundredth:
they show what is heavy, and nothing of what is short but frequent.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import cgroups, shell
from lab.host import Host

TIMEOUT = 400
# acct_v3 of acct(5): the flags, user and system time, the program's name
RECORD = struct.Struct("<B31xHH12x16s")
FORKED = 1  # AFORK
TICKS = 100  # in a second (AHZ)
SWITCH = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.acct(os.fsencode(sys.argv[1])) != 0:
    sys.exit("no process accounting here: " + os.strerror(ctypes.get_errno()))
"""


@dataclass(frozen=True)
class Cost:
    """What one command took of a host, and each program of that."""

    seconds: float
    processor: float
    programs: Counter[str]
    ticks: Counter[str]

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

    def measure(self, argv: Sequence[str], codes: Collection[int] = (0,)) -> Cost:
        """Run a command; ends the program unless its code is one of these."""
        os.truncate(self._ended, 0)
        before, begun = processor(self.host), time.monotonic()
        done = self.host.run(argv, check=False, timeout=TIMEOUT)
        seconds, spent = time.monotonic() - begun, processor(self.host) - before
        if done.status not in codes:
            sys.exit(f"{' '.join(argv)}: {done.status}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return Cost(seconds, spent, *self._programs())

    def _programs(self) -> tuple[Counter[str], Counter[str]]:
        """The programs of the processes that ended: how often each, and its ticks."""
        ended: Counter[str] = Counter()
        ticks: Counter[str] = Counter()
        for flags, user, system, name in RECORD.iter_unpack(self._ended.read_bytes()):
            program = name.rstrip(b"\0").decode(errors="replace")
            program += " (fork)" if flags & FORKED else ""
            ended[program] += 1
            ticks[program] += whole(user) + whole(system)
        return ended, ticks


def whole(compressed: int) -> int:
    """The number in a comp_t: three bits of exponent to the base of 8, and thirteen of fraction."""
    return (compressed & 0x1FFF) << 3 * (compressed >> 13)


def processor(host: Host) -> float:
    """Processor seconds of all that has run in a host so far."""
    stats = [root / host.name / "cpu.stat" for root in cgroups.roots()]
    found = next(stat for stat in stats if stat.exists())
    return int(found.read_text().split()[1]) / 1e6
