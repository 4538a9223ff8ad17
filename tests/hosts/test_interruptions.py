"""Killed anywhere, a run can be gone on with and gone back from (R1, R5, R8).

A point is a moment before a command begins, a file takes its place or goes, a folder is made, or
the journal is written. Each step is swept on top of those before it, and the run of all steps at a
few points. Of the points at which something new is on disk those of the first change of each kind
are tried, and a few more: half of them to go on and half to go back on Debian 13, the other way
round on Debian 12; a run has one of the two. MAILWIZARD_EVERY_POINT=1 tries all of both both ways,
and those too at which the program has only looked since the point before. The probes ask nothing
during a sweep: they change nothing, and what they would see is compared directly.

What is compared: every name in /etc with content, mode, owner, link target and extended attributes,
the kernel's host name, debconf's answers, and the units. After an undo times and the bytes of
compiled tables count too; after a run that went on, tables are compared by their entries, since
compiling the same source twice does not give the same bytes, and of keys, certificates and the
account's password each run has its own: they must fit, be served, and let the account in.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pexpect
import pytest
from lab import tree
from lab.fixtures import FreshHost
from lab.host import Host
from lab.internet import Internet
from support import gates, suites
from support.applied import (
    ANSWERS,
    DOMAIN,
    FQDN,
    LAUNCHER,
    UNFILTERED,
    Prepared,
    answers,
)
from support.bare import inside, launched, put_checkout
from support.gates import Gate
from support.program import Program, stand_in_for_providers

EVERY_POINT = os.environ.get("MAILWIZARD_EVERY_POINT") == "1"
APPLY = f"{LAUNCHER} apply -a {ANSWERS} --yes"
# the packages of one step: few are cut short just as well, and what is killed is the same
FEW = f"{APPLY} hostname postfix"
UNIT = "mailwizard-packages"
POLICY = "/usr/sbin/policy-rc.d"
# What dpkg and systemd keep for themselves, the key pair that ssl-cert makes anew on each host, and
# tables that are compiled.
OWN = (
    *("/etc/.pwd.lock", "/etc/ld.so.cache", "/etc/machine-id", "/etc/.updated", "/etc/*-", "*.db"),
    *("/etc/ssl/private/ssl-cert-snakeoil.key", "/etc/ssl/certs/ssl-cert-snakeoil.pem"),
    # keys, certificates and the salt of a password: each run makes its own
    *("/etc/ssl/mailwizard/*.key", "/etc/ssl/mailwizard/*.pem", "/etc/shadow"),
    "/etc/mailwizard/dkim/*.pem",
)


def sweep(host: Host, *options: str) -> dict[str, Any]:
    """Every point in one process inside the host; its figures, after all findings are shown."""
    put_checkout(host)
    done = host.run(inside("sweeping.py", *options), timeout=3600, check=False)
    assert done.status == 0, done.stderr[-3000:]
    *found, figures = (json.loads(line) for line in done.stdout.splitlines())
    for finding in found:
        print(json.dumps(finding, indent=1))
    print(f"{host.layer.suite}, {' '.join(options)}: {figures}")
    return dict(figures)


# every kind of change that the steps have on these systems, and that a recorded host cannot prove
KINDS = {
    *("DebconfSettings", "FileContent", "HostName", "HostsEntry", "KeyedEntries", "LookupMap"),
    *("MasterCfParameters", "PostfixParameters", "PrivateAuthority", "PrivateCertificate"),
    *("SecretTable", "Service", "SigningKey", "UserAccount", "WaitingMailRerouted"),
}


def chosen(suite: str) -> list[str]:
    """Which points are tried."""
    return ["--all"] if EVERY_POINT else ["--turn", str(int(suite == "bookworm"))]


def test_a_run_killed_at_any_point_and_in_the_middle_of_a_command(
    prepared: Prepared,
    fresh_host: FreshHost,
    suite: str,
    record_property: Callable[[str, object], None],
) -> None:
    figures = sweep(fresh_host(prepared.ready(suite)), *chosen(suite))
    # where several processes run the tests, what they print is lost
    for name in ("points", "undo_points", "tried", "cut", "seconds"):
        record_property(name, figures[name])
    assert figures["found"] == 0
    assert figures["points"] > 700
    assert figures["tried"] > 40
    assert figures["cut"] > 10
    assert set(figures["kinds"]) >= KINDS


# packages ----------------------------------------------------------------------------------


@pytest.fixture
def bare(fresh_host: FreshHost, internet: Internet, suite: str) -> Host:
    """A host without mail packages, whose name is known."""
    return named(fresh_host, internet, suite)


def named(fresh_host: FreshHost, internet: Internet, suite: str) -> Host:
    host = fresh_host(launched(suite, internet))
    internet.register(host, FQDN, mx=DOMAIN)
    stand_in_for_providers(internet)
    put_checkout(host, more="")
    host.put(answers(host, UNFILTERED), ANSWERS)
    return host


def etc(host: Host) -> dict[str, tree.TreeEntry]:
    return host.tree(exclude=OWN)


THEIRS = """
mkdir -p /root/theirs/DEBIAN && cd /root
printf '%s\\n' 'Package: theirs' 'Version: 1' 'Architecture: all' 'Maintainer: a <a@b.test>' \\
  'Description: theirs' >theirs/DEBIAN/control
