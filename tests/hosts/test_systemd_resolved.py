"""A host as cloud images bring it: systemd-resolved(8) answers, and resolv.conf is its link."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from lab.fixtures import FreshHost
from lab.host import Host
from lab.internet import NAMES, Internet
from support import suites
from support.applied import ANSWERS, DOMAIN, FQDN, Prepared, answers, publish
from support.program import (
    Program,
    arrives,
    replay,
    stand_in_for_providers,
    started,
    untouched,
)
from support.unbound import forwards

RESOLV_CONF, STUB = "/etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf"
UPSTREAM = "[Resolve]\nDNS={address}\n"

suite = suites.one_host_each("resolved")


def ask_resolved(host: Host, internet: Internet) -> None:
    """Let all names on this host be asked of systemd-resolved."""
    host.run("apt-get update -q", timeout=120)
    host.run("apt-get install -q -y systemd-resolved libnss-resolve", timeout=120)
    host.run(["mkdir", "-p", "/etc/systemd/resolved.conf.d"])
    upstream = UPSTREAM.format(address=internet.dns.address)
    host.put(upstream, "/etc/systemd/resolved.conf.d/provider.conf")
    host.run(f"systemctl restart systemd-resolved && ln -sfn {STUB} {RESOLV_CONF}")
    assert "127.0.0.53" in host.get(RESOLV_CONF).decode()


@pytest.fixture(scope="module")
def host(prepared: Prepared, internet: Internet, suite: str) -> Iterator[Host]:
    """Give such a host where the program never ran."""
    with prepared.ready_host(suite) as host:
        stand_in_for_providers(internet)
        ask_resolved(host, internet)
        host.put(answers(host), ANSWERS)
        yield host


@pytest.fixture(scope="module")
def served(host: Host, internet: Internet) -> Host:
    """Give the same host, set up, its records published."""
    done = Program(host).apply(timeout=300)
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    publish(internet, host)
    # it remembers for a while that there were none
    host.run("resolvectl flush-caches")
    return host


def test_every_check_passes(served: Host) -> None:
    checked = Program(served).check()["checks"]
    odd = {check["id"]: check for check in checked if check["outcome"] != "pass"}
    assert odd.keys() == {"HOST-03", "DNS-11"}, odd
    assert served.run(["readlink", RESOLV_CONF]).stdout.strip() == STUB


def test_mail_comes_and_goes(served: Host, internet: Internet) -> None:
    message = "Subject: by way of the stub\r\n\r\nx\r\n"
    sent = internet.foreign.send("s@foreign.test", f"alice@{DOMAIN}", message, to=served)
    assert sent.ok, sent.answers
    arrives(served, "alice", "by way of the stub")
    internet.foreign.clear()
    served.run(["sendmail", "s@foreign.test"], input="Subject: out\n\nx\n", user="alice")
    assert f"from {FQDN}" in internet.foreign.wait_for()["Received"]


def test_a_second_run_changes_nothing(served: Host) -> None:
    assert Program(served)("plan", "-a", ANSWERS).status == 0
    with untouched(served, "/etc", "/var/spool/postfix/etc"):
        assert Program(served).apply().status == 0


def test_without_it_only_what_it_alone_can_tell_is_unknown(served: Host) -> None:
    served.run("systemctl stop systemd-resolved")
    try:
        checked = Program(served)("check", "--json", "hostname")
        assert checked.status == 0, checked.stdout
        found = {one["id"]: one["outcome"] for one in json.loads(checked.stdout)["checks"]}
        # whom it asks still tells what the world's DNS says
        assert (found["OUT-01"], found["DNS-01"]) == ("unknown", "pass"), found
    finally:
        served.run("systemctl start systemd-resolved")


def test_a_resolver_of_our_own_is_asked_through_it(served: Host, internet: Internet) -> None:
    program, given = Program(served), served.get(ANSWERS)
    forwards(served, internet.dns.address)
    served.put(given + b"\n[protection]\nresolver = true\n", ANSWERS)
    try:
        done = program.apply("protection", timeout=200)
        assert done.status == 0, done.stdout[-3000:] + done.stderr
        assert served.run(["readlink", RESOLV_CONF]).stdout.strip() == STUB
        told = served.run("resolvectl dns | head -n 1").stdout
        assert told.split() == ["Global:", "127.0.0.1"]
        assert served.run(["getent", "hosts", NAMES["foreign.test"]]).stdout
        assert program("plan", "-a", ANSWERS, "protection").status == 0
        assert program("undo", "protection", "--yes", timeout=200).status == 0
        assert "127.0.0.1" not in served.run("resolvectl dns | head -n 1").stdout
    finally:
        served.put(given, ANSWERS)
    done = program.apply(timeout=300)
    assert done.status == 0, done.stdout[-3000:]


def test_the_exported_script_sets_such_a_host_up(
    served: Host, prepared: Prepared, internet: Internet, suite: str, fresh_host: FreshHost
) -> None:
    script = Program(served)("export", "--format", "sh").stdout
    other = fresh_host(prepared.ready(suite))
    internet.register(other, FQDN, mx=DOMAIN)
    ask_resolved(other, internet)
    done = replay(other, script)
    assert done.ok, done.stdout[-2000:] + done.stderr
    assert "All of it holds." in done.stdout
    assert other.run(["readlink", RESOLV_CONF]).stdout.strip() == STUB
    before = started(other)
    with untouched(other):
        again = replay(other, script, password="")
    assert again.ok, again.stderr
    assert started(other) == before
