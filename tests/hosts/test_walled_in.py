"""A host whose own firewall lets in SSH alone is set up to the end, and is told what is shut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab.host import Host
from lab.internet import Internet
from support import firewalls, suites
from support.applied import ANSWERS, DOMAIN, FQDN, UNFILTERED, Prepared, answers
from support.program import Program, arrives

suite = suites.one_host_each("firewall")
KEPT = "this host's own firewall does not let strangers in at port"
MAIL = (25, 465, 587, 993)


@pytest.fixture
def host(internet: Internet, suite: str) -> Iterator[Host]:
    """Give a host with ufw, on which the program has never run."""
    ready = Prepared(internet, firewalls.with_firewalls).ready(suite)
    with Host(ready, net=internet.network) as host:
        internet.register(host, FQDN, mx=DOMAIN)
        firewalls.wall_up(host, firewalls.UFW)
        yield host


def test_a_walled_host_is_set_up_in_one_run(host: Host, internet: Internet) -> None:
    program = Program(host)
    host.put(answers(host, UNFILTERED) + "\n[firewall]\nenabled = true\n", ANSWERS)
    done = program.apply(timeout=300)
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    said = " ".join(done.stdout.split())
    assert f"{KEPT} 993" in said
    assert "Every step is applied and no check fails, but " in said, said[-600:]
    assert "; 1 check could not be asked: OUT-01. " in said
    assert "Not all mail can come and go yet:" in said
    for address in (host.address, host.address6):
        message = f"Subject: to {address}\r\n\r\nx\r\n"
        sent = internet.foreign.send("x@foreign.test", f"alice@{DOMAIN}", message, to=address)
        assert sent.ok, sent.answers
        arrives(host, "alice", f"to {address}")
    found = {one["id"]: one["outcome"] for one in program.check()["checks"]}
    assert "fail" not in found.values(), found
    mail = ("SMTP", "IMAP", "SUB", "TLS", "DELIVERY", "HELO")
    known = {name for name, outcome in found.items() if outcome in ("pass", "skipped")}
    # the records that the zone lacks are another matter
    found.pop(f"SUB-13:{DOMAIN}")
    assert {name for name in found if name.startswith(mail)} <= known, found
    assert program.standing() == {"verified"}


def test_what_is_shut_is_not_known_and_is_said_once(host: Host) -> None:
    program = Program(host)
    host.put(answers(host, UNFILTERED), ANSWERS)
    done = program.apply(timeout=300)
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    said = " ".join(done.stdout.split())
    for port in MAIL:
        assert said.count(f"It is: {KEPT} {port};") == 1, port
        assert f"`ufw allow {port}/tcp`" in said
    assert "Firewall is proposed" in said
    checked = {one["id"]: one for one in program.check()["checks"]}
    assert "fail" not in {one["outcome"] for one in checked.values()}
    for name in ("SMTP-01", "IMAP-01", "SUB-01", "SMTP-06", "TLS-01:25", "TLS-01:993"):
        assert checked[name]["outcome"] == "unknown", checked[name]
        assert checked[name]["said"].startswith(KEPT), checked[name]
    # what is not for strangers is asked from here
    assert checked["IMAP-02"]["outcome"] == "pass", checked["IMAP-02"]
    assert checked["IMAP-08"]["outcome"] == "pass", checked["IMAP-08"]
    # a server that is down has failed, whatever the firewall does
    host.run(["systemctl", "stop", "dovecot.socket", "dovecot.service"], check=False)
    down = {one["id"]: one for one in program.check()["checks"]}
    assert down["IMAP-01"]["outcome"] == "fail", down["IMAP-01"]
    assert down["SMTP-01"]["outcome"] == "unknown", down["SMTP-01"]
