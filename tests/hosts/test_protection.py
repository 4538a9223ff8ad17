"""What a stranger meets at the door: rules, blocklists, greylisting, and watching only."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator

import pytest
from lab.host import Host
from lab.internet import Internet
from lab.mailhosts import Sent
from support import suites
from support.applied import ANSWERS, DOMAIN, FQDN, Prepared, answers
from support.clocks import HUNG, until
from support.faults import Bench, Fault
from support.faults.protection import GREYLISTING, REFUSED_RESOLVER, ZEN, delayed
from support.program import Program, arrives, mails, started

ALICE = f"alice@{DOMAIN}"
STRANGER = "stranger@foreign.test"
CHOSEN = """
[protection]
greylist = true
header_checks = ['/^X-Mailer: Spamware/ REJECT We do not want this']
"""
suite = suites.one_host_each("protection")


@pytest.fixture(scope="module")
def host(prepared: Prepared, internet: Internet, suite: str) -> Iterator[Host]:
    """Give a host with all that can be chosen for its protection."""
    with prepared.applied_host(suite) as host:
        apply(host, CHOSEN)
        host.run("echo alice:right-password | chpasswd")
        yield host


@pytest.fixture(scope="module")
def made(host: Host, internet: Internet, suite: str) -> Iterator[Bench]:
    """Give the same host, to be broken and mended."""
    bench = Bench(suite, host, internet)
    try:
        yield bench
    finally:
        bench.close()


@pytest.fixture
def hurried(host: Host) -> Iterator[Host]:
    """Give the host with a delay of two seconds."""
    host.run(delayed(300, 2))
    yield host
    host.run(delayed(2, 300))


def apply(host: Host, chosen: str, *, dovecot: str = "") -> None:
    """Answer the step's questions, and more of Dovecot's, and apply them."""
    text = answers(host).replace("[dovecot]\n", f"[dovecot]\n{dovecot}\n")
    host.put(text + chosen, ANSWERS)
    done = Program(host).apply(timeout=300)
    assert done.status == 0, done.stdout[-4000:] + done.stderr


def send(
    internet: Internet, host: Host, sender: str = STRANGER, to: str = ALICE, **how: str
) -> Sent:
    """Bring a small message from the foreign mail host, or from another of its addresses."""
    lines = how.pop("head", "X-Test: x")
    message = f"Subject: {how.pop('subject', 'x')}\r\n{lines}\r\n\r\nhello\r\n"
    return internet.foreign.send(sender, to, message, to=host, **how)  # type: ignore[arg-type]


def patient(internet: Internet, host: Host, **how: str) -> Sent:
    """Bring it again until it is no more put off."""
    for _ in range(int(HUNG)):
        sent = send(internet, host, **how)
        if sent.code != 450:
            return sent
        time.sleep(1)
    return sent


def login(name: str = "alice") -> str:
    token = base64.b64encode(f"\0{name}\0right-password".encode()).decode()
    return f"AUTH PLAIN {token}"


def verdicts(host: Host) -> dict[str, tuple[str, str]]:
    """Give what each check of the step says."""
    found = json.loads(Program(host)("check", "--json", "protection").stdout)["checks"]
    return {check["id"]: (check["outcome"], check["said"]) for check in found}


def test_all_checks_hold(host: Host) -> None:
    done = Program(host)("check", "--json", "postfix", "aliases", "protection")
    found = json.loads(done.stdout)["checks"]
    odd = {one["id"]: one["said"] for one in found if one["outcome"] != "pass"}
    # the resolver of a lab's host is the lab's
    assert list(odd) == ["DNS-11"], odd
    slowest = max(found, key=lambda one: float(one["seconds"]))
    print(f"\n{len(found)} checks, the slowest: {slowest['id']} {slowest['seconds']:.1f} s")


def test_a_second_run_changes_nothing(host: Host) -> None:
    units = ("postfix", "postfix@-", "postgrey", "dovecot")
    before = started(host, units)
    done = Program(host).apply(timeout=300)
    assert done.status == 0, done.stdout
    assert started(host, units) == before
    assert Program(host)("plan", "-a", ANSWERS).status == 0


def test_a_stranger_is_put_off_and_then_let_in(hurried: Host, internet: Internet) -> None:
    first = send(internet, hurried, subject="patience")
    assert (first.code, "reylisted" in first.text) == (450, True), first.answers
    assert not any("patience" in text for text in mails(hurried, "alice"))
    assert patient(internet, hurried, subject="patience").ok
    assert "X-Greylist: delayed" in arrives(hurried, "alice", "patience")


def test_who_is_listed_is_refused_and_nobody_else(hurried: Host, internet: Internet) -> None:
    listed = send(internet, hurried, source=internet.foreign.blocklisted_address)
    assert listed.code == 554, listed.answers
    assert "blocked using zen.spamhaus.org" in listed.text
    assert patient(internet, hurried, subject="not listed").ok


def test_an_error_of_the_list_refuses_nobody(hurried: Host, internet: Internet) -> None:
    entry = ".".join([*reversed(internet.foreign.address.split(".")), ZEN])
    try:
        internet.dns.set(entry, "A", REFUSED_RESOLVER)
        assert patient(internet, hurried, subject="error code").ok
        internet.dns.set(entry, "A", "127.0.0.3")
        assert send(internet, hurried).code == 554
    finally:
        internet.dns.remove(entry)


def test_only_we_are_we(host: Host, internet: Internet) -> None:
    literals = (f"[{host.address}]", f"[IPv6:{host.address6}]")
    for name in (FQDN, FQDN.upper(), DOMAIN, *literals, host.address, "laptop", "localhost"):
        sent = send(internet, host, helo=name)
        assert sent.code >= 500, (name, sent.answers)
    for name in ("mx.foreign.test", f"[{internet.foreign.address}]", f"web.{DOMAIN}"):
        sent = send(internet, host, helo=name)
        assert sent.code == 450, (name, sent.answers)
        assert "reylisted" in sent.text


def test_a_sender_must_be_able_to_exist(host: Host, internet: Internet) -> None:
    assert send(internet, host, "somebody@nowhere.foreign.test").code == 450
    assert send(internet, host, "somebody").code in (504, 550)
    assert send(internet, host, to=f"whoever@{DOMAIN}").code == 550
    relayed = send(internet, host, "somebody@nowhere.foreign.test", "victim@other.test")
    assert (relayed.code, "Relay access denied" in relayed.text) == (554, True), relayed.answers


def test_an_unwanted_header_is_refused(hurried: Host, internet: Internet) -> None:
    assert patient(internet, hurried, subject="clean").ok
    sent = patient(internet, hurried, subject="dirty", head="X-Mailer: Spamware 2")
    assert (sent.code, "We do not want this" in sent.text) == (550, True), sent.answers


@pytest.mark.parametrize("port", [465, 587])
def test_our_own_people_are_not_asked(host: Host, internet: Internet, port: int) -> None:
    steps = ["EHLO laptop", *(["STARTTLS", "EHLO laptop"] if port == 587 else []), login()]
    steps += [f"MAIL FROM:<{ALICE}>", f"RCPT TO:<bob@{DOMAIN}>"]
    heard = internet.foreign.dialogue(
        host.address, port, steps, source=internet.foreign.blocklisted_address, tls=port == 465
    )
    assert [answer[:1] for answer in heard] == ["2"] * len(heard), heard


@pytest.mark.parametrize("fault", GREYLISTING, ids=lambda fault: str(fault.title))
def test_a_fault_of_greylisting_is_seen(made: Bench, fault: Fault) -> None:
    broken, after = made.try_out(fault)
    assert fault.unmet(broken) == []
    assert {one["outcome"] for one in after.values()} == {"pass"}


def test_a_pattern_that_postfix_cannot_read_is_refused(host: Host) -> None:
    kept = host.get(ANSWERS)
    host.put(answers(host) + "[protection]\nheader_checks = ['/(/ REJECT x']\n", ANSWERS)
    try:
        done = Program(host)("plan", "-a", ANSWERS)
        assert done.status == 2, done
        assert "protection.header_checks" in done.stderr
    finally:
        host.put(kept, ANSWERS)


def test_watching_refuses_nothing_and_lists_what_it_would(host: Host, internet: Internet) -> None:
    apply(host, f"{CHOSEN}watch_first = true\n")
    listed = internet.foreign.blocklisted_address
    assert send(internet, host, subject="watched", source=listed).ok
    assert send(internet, host, subject="called so", helo=FQDN).ok
    assert send(internet, host, subject="mailer", head="X-Mailer: Spamware").ok
    for subject in ("watched", "called so", "mailer"):
        arrives(host, "alice", f"Subject: {subject}")
    assert send(internet, host, to=f"whoever@{DOMAIN}").code == 450
    outcome, said = verdicts(host)["WATCH"]
    assert outcome == "warn"
    assert "on the blocklist zen.spamhaus.org" in said, said
    assert "Helo command rejected" in said, said
    assert "header check: would be REJECT We do not want this" in said, said
    host.put("#!/bin/sh\necho broken >&2; exit 1\n", "/usr/local/sbin/journalctl", mode=0o755)
    assert verdicts(host)["WATCH"] == ("unknown", "the journal cannot be read: broken")
    host.run("rm /usr/local/sbin/journalctl")
    apply(host, CHOSEN)
    assert "WATCH" not in verdicts(host)
    assert send(internet, host, source=listed).code == 554


def test_mail_beyond_ascii_is_not_taken_and_bounced(host: Host, internet: Internet) -> None:
    assert "SMTPUTF8" in internet.foreign.dialogue(host.address, 25, ["EHLO mx.foreign.test"])[1]
    apply(host, CHOSEN, dovecot='protocols = ["imap", "lmtp"]')
    ehlo = internet.foreign.dialogue(host.address, 25, ["EHLO mx.foreign.test"])[1]
    assert "SMTPUTF8" not in ehlo
    assert verdicts(host)["SMTP-22"][0] == "pass"
    old = host.run("pgrep -x smtpd || true").stdout.split()
    host.run("postconf -e smtputf8_enable=yes && postfix reload")
    # one that waits for a client would greet him by the old rules
    until(lambda: not any(host.exists(f"/proc/{pid}") for pid in old), every=0.1)
    outcome, said = verdicts(host)["SMTP-22"]
    print(f"\nLMTP with SMTPUTF8: {outcome}: {said}")
    assert outcome == "fail", said
