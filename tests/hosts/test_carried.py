"""What the door takes reaches somebody: no mail for nobody, nothing taken and bounced then.

One host of each release, with every step applied; each test leaves it as sound as it was.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

import pytest
from lab.host import Host
from lab.internet import Internet
from lab.mailhosts import crlf
from support import suites
from support.applied import ANSWERS, DOMAIN, FQDN, LOGIN, PASSWORD, UNSCANNED, Prepared, answers
from support.letters import ALICE, STRANGER, bring, drained, letter, mark, verdicts
from support.program import Program, arrives

from mailwizard.probes.postconf import words

# entered as b\u00fccher.test
IDN, TYPED = "xn--bcher-kva.test", "b\u00fccher.test"
ALIASES = 'sales = ["alice", "bob"]'
suite = suites.one_host_each("carried")


@pytest.fixture(scope="module")
def host(prepared: Prepared, internet: Internet, suite: str) -> Iterator[Host]:
    """Give a host with every step applied."""
    internet.foreign.clear()
    with prepared.applied_host(suite) as host:
        yield host


def apply(host: Host, text: str, *steps: str) -> str:
    host.put(text, ANSWERS)
    done = Program(host).apply(*steps, timeout=300)
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    return done.stdout


def recipients(internet: Internet, host: Host, *addresses: str, utf8: str = "") -> list[str]:
    """What a stranger is told of each of these, the codes."""
    steps = [
        "EHLO mx.foreign.test",
        f"MAIL FROM:<>{utf8}",
        *(f"RCPT TO:<{to}>" for to in addresses),
    ]
    heard = internet.foreign.dialogue(host.address, 25, steps)[3:]
    return [answer[:9] for answer in heard]


def test_only_people_aliases_and_lists_are_written_to(host: Host, internet: Internet) -> None:
    nobodies = [f"{name}@{DOMAIN}" for name in ("www-data", "man", "nobody", "_apt", "amavis")]
    nobodies += [f"NoBody+x@{DOMAIN}", f"www-data@{FQDN}", f"bin@[{host.address}]"]
    assert set(recipients(internet, host, *nobodies)) == {"550 5.1.1"}
    people = ["alice", "bob", "Alice+tag", LOGIN, "root", "postmaster", "abuse", "sales"]
    found = recipients(internet, host, *(f"{name}@{DOMAIN}" for name in people))
    assert set(found) == {"250 2.1.5"}, found


def test_who_is_made_later_gets_mail_and_what_a_package_makes_does_not(
    host: Host, internet: Internet
) -> None:
    later = [f"{name}@{DOMAIN}" for name in ("dave", "erin", "dust", "daemon60")]
    assert set(recipients(internet, host, *later)) == {"550 5.1.1"}
    # adduser(8), a mailbox without a shell, a package, what systemd makes
    host.run("adduser --disabled-password --gecos '' dave || useradd -m dave")
    host.run("useradd -m -s /usr/sbin/nologin erin")
    host.run("useradd -r dust; useradd -u 61500 daemon60")
    found = recipients(internet, host, *later)
    assert found == ["250 2.1.5", "250 2.1.5", "550 5.1.1", "550 5.1.1"]
    outcome, said = verdicts(host, "postfix")["SMTP-35"]
    assert (outcome, "are nobody's mailbox" in said) == ("pass", True), said


def test_mail_of_programs_goes_on(host: Host) -> None:
    host.run("sendmail root", input="Subject: for-root-from-a-program\n\nx\n")
    host.run("runuser -u www-data -- sendmail alice", input="Subject: from-www-data\n\nx\n")
    for subject in ("for-root-from-a-program", "from-www-data"):
        arrives(host, "alice", f"Subject: {subject}")


def submitted(
    internet: Internet, host: Host, envelope: Sequence[str], message: bytes | str
) -> list[str]:
    """What a mail program hears that logs in at 465."""
    token = base64.b64encode(f"\0{LOGIN}\0{PASSWORD}".encode()).decode()
    steps: list[str | bytes] = ["EHLO laptop", f"AUTH PLAIN {token}", *envelope, "DATA"]
    return internet.foreign.dialogue(host.address, 465, [*steps, crlf(message)], tls=True)


def test_crons_mail_with_letters_beyond_ascii_arrives(host: Host) -> None:
    host.run(
        "sendmail alice", input="Subject: es l\u00e4uft\nMessage-ID: <cron@lab.test>\n\n\u00df\n"
    )
    found = arrives(host, "alice", "Message-ID: <cron@lab.test>")
    assert "Undelivered" not in found
    assert verdicts(host, "amavis")["SMTP-37"][0] == "pass"


def test_mail_that_needs_smtputf8_is_refused_where_a_later_hop_does_not_carry_it(
    host: Host, internet: Internet
) -> None:
    heard = submitted(internet, host, (f"MAIL FROM:<{LOGIN}@{DOMAIN}> SMTPUTF8",), "")
    assert "SMTPUTF8" not in heard[1]
    assert heard[3].startswith("555"), heard
    envelope = (f"MAIL FROM:<{LOGIN}@{DOMAIN}>", "RCPT TO:<gr\u00fc\u00dfe@foreign.test>")
    assert submitted(internet, host, envelope, "")[4][:1] == "5"


def test_mail_from_the_world_that_needs_smtputf8_is_carried(host: Host, internet: Internet) -> None:
    subject = "gr\u00fc\u00dfe aus der welt"
    text = letter(subject, "gr\u00fc\u00dfe@foreign.test", "sch\u00f6n")
    envelope = (
        "MAIL FROM:<gr\u00fc\u00dfe@foreign.test> SMTPUTF8 BODY=8BITMIME",
        f"RCPT TO:<{ALICE}>",
    )
    steps: list[str | bytes] = ["EHLO mx.foreign.test", *envelope, "DATA", crlf(text)]
    heard = internet.foreign.dialogue(host.address, 25, steps)
    assert heard[-1].startswith("250"), heard
    arrives(host, "alice", f"Message-ID: {mark(subject)}")


def test_a_sender_hears_of_delivery_when_he_asks(host: Host, internet: Internet) -> None:
    subject = "tell me of it"
    envelope = (
        f"MAIL FROM:<{LOGIN}@{DOMAIN}> RET=HDRS ENVID=x",
        f"RCPT TO:<{ALICE}> NOTIFY=SUCCESS",
    )
    heard = submitted(internet, host, envelope, letter(subject, f"{LOGIN}@{DOMAIN}"))
    assert heard[-1].startswith("250"), heard
    found = arrives(host, LOGIN, "Successful Mail Delivery Report")
    assert "Original-Envelope-Id: x" in found


# $1: the limit. By halves until the largest message that is taken is known, then what is missing.
LARGEST = """
import smtplib, ssl, sys, time
from pathlib import Path
limit, login, password, sent = int(sys.argv[1]), *sys.argv[2:], []
def taken(server, sender, text):
    try:
        server.sendmail(sender, ["alice@example.test"], text)
    except smtplib.SMTPException:
        return False
    return True
