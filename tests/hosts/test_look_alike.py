"""Ubuntu LTS as far as a Debian can stand in for it: its os-release, and its habits.

ufw with only SSH let in, systemd-resolved behind a link, netplan's and cloud-init's files,
unattended-upgrades. Ubuntu's own packages and kernel (AppArmor in force) are not here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pexpect
import pytest
from lab import images
from lab.host import ENVIRONMENT, Host
from lab.internet import Internet
from lab.layers import Layer
from support import suites
from support.applied import ANSWERS, DOMAIN, LAUNCHER, UNFILTERED, Prepared, answers, publish
from support.program import STATE, Program, arrives, helps, stand_in_for_providers, untouched

NAMES = {"trixie": "Ubuntu 26.04", "bookworm": "Ubuntu 24.04"}
OS_RELEASE = """\
PRETTY_NAME="{name} LTS"
NAME="Ubuntu"
VERSION_ID="{version}"
ID=ubuntu
ID_LIKE=debian
"""
HABITS = """
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends \
    ufw openssh-server systemd-resolved libnss-resolve unattended-upgrades cloud-init netplan.io
systemctl disable --now ufw unattended-upgrades
# a lab has no cloud to ask, and must not upgrade itself; the units have other names on each release
cloud=$(systemctl list-unit-files --plain --no-legend 'cloud-*' | cut -d' ' -f1)
systemctl mask apt-daily.timer apt-daily-upgrade.timer $cloud
apt-get clean
"""
NETPLAN = """\
network:
  version: 2
  ethernets:
    eth0: { dhcp4: true, dhcp6: true }
"""
UPGRADES = 'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n'
CONSENT = "\n[firewall]\nenabled = true\n\n[system]\nexpected = true\n"

suite = suites.one_host_each("ubuntu")


@pytest.fixture(scope="module")
def alike(prepared: Prepared, internet: Internet) -> Prepared:
    """Give the layers of hosts that look like Ubuntu."""

    def with_habits(suite: str, internet: Internet) -> Layer:
        from support.applied import with_packages

        below = with_packages(suite, internet)
        return images.layer(below, f"ubuntu-{suite}", HABITS, _install, internet.network)

    return Prepared(internet, with_habits)


def _install(host: Host) -> None:
    host.run(HABITS, timeout=600)


def settle_in(host: Host, internet: Internet, suite: str) -> None:
    """Let the host behave as a cloud's Ubuntu does."""
    name = NAMES[suite]
    text = OS_RELEASE.format(name=name, version=name.split()[1])
    host.put(text, "/usr/lib/os-release")
    host.run("ln -sfn ../usr/lib/os-release /etc/os-release")
    host.put(NETPLAN, "/etc/netplan/50-cloud-init.yaml", mode=0o600)
    host.put(UPGRADES, "/etc/apt/apt.conf.d/20auto-upgrades")
    upstream = f"[Resolve]\nDNS={internet.dns.address}\n"
    host.run("mkdir -p /etc/systemd/resolved.conf.d")
    host.put(upstream, "/etc/systemd/resolved.conf.d/provider.conf")
    host.run("systemctl restart systemd-resolved")
    host.run("ln -sfn /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf")
    host.run("systemctl enable --now ssh ufw && ufw allow OpenSSH && ufw --force enable")


@pytest.fixture(scope="module")
def host(alike: Prepared, internet: Internet, suite: str) -> Iterator[Host]:
    """Give such a host where the program never ran."""
    with alike.ready_host(suite) as host:
        stand_in_for_providers(internet)
        settle_in(host, internet, suite)
        host.put(answers(host, UNFILTERED), ANSWERS)
        yield host


def test_nothing_begins_there_without_a_yes(host: Host, suite: str) -> None:
    program = Program(host)
    with untouched(host):
        for words in (("apply", "-a", ANSWERS, "--yes"), ("undo", "--all", "--yes")):
            said = helps(program(*words), 3, f"{NAMES[suite]} is expected to work", "--unproven")
            assert "`expected = true` below [system]" in said
        assert host.run(["test", "-e", STATE], check=False).status == 1


def test_the_plan_is_shown_with_or_without_it(host: Host, suite: str) -> None:
    program = Program(host)
    with untouched(host):
        plain = program("plan", "-a", ANSWERS)
        assert (plain.status, f"{NAMES[suite]} is expected" in plain.stderr) == (10, True)
        taken = program("plan", "-a", ANSWERS, "--unproven")
        assert (taken.status, taken.stderr, taken.stdout) == (10, "", plain.stdout)


def test_one_yes_is_enough(host: Host, suite: str) -> None:
    def started() -> pexpect.spawn[str]:
        argv = host.command([LAUNCHER, "--plain"])
        return pexpect.spawn(
            argv[0], argv[1:], env={**ENVIRONMENT, "TERM": "dumb"}, encoding="utf-8", timeout=60
        )

    first = started()
    first.expect_exact(f"{NAMES[suite]} is expected to work with mailwizard, but not proven")
    first.expect_exact(f"Go on with {NAMES[suite]}? [y/N]")
    first.send("\r")
    first.expect_exact("not confirmed; nothing was changed")
    first.expect(pexpect.EOF)
    assert host.run(["test", "-e", f"{STATE}/answers.toml"], check=False).status == 1
    second = started()
    second.expect_exact("? [y/N]")
    second.send("y\r")
    second.expect_exact("Number, or Enter:")
    second.sendcontrol("c")
    second.expect(pexpect.EOF)
    third = started()
    assert third.expect_exact(["Number, or Enter:", "? [y/N]"]) == 0
    third.sendcontrol("c")
    third.expect(pexpect.EOF)
    assert "expected = true" in host.get(f"{STATE}/answers.toml").decode()
    host.run(["rm", "-r", STATE])


def test_it_becomes_a_mail_server_and_stays_one(host: Host, internet: Internet, suite: str) -> None:
    program = Program(host)
    # ufw lets in what mail needs when its step is wanted
    host.put(answers(host, UNFILTERED) + CONSENT, ANSWERS)
    done = program.apply(timeout=300)
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    publish(internet, host)
    host.run("resolvectl flush-caches")
    assert program.standing() == {"verified"}
    message = "Subject: to the look-alike\r\n\r\nx\r\n"
    sent = internet.foreign.send("s@foreign.test", f"alice@{DOMAIN}", message, to=host)
    assert sent.ok, sent.answers
    arrives(host, "alice", "to the look-alike")
    again = program("plan", "-a", ANSWERS)
    assert (again.status, again.stderr) == (0, "")
    failed = [one["id"] for one in program.check()["checks"] if one["outcome"] == "fail"]
    assert failed == []
    exported = program("export", "--format", "answers").stdout
    assert "expected = true" in exported
    rows = json.loads(program("status", "--json").stdout)["steps"]
    assert {row["state"] for row in rows} <= {"verified", "skipped"}


def test_undo_needs_no_second_yes(host: Host) -> None:
    undone = Program(host)("undo", "--all", "--yes", timeout=200)
    assert undone.status == 0, undone.stdout[-3000:] + undone.stderr
