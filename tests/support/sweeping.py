"""Runs inside a host under test: at every point a killed run, then the ways out of it.

One line of JSON for each finding, and a last one with the figures. Copied there with killing.py
and the lab's tree.py. Each step is swept on a host on which those before it are applied, in rounds:

  go on     `apply STEP` killed at point n; `apply STEP` again ends as an uninterrupted one; `undo
            STEP` killed at one of its own points, each in its turn; `undo STEP` again ends with
            the tree before
  go back   `apply STEP` killed at n; `undo STEP` ends with the tree before

and so is the run of all steps, killed at a few points of all of them. Without --all these are the
points at which something new is on disk since the one before, and of these all of the first change
of each kind and a few more: one half in one way, the other in the other, and swapped for --turn 1.
On the same host, runs are also cut a moment after a command began: every fourth, or all of them.

After each round the host is as it was at first, times included; that is what the round has shown,
and so the next point may use the same host. The state folder alone is put back in between, and the
home of an account that came and went stays.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import itertools
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from lab import tree
from support import killing
from support.undone import comparable

from mailwizard import platform
from mailwizard.answers import Answers
from mailwizard.host import LocalHost
from mailwizard.model import Outcome
from mailwizard.probes import CertificateFiles, RelayRestrictions, TrustedNetworks
from mailwizard.steps import STEPS

STATE = "/var/lib/mailwizard"
PRISTINE = "/root/pristine"
DEBCONF, DATABASES = "/var/cache/debconf", ("config.dat", "templates.dat")
# what is kept of the host as it was: where, and of what
KEPT = {
    PRISTINE: "/etc",
    f"{PRISTINE}-debconf": DEBCONF,
    f"{PRISTINE}-state": STATE,
}
APPLY = ("apply", "-a", "/root/answers.toml", "--yes")
DAEMONS = ("postfix", "postfix@-", "dovecot", "amavis", "opendkim", "opendmarc")
UNITS = tuple(f"{name}.service" for name in DAEMONS)
# of the new points of a run of all steps, and of those that nothing else speaks for, one in so many
FEW, SOME = 560, 224
LOGIN, SECRET = "carol", Path("/root/carol-password")
# keys, and what is signed with them, are made anew by each run; so is the salt of a password
CHAIN, KEY = "/etc/ssl/mailwizard/fullchain.pem", "/etc/ssl/mailwizard/mail.key"
OWN = (CHAIN, KEY, "/etc/ssl/mailwizard/ca.pem", "/etc/ssl/mailwizard/ca.key", "/etc/shadow")
SIGNING = "/etc/mailwizard/dkim/"
KNOWN = {"pending", "applied", "verified", "drifted", "skipped"}


@dataclass(frozen=True)
class Picture:
    """All that a round compares: /etc, what compiled tables say, and what is in no file of it."""

    files: dict[str, tree.TreeEntry]
    tables: dict[str, str]
    rest: dict[str, str]

    def differs(self, other: Picture, *, times: bool) -> dict[str, str]:
        """What is not the same; without times a compiled table is judged by its entries."""
        mine, theirs = (p.files if times else _without_own(p.files) for p in (self, other))
        found = tree.diff(mine, theirs, times=times)
        if not times:
            # a table compiled a second time holds the same entries in other bytes
            found = {k: v for k, v in found.items() if k not in other.tables}
            found |= _differing(self.tables, other.tables)
        return found | _differing(self.rest, other.rest)


def _without_own(files: Mapping[str, tree.TreeEntry]) -> dict[str, tree.TreeEntry]:
    """Of what is each run's own only the rights count, and that it is there."""
    own = [name for name in files if name in OWN or name.startswith(SIGNING)]
    return {**files, **{name: replace(files[name], content="") for name in own}}


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    return {
        key: f"{old.get(key)!r} -> {new.get(key)!r}"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    }


