"""What the fake engine knows: the steps of a mail server on mail.example.org, and made-up facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mailwizard.model import Change, Context, Outcome, Preview, Probe, Result, Step
from mailwizard.stages import PlanItem
from mailwizard.steps import STEPS as HOWTO


def _nothing(_context: Context) -> Iterator[Change]:
    return iter(())


def _no_probes(_context: Context) -> Iterator[Probe]:
    return iter(())


# The product's steps, with its words and questions.
STEPS: tuple[Step, ...] = tuple(replace(each, plan=_nothing, probes=_no_probes) for each in HOWTO)

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
    "certificates": {
        "source": "private-ca",
        "names": ["mail.example.org", "imap.example.org"],
        "directory": "https://acme.example.net/directory",
        "email": "alice@example.org",
    },
    "submission": {"ports": ["465", "587"], "sender_login_match": True},
    "relay": {"host": "[smtp.example.net]:587", "username": "example"},
    "firewall": {"services": ["smtp", "submissions", "submission", "imaps"], "lan": []},
    "protection": {
        "resolver": False,
        "blocklists": ["zen.spamhaus.org=127.0.0.[2..11]"],
        "greylist": False,
        "header_checks": [],
        "helo_checks": True,
        "watch_first": False,
    },
    "amavis": {"virus": True, "spam": True, "unscanned": "wait"},
    "authentication": {
        "selector": "mw202606",
        "signer": "amavis",
        "spf_policy": "~all",
        "dmarc_policy": "none",
        "dmarc_reports": "postmaster@example.org",
    },
    "opendmarc": {"reject": False},
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
    "dovecot": (
        ("IMAP-01", "port 143 answers", "nc localhost 143", Result(Outcome.PASS, "* OK ready")),
    ),
}
