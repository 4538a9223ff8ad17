"""Mail is signed, verified, measured and looked through, also while one of the parts is down."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from email.message import EmailMessage

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
    PYTHON,
    Prepared,
    answers,
    records,
)
from support.letters import (
    ALICE,
    STRANGER,
    bring,
    got,
    letter,
    python,
    stopped,
    verdicts,
)
from support.program import Program, started

# not in .test: the resolver in Debian's OpenDKIM answers for that by itself (RFC 6761 6.2)
SIGNER, FOREIGN_KEY = "signer.example", "lab202611"
STEPS = ("amavis", "authentication", "opendmarc")
# the checks' own questions, for a domain whose key OpenDKIM can find here
ASKED = f"""
from mailwizard import platform, probes
from mailwizard.host import LocalHost
host = LocalHost(platform.here(), "/var/lib/mailwizard")
key = {{"domain": "{SIGNER}", "selector": "{FOREIGN_KEY}", "path": "/root/foreign.pem"}}
for kind in (probes.SignaturesJudged, probes.DmarcMeasured):
    told = kind("{ALICE}", "alice", authserv="{FQDN}", **key).ask(host)
    print(f"{{told.outcome}}: {{told.said}}")
"""
VERIFY = """
import base64, json, sys, dkim
asked = json.load(sys.stdin)
key = asked["key"].encode()
print(json.dumps(dkim.verify(base64.b64decode(asked["message"]), dnsfunc=lambda *_, **__: key)))
"""
SIGN = """
import base64, json, sys, dkim
asked = json.load(sys.stdin)
made = dkim.sign(base64.b64decode(asked["message"]), asked["selector"].encode(),
    asked["domain"].encode(), open("/root/foreign.pem", "rb").read(),
    canonicalize=(b"relaxed", b"relaxed"))
print(base64.b64encode(made).decode())
"""
suite = suites.one_host_each("filtering")


@pytest.fixture(scope="module")
def host(prepared: Prepared, internet: Internet, suite: str) -> Iterator[Host]:
    """Give a host with every step applied and published, and a foreign domain with a key."""
    internet.foreign.clear()
    with prepared.applied_host(suite) as host:
        host.run("openssl genrsa -traditional -out /root/foreign.pem 2048")
        public = host.run("openssl rsa -in /root/foreign.pem -pubout -outform DER | base64 -w0")
        key = f"v=DKIM1; k=rsa; p={public.stdout.strip()}"
        if SIGNER not in internet.dns.zones:
            internet.dns.add_zone(SIGNER)
        internet.dns.set(f"{FOREIGN_KEY}._domainkey.{SIGNER}", "TXT", key)
        for domain in (SIGNER, "foreign.test"):
            internet.dns.set(f"_dmarc.{domain}", "TXT", "v=DMARC1; p=reject")
        yield host
        internet.dns.remove("_dmarc.foreign.test", "TXT")


def apply(host: Host, chosen: str = "", *steps: str) -> str:
    """Answer the questions and apply the steps."""
    host.put(answers(host) + chosen, ANSWERS)
    done = Program(host).apply(*steps, timeout=300)
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    return done.stdout


def signed(host: Host, subject: str, selector: str = FOREIGN_KEY) -> str:
    """Sign a message as the foreign domain does."""
    message = letter(subject, f"a@{SIGNER}")
    octets = base64.b64encode(message.encode()).decode()
    made = python(host, SIGN, message=octets, selector=selector, domain=SIGNER)
    return base64.b64decode(made).decode() + message


def results(text: str) -> str:
    """Give all results in a message's head, on one line."""
    head = text.partition("\n\n")[0].replace("\n\t", " ").replace("\n ", " ")
    rows = [row for row in head.splitlines() if row.startswith("Authentication-Results: mail.")]
    return " ".join(rows)


def received(internet: Internet, subject: str) -> tuple[EmailMessage, bytes]:
    """Give a message as the foreign host has it."""
    found = internet.foreign.wait_for(lambda message: subject in str(message["subject"]))
    raw = next(data for data in internet.foreign.raw() if subject.encode() in data)
    return found, raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def holds(host: Host, raw: bytes, key: str) -> bool:
    octets = base64.b64encode(raw).decode()
    return json.loads(python(host, VERIFY, message=octets, key=key)) is True


