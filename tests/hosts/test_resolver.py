"""A resolver of the host's own: asked by Postfix and by blocklists, and taken back again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from lab import images
from lab.host import Host
from lab.internet import Internet
from support.applied import ANSWERS, DOMAIN, UNFILTERED, Prepared, answers
from support.faults.protection import LISTED, ZEN
from support.program import Program
from support.unbound import forwards

CHOSEN = "\n[protection]\nresolver = true\n"
OURS = ("/etc/postfix", "/etc/resolv.conf")


@pytest.fixture(params=images.SUITES)
def host(request: pytest.FixtureRequest, prepared: Prepared, internet: Internet) -> Iterator[Host]:
    """Give a verified host whose resolver is the lab's, and a list that tells the truth."""
    internet.dns.set(LISTED, "A", "127.0.0.2")
    with prepared.applied_host(str(request.param), UNFILTERED) as host:
        forwards(host, internet.dns.address)
        host.put(answers(host, UNFILTERED) + CHOSEN, ANSWERS)
        yield host


def verdicts(host: Host) -> dict[str, tuple[str, str]]:
    """Give what each check of the step says."""
    found = json.loads(Program(host)("check", "--json", "protection").stdout)["checks"]
    return {check["id"]: (check["outcome"], check["said"]) for check in found}


def test_it_is_asked_and_can_be_taken_back(host: Host, internet: Internet) -> None:
    program, before = Program(host), host.get("/etc/resolv.conf")
    done = program.apply(timeout=300)
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    assert b"nameserver 127.0.0.1\n" in host.get("/etc/resolv.conf")
    # what runs in Postfix's own root asks it too
    assert b"nameserver 127.0.0.1\n" in host.get("/var/spool/postfix/etc/resolv.conf")
    said = verdicts(host)
    assert said["DNS-RESOLVER"][0] == said["DNS-19"][0] == "pass", said
    listed = host.run(["postconf", "-h", "smtpd_recipient_restrictions"]).stdout
    assert f"reject_rbl_client {ZEN}=" in listed
    planned = program("plan", "-a", ANSWERS)
    assert planned.status == 0, planned.stdout

    host.run("systemctl stop unbound")
    broken = verdicts(host)
    assert broken["DNS-RESOLVER"][0] == "fail", broken
    host.run("systemctl start unbound")

    done = program("undo", "protection", "--yes")
    assert done.status == 0, done.stdout + done.stderr
    assert host.get("/etc/resolv.conf") == before
    assert host.run(["systemctl", "is-active", "unbound"], check=False).status != 0


def test_one_that_cannot_reach_the_world_is_not_left_in_place(
    host: Host, internet: Internet
) -> None:
    forwards(host, "198.18.255.254")
    before = host.tree(OURS)
    done = Program(host).apply("protection", timeout=300)
    assert done.status == 1
    assert "127.0.0.1" in done.stdout
    assert "previous configuration was put back" in done.stdout
    assert host.tree(OURS) == before
    message = "Subject: still here\r\n\r\nx\r\n"
    for _ in range(100):
        # Postfix's own copy of resolv.conf follows by a unit of its own; until then: come back
        sent = internet.foreign.send("s@foreign.test", f"alice@{DOMAIN}", message, to=host)
        if sent.code != 450:
            break
        time.sleep(0.5)
    assert sent.ok, sent.answers
