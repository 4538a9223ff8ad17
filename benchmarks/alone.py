"""Runs inside a host with every step applied: asks its probes one after the other, alone.

One line of JSON for each: how long it took, processor seconds of the whole host meanwhile, programs
that the probe started.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mailwizard import platform, remembered
from mailwizard.engine import Engine
from mailwizard.events import ProbeDone
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.probing import ask_all
from mailwizard.steps import STEPS

STATE = "/var/lib/mailwizard"
# the host's own group, as it is seen from inside
STATS = (Path("/sys/fs/cgroup/unified/cpu.stat"), Path("/sys/fs/cgroup/cpu.stat"))

started: list[str] = []


def hear(event: str, details: tuple[Any, ...]) -> None:
    """Count a program that is about to be started (sys.addaudithook)."""
    if event == "subprocess.Popen":
        started.append(str(details[0]))


def processor() -> float:
    """Processor seconds of all that has run in this host so far."""
    found = next(path for path in STATS if path.exists())
    return int(found.read_text().split()[1]) / 1e6


def main() -> int:
    """Ask, print."""
    sys.addaudithook(hear)
    host = LocalHost(platform.here(), STATE)
    journal = Journal(f"{STATE}/journal.db", platform.machine_id(), read_only=True)
    engine = Engine(STEPS, remembered.load(host, STEPS), host, journal)
    probes = [(step.id, probe) for step in engine.wanted() for probe in engine.probes(step.id)]
    for one in probes:
        started.clear()
        before = processor()
        for event in ask_all(host, [one]):
            if isinstance(event, ProbeDone):
                spent, programs = processor() - before, len(started)
                row = (event.id, event.step, event.title, event.seconds, spent, programs)
                print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
