"""People send and read with real mail programs from another host, on every port that is offered."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from lab.host import Host
from lab.internet import Internet
from lab.shell import Completed
from support import laptop as laptops
from support import suites
from support.applied import ANSWERS, DOMAIN, FQDN, LOGIN, PASSWORD, SECRET, Prepared, answers
from support.laptop import TRUSTED, Laptop
from support.program import Program

CAROL = f"{LOGIN}@{DOMAIN}"
STRANGER = "stranger@foreign.test"
SMITH = f"dave.smith@{DOMAIN}"
GIVEN = {
    "[aliases.aliases]\n": "[aliases.aliases]\norders = ['carol', 'bob']\n",
    "[aliases.senders]\n": f"[aliases.senders]\ndave = '{SMITH}'\n",
    "users = [": f"users = [{{ login = 'dave', password = {{ file = '{SECRET}' }} }}, ",
}
PROTOCOLS = 'protocols = ["imap", "pop3", "lmtp"]\n'
# what a transport might break: dots, blanks, long lines, mbox's From, octets above 127
BODY = (
    ". begins with a dot\r\n..two dots\r\n.\r\nFrom here on\r\n  blanks after \t \r\n\r\n"
    f"Grüße aus Köln, 漢字\r\n{'x' * 998}\r\n{'ä' * 499}\r\nend, without a blank line"
)
FORWARDED = (
    f"Received: from laptop by {FQDN} with ESMTPSA id 1\r\nUser-Agent: Somebody's 1.0\r\n"
    "X-Mailer: Somebody's 1.0\r\nFrom: a@other.test\r\nSubject: as it was\r\n\r\nforwarded\r\n"
)
MBSYNC = f"""
IMAPAccount mail
Host {FQDN}
User {CAROL}
Pass "{PASSWORD}"
TLSType IMAPS
CertificateFile {TRUSTED}

IMAPStore far
Account mail

MaildirStore near
Path /root/mail/
Inbox /root/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
SyncState *
"""
suite = suites.one_host_each("clients")


@pytest.fixture(scope="module")
def server(prepared: Prepared, suite: str) -> Iterator[Host]:
    """Give a mail server with two accounts, an alias, and an address of dave's own choice."""
    with prepared.ready_host(suite) as host:
        # an alias leads only to somebody who is there
        for login in (LOGIN, "dave"):
            host.run(["useradd", "-m", login])
            host.run(["chpasswd"], input=f"{login}:{PASSWORD}")
        given = answers(host)
        for old, new in GIVEN.items():
            assert old in given
            given = given.replace(old, new)
        host.put(given, ANSWERS)
        apply(host)
        yield host


@pytest.fixture(scope="module")
def chosen(server: Host) -> Host:
    """Give the same server with POP3, and with Dovecot delivering the mail over LMTP."""
    given = server.get(ANSWERS).decode().replace("[dovecot]\n", f"[dovecot]\n{PROTOCOLS}")
    server.put(given, ANSWERS)
    apply(server)
    return server


@pytest.fixture(scope="module")
def laptop(internet: Internet, server: Host) -> Iterator[Laptop]:
    """Give a computer whose mail programs trust the server, and would not have before."""
    with Host(laptops.layer(internet), net=internet.network, hostname="laptop") as host:
        made = Laptop(host)
        refused = curl(made, "/", check=False)
        assert (refused.status, "certificate" in refused.stderr) == (60, True), refused
        made.trust(server)
        yield made


def apply(host: Host) -> None:
    done = Program(host).apply(timeout=300)
    assert done.status == 0, done.stdout[-4000:] + done.stderr


