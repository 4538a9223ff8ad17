"""Mail is looked through stage by stage; while a part is away, nothing is lost and all is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from lab.host import Host
from lab.internet import Internet
from support import suites
from support.applied import ANSWERS, UNSCANNED, Prepared, answers
from support.faults import Bench, Fault, outcomes
from support.faults.scanning import FAULTS
from support.letters import (
    DEFINITIONS,
    EICAR,
    GTUBE,
    SCANS,
    STRANGER,
    bring,
    drained,
    got,
    letter,
    mark,
    python,
    stopped,
    verdicts,
)
from support.program import Program, arrives, mails

SCANNER = ("clamav-daemon.socket", "clamav-daemon")
STAGES = ("stage 1, mail goes through", "stage 2, viruses", "stage 3, spam")
SOON = {"wait": 3.0}
UNKNOWING = (
    "sed -i s/:58354f21/:00354f21/ /var/lib/clamav/local.ndb; systemctl restart clamav-daemon"
)
UNITS = "clamav-daemon.socket clamav-daemon clamav-freshclam.service mailwizard-definitions.path"
# more than Debian's scanner takes by itself, as the filter hands it over
LARGE = """
import socket, struct
with socket.socket(socket.AF_UNIX) as clamd:
    clamd.connect("/run/clamav/clamd.ctl")
    part = bytes(2**20)
    clamd.sendall(b"zINSTREAM\\0")
    for _ in range(30):
        clamd.sendall(struct.pack("!I", len(part)) + part)
    clamd.sendall(struct.pack("!I", 0))
    print(clamd.recv(100).rstrip(b"\\0").decode())
"""
UNMARKING = "echo 'score GTUBE 0' >>/etc/spamassassin/local.cf; systemctl restart amavis"


@pytest.fixture(scope="module", params=suites.grouped("scanning"))
def bench(
    request: pytest.FixtureRequest, prepared: Prepared, internet: Internet
) -> Iterator[Bench]:
    """Set up one host of each release for all tests of this file; it has no definitions yet."""
    suite = str(request.param)
    with prepared.applied_host(suite) as host:
        internet.dns.set("_dmarc.foreign.test", "TXT", "v=DMARC1; p=none")
        choose(host)
        made = Bench(suite, host, internet)
        yield made
        made.close()


@pytest.fixture
def host(bench: Bench) -> Host:
    """Give its host."""
    return bench.host


def choose(host: Host, chosen: str = "") -> None:
    """Answer the questions."""
    host.put(answers(host).replace(UNSCANNED, "[amavis]\nvirus = true\n") + chosen, ANSWERS)


def applied(host: Host, chosen: str = "", code: int = 0) -> str:
    """Apply the step, which ends so."""
    choose(host, chosen)
    done = Program(host).apply("amavis", timeout=300)
    assert done.status == code, done.stdout[-4000:] + done.stderr
    return done.stdout


def flows(host: Host, internet: Internet, subject: str) -> str:
    """See that mail comes through; while the filter starts it waits."""
    assert bring(internet, host, letter(subject, STRANGER), STRANGER).ok
    drained(host)
    return got(host, subject)


def left_behind(host: Host) -> list[str]:
    """Give the checks' own messages that were left behind."""
    return [text for text in mails(host, "alice") if "mailwizard test message" in text]


def test_without_definitions_the_step_says_so_and_mail_goes_on(
    host: Host, internet: Internet
) -> None:
    planned = Program(host)("plan", "-a", ANSWERS, "amavis").stdout
    assert re.search(r"Look for viruses: .*GiB of memory", planned), planned
    said = applied(host)
    assert STAGES[1] in said
    found = verdicts(host, "amavis")
    odd = {name: told for name, told in found.items() if told[0] != "pass"}
    assert odd.keys() == {"CLAMAV", "SMTP-27:virus"}, odd
    assert "no virus definitions" in odd["CLAMAV"][1]
    assert {outcome for outcome, _ in odd.values()} == {"warn"}
    assert bring(internet, host, letter("unseen", STRANGER), STRANGER).ok
    arrives(host, "alice", "Subject: ***UNCHECKED*** unseen")
    assert Program(host)("plan", "-a", ANSWERS, "amavis").status == 0
    assert Program(host)("check", "amavis").status == 0