dpkg-deb -b theirs && dpkg -i theirs.deb
"""
# what apt does when it has renewed its lists
HOOK = 'APT::Update::Post-Invoke { "sync"; };'


@dataclass(frozen=True)
class Moment:
    """A call that a run is held at, and how dpkg says by then that Postfix stands."""

    program: str
    calls: str
    state: str
    sent: int = 0


MOMENTS = {
    "lists": Moment("sync", "*", ""),
    "unpacking": Moment("dpkg-deb", "*--fsys-tarfile*[-/]postfix_*", "half-installed", sent=10**6),
    "configuring": Moment("addgroup", "postinst*postdrop*", "half-configured"),
}
each_moment = pytest.mark.parametrize("moment", MOMENTS)


def closed_at(host: Host, moment: str) -> Gate:
    held = MOMENTS[moment]
    host.put(HOOK, "/etc/apt/apt.conf.d/97held")
    return gates.gate(host, held.program, held.calls, sent=held.sent)


@contextmanager
def installing(host: Host, moment: str, command: str = FEW) -> Iterator[Gate]:
    """A run in the background, held at that moment; it has ended after the block."""
    gate = closed_at(host, moment)
    process = host.popen(command)
    gate.reached()
    asked = host.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", "postfix"], check=False)
    assert asked.stdout == MOMENTS[moment].state
    yield gate
    process.communicate(timeout=60)


def kill_watcher(host: Host) -> None:
    host.run(f"kill -9 {Program(host).holder()['pid']}")


def packages(host: Host) -> set[str]:
    return set(host.run(["dpkg-query", "-W", "-f", "${Package}\n"]).stdout.split())


def removable(host: Host) -> set[str]:
    """What may be removed after a whole undo, as its end says."""
    undone = host.run([LAUNCHER, "undo", "--all", "--yes"])
    said = re.search(r"^  apt-get purge (.*)$", undone.stdout, re.MULTILINE)
    assert said, undone.stdout
    return set(said[1].split())


def ends_well(host: Host, command: str = FEW, *, probes: bool = True) -> None:
    """The next run completes and leaves nothing of the broken one."""
    argv = command if probes else inside("killing.py", "0", *command.split()[1:])
    done = host.run(argv, check=False, timeout=300)
    assert done.status == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert_well(host)


def assert_well(host: Host) -> None:
    assert host.run("dpkg --audit").stdout == ""
    assert not host.exists(POLICY)
    assert host.run("systemctl is-active postfix").stdout == "active\n"


def waits_and_ends_well(host: Host, gate: Gate) -> None:
    """The next run finds the unit of the broken one at work, waits for it and completes."""
    again = host.popen(f"{FEW} --json")
    assert again.stdout
    for line in again.stdout:
        if b'"waiting"' in line and b"a package run of ours is still at work" in line:
            break
    gate.open()
    out, err = again.communicate(timeout=300)
    assert again.returncode == 0, out[-3000:] + err[-1000:]
    assert_well(host)


def uninterrupted(fresh_host: FreshHost, internet: Internet, suite: str) -> tuple[Host, list[str]]:
    """A host on which a run was counted from the bare system on, and its points."""
    host = named(fresh_host, internet, suite)
    done = host.run(inside("killing.py", "0", *FEW.split()[1:]), timeout=300)
    return host, done.stdout.splitlines()


def package_points(points: list[str]) -> list[int]:
    """The journal's intent, the preseeds, both transient units, and the moments after them."""
    starts = [n for n, point in enumerate(points, 1) if "systemd-run" in point]
    intents = [n for n, p in enumerate(points, 1) if p.startswith("journal: INSERT INTO entries")]
    intent = max(n for n in intents if n < starts[0])
    seeds = [
        n for n, p in enumerate(points, 1) if p.startswith("file: ") and intent < n < starts[-1]
    ]
    return [intent, *seeds[:3:2], starts[0], starts[-1], starts[-1] + 1]