def world(text):
    return taken(smtplib.SMTP("127.0.0.1"), "", text)
def own(text):
    server = smtplib.SMTP_SSL("127.0.0.1", context=ssl._create_unverified_context())
    server.login(login, password)
    return taken(server, f"{login}@example.test", text)
for way in (world, own):
    low, high = limit - 6000, limit
    while high - low > 40:
        size = (low + high) // 2
        name = f"{way.__name__}-{size}"
        head = f"From: a@foreign.test\\nTo: alice\\nSubject: {name}\\n\\n"
        if way("".join((head, ("x" * 998 + "\\n") * (size // 1000))).ljust(size, "y") + "\\n"):
            sent.append(name)
            low = size
        else:
            high = size
for _ in range(300):
    time.sleep(0.1)
    files = list(Path("/home/alice/Maildir/new").iterdir())
    there = "".join(file.read_text(errors="replace")[:3000] for file in files)
    missing = [name for name in sent if f"Subject: {name}" not in there]
    if not missing:
        break
print(missing, "Undelivered" in there, len(sent) > 2)
"""


def test_the_largest_message_that_the_door_takes_arrives(host: Host) -> None:
    limit = 2**20
    argv = ["python3", "-", str(limit)]
    host.run("rm -f /home/alice/Maildir/new/*")
    host.run(f"postconf -e message_size_limit={limit}; systemctl reload postfix")
    try:
        found = host.run([*argv, LOGIN, PASSWORD], input=LARGEST, timeout=120).stdout
    finally:
        host.run("postconf -e message_size_limit=52428800; systemctl reload postfix")
    assert found.split() == ["[]", "False", "True"], found


def test_a_domain_beyond_ascii_is_ours_in_both_forms(host: Host, internet: Internet) -> None:
    if IDN not in internet.dns.zones:
        internet.dns.add_zone(IDN)
    internet.dns.set(IDN, "MX", f"10 {FQDN}")
    domains = f'\n[postfix]\ndomains = ["{DOMAIN}", "{TYPED}"]\n'
    apply(host, answers(host) + domains)
    both = [f"alice@{IDN}", f"alice@{TYPED}", f"nobody-here@{TYPED}", f"www-data@{TYPED}"]
    found = recipients(internet, host, *both, utf8=" SMTPUTF8")
    assert found == ["250 2.1.5", "250 2.1.5", "550 5.1.1", "550 5.1.1"]
    envelope = (f"MAIL FROM:<{LOGIN}@{IDN}>", f"RCPT TO:<alice@{IDN}>")
    heard = submitted(internet, host, envelope, letter("in both forms", f"{LOGIN}@{IDN}"))
    assert heard[-1].startswith("250"), heard
    arrived = arrives(host, "alice", f"Message-ID: {mark('in both forms')}")
    assert f"d={IDN};" in "".join(arrived.split()), arrived
    tables = list(words(host.run("postconf -xh smtpd_sender_login_maps").stdout))
    for domain in (IDN, TYPED):
        for address, owner in ((f"{LOGIN}@{domain}", LOGIN), (f"sales@{domain}", "alice, bob")):
            asked = (host.run(["postmap", "-q", address, one], check=False) for one in tables)
            known = next(one.stdout.strip() for one in asked if one.stdout)
            assert known == owner, address


# who has none gets that of the envelope before it is judged (always_add_missing_headers)
AUTHORS = {
    "two lines": f"From: <a@{DOMAIN}>\r\nFrom: <b@bank.test>\r\n",
    "two in one": f"From: <a@{DOMAIN}>, <b@bank.test>\r\n",
    "no domain": "From: alice\r\n",
    "a group": "From: undisclosed:;\r\n",
}


def test_who_is_not_exactly_one_author_is_refused_where_that_is_chosen(
    host: Host, internet: Internet
) -> None:
    apply(host, f"{answers(host)}\n[opendmarc]\nreject = true\n", "opendmarc")
    told = {}
    for name, author in AUTHORS.items():
        text = letter(f"author {name}", STRANGER).replace(f"From: <{STRANGER}>\r\n", author)
        told[name] = bring(internet, host, text, "forger@foreign.test").answers[-1]
    assert {name: said[:3] for name, said in told.items()} == dict.fromkeys(AUTHORS, "550"), told
    # one author, and who has no Date, are taken
    for subject, gone in (
        ("one author", ""),
        ("undated", "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n"),
    ):
        sent = bring(internet, host, letter(subject, STRANGER).replace(gone, ""))
        assert sent.ok, sent.answers
        arrives(host, "alice", f"Message-ID: {mark(subject)}")
    outcome, said = verdicts(host, "opendmarc")["DMARC-07"]
    assert (outcome, "are refused" in said) == ("pass", True), said


def test_what_is_taken_out_of_the_answers_goes_and_what_others_added_stays(
    host: Host, internet: Internet
) -> None:
    more = answers(host).replace(ALIASES, f'{ALIASES}\nshop = "bob+shop"')
    apply(host, more, "aliases")
    host.run("printf 'theirs: bob\\n' >>/etc/aliases && newaliases")
    assert recipients(internet, host, f"shop@{DOMAIN}") == ["250 2.1.5"]
    assert bring_to(internet, host, "shop", "for the shop").startswith("250")
    arrives(host, "bob", mark("for the shop"))
    fewer = answers(host).replace("alice.liddell", "a.liddell")
    host.put(fewer, ANSWERS)
    planned = Program(host)("plan", "-a", ANSWERS, "aliases").stdout
    assert "take alice.liddell, shop out of /etc/aliases" in planned
    assert "-shop: bob+shop" in planned
    apply(host, fewer, "aliases")
    names = [
        f"{each}@{DOMAIN}" for each in ("shop", "alice.liddell", "a.liddell", "theirs", "sales")
    ]
    found = recipients(internet, host, *names)
    assert found == ["550 5.1.1", "550 5.1.1", *["250 2.1.5"] * 3]
    again = Program(host)("plan", "-a", ANSWERS, "aliases")
    assert again.status == 0, again.stdout
    apply(host, answers(host), "aliases")


def bring_to(internet: Internet, host: Host, name: str, subject: str) -> str:
    sent = internet.foreign.send("", f"{name}@{DOMAIN}", letter(subject, STRANGER), to=host)
    return sent.answers[-1]


def test_nothing_waits_and_all_checks_hold(host: Host) -> None:
    drained(host)
    assert UNSCANNED in host.get(ANSWERS).decode()
    for step in ("postfix", "aliases", "amavis", "opendmarc"):
        found = verdicts(host, step)
        wrong = {name: told for name, told in found.items() if told[0] in ("fail", "unknown")}
        assert not {name for name in wrong if name in NEW}, wrong


NEW = ("SMTP-35", "SMTP-36", "SMTP-37", "OUT-07", "SMTP-25", "DMARC-07", "SMTP-28")