def submit(internet: Internet, host: Host, subject: str, to: str, port: int = 465) -> None:
    """Send as a mail program does."""
    author = f"{LOGIN}@{DOMAIN}"
    token = base64.b64encode(f"\0{LOGIN}\0{PASSWORD}".encode()).decode()
    body = letter(subject, author, "blanks \r\n\r\ntab\t\r\nGr\u00fc\u00dfe")
    hello = ["EHLO laptop"]
    steps: list[str | bytes] = [*hello, *(["STARTTLS", *hello] if port == 587 else [])]
    steps += [f"AUTH PLAIN {token}", f"MAIL FROM:<{author}>", f"RCPT TO:<{to}>", "DATA"]
    steps.append(body.encode() + b".\r\n")
    heard = internet.foreign.dialogue(host.address, port, steps, tls=port == 465)
    assert heard[-1].startswith("250"), heard


def test_all_checks_hold(host: Host) -> None:
    found = verdicts(host, *STEPS)
    assert {name: told for name, told in found.items() if told[0] != "pass"} == {}


def test_a_second_run_changes_nothing(host: Host) -> None:
    units = ("postfix", "postfix@-", "amavis", "opendkim", "opendmarc")
    before = started(host, units)
    apply(host, "", *STEPS)
    assert started(host, units) == before
    assert Program(host)("plan", "-a", ANSWERS).status == 0


@pytest.mark.parametrize("port", [465, 587])
def test_what_people_send_is_signed(host: Host, internet: Internet, port: int) -> None:
    submit(internet, host, f"submitted {port}", STRANGER, port)
    message, raw = received(internet, f"submitted {port}")
    assert len(message.get_all("DKIM-Signature", [])) == 1, message.items()
    (key,) = [text for owner, text in records(host).items() if "_domainkey." in owner]
    assert holds(host, raw, key)
    assert not holds(host, raw.replace(b"tab", b"tub"), key)


def test_which_of_key_and_dns_is_wrong_is_told(host: Host, internet: Internet) -> None:
    ((name, value),) = [each for each in records(host).items() if "_domainkey." in each[0]]
    internet.dns.remove(name)
    try:
        outcome, said = verdicts(host, "authentication")["SUB-13:example.test"]
        assert (outcome, "does not exist" in said) == ("warn", True), said
        other = host.run("openssl rsa -in /root/foreign.pem -pubout -outform DER | base64 -w0")
        internet.dns.set(name, "TXT", f"v=DKIM1; k=rsa; p={other.stdout.strip()}")
        outcome, said = verdicts(host, "authentication")["DKIM-04"]
        assert (outcome, "is another key" in said) == ("warn", True), said
        assert "holds with the key on this host" in said
    finally:
        internet.dns.set(name, "TXT", value)
    path = f"/etc/mailwizard/dkim/{DOMAIN}.{name.partition('.')[0]}.pem"
    host.run(f"cp -a {path} /root/kept.pem && cat /root/foreign.pem >{path}")
    try:
        outcome, said = verdicts(host, "authentication")["DKIM-04"]
        assert (outcome, "not even with the key on this host" in said) == ("fail", True), said
    finally:
        host.run(f"cp -a /root/kept.pem {path}")


def test_forged_mail_does_not_leave_signed(host: Host, internet: Internet) -> None:
    host.run(f"echo 'onward: {STRANGER}' >>/etc/aliases && newaliases")
    forged = letter("forged onward", ALICE)
    sent = internet.foreign.send("", f"onward@{DOMAIN}", forged, to=host)
    assert sent.ok, sent.answers
    message, _ = received(internet, "forged onward")
    assert message.get_all("DKIM-Signature") is None, message.items()


def test_spf_is_asked(host: Host, internet: Internet) -> None:
    stray = internet.foreign.outside_spf_address
    refused = bring(internet, host, letter("stray", STRANGER), STRANGER, source=stray)
    assert (refused.code, "5.7.23" in refused.text) == (550, True), refused.answers
    assert bring(internet, host, letter("allowed", STRANGER), STRANGER).ok
    assert "spf=pass" in results(got(host, "allowed"))


def test_dkim_is_verified(host: Host, internet: Internet) -> None:
    assert bring(internet, host, signed(host, "whole")).ok
    assert bring(internet, host, signed(host, "torn").replace("hello", "?")).ok
    assert bring(internet, host, signed(host, "keyless", "nowhere")).ok
    assert "dkim=pass" in results(got(host, "whole"))
    assert "dkim=fail" in results(got(host, "torn"))
    assert 'dkim=fail reason="key not found' in results(got(host, "keyless"))