def test_half_of_the_definitions_are_as_good_as_none(host: Host) -> None:
    # as while freshclam fetches them: the scanner's unit waits for the rest
    host.run("echo >/var/lib/clamav/daily.cvd")
    try:
        applied(host)
        outcome, said = verdicts(host, "amavis")["CLAMAV"]
        assert (outcome, "main is missing" in said) == ("warn", True), said
    finally:
        host.run("rm /var/lib/clamav/daily.cvd")


def test_definitions_that_come_are_used_by_themselves(host: Host, internet: Internet) -> None:
    host.run(DEFINITIONS)
    python(host, SCANS)
    assert bring(internet, host, letter("infected", STRANGER, EICAR), STRANGER).ok
    assert bring(internet, host, letter("advertised", STRANGER, GTUBE), STRANGER).ok
    head, _, _ = flows(host, internet, "harmless").partition("\n\n")
    assert "X-Spam-Flag: YES" in got(host, "advertised")
    arrives(host, "alice", "Subject: ***SPAM*** advertised")
    assert not any(EICAR in text and mark("infected") in text for text in mails(host, "alice"))
    kept = host.run("find /var/lib/amavis/virusmails -type f").stdout.splitlines()
    # the virus, and no spam: that was delivered
    assert len(kept) == 1, kept
    host.run(f"grep infected@lab.test {kept[0]}")
    # each hop once: the world's smtpd, the filter, the way back; nobody signs a stranger's mail
    hops = re.findall(r"^Received: .*(?:\n[ \t].*)*", head, re.MULTILINE)
    assert len([hop for hop in hops if "amavis" in hop]) == 1, hops
    numbers = re.findall(r"\bid ([\w-]{6,})", " ".join(hops))
    assert len(numbers) == len(set(numbers)) == len(hops) == 3, hops
    assert "DKIM-Signature" not in head
    assert "***" not in head


def test_the_scanner_takes_a_large_attachment(host: Host) -> None:
    assert python(host, LARGE).strip() == "stream: OK"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.title))
