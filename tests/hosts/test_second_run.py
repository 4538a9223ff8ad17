"""A second run changes nothing (R14); what was edited by hand is not written over (R13)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from lab.fixtures import FreshHost
from lab.host import Host
from lab.layers import Layer
from support import suites
from support.applied import ANSWERS, DOMAIN, FOR_SPAM, FQDN, LAUNCHER, Prepared, answers
from support.bare import OPTIONAL, inside, put_checkout
from support.program import Program, stand_in_for_providers, started, untouched

MAIN = "/etc/postfix/main.cf"
MAIL = "find /home /root /var/mail -path '*/cur/*' -o -path '*/new/*' -o -path '/var/mail/*'"
# Files that are ours as a whole: any edit that changes what they say is a question. A host name
# says the same with blanks around it (hostname(5)).
WHOLE = (
    *("/etc/hostname", "/etc/mailname", "/etc/postfix/sender_canonical"),
    *("/etc/dovecot/conf.d/99-mailwizard.conf", "/etc/postfix/sender_login"),
    *("/etc/postfix/sasl_passwd", "/etc/amavis/conf.d/60-mailwizard"),
    *("/etc/opendkim.conf", "/etc/opendmarc.conf"),
)
SAME = {("/etc/hostname", edit) for edit in ("blanks", "CRLF", "no final newline")}
one_suite = suites.one_host_each("edited")
OR_LEFT_OUT = ("verified", "skipped")
HAND = """\
# a note of ours, with a tab\t and a value: smtpd_helo_required = maybe

