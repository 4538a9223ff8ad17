"""What the fake engine knows: twelve steps of a mail server on mail.example.org."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailwizard.fields import (
    Address,
    AliasName,
    AliasTarget,
    Bool,
    Choice,
    Domain,
    HostName,
    Integer,
    Listing,
    Login,
    Network,
    OneOrMore,
    SecretField,
    Size,
    Table,
    Text,
)
from mailwizard.model import Change, Context, Kind, Outcome, Preview, Probe, Question, Result, Step
from mailwizard.stages import PlanItem


def _nothing(_context: Context) -> Iterator[Change]:
    return iter(())


def _no_probes(_context: Context) -> Iterator[Probe]:
    return iter(())


def ask(name: str, label: str, kind: Kind, about: str = "", *, optional: bool = False) -> Question:
    return Question(
        name, label, kind, lambda _context: None, about, optional, isinstance(kind, SecretField)
    )


def step(
    name: str,
    title: str,
    explain: str,
    *questions: Question,
    needs: tuple[str, ...] = (),
    optional: bool = False,
) -> Step:
    return Step(
        name, title, explain, questions, _nothing, _no_probes, needs=needs, optional=optional
    )


STEPS: tuple[Step, ...] = (
    step(
        "hostname",
        "Host name",
        "Other mail servers look this name up, forwards and backwards, before they accept a "
        "letter. It has to be the full name, the same in /etc/hosts, in the DNS and in every "
        "greeting.\n\nThe reverse record is set by whoever gave you the address.",
        ask("fqdn", "Full host name", HostName(), "The name this host has in the DNS."),
        ask("address", "IPv4 address", Address(4), "Where others reach this host."),
        ask("address6", "IPv6 address", Address(6), "Leave it empty without IPv6.", optional=True),
    ),
    step(
        "postfix",
        "Postfix basics",
        "Postfix takes mail for your domains, and relays for nobody else. Which domains these "
        "are, and from which networks it accepts mail to everywhere, is all it has to know.",
        ask("domains", "Domains", Listing(Domain(), 1), "Mail to these stays on this host."),
        ask("networks", "Trusted networks", Listing(Network()), "They may send anywhere."),
        ask("message_size", "Largest message", Size(), "Bigger ones are refused."),
        needs=("hostname",),
    ),
    step(
        "aliases",
        "Aliases",
        "Mail to root and postmaster must reach a person.",
        ask("root", "Root's mail goes to", Login(), "A login that exists."),
        ask(
            "aliases",
            "Other aliases",
            Table(AliasName(), OneOrMore(AliasTarget())),
            "One a line: name = login, login",
            optional=True,
        ),
        needs=("postfix",),
    ),
    step(
        "dovecot",
        "Mailboxes (Dovecot)",
        "Dovecot gives the mail to its readers.",
        ask("protocols", "Protocols", Listing(Text(), 1), "imap, or imap and pop3"),
        needs=("postfix",),
    ),
    step(
        "certificates",
        "Certificates",
        "Everything that needs a password is encrypted first. The certificate comes from a "
        "public authority, from one of your own, or from files that you have.",
        ask(
            "source",
            "Certificate from",
            Choice(("private-ca", "acme", "files")),
            "acme is Let's Encrypt and its like; it needs port 80 reachable from outside.",
        ),
        ask("email", "Contact address", Text(), "Told when a certificate is about to expire."),
        ask("staging", "Test authority", Bool(), "Certificates that nobody trusts, for trying."),
        needs=("dovecot",),
    ),
    step(
        "submission",
        "Submission",
        "Your users hand in their letters with a password.",
        ask("ports", "Ports", Listing(Integer(1, 65535), 1), "465 is the modern one."),
        ask("sender_login_match", "Own addresses only", Bool(), "Nobody sends as another."),
        needs=("certificates",),
    ),
    step(
        "relay",
        "Relay host",
        "Where port 25 outwards is blocked, another server passes the mail on.",
        ask("host", "Relay host", Text(free=True), "In brackets: without an MX lookup."),
        ask("username", "User name", Text(), "The account at the relay host."),
        ask("password", "Password", SecretField(), "Kept in a file that only root can read."),
        needs=("postfix",),
        optional=True,
    ),
    step("protection", "Protection", "Who may not get in."),
    step("amavis", "Spam and virus filter", "Looks into each letter.", optional=True),
    step("authentication", "SPF, DKIM and DMARC", "Proves that your letters are yours."),
    step("opendmarc", "DMARC checks", "Asks the same of others.", optional=True),
    step("firewall", "Firewall", "Only the ports that are needed.", optional=True),
)

OFF = {"relay", "firewall"}

DEFAULTS: dict[str, dict[str, Any]] = {
    "hostname": {"fqdn": "mail.example.org", "address": "192.0.2.25", "address6": "2001:db8::25"},
    "postfix": {
        "domains": ["example.org", "example.net"],
        "networks": ["127.0.0.0/8", "::1/128"],
        "message_size": 50 * 2**20,
    },
    "aliases": {"root": "alice", "aliases": {"postmaster": ["alice"], "info": ["alice", "bob"]}},
    "dovecot": {"protocols": ["imap"]},
    "certificates": {"source": "private-ca", "email": "alice@example.org", "staging": False},
    "submission": {"ports": [465, 587], "sender_login_match": True},
    "relay": {"host": "[smtp.example.net]:587", "username": "example"},
}

PACKAGES = (
    "postfix",
    "dovecot-imapd",
    "amavisd-new",
    "spamassassin",
    "clamav-daemon",
    "opendkim",
    "opendmarc",
)

APT = (
    "Get:1 https://deb.example.org/debian trixie/main amd64 postfix amd64 3.10.4-1 [1,551 kB]",
    "Get:2 https://deb.example.org/debian trixie/main amd64 dovecot-core amd64 1:2.4.1 [2,412 kB]",
    "Unpacking postfix (3.10.4-1) ...",
    "Setting up dovecot-core (1:2.4.1+dfsg1-6) ...",
)

OUTPUT = (
    "postfix/postfix-script: refreshing the Postfix mail system",
    "postfix/master[812]: reload -- version 3.10.4, configuration /etc/postfix",
    "postfix/postqueue: mail queue is empty",
)

_MAIN_CF = """\
--- /etc/postfix/main.cf
+++ /etc/postfix/main.cf
@@ -3,4 +3,6 @@
 compatibility_level = 3.6
