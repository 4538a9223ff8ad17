"""The program of an earlier revision beside today's: each command's ratio, in one run.

    benchmarks/run --against REVISION [--only apply,check,...] [trixie] [bookworm]

Twin hosts take turns, three times each: one layer with the packages of all steps in place, and on
top of it that revision's checkout or this one (as it is, committed or not), with the environment
that its own launcher made. On each host, in this order:

  paint         `mailwizard` at 80x24, from the launcher's exec to the welcome text; its memory
  apply         all steps, with every option switched on, and their proof; no package is missing;
                left out with --only, each side applies once for all its hosts
  second-apply  the same again, nothing is left to do
  plan, status, version, check

Printed for each are the lowest, the middle and the highest of the three, before, after, and after
divided by before (of the two runs of each turn); then, for `apply` and `check`, the programs that
ran most often and the units that took the processors. What is counted is said in meter.py.

At last (`probes`), on a host of today's, where the time of a check goes: each probe asked alone,
the slowest first, with what of its time was no processor's, here called waiting. The longest
waiting is the least that a check can take, however many probes are asked side by side; so is half
of all processor seconds on two cores.

The machine should have nothing else to do, or seconds say little; processor seconds say more then.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pexpect
from lab import images
from lab.host import ENVIRONMENT, Host
from lab.internet import Internet
from lab.layers import Identity, Layer
from support.applied import (
    ANSWERS,
    CHECKOUT,
    FQDN,
    LAUNCHER,
    LEFT_OUT,
    PLACE,
    PYTHON,
    with_packages,
)

from benchmarks.meter import TIMEOUT, Cost, Meter
from benchmarks.screen import SIZE, resident
from benchmarks.whole import DEFINITIONS, answer_everything, fresh, furnish
from mailwizard.platform import KNOWN

TURNS, SLOWEST, OFTEN, HEAVY = 3, 15, 12, 6
WELCOME = b"This host becomes a mail server"
APPLY = (LAUNCHER, "apply", "-a", ANSWERS, "--yes")
COMMANDS = {
    "apply": APPLY,
    "second-apply": APPLY,
    "plan": (LAUNCHER, "plan", "-a", ANSWERS),
    "status": (LAUNCHER, "status"),
    "version": (LAUNCHER, "--version"),
    "check": (LAUNCHER, "check"),
}
PAINT, PROBES = "paint", "probes"
KINDS = (PAINT, *COMMANDS, PROBES)
# each figure of a command, and how it is read
FIGURES: dict[str, Callable[[Cost], float]] = {
    "seconds": lambda cost: cost.seconds,
    "processor s": lambda cost: cost.processor,
    "processes": lambda cost: cost.processes,
}
Figures = dict[str, list[float]]
Probe = tuple[str, str, str, float, float, int]


@dataclass
class Side:
    """One of the two programs: its checkout, its layers, and what was measured of it."""

    name: str
    tree: Path
    ready: Layer | None = None
    applied: Layer | None = None
    figures: Figures = field(default_factory=lambda: defaultdict(list))
    last: dict[str, Cost] = field(default_factory=dict)
    probes: list[Probe] = field(default_factory=list)

    def add(self, name: str, value: float) -> None:
        """Keep one figure, and show whoever waits how far it is."""
        self.figures[name].append(value)
        print(f"{self.name}, {name}: {value:.2f}", file=sys.stderr, flush=True)


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A folder with the files of a revision, for as long as it is wanted."""
    with tempfile.TemporaryDirectory() as folder:
        archive = ["git", "-C", str(CHECKOUT), "archive", revision]
        packed = subprocess.run(archive, stdout=subprocess.PIPE, check=False)
        if packed.returncode != 0:
            sys.exit(f"{revision}: no such revision here")
        subprocess.run(["tar", "-C", folder, "-x"], input=packed.stdout, check=True)
        yield Path(folder)


def furnished(suite: str, internet: Internet) -> Layer:
    """A host with the packages of all steps, and all that they wait for."""
    release = next(one for one in KNOWN if one.codename == suite)
    names = " ".join(release.package_names["firewall"])
    line = f"{DEFINITIONS} && apt-get -q update && apt-get -q -y install {names}"
    parent = with_packages(suite, internet)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}

    def fill(host: Host) -> None:
        host.run(line, env=quiet, timeout=600)

    return images.layer(parent, f"against-{suite}", line, fill, internet.network)


def launched(side: Side, layer: Layer, internet: Internet) -> Layer:
    """The layer with one side's checkout on it, and the environment that its launcher made."""
    with Host(layer, net=internet.network) as host:
        host.run(["rm", "-rf", PLACE, "/usr/local/lib/mailwizard"])
        host.put_tree(side.tree, PLACE, exclude=LEFT_OUT)
        host.run([LAUNCHER, "answers"], timeout=600)
        return replace(host.fork(f"{side.name}-{layer.suite}"), identity=None)


def applied(ready: Layer, internet: Internet) -> Layer:
    """One side's layer with everything applied; its next host has the same address."""
    with fresh(ready, internet) as host:
        answer_everything(host, internet)
        host.run(APPLY, timeout=TIMEOUT)
        offset = host.offsets[0]
        layer = host.fork(f"applied-{ready.name}")
        return replace(layer, identity=Identity("mail", FQDN, offset))


