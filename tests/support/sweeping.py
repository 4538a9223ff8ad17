"""Runs inside a host under test: at every point a killed run, then the ways out of it.

One line of JSON for each finding, and a last one with the figures. Copied there with killing.py
and the lab's tree.py. Two rounds for each point n of a whole `apply`:

  go on     killed at n; `apply` again ends as an uninterrupted one; `undo --all` killed at one of
            its own points, each in its turn; `undo --all` again ends with the tree before
  go back   killed at n; `undo --all` ends with the tree before

After each round the host is as it was at first, times included; that is what the round has shown,
and so the next point may use the same host. The state folder alone is removed in between.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import tree
from support import killing

from mailwizard import platform
from mailwizard.host import LocalHost
from mailwizard.model import Outcome
from mailwizard.probes import RelayRestrictions, TrustedNetworks

STATE = "/var/lib/mailwizard"
PRISTINE = "/root/pristine"
APPLY = ("apply", "-a", "/root/answers.toml", "--yes")
UNDO = ("undo", "--all", "--yes")
UNITS = ("postfix.service", "postfix@-.service")
KNOWN = {"pending", "applied", "verified", "drifted"}


@dataclass(frozen=True)
class Picture:
    """All that a round compares: /etc, what compiled tables say, and what is in no file of it."""

    files: dict[str, tree.TreeEntry]
    tables: dict[str, str]
    rest: dict[str, str]

    def differs(self, other: Picture, *, times: bool) -> dict[str, str]:
        """What is not the same; without times a compiled table is judged by its entries."""
        found = tree.diff(self.files, other.files, times=times)
        if not times:
            # a table compiled a second time holds the same entries in other bytes
            found = {k: v for k, v in found.items() if k not in other.tables}
            found |= _differing(self.tables, other.tables)
        return found | _differing(self.rest, other.rest)


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    return {
        key: f"{old.get(key)!r} -> {new.get(key)!r}"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    }


def _said(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def _entries(source: str) -> str:
    lines = _said("postmap", "-s", f"hash:{source}").splitlines(True)
    # postalias notes the moment (postalias(1))
    return "".join(sorted(line for line in lines if not line.startswith("YP_LAST_MODIFIED")))


def picture() -> Picture:
    """The host as it is now."""
    files = tree.read(Path("/"), ["/etc"], [])
    tables = {name: _entries(name[:-3]) for name in files if name.endswith(".db")}
    rest = {"kernel host name": socket.gethostname()}
    rest["debconf"] = "".join(sorted(_said("debconf-show", "postfix").splitlines(True)))
    for unit in UNITS:
        rest[unit] = _said("systemctl", "show", "-p", "ActiveState,UnitFileState", unit)
    return Picture(files, tables, rest)


class Sweep:
    """The rounds, and what was found wrong in them."""

    def __init__(self, during: bool) -> None:
        self.during = during
        self.found: list[str] = []
        self.before = picture()
        shutil.rmtree(PRISTINE, ignore_errors=True)
        shutil.rmtree(f"{PRISTINE}-debconf", ignore_errors=True)
        subprocess.run(["cp", "-a", "/etc", PRISTINE], check=True)
        subprocess.run(["cp", "-a", "/var/cache/debconf", f"{PRISTINE}-debconf"], check=True)
        done = killing.run(APPLY)
        self.points = done.points
        self.check(done.code == 0, "uninterrupted apply", done)
        self.applied = picture()
        undone = killing.run(UNDO)
        self.undo_points = undone.points
        self.check(undone.code == 0, "uninterrupted undo", undone)
        self.is_as_before("uninterrupted undo")
        self.reset()

    def check(self, good: bool, what: str, done: killing.Ended | None = None) -> None:
        if not good:
            said = done.said[-1500:] if done else ""
            self.found.append(what)
            print(
                json.dumps({"found": what, "code": done.code if done else 0, "said": said}),
                flush=True,
            )

    def is_as_before(self, what: str) -> None:
        differing = self.before.differs(picture(), times=True)
        if differing:
            self.check(False, f"{what}: not as before: {differing}")
            self.heal(differing)

    def heal(self, differing: Mapping[str, str]) -> None:
        """After a finding: the next round begins where the first one did all the same."""
        subprocess.run(["hostname", self.before.rest["kernel host name"]], check=False)
        for path in differing:
            if path.startswith("/"):
                subprocess.run(["rm", "-rf", "--", path], check=True)
                if path in self.before.files:
                    kept = PRISTINE + path.removeprefix("/etc")
                    subprocess.run(["cp", "-a", "--", kept, path], check=True)
        for name in ("config.dat", "templates.dat"):
            shutil.copy2(f"{PRISTINE}-debconf/{name}", f"/var/cache/debconf/{name}")
        subprocess.run(["systemctl", "reset-failed", *UNITS], check=False)
        subprocess.run(["systemctl", "restart", "postfix"], check=False)

    def reset(self) -> None:
        shutil.rmtree(STATE, ignore_errors=True)

    def killed(self, argv: Sequence[str], point: int, what: str) -> None:
        done = killing.run(argv, last=point, during=self.during)
        # a run that is killed in the middle of its last command may be quicker
        self.check(done.killed or self.during, f"{what}: ended with {done.code}, not killed", done)
        self.is_no_relay(what)
        states = killing.run(["status", "--json"])
        try:
            known = {step["state"] for step in json.loads(states.said)["steps"]} <= KNOWN
        except ValueError:
            known = False
        self.check(known and states.code == 0, f"{what}: status", states)

    def is_no_relay(self, what: str) -> None:
        look = LocalHost(platform.here(), STATE)
        for proof in (TrustedNetworks(), RelayRestrictions()):
            result = proof.ask(look)
            self.check(result.outcome is not Outcome.FAIL, f"{what}: {result.said}")

    def go_on(self, n: int) -> None:
        what = f"killed at {n} ({self.points[n - 1]}), gone on"
        self.killed(APPLY, n, what)
        done = killing.run(APPLY)
        self.check(done.code == 0, what, done)
        differing = self.applied.differs(picture(), times=False)
        self.check(not differing, f"{what}: differs from the uninterrupted run: {differing}")
        m = (n - 1) % len(self.undo_points) + 1
        what += f", undo killed at {m}"
        self.killed(UNDO, m, what)
        self.undo(what)

    def go_back(self, n: int) -> None:
        what = f"killed at {n} ({self.points[n - 1]}), gone back"
        self.killed(APPLY, n, what)
        self.undo(what)

    def undo(self, what: str) -> None:
        done = killing.run(UNDO)
        self.check(done.code == 0, f"{what}: undo", done)
        self.is_as_before(what)
        self.reset()


def _chosen(points: Sequence[str], options: argparse.Namespace) -> list[int]:
    """The points to try: without --all those with something new on disk since the one before."""
    numbers = range(1, len(points) + 1)
    if options.points:
        return list(options.points)
    if options.during:
        changing = [n for n in numbers if points[n - 1].startswith("command:")]
        return changing[:: options.every]
    new = [n for n in numbers if n == 1 or not points[n - 2].startswith(killing.LOOK)]
    return (list(numbers) if options.all else new)[:: options.every]


def main() -> None:
    """Sweep, and say the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("round", choices=["go_on", "go_back"])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--during", action="store_true")
    parser.add_argument("--points", type=int, nargs="*")
    options = parser.parse_args()
    begun = time.monotonic()
    sweep = Sweep(options.during)
    tried = _chosen(sweep.points, options)
    for n in tried:
        getattr(sweep, options.round)(n)
    figures = {
        "points": len(sweep.points),
        "undo_points": len(sweep.undo_points),
        "tried": len(tried),
        "found": len(sweep.found),
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(figures | {"all": sweep.points + sweep.undo_points}), flush=True)


if __name__ == "__main__":
    main()