-myhostname = localhost
+myhostname = mail.example.org
+mydomain = example.org
 mynetworks = 127.0.0.0/8 [::1]/128
-mydestination = localhost
+mydestination = $myhostname, localhost, example.org, example.net
+message_size_limit = 52428800
"""

_HOSTS = """\
--- /etc/hosts
+++ /etc/hosts
@@ -1,3 +1,4 @@
 127.0.0.1 localhost
-127.0.1.1 debian
+192.0.2.25 mail.example.org mail
+2001:db8::25 mail.example.org mail
 ::1 localhost ip6-localhost
"""


def items(step_id: str, *, applied: bool) -> tuple[PlanItem, ...]:
    """What the step would change."""
    shown: tuple[PlanItem, ...]
    if step_id == "hostname":
        shown = (
            PlanItem("names in /etc/hosts", True, Preview(_HOSTS, is_diff=True)),
            PlanItem("host name", True, Preview("hostnamectl set-hostname mail.example.org")),
        )
    else:
        shown = (
            PlanItem("parameters in main.cf", True, Preview(_MAIN_CF, is_diff=True)),
            PlanItem("unused services in master.cf", False, Preview("")),
            PlanItem("Postfix runs with this", True, Preview("postfix check\npostfix reload")),
        )
    if not applied:
        return shown
    return tuple(PlanItem(item.title, False, item.preview) for item in shown)


RELAY_OPEN = Result(
    Outcome.FAIL,
    "250 2.1.5 Ok: the letter would have been relayed",
    expected="554 5.7.1 Relay access denied",
    fix="reject_unauth_destination is missing from smtpd_relay_restrictions. Put it there, or "
    "take the /0 out of the trusted networks, and apply again.",
    transcript=(
        "< 220 mail.example.org ESMTP Postfix",
        "> EHLO outside.example.com",
        "< 250-mail.example.org",
        "< 250 SMTPUTF8",
        "> MAIL FROM:<a@example.com>",
        "< 250 2.1.0 Ok",
        "> RCPT TO:<b@example.net>",
        "< 250 2.1.5 Ok",
        "> QUIT",
        "< 221 2.0.0 Bye",
    ),
)

PROBES: dict[str, tuple[tuple[str, str, str, Result], ...]] = {
    "hostname": (
        ("HOST-01", "the full name", "hostname -f", Result(Outcome.PASS, "mail.example.org")),
        (
            "DNS-03",
            "the reverse record",
            "dig -x 192.0.2.25 +short",
            Result(Outcome.WARN, "mail.example.org, but only for IPv4", fix="Ask your provider."),
        ),
    ),
    "postfix": (
        (
            "SMTP-01",
            "port 25 answers",
            "nc mail.example.org 25",
            Result(Outcome.PASS, "220 mail.example.org ESMTP Postfix", transcript=("< 220 mail",)),
        ),
        (
            "SMTP-06",
            "relays for nobody else",
            "swaks --server mail.example.org --to b@example.net",
            Result(Outcome.PASS, "554 5.7.1 Relay access denied"),
        ),
        (
            "SMTP-09",
            "port 25 outwards",
            "nc -w 5 gmail-smtp-in.l.google.com 25",
            Result(Outcome.UNKNOWN, "no answer in 5 s: perhaps the provider blocks it"),
        ),
        ("SMTP-12", "VRFY is off", "nc localhost 25", Result(Outcome.PASS, "502 5.5.1")),
        ("SMTP-20", "IPv6", "nc -6 localhost 25", Result(Outcome.SKIPPED, "no IPv6 here")),
    ),
}
