"""Mail of a host is believed by a foreign one, which judges by itself; forged mail is not."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from lab.host import Host
from lab.internet import Internet
from support import suites
from support.applied import (
    ANSWERS,
    DOMAIN,
    FQDN,
    LOGIN,
    PASSWORD,
    UNSCANNED,
    Prepared,
    answers,
    publish,
    records,
)
from support.letters import ALICE, STRANGER, letter, verdicts
from support.program import Program, helps
from support.receiver import Worth, judged, worth

# entered as b\u00fccher.test
IDN, TYPED = "xn--bcher-kva.test", "b\\u00fccher.test"
DOMAINS = (DOMAIN, IDN)
KEYS = "/etc/mailwizard/dkim"
# blanks, dots, 8-bit, a line that no server need take, empty lines at the end (RFC 6376 3.4)
TORTURE = "blanks  \r\n..dot\r\n\r\ntab\t\r\nGr\u00fc\u00dfe\r\n" + "x" * 1200 + "\r\n\r\n\r\n"
suite = suites.one_host_each("authentication")


@pytest.fixture(scope="module")
def host(prepared: Prepared, internet: Internet, suite: str) -> Iterator[Host]:
    """Give a host with two domains, one of them beyond ASCII, and mail for elsewhere."""
    if IDN not in internet.dns.zones:
        internet.dns.add_zone(IDN)
    internet.dns.set(IDN, "MX", f"10 {FQDN}")
    internet.foreign.clear()
    with prepared.applied_host(suite) as host:
        apply(host)
        publish(internet, host)
        lines = f"'onward: {STRANGER}' 'nowhere: refused@foreign.test'"
        host.run(f"printf '%s\\n' {lines} >>/etc/aliases && newaliases")
        yield host


def apply(host: Host, chosen: str = "", filtering: str = UNSCANNED, status: int = 0) -> str:
    """Answer the questions and apply the steps."""
    text = answers(host).replace(UNSCANNED, filtering)
    domains = f'\n[postfix]\ndomains = ["{DOMAIN}", "{TYPED}"]\n'
    host.put(f"{text}{domains}{chosen}", ANSWERS)
    done = Program(host).apply(timeout=300)
    assert done.status == status, done.stdout[-4000:] + done.stderr
    return done.stdout


def submit(
    internet: Internet, host: Host, subject: str, author: str, body: str, port: int = 465
) -> None:
    """Send to the foreign host as a mail program does."""
    sender = f"{LOGIN}@{DOMAIN}"
    token = base64.b64encode(f"\0{LOGIN}\0{PASSWORD}".encode()).decode()
    mime = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    mime += "Content-Transfer-Encoding: 8bit"
    hello = ["EHLO laptop"]
    steps: list[str | bytes] = [*hello, *(["STARTTLS", *hello] if port == 587 else [])]
    sender = author if author.rpartition("@")[2] in DOMAINS else sender
    steps += [f"AUTH PLAIN {token}", f"MAIL FROM:<{sender}>", f"RCPT TO:<{STRANGER}>", "DATA"]
    steps.append(letter(subject, author, body, mime).encode() + b".\r\n")
    heard = internet.foreign.dialogue(host.address, port, steps, tls=port == 465)
    assert heard[-1].startswith("250"), heard


def believed(internet: Internet, subject: str, domain: str) -> bytes:
    """The foreign host verifies one signature of the domain, and SPF, and DMARC."""
    found = worth(internet, subject)
    assert found.signed == [(domain, True)], found
    assert (found.spf, found.dmarc, found.author) == ("pass", "pass", domain), found
    return found.raw


def test_all_checks_hold(host: Host) -> None:
    found = verdicts(host, "authentication")
    assert {name: told for name, told in found.items() if told[0] != "pass"} == {}
    assert {f"{name}:{each}" for name in ("DKIM-02", "SUB-13") for each in DOMAINS} <= found.keys()
    assert "as it leaves" in found["DKIM-04"][1]


def test_an_ordinary_user_is_told_that_a_key_is_not_his_to_read(host: Host) -> None:
    readable = "/tmp/answers.toml"
    host.put(host.get(ANSWERS), readable)
    done = Program(host)("plan", "-a", readable, "authentication", user="alice")
    helps(done, 3, f"{KEYS}/{DOMAIN}.", ".pem can be read by root alone", "sudo")


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("port", [465, 587])
def test_what_people_send_is_believed(
    host: Host, internet: Internet, port: int, domain: str
) -> None:
    subject = f"submitted {port} {domain}"
    submit(internet, host, subject, f"{LOGIN}@{domain}", TORTURE, port)
    raw = believed(internet, subject, domain)
    for part in (b"tab", b"submitted"):
        assert judged(internet, raw.replace(part, part.swapcase())).signed == [(domain, False)]


def test_an_empty_message_is_believed(host: Host, internet: Internet) -> None:
    submit(internet, host, "nothing in it", f"{LOGIN}@{DOMAIN}", "")
    believed(internet, "nothing in it", DOMAIN)


@pytest.mark.parametrize("login", ["root", "bob"])
def test_what_programs_send_is_believed(host: Host, internet: Internet, login: str) -> None:
    # as cron does: no From, no envelope of its own
    text = f"Subject: from {login}'s program\nTo: {STRANGER}\n\nhello\n"
    host.run(["runuser", "-u", login, "--", "sendmail", "-t", "-i"], input=text)
    believed(internet, f"from {login}'s program", DOMAIN)


@pytest.mark.parametrize("author", ["someone@bank.example", "a@sub.example.test"])
def test_others_names_are_not_signed(host: Host, internet: Internet, author: str) -> None:
    subject = f"under the name {author}"
    submit(internet, host, subject, author, "hello")
    assert worth(internet, subject).signed == []


@pytest.mark.parametrize("sender", ["", STRANGER], ids=["null-sender", "sender"])
def test_forged_mail_does_not_leave_signed(host: Host, internet: Internet, sender: str) -> None:
    subject = f"forged by {sender or 'nobody'}"
    forged = letter(subject, ALICE)
    sent = internet.foreign.send(sender, f"onward@{DOMAIN}", forged, to=host)
    assert sent.ok, sent.answers
    assert worth(internet, subject).signed == []


def test_a_bounce_of_forged_mail_does_not_leave_signed(host: Host, internet: Internet) -> None:
    forged = letter("forged to bounce", ALICE)
    sent = internet.foreign.send(STRANGER, f"nowhere@{DOMAIN}", forged, to=host)
    assert sent.ok, sent.answers
    found = worth(internet, "Undelivered Mail Returned to Sender")
    # it is this host's own, and what proves that is its name
    assert (found.signed, found.spf, found.dmarc) == ([], "pass", "pass"), found
    assert b"forged to bounce" in found.raw


def key_record(host: Host, selector: str) -> tuple[str, str]:
    """Give the owner and the text of a key that whoever runs the zone is asked for."""
    (found,) = [
        (owner, text)
        for owner, text in records(host).items()
        if owner.startswith(selector) and owner.endswith(f"_domainkey.{DOMAIN}")
    ]
    return found


def test_a_selector_of_another_host_is_told(host: Host, internet: Internet) -> None:
    name, text = key_record(host, "mw")
    internet.dns.set(name, "TXT", f"{text[:70]}{text[70:100].swapcase()}{text[100:]}")
    outcome, said = verdicts(host, "authentication")[f"DKIM-02:{DOMAIN}"]
    assert (outcome, "is the key of somebody else" in said) == ("warn", True), said
    assert worth_of_one(internet, host, "wrong key").signed == [(DOMAIN, False)]
    apply(host, '[authentication]\nselector = "second"\n')
    publish(internet, host)
    assert worth_of_one(internet, host, "own key").signed == [(DOMAIN, True)]
    assert b"s=second" in worth(internet, "own key").raw


def worth_of_one(internet: Internet, host: Host, subject: str) -> Worth:
    submit(internet, host, subject, f"{LOGIN}@{DOMAIN}", "hello")
    return worth(internet, subject)


def test_a_key_that_others_can_read_is_named(host: Host) -> None:
    key = f"{KEYS}/{DOMAIN}.second.pem"
    for broken in (f"chmod 644 {key}", f"chown alice {key}", f"chgrp alice {key}"):
        host.run(broken)
        outcome, said = verdicts(host, "authentication")["DKIM-08"]
        assert (outcome, key in said) == ("fail", True), said
    said = apply(host, '[authentication]\nselector = "second"\n', status=1)
    assert f"edited by hand since ({key})" in " ".join(said.split())
    # as the check says
    host.run(f"chown root:amavis {key}; chmod 0640 {key}")
    assert verdicts(host, "authentication")["DKIM-08"][0] == "pass"


def test_a_broken_key_stops_the_run_before_the_signer(host: Host, internet: Internet) -> None:
    key = f"{KEYS}/{DOMAIN}.second.pem"
    host.run(f"cp -a {key} /root/key; head -c 600 /root/key >{key}")
    assert "no private key that can sign" in verdicts(host, "authentication")["DKIM-08"][1]
    said = apply(host, '[authentication]\nselector = "second"\n', status=1)
    assert f"edited by hand since ({key})" in " ".join(said.split())
    # the signer still has the one that it read when it began
    submit(internet, host, "while broken", f"{LOGIN}@{DOMAIN}", "hello")
    believed(internet, "while broken", DOMAIN)
    host.run(f"cp -a /root/key {key}")
    apply(host, '[authentication]\nselector = "second"\n')


def test_refusing_before_it_is_proved_is_warned_of(host: Host, internet: Internet) -> None:
    name, text = key_record(host, "second")
    internet.dns.remove(name, "TXT")
    chosen = '[authentication]\nselector = "second"\ndmarc_policy = "reject"\n'
    try:
        said = " ".join(apply(host, chosen).split())
        assert f"p=reject while not all mail of {DOMAIN} is proved" in said
        assert "choose none" in said
    finally:
        internet.dns.set(name, "TXT", text)
    assert verdicts(host, "authentication")[f"DMARC-05:{DOMAIN}"][0] == "pass"


def without_filter(host: Host, internet: Internet) -> None:
    """Let OpenDKIM sign, and amavis be gone; nothing is done where it is so."""
    if Program(host).states()["amavis"] == "skipped":
        return
    done = Program(host)("undo", "--yes", "opendmarc", "authentication", "amavis", timeout=200)
    assert done.status == 0, done.stdout + done.stderr
    apply(host, '[authentication]\nsigner = "opendkim"\n', "[amavis]\nenabled = false\n")
    publish(internet, host)


def test_opendkim_alone_is_believed(host: Host, internet: Internet) -> None:
    without_filter(host, internet)
    found = verdicts(host, "authentication")
    assert {name: told for name, told in found.items() if told[0] != "pass"} == {}
    for domain in DOMAINS:
        submit(internet, host, f"by opendkim for {domain}", f"{LOGIN}@{domain}", TORTURE)
        believed(internet, f"by opendkim for {domain}", domain)
    submit(internet, host, "not by opendkim", "someone@bank.example", "hello")
    assert worth(internet, "not by opendkim").signed == []


def test_spf_must_know_of_the_relay(host: Host, internet: Internet) -> None:
    without_filter(host, internet)
    internet.trust(host)
    secret = "/root/relay-password"
    host.put(internet.relay.password, secret, mode=0o600)
    login = f'username = "{internet.relay.user}"\npassword = {{ file = "{secret}" }}\n'
    signer = '[authentication]\nsigner = "opendkim"\n'
    chosen = f'{signer}[relay]\nhost = "smtp.relay.test:587"\n{login}'
    said = apply(host, chosen, "[amavis]\nenabled = false\n")
    found, relayed = verdicts(host, "authentication"), f"SPF-07:{DOMAIN}:smtp.relay.test"
    outcome, told = found[relayed]
    assert (outcome, "through smtp.relay.test" in told) == ("warn", True), told
    # the relay would get it: it is looked at in the mailbox
    assert "in the mailbox of" in found["DKIM-04"][1], said
    why = Program(host)("dns").stdout
    assert "ask its provider which include:" in " ".join(why.split())
    for domain in DOMAINS:
        internet.dns.set(domain, "TXT", f"v=spf1 mx a:{FQDN} include:relay.test ~all")
    found = verdicts(host, "authentication")
    assert found[relayed][0] == "pass", found
    # who else sends is the zone's own business
    assert found["DNS-16:authentication"][0] == "pass", found