def test_a_package_run_killed_around_its_unit(
    fresh_host: FreshHost, internet: Internet, suite: str
) -> None:
    whole, points = uninterrupted(fresh_host, internet, suite)
    wanted, offset = etc(whole), whole.offsets[0]
    whole.close()
    tried = package_points(points)
    if not EVERY_POINT:  # every other one here, the others there
        tried = tried[suite == "bookworm" :: 2]
    print(f"{suite}: package points {[(n, points[n - 1]) for n in tried]}")
    begun = time.monotonic()
    for n in tried:
        host = named(fresh_host, internet, suite)
        assert host.offsets[0] == offset, "the same address, or the trees could not be equal"
        killed = host.run(inside("killing.py", str(n), *FEW.split()[1:]), check=False)
        assert "killed" in killed.stderr, killed
        ends_well(host, probes=False)
        assert tree.diff(wanted, etc(host), times=False) == {}, points[n - 1]
        host.close()
    print(f"{suite}: {len(tried)} points, {time.monotonic() - begun:.0f} s")


@each_moment
def test_a_package_run_goes_on_when_its_watcher_is_killed(bare: Host, moment: str) -> None:
    with installing(bare, moment) as gate:
        kill_watcher(bare)
    waits_and_ends_well(bare, gate)


@pytest.mark.parametrize("moment", ["unpacking", "configuring"])
def test_a_killed_dpkg_is_repaired(bare: Host, moment: str) -> None:
    before = packages(bare)
    with installing(bare, moment):
        bare.run(f"systemctl kill --signal=KILL {UNIT}")
    assert bare.run("dpkg --audit").stdout != ""
    ends_well(bare)
    assert removable(bare) == packages(bare) - before


@suites.both_releases
def test_what_a_killed_run_brought_is_ours_and_what_others_did_since_is_not(bare: Host) -> None:
    before = packages(bare)
    with installing(bare, "unpacking", APPLY) as gate:
        kill_watcher(bare)
    gate.open()
    bare.run(f"while systemctl is-active -q {UNIT}; do sleep 0.2; done", timeout=300)
    bare.run(THEIRS)
    ends_well(bare, APPLY)
    assert packages(bare) - before > {"theirs", "postfix", "dovecot-imapd"}
    assert removable(bare) == packages(bare) - before - {"theirs"}


def test_a_power_cut_while_packages_are_unpacked_is_repaired(bare: Host) -> None:
    """It is the whole set that is cut here: many are unpacked, and not configured."""
    with installing(bare, "unpacking", APPLY):
        bare.kill()
    bare.boot()
    ends_well(bare, APPLY)


def test_a_power_cut_before_starts_are_allowed_again(bare: Host) -> None:
    """All packages are in, and what forbids their starts is still there."""
    bare.run(FEW, timeout=300)
    bare.run(f"cp -p /run/mailwizard/policy-rc.d {POLICY}")
    ends_well(bare)


def test_a_hang_up_lets_the_package_run_end(bare: Host) -> None:
    command = bare.command(FEW)
    gate = closed_at(bare, "unpacking")
    terminal = pexpect.spawn(command[0], command[1:], timeout=120, dimensions=(24, 80))
    gate.reached()
    watcher = Program(bare).holder()["pid"]
    terminal.close(force=False)
    bare.run(f"while kill -0 {watcher} 2>/dev/null; do sleep 0.1; done")
    assert bare.run(f"systemctl is-active {UNIT}").stdout == "active\n"
    waits_and_ends_well(bare, gate)
    log = bare.get(f"/var/lib/mailwizard/log/{UNIT}.log").decode()
    assert log.count("Setting up postfix (") == 1, "dpkg was let work to its end, once"
