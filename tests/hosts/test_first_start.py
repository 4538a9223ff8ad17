"""The first start, in one file: on a bare host, without any network, by two at once, cut short."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import images
from lab.host import Host
from lab.internet import Internet
from support import single, suites

from mailwizard.steps import STEPS

FILE = "/root/mailwizard"
STORE = "/usr/local/lib/mailwizard"
OFFLINE = "unshare --net"
# An index that nobody can reach: whoever asks it for a package fails.
NO_INDEX = "[global]\nindex-url = https://127.0.0.1:9/simple\nretries = 0\n"
# Unpacks a part, and then all that was started with it is killed.
CUT_SHORT = """#!/bin/sh
head -c 1000000 | /usr/bin/tar "$@"
kill -KILL 0
"""
# All that the faces and the commands stand on, without the parts that are a machine's own code.
EVERYTHING = "import mailwizard.tui.app, mailwizard.plain, questionary, dns.resolver, sh, tomli_w"


@pytest.fixture(scope="module")
def single_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the file with the packages that are pinned."""
    checkout = single.copied(tmp_path_factory.mktemp("checkout"))
    made = single.build(checkout)
    assert made.returncode == 0, made.stderr
    return checkout / "dist/mailwizard"


@pytest.fixture(scope="module", params=suites.grouped("first-start"))
def started(
    request: pytest.FixtureRequest, internet: Internet, single_file: Path
) -> Iterator[Host]:
    """Give a host whose first Python came with the first start of the one file."""
    with Host(images.base(request.param), net=internet.network) as host:
        host.run("useradd -m -s /bin/bash alice")
        host.put(NO_INDEX, "/etc/pip.conf")
        host.put(single_file, FILE, mode=0o755)
        assert not host.exists("/usr/bin/python3")
        done = host.run([FILE, "answers"], timeout=300, check=False)
        assert done.status == 0, done.stderr
        assert list(tomllib.loads(done.stdout)) == ["system", *(step.id for step in STEPS)]
        yield host


def _environments(host: Host, store: str = STORE) -> list[str]:
    """Name what there is in a store, but for the lock."""
    found = host.run(["ls", "-A", store], check=False).stdout.split()
    return [name for name in found if name != "lock"]


def _owner(host: Host, name: str) -> str:
    """Give the launcher that an environment was made for."""
    return host.get(f"{STORE}/{name}/made-for").decode().strip()


def _installed(host: Host) -> str:
    return host.run(["dpkg-query", "-W"]).stdout


def test_a_bare_host_gets_python_and_nothing_else(started: Host) -> None:
    (name,) = _environments(started)
    assert name.startswith("env-")
    for package in ("python3-pip-whl", "python3-venv", "python3-pip"):
        assert f"{package}\t" not in _installed(started)
    assert not started.exists("/root/.cache/pip")


def test_nothing_but_python_is_needed(started: Host) -> None:
    before = _installed(started)
    started.run(["rm", "-r", STORE])
    done = started.run(f"{OFFLINE} {FILE} answers")
    assert list(tomllib.loads(done.stdout)) == ["system", *(step.id for step in STEPS)]
    assert done.stderr == "Making the environment .. done\n"
    (name,) = _environments(started)
    started.run([f"{STORE}/{name}/bin/python", "-Ic", EVERYTHING])
    assert _installed(started) == before
    again = started.run(f"{OFFLINE} {FILE} answers")
    assert (again.stdout, again.stderr) == (done.stdout, "")


def test_an_ordinary_user_shares_it_or_has_one_of_her_own(started: Host) -> None:
    started.run(["install", "-m", "755", FILE, "/usr/local/bin/mailwizard"])
    started.run(["/usr/local/bin/mailwizard", "status"])
    shared = started.run(["/usr/local/bin/mailwizard", "status"], user="alice")
    assert shared.stderr == ""
    started.run(["install", "-o", "alice", "-m", "755", FILE, "/home/alice/mailwizard"])
    own = f"{OFFLINE} runuser -u alice -- /home/alice/mailwizard status"
    assert started.run(own, env={"HOME": "/home/alice"}).stdout == shared.stdout
    assert len(_environments(started, "/home/alice/.cache/mailwizard")) == 1


def test_two_at_once_make_one(started: Host) -> None:
    started.run(["rm", "-r", STORE])
    both = f"{OFFLINE} {FILE} status & {OFFLINE} {FILE} status & wait $! && wait"
    started.run(both)
    assert len(_environments(started)) == 1
    assert started.run([FILE, "status"]).stderr == ""


def test_one_that_is_cut_short_leaves_nothing_to_be_taken_for_whole(started: Host) -> None:
    started.run(["rm", "-r", STORE])
    started.put(CUT_SHORT, "/root/cut/tar", mode=0o755)
    cut = f"PATH=/root/cut:$PATH setsid -w {FILE} status"
    assert not started.run(cut, check=False).ok
    (left,) = _environments(started)
    assert started.exists(f"{STORE}/{left}/bin/python"), left
    assert not any(name.startswith("env-") for name in _environments(started))
    done = started.run([FILE, "status"])
    assert "Making the environment" in done.stderr
    (name,) = _environments(started)
    assert name.startswith("env-")


def test_a_copy_that_is_not_whole_says_so(started: Host) -> None:
    started.run(f"head -c 2000000 {FILE} >/root/half && chmod 755 /root/half")
    done = started.run(["/root/half", "status"], check=False)
    assert done.status == 3
    assert "If the file is damaged, copy it again" in done.stderr
    assert not any(name.startswith("building-") for name in _environments(started))


def test_a_newer_file_takes_the_place_of_the_older(started: Host, single_file: Path) -> None:
    newer = single_file.read_bytes()
    older = re.sub(rb"(?m)^holds=.*$", b"holds=" + b"0" * 64, newer, count=1)
    names = []
    for content in (older, newer):
        started.put(content, FILE, mode=0o755)
        started.run([FILE, "status"])
        (name,) = [n for n in _environments(started) if _owner(started, n) == FILE]
        names.append(name)
    assert names[0] != names[1]
