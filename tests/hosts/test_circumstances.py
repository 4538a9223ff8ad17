"""The world around a run: other runs, signals, locks, full disks, no network, odd journals."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Sequence

import pytest
from lab import images
from lab.host import Host
from support import gates
from support.applied import ANSWERS, FQDN, LAUNCHER, PYTHON, UNFILTERED, Prepared, answers
from support.program import STATE, Program, helps, stand_in_for_providers, untouched

LOCK_HOLDER = """
import fcntl, os, sys
handle = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(handle, fcntl.LOCK_EX)
print(os.getpid(), flush=True)
sys.stdin.read()
"""
NEWER = """
from mailwizard import platform
from mailwizard.journal import Journal
Journal("/var/lib/mailwizard/journal.db", platform.machine_id()).note("schema", "99")
"""


@pytest.fixture
def ready(prepared: Prepared, suite: str) -> Iterator[Program]:
    """Give the program on a host where it never ran."""
    with Host(prepared.ready(suite), net=prepared.internet.network) as host:
        prepared.internet.register(host, FQDN)
        host.put(answers(host, UNFILTERED), ANSWERS)
        yield Program(host)


@pytest.fixture(scope="module")
def applied(prepared: Prepared) -> Iterator[Program]:
    """Give the program on a host that is set up, and may send."""
    stand_in_for_providers(prepared.internet)
    with prepared.applied_host("trixie", UNFILTERED) as host:
        yield Program(host)


@pytest.fixture
def unpacked(prepared: Prepared) -> Iterator[Program]:
    """Give the program on a host where Postfix is not installed."""
    with Host(prepared.ready("trixie"), net=prepared.internet.network) as host:
        prepared.internet.register(host, FQDN)
        host.put(answers(host, UNFILTERED), ANSWERS)
        host.run("apt-get purge -y -q postfix && rm -rf /etc/postfix", timeout=60)
        yield Program(host)


# as far as a run goes that is stopped
FIRST = ("hostname", "postfix", "aliases")


def begin(program: Program, *until: str, steps: Sequence[str] = FIRST) -> subprocess.Popen[bytes]:
    """Start `apply --json` and read its events until one has all these words in it."""
    argv = [LAUNCHER, "apply", "-a", ANSWERS, "--yes", "--json", *steps]
    started = program.host.popen(argv)
    assert started.stdout is not None
    for line in started.stdout:
        if all(word in line.decode() for word in until):
            return started
    raise AssertionError(f"ended before {until!r}: {started.communicate()}")


@pytest.mark.parametrize("suite", images.SUITES)
def test_a_second_run_names_the_first(ready: Program) -> None:
    typed = f"script -qec '{LAUNCHER} --plain' /run/typescript"
    first = ready.host.popen(typed, env={"SUDO_USER": "carol", "TERM": "vt100"})
    ready.host.run(f"until test -s {STATE}/lock; do sleep 0.1; done")
    who = ready.holder()
    with untouched(ready.host, "/etc"):
        said = helps(
            ready.apply(), 4, "another run of mailwizard is at work", "`mailwizard status`"
        )
        for part in (f"pid {who['pid']}", "carol", who["terminal"], f"since {who['since']}"):
            assert str(part) in said
        assert who["terminal"].startswith("/dev/pts/")
        helps(ready("undo", "--all", "--yes"), 4)
        # looking on is allowed
        assert ready.standing() == {"pending"}
        assert ready("plan", "-a", ANSWERS).status == 10
    ready.host.run(["kill", "-9", str(who["pid"])])
    assert ready.apply("hostname").status == 0
    first.communicate(timeout=10)


@pytest.mark.parametrize("suite", ["trixie"])
@pytest.mark.parametrize(("signal", "code"), [("TERM", 143), ("HUP", 129), ("INT", 130)])
def test_a_signal_stops_a_run_that_goes_on_later(ready: Program, signal: str, code: int) -> None:
    # while a daemon is told of its files, or a probe asks
    held = ("systemctl", '" restart "*|" reload "*')
    if signal == "HUP":
        # the names of certificates are asked for before
        held = ("getent", f'" ahosts {FQDN}"*')
    gate = gates.gate(ready.host, *held)
    first = begin(ready, "smtpd_relay_restrictions" if signal != "HUP" else '"probe-started"')
    gate.reached()
    ready.host.run(["kill", f"-{signal}", str(ready.holder()["pid"])])
    out, err = first.communicate(timeout=60)
    assert first.returncode == code, (first.returncode, err)
    assert b"Traceback" not in out + err
    assert b"stopped" in err
    assert b"again to go on" in err
    states = ready.states()
    assert (states["hostname"], states["aliases"]) == (
        "applied" if signal == "HUP" else "verified",
        "pending",
    )
    gate.open()
    assert ready.apply(*FIRST).status == 0
    states = ready.states()
    assert {states[step] for step in FIRST} == {"verified"}


def test_without_a_network_no_package_step_begins(unpacked: Program) -> None:
    host = unpacked.host
    host.run(["ip", "link", "set", "eth0", "down"])
    before, begun = host.run(["dpkg", "-l"]).stdout, time.monotonic()
    done = unpacked.apply(timeout=200)
    print(f"\nwithout a network: {time.monotonic() - begun:.1f} s until it says so")
    assert done.status == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "Temporary failure resolving" in " ".join(done.stdout.split())
    assert done.stdout.endswith("Stopped before postfix: the packages could not be installed.\n")
    states = unpacked.states()
    assert (states["postfix"], states["aliases"]) == ("pending", "pending")
    assert not host.exists("/etc/postfix")
    assert host.run(["dpkg", "-l"]).stdout == before


# each time that somebody looks who holds the lock
LOOKS = '#!/bin/sh\necho >>/run/looks\nexec /usr/bin/stat "$@"\n'


def test_a_held_package_lock_is_waited_for(unpacked: Program) -> None:
    host, steps = unpacked.host, ("hostname", "postfix")
    holder = host.popen(["python3", "-c", LOCK_HOLDER])
    assert holder.stdout is not None
    pid = holder.stdout.readline().decode().strip()
    waiting = f"python3 (pid {pid}) is installing or removing packages"
    first = begin(unpacked, '"waiting"', waiting, steps=steps)
    host.put(LOOKS, "/usr/local/sbin/stat", mode=0o755)
    host.run("until test $(wc -l </run/looks) -ge 3; do sleep 0.2; done 2>/dev/null")
    assert first.poll() is None
    assert unpacked.standing() <= {"pending", "verified"}
    holder.communicate(b"enough", timeout=10)
    out, err = first.communicate(timeout=200)
    assert first.returncode == 0, out.decode()[-3000:] + err.decode()
    states = unpacked.states()
    assert {states[step] for step in steps} == {"verified"}


def test_a_state_folder_may_have_any_name(unpacked: Program) -> None:
    # what systemd calls a specifier and a variable, and a path that it would not take
    host, name = unpacked.host, "mail wizard 100%n $HOME"
    words = ["--state", f"/var/lib/../lib/{name}"]
    done = unpacked.apply(*words, "hostname", "postfix", timeout=200)
    assert done.status == 0, done.stdout[-3000:] + done.stderr
    assert b"Setting up postfix (" in host.get(f"/var/lib/{name}/log/mailwizard-packages.log")
    assert not host.exists("/usr/sbin/policy-rc.d")
    assert host.run(["stat", "-c", "%a", f"/var/lib/{name}"]).stdout == "700\n"
    undone = unpacked("undo", "--all", "--yes", *words)
    assert undone.status == 0, undone
    assert re.search("^  apt-get purge .*postfix( |$)", undone.stdout, re.MULTILINE)


@pytest.mark.parametrize("size", ["48k", "64k", "80k"])
def test_a_disk_that_fills_up_is_said(applied: Program, size: str) -> None:
    full = f"mount -t tmpfs -o size={size} none /mnt"
    done = applied.apply("--state", "/mnt/state", within=full)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "broke" not in said
    if done.status != 0:
        assert done.status == 1
        assert "no space left" in said.lower()
        assert "df -h" in said


def test_a_reader_that_goes_ends_a_run_quietly(applied: Program) -> None:
    script = f"set -o pipefail; {LAUNCHER} apply -a {ANSWERS} --yes | head -n 1"
    done = applied.host.run(["bash", "-c", script], check=False)
    assert (done.status, done.stderr) == (1, "")
    assert not applied.host.run(f"find {STATE} -name 'crash-*'").stdout
    assert applied.apply("hostname").status == 0


def test_output_for_programs_can_be_parsed(applied: Program) -> None:
    lines = applied.apply("--json").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert {"event", "step"} <= set.intersection(*(set(event) for event in events))
    # a lab's resolver is the lab's
    said = "Every step is applied and no check fails, but 1 check warns: DNS-11."
    assert events[-1] == {"event": "finished", "step": "", "code": 0, "said": said}
    checked = applied.check()
    assert set(checked) == {"outcome", "checks"}
    for check in checked["checks"]:
        assert {"id", "step", "title", "outcome", "said", "expected", "fix"} <= set(check)
        assert {"by_hand", "transcript", "seconds"} <= set(check)
    for row in json.loads(applied("status", "--json").stdout)["steps"]:
        assert set(row) == {"id", "state", "since"}
        assert row["since"].endswith("+00:00") or row["state"] == "skipped"
    assert applied("plan", "-a", ANSWERS).status == 0
    assert applied("plan", "-a", ANSWERS, "--json").status == 0
    assert json.loads(applied("dns", "--json").stdout)


def test_a_reader_who_has_left_is_a_failed_check(applied: Program) -> None:
    """What the answers name is gone: `check` must say so, and not refuse the answers."""
    applied.host.run("cp -a /etc/passwd /root/passwd && sed -i /^alice:/d /etc/passwd")
    try:
        done = applied("check", "--json")
        assert done.status == 1, done.stderr
        failed = {c["id"] for c in json.loads(done.stdout)["checks"] if c["outcome"] == "fail"}
        assert "OUT-07" in failed, failed
        assert applied("dns").status in (0, 1)
        helps(applied("plan", "-a", ANSWERS), 2, "aliases.root", "there is no login 'alice'")
    finally:
        applied.host.run("cat /root/passwd >/etc/passwd")


def test_other_answers_put_in_doubt_what_a_run_does_not_reach(applied: Program) -> None:
    """A run of one step keeps all answers: a step that was set up with others is not verified."""
    given = applied.host.get(ANSWERS).decode()
    other = given.replace('sales = ["alice", "bob"]', 'sales = ["bob"]')
    assert other != given
    applied.host.put(other, "/root/other.toml")
    assert applied.apply("hostname", answers="/root/other.toml").status == 0
    states = applied.states()
    assert states["hostname"] == "verified"
    assert states["postfix"] == "verified"
    assert states["aliases"] == "applied"
    assert applied.apply().status == 0
    assert applied.standing() == {"verified"}


def test_an_export_is_put_where_it_is_wanted(applied: Program) -> None:
    printed = applied("export", "--format", "answers").stdout
    for place in ("/home/alice/answers.toml", "/tmp/answers.toml", "/dev/stdout"):
        done = applied("export", "--format", "answers", "-o", place)
        assert done.status == 0, done
        if place.startswith("/dev"):
            assert done.stdout == printed
        else:
            assert applied.host.get(place).decode() == printed
            assert applied.host.run(["stat", "-c", "%a", place]).stdout == "600\n"
    for place, why in (("/etc", "is a directory"), ("/nowhere/x", "no such file or directory")):
        done = applied("export", "--format", "sh", "-o", place)
        helps(done, 2, f"{place} cannot be written: {why}")


def test_a_step_that_is_left_out_is_not_asked(applied: Program) -> None:
    helps(applied("check", "relay"), 2, "the step 'relay' is left out", "[relay]")


def test_colour_is_for_terminals_that_want_it(applied: Program) -> None:
    for env, coloured in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
        typed = f"script -qec '{LAUNCHER} status' /dev/null"
        shown = applied.host.run(typed, env=env).stdout
        assert "verified by its checks" in shown
        assert ("\x1b[" in shown) is coloured


def test_a_journal_from_the_future_is_not_touched(applied: Program) -> None:
    host = applied.host
    host.run(f"cp -a {STATE} /root/kept; {PYTHON} -", input=NEWER)
    try:
        with untouched(host, "/etc", f"{STATE}/journal.db"):
            for done in (applied.apply(), applied("status"), applied("undo", "--all", "--yes")):
                helps(done, 3, "written by a newer mailwizard", "nothing was changed")
    finally:
        host.run(f"rm -rf {STATE} && mv /root/kept {STATE}")
    assert applied.standing() == {"verified"}


def test_the_journal_of_another_host_is_not_believed(applied: Program) -> None:
    other = "echo 0123456789abcdef0123456789abcdef >/run/id; mount --bind /run/id /etc/machine-id"
    with untouched(applied.host, "/etc", f"{STATE}/journal.db"):
        for words in (["status"], ["undo", "--all", "--yes"], ["check"]):
            helps(applied(*words, within=other), 3, "belongs to another host", "--state")
        helps(applied.apply(within=other), 3, "belongs to another host")


def test_a_damaged_journal_is_noticed(applied: Program) -> None:
    host = applied.host
    host.run(f"cp -a {STATE} /root/kept")
    try:
        with untouched(host, "/etc"):
            host.run(f"sed -i s/canonical/Canonical/ {STATE}/journal.db")
            assert applied.standing() == {"verified"}
            done = applied.apply("hostname")
            assert done.status == 0
            assert "its last good copy is used" in done.stderr
            assert len(host.run(f"ls {STATE}/*damaged*").stdout.splitlines()) == 1
            host.run(f"rm {STATE}/*.good; truncate -s 4000 {STATE}/journal.db")
            for done in (applied.apply(), applied("status")):
                helps(done, 3, "is damaged, and there is no good copy", "away to start anew")
    finally:
        host.run(f"rm -rf {STATE} && mv /root/kept {STATE}")