def test_the_checks_tell_proofs_apart(host: Host) -> None:
    ask = f"{PYTHON} - <<'END'\n{ASKED}\nEND"
    judged, measured = host.run(ask).stdout.splitlines()
    assert judged.startswith("pass: signed mail: dkim=pass; mail that was altered: dkim=fail; mail")
    assert measured.startswith("pass: "), measured
    assert measured.endswith(f"mail that {SIGNER} has signed: dmarc=pass")
    # DMARC goes by what was verified before it, or by nothing
    order = "inet:127.0.0.1:8891,inet:127.0.0.1:8893"
    swapped = "inet:127.0.0.1:8893,inet:127.0.0.1:8891"
    write = "postconf -P smtp/inet/smtpd_milters={} && systemctl reload postfix"
    host.run(write.format(swapped))
    try:
        _, measured = host.run(ask).stdout.splitlines()
        assert (measured[:4], "is not taken for genuine" in measured) == ("fail", True), measured
    finally:
        host.run(write.format(order))


def test_dmarc_sees_either_proof(host: Host, internet: Internet) -> None:
    assert bring(internet, host, signed(host, "by dkim")).ok
    assert bring(internet, host, letter("by spf", STRANGER), STRANGER).ok
    assert bring(internet, host, letter("by neither", STRANGER)).ok
    assert "dmarc=pass" in results(got(host, "by dkim"))
    assert "dmarc=pass" in results(got(host, "by spf"))
    assert "dmarc=fail" in results(got(host, "by neither"))


@pytest.mark.parametrize("milter", ["opendkim", "opendmarc"])
def test_without_a_milter_senders_come_back(host: Host, internet: Internet, milter: str) -> None:
    with stopped(host, milter):
        sent = bring(internet, host, letter(f"no {milter}", STRANGER), STRANGER)
        assert sent.code // 100 == 4, sent.answers
        name = "authentication" if milter == "opendkim" else "opendmarc"
        assert verdicts(host, name)[f"MILTER:{milter}"][0] == "fail"
    assert bring(internet, host, letter(f"again {milter}", STRANGER), STRANGER).ok
    got(host, f"again {milter}")


def test_without_the_spf_service_senders_come_back(host: Host, internet: Internet) -> None:
    host.run("chmod -x /usr/bin/policyd-spf; systemctl reload postfix")
    try:
        sent = bring(internet, host, letter("no spf", STRANGER), STRANGER)
        assert sent.code // 100 == 4, sent.answers
        outcome, said = verdicts(host, "authentication")["SMTP-23"]
        assert (outcome, "does not answer" in said) == ("fail", True), said
    finally:
        host.run("chmod +x /usr/bin/policyd-spf; systemctl reload postfix")
    assert bring(internet, host, letter("again spf", STRANGER), STRANGER).ok
    assert "spf=pass" in results(got(host, "again spf"))


def test_made_up_results_are_removed(host: Host, internet: Internet) -> None:
    lies = f"Authentication-Results: {FQDN}; dkim=pass header.d=bank.example; dmarc=pass"
    theirs = "Authentication-Results: mx.foreign.test; spf=pass smtp.mailfrom=foreign.test"
    message = letter("lies", STRANGER, head=f"{lies}\r\n{theirs}")
    assert bring(internet, host, message, STRANGER).ok
    text = got(host, "lies")
    assert "bank.example" not in text
    # what others say under their own name is theirs
    assert "mx.foreign.test" in text
    assert "dmarc=pass" in results(text), text


def test_opendkim_signs_where_it_is_chosen(host: Host, internet: Internet) -> None:
    chosen = '[authentication]\nsigner = "opendkim"\n[opendmarc]\nreject = true\n'
    apply(host, chosen, *STEPS[1:])
    submit(internet, host, "by opendkim", STRANGER)
    message, raw = received(internet, "by opendkim")
    assert len(message.get_all("DKIM-Signature", [])) == 1, message.items()
    (key,) = [text for owner, text in records(host).items() if "_domainkey." in owner]
    assert holds(host, raw, key)


def test_dmarc_refuses_where_it_is_chosen(host: Host, internet: Internet) -> None:
    refused = bring(internet, host, letter("disowned", STRANGER))
    assert (refused.code, "DMARC" in refused.text) == (550, True), refused.answers
    assert bring(internet, host, letter("owned", STRANGER), STRANGER).ok


def test_undo_takes_all_of_it_back(host: Host, internet: Internet) -> None:
    done = Program(host)("undo", "--yes", *reversed(STEPS), timeout=200)
    assert done.status == 0, done.stdout + done.stderr
    main = host.run("postconf -n; postconf -P").stdout
    assert not any(word in main for word in ("content_filter", "milters", "policyd-spf")), main
    assert not host.exists("/etc/mailwizard")
    assert bring(internet, host, letter("plain again", STRANGER), STRANGER).ok
    text = got(host, "plain again")
    assert "amavis" not in text