def written(subject: str, to: str = CAROL, *, eight_bit: bool = False) -> bytes:
    """Write a message that is hard to carry, as it goes over the wire."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["Subject"], message["From"], message["To"] = subject, f"Zoë <{CAROL}>", to
    message["Message-ID"] = f"<{subject.replace(' ', '.')}@laptop>"
    message["Date"] = "Fri, 02 Jan 2026 03:04:05 +0000"
    message["X-Name"], message["User-Agent"] = "Żółw", "Laptop 1.0"
    if eight_bit:
        message.set_content("replaced", cte="8bit")
    else:
        message.set_content(BODY, cte="quoted-printable")
    message.add_attachment(bytes(range(256)), "application", "octet-stream", filename="größe.bin")
    inner = email.message_from_bytes(FORWARDED.encode(), policy=email.policy.SMTP)
    message.add_attachment(inner, cte="8bit" if eight_bit else "7bit")
    return message.as_bytes().replace(b"replaced\r\n", BODY.encode() + b"\r\n")


def body(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


def parts(message: bytes) -> list[tuple[str, object]]:
    """Give what readers see of a message, however it is encoded."""
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    leaves = (part for part in parsed.walk() if not part.is_multipart())
    return [(part.get_content_type(), part.get_payload(decode=True)) for part in leaves]


@pytest.mark.parametrize("user", [LOGIN, CAROL])
@pytest.mark.parametrize("port", [465, 587])
def test_what_is_sent_is_what_is_read(laptop: Laptop, port: int, user: str) -> None:
    subject = f"at {port} as {user}"
    sent = written(subject)
    assert laptop.submit(CAROL, CAROL, sent, port=port, user=user) == (250, "")
    got = laptop.fetch(subject, user)
    assert body(got) == body(sent)
    head, original = (
        email.message_from_bytes(one, policy=email.policy.default) for one in (got, sent)
    )
    for name in ("Subject", "From", "To", "Date", "Message-ID", "X-Name"):
        assert head.get_all(name) == original.get_all(name)
    assert laptop.host.address.encode() not in got


def test_eight_bit_text_is_read_as_it_was_written(laptop: Laptop) -> None:
    """It is encoded before it is signed, since others may have to: else no signature would hold."""
    sent = written("eight bits", eight_bit=True)
    assert laptop.submit(CAROL, CAROL, sent) == (250, "")
    got = laptop.fetch("eight bits")
    assert parts(got) == parts(sent)
    assert got.isascii()


@pytest.mark.parametrize("login", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("port", ["465", "587"])
def test_swaks_sends(laptop: Laptop, port: str, login: str) -> None:
    subject = f"swaks {port} {login}"
    argv = ["swaks", "--server", FQDN, "--port", port, "--from", CAROL, "--to", CAROL]
    argv += ["--tls-on-connect" if port == "465" else "--tls", "--tls-verify"]
    argv += ["--tls-ca-path", TRUSTED, "--auth", login, "--auth-user", LOGIN]
    argv += ["--auth-password", PASSWORD, "--header", f"Subject: {subject}"]
    said = laptop.host.run(argv).stdout
    assert "passed CA verification, passed host verification" in said
    assert b"This is a test mailing" in laptop.fetch(subject)


@pytest.mark.parametrize("port", [465, 587])
def test_nobody_elsewhere_learns_where_the_sender_sits(
    laptop: Laptop, internet: Internet, port: int
) -> None:
    foreign = internet.foreign
    foreign.clear()
    subject = f"to a stranger from {port}"
    sent = written(subject, STRANGER)
    assert laptop.submit(CAROL, STRANGER, sent, port=port) == (250, "")
    foreign.wait_for(lambda message: message["Subject"] == subject)
    (got,) = (one.replace(b"\n", b"\r\n") for one in foreign.raw() if subject.encode() in one)
    head = got.partition(b"\r\n\r\n")[0]
    for hint in (laptop.host.address, laptop.host.address6, "User-Agent", "from laptop", "[198."):
        shown = [line for line in head.split(b"\r\n") if hint.encode() in line]
        assert all(b"Received: from mail.example.test" in line for line in shown), shown
    assert body(got) == body(sent)


@pytest.mark.parametrize(
    ("user", "sender", "shown"),
    [
        ("carol", CAROL, CAROL),
        ("carol", f"orders@{DOMAIN}", f"orders@{DOMAIN}"),
        ("carol", f"{LOGIN}+shop@{DOMAIN}", f"{LOGIN}+shop@{DOMAIN}"),
        ("carol", f"Carol@{DOMAIN.upper()}", f"Carol@{DOMAIN.upper()}"),
        ("dave", SMITH, SMITH),
        ("dave", f"dave@{DOMAIN}", SMITH),
    ],
)
def test_people_send_as_any_of_their_own_addresses(
    laptop: Laptop, user: str, sender: str, shown: str
) -> None:
    for port in (465, 587):
        subject = f"as {sender.lower()} at {port}"
        message = f"Subject: {subject}\r\nFrom: {sender}\r\nTo: {CAROL}\r\n\r\nhello\r\n".encode()
        assert laptop.submit(sender, CAROL, message, port=port, user=user) == (250, "")
        got = laptop.fetch(subject)
        assert f"Return-Path: <{shown}>".encode() in got
        assert f"From: {shown}".encode() in got


@pytest.mark.parametrize(
    "sender",
    [
        f"alice@{DOMAIN}",
        f"sales@{DOMAIN}",
        SMITH,
        f"alice.liddell@{DOMAIN}",
        f"root@{FQDN}",
        STRANGER,
    ],
)
@pytest.mark.parametrize("port", [465, 587])
def test_nobody_sends_as_somebody_else(laptop: Laptop, sender: str, port: int) -> None:
    code, said = laptop.submit(sender, CAROL, written("forged"), port=port)
    assert (code, said.partition(": ")[2]) == (
        553,
        "Sender address rejected: not owned by user carol",
    )


@pytest.mark.parametrize("port", [465, 587])
def test_nobody_sends_without_a_password(laptop: Laptop, port: int) -> None:
    code, _ = laptop.submit(CAROL, CAROL, written("without"), port=port, user="")
    assert code in {530, 554}


def curl(laptop: Laptop, path: str, *words: str, check: bool = True) -> Completed:
    """Ask over IMAP; the password is in a file, as it should be."""
    laptop.host.put(f'user = "{LOGIN}:{PASSWORD}"\n', "/root/.curlrc", mode=0o600)
    return laptop.host.run(["curl", "-sS", *words, f"imaps://{FQDN}{path}"], check=check)


def test_curl_reads_the_mailbox(laptop: Laptop) -> None:
    sent = written("for curl")
    assert laptop.submit(CAROL, CAROL, sent) == (250, "")
    laptop.fetch("for curl")
    folders = curl(laptop, "/").stdout
    for name in ("INBOX", r"\Drafts) \".\" Drafts", r"\Junk", r"\Sent", r"\Trash"):
        assert name.replace('\\"', '"') in folders
    found = curl(laptop, "/INBOX", "-X", 'SEARCH SUBJECT "for curl"').stdout.split()
    assert found[:2] == ["*", "SEARCH"]
    number = found[-1]
    text = curl(laptop, f"/INBOX;MAILINDEX={number};SECTION=TEXT", "-o", "/root/text")
    assert text.ok
    assert laptop.host.get("/root/text") == body(sent)


def test_mbsync_keeps_a_copy_and_brings_back_what_is_new(laptop: Laptop, server: Host) -> None:
    sent = written("for mbsync")
    assert laptop.submit(CAROL, CAROL, sent) == (250, "")
    laptop.fetch("for mbsync")
    laptop.host.put(MBSYNC, "/root/mbsyncrc", mode=0o600)
    sync = ["mbsync", "-c", "/root/mbsyncrc", "all"]
    laptop.host.run("mkdir -p /root/mail")
    laptop.host.run(sync)
    inbox = Path(f"{laptop.host.root}/root/mail/INBOX")
    copies = [path.read_bytes() for path in inbox.glob("*/*") if path.is_file()]
    assert any(one.endswith(body(sent).replace(b"\r\n", b"\n")) for one in copies)
    draft = f"Subject: a draft\nX-Odd: {'y' * 400}\n\nnot finished\n"
    laptop.host.put(draft, "/root/mail/Drafts/cur/1.1.laptop:2,DS")
    laptop.host.run(sync)
    found = server.run("grep -l 'not finished' /home/carol/Maildir/.Drafts/cur/*").stdout
    assert re.search(r":2,[A-Z]*D", found), found


def test_dovecot_delivers_and_pop3_reads(chosen: Host, laptop: Laptop, internet: Internet) -> None:
    message = f"Subject: over LMTP\r\n\r\n{BODY}\r\n"
    for number, to in enumerate((f"{LOGIN}@{DOMAIN}", f"{LOGIN}+tag@{DOMAIN}", f"orders@{DOMAIN}")):
        head = f"X-Number: <{number}>\r\n"
        sent = internet.foreign.send(STRANGER, to, head + message, to=chosen)
        assert sent.ok, sent.answers
        got = arrived(laptop, f"<{number}>")
        assert re.search(rb"with LMTP\s+id", got)
        assert body(got) == f"{BODY}\r\n".encode()
        assert f"X-Number: <{number}>".encode() in got
    mail = chosen.run("find /home/carol/Maildir -user carol -name '[0-9]*' -path '*/.tag*'").stdout
    assert mail == "", "a tag is no folder"


def arrived(laptop: Laptop, mark: str) -> bytes:
    """Give the message with a mark as POP3 has it, once IMAP has it."""
    curl(laptop, "/INBOX", "-X", "NOOP")
    for _ in range(100):
        for message in laptop.pop():
            if mark.encode() in message:
                return message
    raise AssertionError(f"{mark} did not arrive")


def test_submitted_mail_goes_through_lmtp_too(chosen: Host, laptop: Laptop) -> None:
    sent = written("submitted and delivered over LMTP")
    assert laptop.submit(CAROL, f"{LOGIN}+shop@{DOMAIN}", sent) == (250, "")
    assert body(laptop.fetch("submitted and delivered over LMTP")) == body(sent)


def test_unknown_recipients_are_refused_at_the_door(chosen: Host, internet: Internet) -> None:
    for to in (f"nobody-here@{DOMAIN}", f"nobody-here+tag@{DOMAIN}"):
        sent = internet.foreign.send(STRANGER, to, "Subject: x\r\n\r\nx\r\n", to=chosen)
        assert (sent.code, len(sent.answers)) == (550, 4), sent.answers
        assert "User unknown" in sent.text


def test_every_check_holds_with_all_protocols(chosen: Host) -> None:
    checked = {one["id"]: one for one in Program(chosen).check()["checks"]}
    bad = {name: one["said"] for name, one in checked.items() if one["outcome"] == "fail"}
    assert bad == {}
    assert checked["IMAP-08"]["outcome"] == "pass", checked["IMAP-08"]


# the last one: the others want all protocols
def test_without_lmtp_postfix_delivers_again(
    chosen: Host, laptop: Laptop, internet: Internet
) -> None:
    given = chosen.get(ANSWERS).decode()
    assert ', "lmtp"' in given
    chosen.put(given.replace(', "lmtp"', ""), ANSWERS)
    apply(chosen)
    assert chosen.run("postconf -h mailbox_transport").stdout.strip() == ""
    message = f"X-Number: <without>\r\nSubject: without LMTP\r\n\r\n{BODY}\r\n"
    sent = internet.foreign.send(STRANGER, f"{LOGIN}@{DOMAIN}", message, to=chosen)
    assert sent.ok, sent.answers
    got = arrived(laptop, "<without>")
    assert not re.search(rb"with LMTP\s+id", got)
    assert body(got) == f"{BODY}\r\n".encode()
