"""Never an open relay: the proof before a byte is written, the battery after, the way back.

The steps after Postfix change its configuration too, and each of them could open it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from lab import tree
from lab.fixtures import FreshHost
from lab.host import Host
from support import faults, suites
from support.applied import ANSWERS, DOMAIN, FQDN, LAUNCHER, PYTHON, UNFILTERED, Prepared, answers
from support.program import STATE

PATCHED = Path(faults.__file__).with_name("patched.py")
MAIN_CF, MASTER_CF = "/etc/postfix/main.cf", "/etc/postfix/master.cf"
APPLY = [LAUNCHER, "apply", "-a", ANSWERS, "--yes"]
OPEN_LIST = "check_client_access static:OK, reject_unauth_destination"
OPEN = {"smtpd_relay_restrictions": OPEN_LIST, "smtpd_recipient_restrictions": OPEN_LIST}
# The same worker as that of the relay's faults: the layers are there already.
suite = suites.one_host_each("faults")


def patched(host: Host, parameters: dict[str, str], step: str = "postfix") -> list[dict[str, Any]]:
    """The events of a step with these parameters in its plan."""
    host.put(PATCHED, "/root/patched.py")
    done = host.run(f"{PYTHON} /root/patched.py {step} '{json.dumps(parameters)}'", timeout=180)
    return [json.loads(line) for line in done.stdout.splitlines()]


def packages_only(prepared: Prepared, fresh_host: FreshHost, suite: str) -> Host:
    """A host as the package transaction leaves it: Postfix has not been started yet."""
    host = fresh_host(prepared.ready(suite))
    host.put(answers(host, UNFILTERED), ANSWERS)
    host.run("systemctl stop postfix 'postfix@*'")
    return host


class Server:
    """A verified host, lent to one test after another for as long as it comes back as it was."""

    def __init__(self, prepared: Prepared, suite: str) -> None:
        self._prepared, self._suite = prepared, suite
        self._stack = ExitStack()
        self._kept: Host | None = None

    @contextmanager
    def lent(self) -> Iterator[Host]:
        host, self._kept = self._kept or self._new(), None
        before = host.tree()
        yield host
        # what the program noted of this test is no matter of the next one
        host.run(f"rm -r {STATE} && cp -a /root/state {STATE}")
        if tree.diff(before, host.tree(), times=False) == {}:
            self._kept = host

    def _new(self) -> Host:
        self.close()
        made = self._prepared.applied_host(self._suite, UNFILTERED)
        host = self._stack.enter_context(made)
        host.run(f"cp -a {STATE} /root/state")
        return host

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def server(prepared: Prepared, suite: str) -> Iterator[Server]:
    made = Server(prepared, suite)
    yield made
    made.close()


def listens(host: Host) -> bool:
    return "LISTEN" in host.run("ss -ltn 'sport = :25'").stdout


def outcome(host: Host, probe: str) -> str:
    done = host.run([LAUNCHER, "check", "--json", "postfix"], check=False)
    found = {one["id"]: str(one["outcome"]) for one in json.loads(done.stdout)["checks"]}
    return found[probe]


def test_an_open_service_of_before_is_refused_before_anything_listens(
    prepared: Prepared, fresh_host: FreshHost, suite: str
) -> None:
    host = packages_only(prepared, fresh_host, suite)
    host.run("postconf -M '2525/inet=2525 inet n - n - - smtpd -o smtpd_relay_restrictions=permit'")
    before = host.get(MAIN_CF)
    done = host.run(APPLY, check=False, timeout=180)
    assert done.status == 1
    assert "2525/inet: permit stands before reject_unauth_destination" in done.stdout
    assert host.get(MAIN_CF) == before
    assert not listens(host)


def test_an_open_plan_is_refused_before_anything_listens(
    prepared: Prepared, fresh_host: FreshHost, suite: str
) -> None:
    host = packages_only(prepared, fresh_host, suite)
    host.run([*APPLY, "hostname"], timeout=180)
    before = host.get(MAIN_CF)
    events = patched(host, OPEN)
    assert "check_client_access stands before" in json.dumps(events)
    assert "The previous configuration was put back." in json.dumps(events[-1])
    assert host.get(MAIN_CF) == before
    assert not listens(host)


def test_an_open_plan_on_a_running_server_changes_nothing(server: Server) -> None:
    with server.lent() as host:
        before, master = host.get(MAIN_CF), host.get("/var/spool/postfix/pid/master.pid")
        events = patched(host, {"mynetworks": "0.0.0.0/0"})
        assert "0.0.0.0/0" in json.dumps(events[-1])
        assert host.get(MAIN_CF) == before
        assert host.get("/var/spool/postfix/pid/master.pid") == master
        assert outcome(host, "SMTP-06") == "pass"


def test_permit_by_hand_is_not_passed_over(server: Server) -> None:
    with server.lent() as host:
        host.run(f"cp -p {MAIN_CF} /root/main.cf && postconf -e smtpd_relay_restrictions=permit")
        edited = host.get(MAIN_CF)
        done = host.run(APPLY, check=False, timeout=180)
        assert done.status == 1
        assert "edited by hand" in done.stdout
        assert "smtpd_relay_restrictions" in done.stdout
        assert host.get(MAIN_CF) == edited
        assert outcome(host, "SMTP-08") == "fail"
        host.run(f"cp -p /root/main.cf {MAIN_CF} && postfix reload")


def test_an_open_relay_at_the_gate_is_closed_by_itself(server: Server) -> None:
    with server.lent() as host:
        before = host.get(MAIN_CF)
        # no proof of restrictions sees it: the domain counts as one that is relayed for
        events = patched(host, {"relay_domains": "example.com"})
        heard = {event["id"]: event["result"] for event in events if event["event"] == "probe-done"}
        assert heard["SMTP-06"]["outcome"] == "fail", heard["SMTP-06"]
        assert events[-1]["open"] is False
        assert host.get(MAIN_CF) == before
        assert outcome(host, "SMTP-06") == "pass"


def seen(events: list[dict[str, Any]], probe: str) -> str:
    """The verdict of a probe among the events."""
    return next(
        str(e["result"]["outcome"]) for e in events if e.get("id") == probe and "result" in e
    )


LATER: dict[str, tuple[str, dict[str, str], str]] = {
    "main.cf": ("certificates", {"smtpd_relay_restrictions": "permit"}, "permit stands before"),
    "trusted": ("protection", {"mynetworks": "0.0.0.0/0"}, "0.0.0.0/0"),
    "a port": (
        "submission",
        {"submission/inet/smtpd_relay_restrictions": "permit"},
        "permit stands before",
    ),
}


@pytest.mark.parametrize("where", LATER)
def test_an_open_plan_of_a_later_step_changes_nothing(server: Server, where: str) -> None:
    step, parameters, said = LATER[where]
    with server.lent() as host:
        before = host.get(MAIN_CF), host.get(MASTER_CF)
        events = patched(host, parameters, step)
        assert events[-1]["event"] == "failed"
        assert said in json.dumps(events[-1])
        assert (host.get(MAIN_CF), host.get(MASTER_CF)) == before
        assert outcome(host, "SMTP-06") == "pass"


def test_a_later_step_that_opens_a_relay_is_taken_back(server: Server) -> None:
    with server.lent() as host:
        before = host.get(MAIN_CF)
        events = patched(host, {"relay_domains": "example.com"}, "protection")
        # it is no probe of that step: it holds at every gate
        assert seen(events, "SMTP-06") == "fail"
        assert events[-1]["open"] is False
        assert host.get(MAIN_CF) == before
        assert outcome(host, "SMTP-06") == "pass"


def test_a_relay_opened_by_hand_between_steps_stops_the_walk(
    prepared: Prepared, fresh_host: FreshHost, suite: str
) -> None:
    host = packages_only(prepared, fresh_host, suite)
    prepared.internet.register(host, FQDN, mx=DOMAIN)
    host.run([*APPLY, "hostname", "postfix", "aliases"], timeout=180)
    host.run(f"postconf -e 'smtpd_relay_restrictions={OPEN_LIST}' && postfix reload")
    by_hand = host.get(MAIN_CF)
    done = host.run([*APPLY, "dovecot"], check=False, timeout=180)
    assert done.status == 1
    assert "OPEN RELAY: a stranger may send" in " ".join(done.stdout.split()), done.stdout
    assert not host.exists("/etc/dovecot/conf.d/99-mailwizard.conf")
    done = host.run([*APPLY, "certificates"], check=False, timeout=180)
    assert done.status == 1
    said = " ".join(done.stdout.split())
    assert "check_client_access stands before reject_unauth_destination" in said, said
    assert host.get(MAIN_CF) == by_hand