def test_a_fault_is_seen(
    bench: Bench, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    broken, after = bench.try_out(fault)
    for probe in fault.turns:
        verdicts = (bench.sound[probe], broken[probe], after[probe])
        shown = (bench.suite, probe, fault.title, *(one["outcome"] for one in verdicts))
        record_property("fault", shown)
    assert fault.unmet(broken) == []
    assert outcomes(after) == {probe: bench.sound[probe]["outcome"] for probe in fault.turns}
    drained(bench.host)


def test_without_the_filter_mail_waits(bench: Bench, internet: Internet) -> None:
    host = bench.host
    before = left_behind(host)
    with stopped(host, "amavis"):
        assert bring(internet, host, letter("patience", STRANGER), STRANGER).ok
        found = bench.ask(["FILTER", "SMTP-28", "SMTP-27:spam"], SOON)
        assert "nobody greets" in found["FILTER"]["said"]
        assert "it waits in the queue: connect to 127.0.0.1" in found["SMTP-28"]["said"]
        assert {one["outcome"] for one in found.values()} == {"fail"}, found
        assert not any(mark("patience") in text for text in mails(host, "alice"))
        assert "empty" not in host.run("postqueue -p").stdout
    drained(host)
    got(host, "patience")
    # the checks took their own messages out of the queue again
    assert left_behind(host) == before


def test_a_scanner_that_is_killed_is_there_again(host: Host, internet: Internet) -> None:
    host.run("systemctl kill --signal=KILL clamav-daemon")
    assert "***UNCHECKED***" not in flows(host, internet, "killed")
    assert bring(internet, host, letter("infected again", STRANGER, EICAR), STRANGER).ok
    flows(host, internet, "after it")
    assert not any(mark("infected again") in t and EICAR in t for t in mails(host, "alice"))


@pytest.mark.parametrize(
    ("stage", "broken", "chosen", "said"),
    [
        (1, UNKNOWING, 'unscanned = "wait"\n', "a test virus reached alice"),
        (2, UNMARKING, "spam = true\n", "test spam arrives without a mark"),
    ],
    ids=["viruses", "spam"],
)
def test_a_stage_that_fails_is_named_and_mail_goes_on(
    host: Host, internet: Internet, stage: int, broken: str, chosen: str, said: str
) -> None:
    if stage == 2:
        applied(host, "spam = false\n")
    host.run("cp -a /var/lib/clamav/local.ndb /etc/spamassassin/local.cf /root/")
    before = host.run("cat /etc/amavis/conf.d/6*").stdout
    host.run(broken)
    python(host, SCANS)
    try:
        told = applied(host, chosen, code=1)
        assert f"{STAGES[stage]}: {said}" in told, told
        assert host.run("cat /etc/amavis/conf.d/6*").stdout == before
        flows(host, internet, f"after stage {stage}")
    finally:
        host.run("cp -a /root/local.ndb /var/lib/clamav/; cp -a /root/local.cf /etc/spamassassin/")
        host.run("systemctl restart clamav-daemon")
        python(host, SCANS)


def test_mail_waits_where_that_was_chosen(bench: Bench, internet: Internet) -> None:
    host = bench.host
    # what comes while the filter is restarted holds up nothing that comes after it
    host.run("systemctl stop amavis")
    assert bring(internet, host, letter("throttled", STRANGER), STRANGER).ok
    applied(host, 'unscanned = "wait"\n')
    got(host, "throttled")
    with stopped(host, *SCANNER):
        assert bring(internet, host, letter("waiting", STRANGER), STRANGER).ok
        waiting = ("SMTP-28", "SMTP-27:spam", "SMTP-25")
        found = bench.ask(["CLAMAV", "SMTP-27:virus", *waiting], SOON)
        assert found["CLAMAV"]["outcome"] == "fail"
        assert found["SMTP-27:virus"]["outcome"] == "warn"
        for name in waiting:
            assert "nothing can be scanned" in found[name]["said"], found[name]
            assert found[name]["outcome"] == "unknown"
        assert not any(mark("waiting") in text for text in mails(host, "alice"))
    python(host, SCANS)
    drained(host)
    got(host, "waiting")


def test_a_scanner_that_is_not_wanted_ends_and_comes_back(host: Host) -> None:
    def said(verb: str) -> set[str]:
        return set(host.run(f"systemctl {verb} {UNITS}", check=False).stdout.split())

    host.put(answers(host).replace(UNSCANNED, "[amavis]\nvirus = false\n"), ANSWERS)
    done = Program(host).apply("amavis", timeout=300)
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    assert (said("is-active"), said("is-enabled")) == ({"inactive"}, {"disabled"})
    assert Program(host)("plan", "-a", ANSWERS, "amavis").status == 0
    applied(host)
    python(host, SCANS)
    assert (said("is-active"), said("is-enabled")) == ({"active"}, {"enabled"})


def test_mail_that_waits_is_not_lost_when_the_step_is_undone(
    host: Host, internet: Internet
) -> None:
    host.run("systemctl stop amavis")
    assert bring(internet, host, letter("left behind", STRANGER), STRANGER).ok
    done = Program(host)("undo", "--yes", "opendmarc", "authentication", "amavis", timeout=200)
    assert done.status == 0, done.stdout + done.stderr
    assert "amavis" not in host.run("postconf -n; postconf -P").stdout
    drained(host)
    assert "amavis" not in got(host, "left behind")


def test_a_filter_that_does_not_start_changes_nothing(host: Host, internet: Internet) -> None:
    host.run("echo 'nonsense (' >/etc/amavis/conf.d/99-broken")
    told = applied(host, code=1)
    assert f"{STAGES[0]}: amavis.service does not start" in told, told
    assert "amavis" not in host.run("postconf -n; postconf -P").stdout
    flows(host, internet, "without a filter")