def _said(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


@cache
def _entries(source: str, _content: str) -> str:
    """What a compiled table says; it is read anew for other bytes."""
    lines = _said("postmap", "-s", f"hash:{source}").splitlines(True)
    # postalias notes the moment (postalias(1))
    return "".join(sorted(line for line in lines if not line.startswith("YP_LAST_MODIFIED")))


def picture() -> Picture:
    """The host as it is now."""
    files = comparable(tree.read(Path("/"), ["/etc"], []))
    tables = {
        name: _entries(name[:-3], entry.content)
        for name, entry in files.items()
        if name.endswith(".db")
    }
    rest = {"kernel host name": socket.gethostname()}
    rest["debconf"] = _debconf(*(Path(DEBCONF, name).read_bytes() for name in DATABASES))
    shown = _said("systemctl", "show", "-p", "Id,ActiveState,UnitFileState", *UNITS)
    # as its package brings it, amavis fails on a host without a full name
    rest["units"] = shown.replace("=failed", "=inactive")
    return Picture(files, tables, rest)


@cache
def _debconf(*_databases: bytes) -> str:
    return "".join(sorted(_said("debconf-show", "postfix").splitlines(True)))


def _password_is_set() -> bool:
    """Whether the account's password is the one that the answers point to (crypt(3))."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    rows = [line.split(":") for line in Path("/etc/shadow").read_text().splitlines()]
    salted = next((row[1].encode() for row in rows if row[0] == LOGIN), b"")
    return bool(salted) and crypt(SECRET.read_bytes().strip(), salted) == salted


def _certificate_fits() -> bool:
    result = CertificateFiles(CHAIN, KEY).ask(LocalHost(platform.here(), STATE))
    return result.outcome is Outcome.PASS


def _keys_are_whole() -> bool:
    """Whether there are keys to sign with, and each of them is one."""
    keys = [str(path) for path in Path(SIGNING).glob("*.pem")]
    tried = (["openssl", "rsa", "-in", key, "-check", "-noout"] for key in keys)
    done = [subprocess.run(argv, capture_output=True, check=False).returncode for argv in tried]
    return bool(keys) and not any(done)


def _is_served(port: int) -> bool:
    """Whether the port shows the certificate on disk; a daemon told to reload may take a moment."""
    wanted = Path(CHAIN).read_text().partition("-----END")[0]
    for _ in range(20):
        with contextlib.suppress(OSError):
            if ssl.get_server_certificate(("127.0.0.1", port)).startswith(wanted):
                return True
        time.sleep(0.1)
    return False


# what no comparison of two runs can tell, since each makes keys and salts of its own
TRUTHS: dict[str, Callable[[], bool]] = {
    "the account has the password of the answers": _password_is_set,
    "key and certificate fit": _certificate_fits,
    "what signs mail is a whole key": _keys_are_whole,
}
SERVED = {
    "Dovecot shows the certificate on disk": 993,
    "Postfix shows the certificate on disk": 465,
}


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _truths() -> dict[str, Callable[[], bool]]:
    """Those that hold now; before a daemon listens and has a certificate it shows none."""
    held = {name: holds for name, holds in TRUTHS.items() if holds()}
    for name, port in SERVED.items():
        if Path(CHAIN).exists() and _listens(port) and _is_served(port):
            held[name] = partial(_is_served, port)
    return held


class Sweep:
    """The rounds of one step, or of all, and what was found wrong in them."""

    def __init__(self, step: str) -> None:
        self.apply = (*APPLY, *([step] if step else []))
        self.undo_it = ("undo", step or "--all", "--yes")
        self.step = step or "all steps"
        self.found: list[str] = []
        self.tried: list[int] = []
        self.cut: list[int] = []
        self.before = picture()
        for kept, place in KEPT.items():
            shutil.rmtree(kept, ignore_errors=True)
            if Path(place).exists():
                subprocess.run(["cp", "-a", place, kept], check=True)
        done = killing.run(self.apply)
        self.points = done.points
        self.check(done.code == 0, "uninterrupted apply", done)
        self.applied = picture()
        self.truths = _truths()
        undone = killing.run(self.undo_it)
        self.undo_points = undone.points
        self.undo_turn: Iterator[int] = iter(())
        self.check(undone.code == 0, "uninterrupted undo", undone)
        self.is_as_before("uninterrupted undo")
        self.reset()

    def rounds(self, on: Sequence[int], back: Sequence[int], *, during: bool = False) -> None:
        """Gone on with after a kill at each of the first points, gone back after the others.

        during: killed in the middle of the command that begins there.
        """
        (self.cut if during else self.tried).extend([*on, *back])
        self.undo_turn = _spread(len(self.undo_points), len(on))
        for n in sorted({*on, *back}):
            for gone_on in (*([True] if n in on else []), *([False] if n in back else [])):
                moment = "during" if during else "at"
                what = f"{self.step}: killed {moment} {n} ({self.points[n - 1]})"
                self.killed(self.apply, n, what, during)
                if gone_on:
                    what = self.gone_on(what, during)
                done = killing.run(self.undo_it)
                self.check(done.code == 0, f"{what}: undo", done)
                self.is_as_before(what)
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
        for name in DATABASES:
            shutil.copy2(f"{PRISTINE}-debconf/{name}", f"{DEBCONF}/{name}")
        subprocess.run(["systemctl", "reset-failed", *UNITS], check=False)
        subprocess.run(["systemctl", "restart", "postfix", "dovecot"], check=False)

    def reset(self) -> None:
        """The state folder is put back: nothing was begun."""
        shutil.rmtree(STATE, ignore_errors=True)
        if Path(f"{PRISTINE}-state").exists():
            subprocess.run(["cp", "-a", f"{PRISTINE}-state", STATE], check=True)

    def killed(self, argv: Sequence[str], point: int, what: str, during: bool) -> None:
        done = killing.run(argv, last=point, during=during)
        # a run that is killed in the middle of its last command may be quicker
        self.check(done.killed or during, f"{what}: ended with {done.code}, not killed", done)
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

    def gone_on(self, what: str, during: bool) -> str:
        """Take the run up again, then kill its undo; tell what was done so far."""
        done = killing.run(self.apply)
        self.check(done.code == 0, f"{what}, gone on", done)
        differing = self.applied.differs(picture(), times=False)
        self.check(not differing, f"{what}, gone on: differs from the uninterrupted: {differing}")
        for name, holds in self.truths.items():
            self.check(holds(), f"{what}, gone on: not so: {name}")
        m = next(self.undo_turn)
        what += f", gone on, undo killed at {m} ({self.undo_points[m - 1]})"
        self.killed(self.undo_it, m, what, during)
        return what


def _spread(total: int, times: int) -> Iterator[int]:
    """As many of 1..total as there are turns, from one end to the other, and all over again."""
    stride = max(1, total // max(1, times))
    return itertools.cycle(range(1, total + 1, stride))


def _new(points: Sequence[str]) -> list[int]:
    """The points at which something new is on disk since the one before."""
    numbers = range(1, len(points) + 1)
    return [n for n in numbers if n == 1 or not points[n - 2].startswith(killing.LOOK)]


def _sample(points: Sequence[str], known: set[str], some: int) -> list[int]:
    """All new points of the first change of each kind, and one of `some` of the others."""
    chosen, kind = [], ""
    for place, n in enumerate(_new(points)):
        if (now := killing.kind_of(points[n - 1])) != kind:
            known.add(kind)
            kind = now
        if (kind and kind not in known) or place % some == 0:
            chosen.append(n)
    known.add(kind)
    return chosen


def _shared(points: Sequence[int], turn: int) -> tuple[Sequence[int], Sequence[int]]:
    """Every other point for going on, the others for going back; another host has them swapped."""
    return points[turn::2], points[1 - turn :: 2]


def _sweeps(options: argparse.Namespace) -> Iterator[Sweep]:
    """The run of all steps first, then each step on top of those before it."""
    known: set[str] = {""}
    sweep = Sweep("")
    few = _new(sweep.points)[FEW // 2 :: FEW]
    sweep.rounds(*(_shared(few, options.turn) if not options.all else (few, few)))
    yield sweep
    for step in _wanted():
        sweep = Sweep(step)
        numbers = range(1, len(sweep.points) + 1)
        commands = [n for n in numbers if sweep.points[n - 1].startswith("command:")]
        if options.all:
            sweep.rounds(numbers, numbers)
            sweep.rounds(commands, commands, during=True)
        else:
            sweep.rounds(*_shared(_sample(sweep.points, known, SOME), options.turn))
            sweep.rounds(*_shared(commands[options.turn * 2 :: 4], 0), during=True)
        yield sweep
        done = killing.run((*APPLY, step))
        sweep.check(done.code == 0, f"{step}: applied for the next one", done)


def _wanted() -> list[str]:
    answers = Answers.load("/root/answers.toml", STEPS)
    chosen = {step.id: answers.enabled(step.id, default=step.proposed) for step in STEPS}
    return [step.id for step in STEPS if not step.optional or chosen[step.id]]


def main() -> None:
    """Sweep, and say the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turn", type=int, default=0)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    begun = time.monotonic()
    swept = list(_sweeps(options))
    kinds = {killing.kind_of(each.points[n - 1]) for each in swept for n in each.tried}
    figures = {
        "points": sum(len(each.points) for each in swept),
        "undo_points": sum(len(each.undo_points) for each in swept),
        "tried": sum(len(each.tried) for each in swept),
        "cut": sum(len(each.cut) for each in swept),
        "kinds": sorted(kinds - {""}),
        "found": sum(len(each.found) for each in swept),
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