def take_turn(side: Side, wanted: Sequence[str], internet: Internet, folder: Path) -> None:
    """Measure all that is wanted once, on new hosts of this side."""
    assert side.ready is not None
    if PAINT in wanted:
        with fresh(side.ready, internet) as host:
            paint(side, host)
    commands = [name for name in COMMANDS if name in wanted]
    if not commands and PROBES not in wanted:
        return
    with fresh(side.applied or side.ready, internet) as host:
        if side.applied is None:
            answer_everything(host, internet)
        meter = Meter(host, folder)
        for name in commands:
            side.last[name] = cost = meter.measure(COMMANDS[name])
            for figure, read in FIGURES.items():
                side.add(f"{name}: {figure}", read(cost))
        if PROBES in wanted:
            side.probes = alone(host)


def paint(side: Side, host: Host) -> None:
    """Measure the first screen, and the memory of the program then."""
    program, *words = host.command([LAUNCHER])
    terminal = os.environ | ENVIRONMENT | {"TERM": "xterm-256color"}
    begun = time.monotonic()
    child: pexpect.spawn[bytes] = pexpect.spawn(
        program, words, dimensions=SIZE, timeout=30, env=terminal
    )
    child.expect_exact(WELCOME)
    side.add("paint: seconds", time.monotonic() - begun)
    # nsenter waits for the one that it put into the host
    below = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    side.add("paint: MiB", resident(int(below[0])))
    child.close(force=True)


def alone(host: Host) -> list[Probe]:
    """Each probe's id, step, title, seconds, processor seconds and started programs."""
    host.put(Path(__file__).with_name("alone.py"), "/root/alone.py")
    lines = host.run(f"{PYTHON} /root/alone.py", timeout=400).stdout.splitlines()
    return [tuple(json.loads(line)) for line in lines]


def compared(
    suite: str, before: Side, after: Side, wanted: Sequence[str], internet: Internet
) -> None:
    """Let both sides take their turns on one release."""
    layer = furnished(suite, internet)
    with tempfile.TemporaryDirectory() as folder:
        for side in (before, after):
            side.ready = launched(side, layer, internet)
            if "apply" not in wanted and set(wanted) != {PAINT}:
                side.applied = applied(side.ready, internet)
        usual = [name for name in wanted if name != PROBES]
        for turn in range(1, TURNS + 1):
            take_turn(before, usual, internet, Path(folder))
            take_turn(after, wanted if turn == TURNS else usual, internet, Path(folder))


def show(suite: str, before: Side, after: Side) -> None:
    """Tables for a person."""
    print(f"\n{suite}: {TURNS} turns, lowest/middle/highest")
    print(f"{'':26}{before.name:>24}{'today':>24}{'ratio':>18}")
    for name, old in before.figures.items():
        new = after.figures[name]
        ratios = [its / theirs for theirs, its in zip(old, new, strict=True)]
        print(f"{name:26}{three(old):>24}{three(new):>24}{three(ratios):>18}")
    for command in ("apply", "check"):
        if command in after.last:
            show_programs(command, before.last[command], after.last[command])
    if after.probes:
        show_probes(after.probes)


def three(values: Sequence[float]) -> str:
    """The lowest, the middle and the highest."""
    found = (min(values), statistics.median(values), max(values))
    return "/".join(f"{value:.0f}" if value >= 100 else f"{value:.2f}" for value in found)


def show_programs(command: str, before: Cost, after: Cost) -> None:
    """What ran most often in the last turn, and which units took the processors."""
    print(f"\n{command}, the last turn:{'before':>16}{'today':>10}")
    for name, _ in (before.programs | after.programs).most_common(OFTEN):
        print(f"{name:32}{before.programs[name]:>7}{after.programs[name]:>10}")
    for unit, spent in sorted(after.units.items(), key=lambda item: -item[1])[:HEAVY]:
        print(f"{f'{unit}, processor s':32}{before.units.get(unit, 0):>7.2f}{spent:>10.2f}")


def show_probes(probes: Sequence[Probe]) -> None:
    """The slowest probes, and what all of them take together."""
    print(f"\n{SLOWEST} of {len(probes)} probes, alone   seconds   processor   waiting   programs")
    rows = sorted(probes, key=lambda probe: -probe[3])
    for name, step, title, seconds, spent, programs in rows[:SLOWEST]:
        figures = f"{seconds:8.2f}{spent:12.2f}{waiting(seconds, spent):10.2f}{programs:11}"
        print(f"{name:9}{step:16}{figures}  {title}")
    seconds, spent = sum(row[3] for row in rows), sum(row[4] for row in rows)
    waited = sum(waiting(row[3], row[4]) for row in rows)
    programs = sum(row[5] for row in rows)
    print(f"{'all':25}{seconds:8.2f}{spent:12.2f}{waited:10.2f}{programs:11}")


def waiting(seconds: float, spent: float) -> float:
    """What of a probe's seconds no processor worked for it."""
    return max(0.0, seconds - spent)


def main(words: Sequence[str]) -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="benchmarks/run", allow_abbrev=False)
    parser.add_argument("--against", metavar="REVISION", required=True)
    parser.add_argument("--only", metavar="NAME,...", help=", ".join(KINDS))
    parser.add_argument("suites", nargs="*", metavar="RELEASE", help=", ".join(images.SUITES))
    options = parser.parse_args(words)
    wanted = options.only.split(",") if options.only else list(KINDS)
    suites = options.suites or images.SUITES
    if unknown := {*wanted, *suites} - {*KINDS, *images.SUITES}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    # what is stopped at a time limit tidies up too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with checked_out(options.against) as tree, Internet() as internet:
        furnish(internet)
        for suite in suites:
            before, after = Side(options.against, tree), Side("today", CHECKOUT)
            compared(suite, before, after, wanted, internet)
            show(suite, before, after)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