delay_warning_time = 4h
bounce_queue_lifetime=2d
proxy_interfaces =
\t192.0.2.1,
# in the middle
\t192.0.2.2
"""


@pytest.fixture(scope="module")
def layer(prepared: Prepared, one_suite: str) -> Layer:
    """What every step makes of a host, its probes not asked."""
    return prepared.configured(one_suite, "unprobed", configure)


@pytest.fixture
def configured(prepared: Prepared, fresh_host: FreshHost, layer: Layer) -> Host:
    host = fresh_host(layer)
    assert host.get(ANSWERS).decode() == answers(host) + OPTIONAL, "another address than it knows"
    prepared.internet.register(host, FQDN, mx=DOMAIN)
    return host


def configure(host: Host) -> None:
    put_checkout(host)
    apply(host)


def apply(host: Host) -> None:
    host.run(inside("killing.py", "0", "apply", "-a", ANSWERS, "--yes"))


# the same worker as that of the faults: the layer is there already
@pytest.mark.parametrize("suite", suites.grouped("faults"))
@suites.both_releases
def test_a_second_run_changes_nothing(prepared: Prepared, suite: str) -> None:
    stand_in_for_providers(prepared.internet)
    with prepared.applied_host(suite, FOR_SPAM) as host:
        program = Program(host)
        planned = program("plan", "-a", ANSWERS)
        assert planned.status == 0, planned.stdout
        before = started(host)
        begun = time.monotonic()
        with untouched(host, "/etc", "/var/spool/postfix/etc", "/usr/lib/systemd"):
            done = program.apply()
        took = time.monotonic() - begun
        assert done.status == 0, done.stdout
        assert host.run(MAIL).stdout == "", "a probe left its mail behind"
        assert started(host) == before
        assert program("plan", "-a", ANSWERS).status == 0
        print(f"{suite}: a second run with its probes took {took:.1f} s")


def test_a_second_run_without_probes_is_quick(configured: Host, one_suite: str) -> None:
    before = started(configured)
    begun = time.monotonic()
    with untouched(configured):
        done = configured.run(inside("killing.py", "0", "apply", "-a", ANSWERS, "--yes"))
    print(f"{one_suite}: without them {time.monotonic() - begun:.1f} s, Python's start included")
    assert not [p for p in done.stdout.splitlines() if p.startswith(("file: /etc", "command"))]
    assert started(configured) == before


def verdict(found: dict[str, Any]) -> str:
    """What is wrong with how an edit was met; empty when nothing is."""
    path, edit = found["path"], found["edit"]
    ours = edit in ("value", "service") or (path in WHOLE and (path, edit) not in SAME)
    if not found["kept"]:
        return "bytes were changed"
    if found["apply"] != (1 if ours else 0):
        return f"apply ended with {found['apply']}"
    if bool(found["drifted"]) != ours:
        return f"drifted: {found['drifted']}"
    if ours and found["plan"] != 10:
        return f"plan ended with {found['plan']}"
    return ""


def test_edits_by_hand_are_the_administrators(configured: Host, one_suite: str) -> None:
    done = configured.run(inside("drifting.py"), timeout=900)
    tried = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = [(f["path"], f["edit"], verdict(f), f["said"]) for f in tried if verdict(f)]
    print(f"{one_suite}: {len(tried)} edits, {sum(f['apply'] == 1 for f in tried)} stopped the run")
    assert wrong == []
    assert len(tried) > 40
    assert {f["path"] for f in tried if f["drifted"]} == {f["path"] for f in tried}


def test_what_is_not_ours_in_main_cf_outlives_new_answers(configured: Host) -> None:
    main = configured.get(MAIN)
    configured.put(HAND.encode() + main + b"# the end, without a newline", MAIN)
    changed = configured.get(ANSWERS).decode() + "\n[postfix]\nmessage_size = 31457280\n"
    configured.put(changed, ANSWERS)
    apply(configured)
    now = configured.get(MAIN)
    expected = main.replace(b"message_size_limit = 52428800", b"message_size_limit = 31457280")
    # the newline at the very end is postconf's of Postfix 3.9 and later
    assert now.removesuffix(b"\n") == HAND.encode() + expected + b"# the end, without a newline"
    undone = configured.run([LAUNCHER, "undo", "--all", "--yes"], check=False)
    assert undone.status == 0, undone.stdout
    left = configured.get(MAIN).decode()
    assert left.startswith(HAND)
    assert left.rstrip().endswith("# the end, without a newline")
    assert FQDN not in left


def test_a_host_table_that_changed_reaches_postfix(configured: Host) -> None:
    configured.run("echo '198.18.0.99 neighbour.example.test' >>/etc/hosts")
    assert Program(configured)("plan", "-a", ANSWERS).status == 10
    apply(configured)
    assert configured.get("/var/spool/postfix/etc/hosts") == configured.get("/etc/hosts")
    assert Program(configured)("plan", "-a", ANSWERS).status == 0


def test_a_port_that_is_chosen_no_more_is_closed(configured: Host) -> None:
    listening = "ss -Hltn 'sport = :587'"
    assert configured.run(listening).stdout
    answered, master = configured.get(ANSWERS).decode(), configured.get("/etc/postfix/master.cf")
    configured.put(answered + '\n[submission]\nports = ["465"]\n', ANSWERS)
    apply(configured)
    assert configured.run(listening).stdout == ""
    assert Program(configured)("plan", "-a", ANSWERS).status == 0
    configured.put(answered, ANSWERS)
    apply(configured)
    assert configured.run(listening).stdout
    assert sorted(configured.get("/etc/postfix/master.cf").split()) == sorted(master.split())


def test_status_names_the_step_that_was_edited(configured: Host) -> None:
    program = Program(configured)
    assert program.standing() == {"verified"}
    configured.run(["sed", "-i", "s/^biff = no/biff = yes/", MAIN])
    drifted = {step for step, state in program.states().items() if state not in OR_LEFT_OUT}
    assert drifted == {"postfix"}
    exported = program("export", "--format", "sh")
    assert exported.stderr == (
        "mailwizard: postfix is left out of the script: edited by hand since\n"
    )
    planned = program("plan", "-a", ANSWERS)
    assert planned.status == 10
    assert "biff" in planned.stdout
