"""Whose each sender is, and what is taken out of the mail that people hand in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.recorded import RecordedLook

from mailwizard import probes
from mailwizard.model import Completed, Context, SecretRef
from mailwizard.render import render
from mailwizard.steps.submission import STEP, conversation, senders

FQDN, DOMAIN = "mail.example.org", "example.org"
ALICE = ({"login": "alice", "password": SecretRef(env="PW")},)


def context(people: str, aliases: dict[str, list[str]] | None = None) -> Context:
    rows = [f"{name}:x:{1000 + n}:1000::/home:/bin/sh" for n, name in enumerate(people.split())]
    answers: dict[str, dict[str, Any]] = {
        "hostname": {"fqdn": FQDN},
        "postfix": {"domains": [DOMAIN]},
        "aliases": {
            "root": "alice",
            "aliases": aliases or {},
            "senders": {"alice": f"a.l@{DOMAIN}"},
        },
        "dovecot": {"users": ALICE},
        "submission": {"ports": ["465"], "sender_login_match": True},
    }
    passwd = Completed(("getent",), 0, "\n".join(rows))
    return Context(STEP.id, answers, RecordedLook(answers={"getent passwd": passwd}))


def foreign(made: Context) -> list[str]:
    """Addresses that are not alice's."""
    return [address for address, owners in senders(made) if "alice" not in owners]


def test_whoever_reads_roots_mail_may_send_as_root() -> None:
    alone = context("alice", {"sales": ["alice", "x@elsewhere.test"]})
    assert {f"root@{DOMAIN}", f"abuse@{DOMAIN}", f"a.l@{DOMAIN}"} <= dict(senders(alone)).keys()
    assert foreign(alone) == []
    assert foreign(context("alice bob", {"sales": ["bob"]})) == [f"bob@{DOMAIN}", f"sales@{DOMAIN}"]
    assert foreign(context("alice bob", {"sales": ["alice", "bob"]})) == [f"bob@{DOMAIN}"]
    # his mail is hers, and so is his address
    assert foreign(context("alice bob", {"bob": ["alice"]})) == []


def test_the_check_of_senders_knows_whose_they_are() -> None:
    made = context("alice bob")
    accounts = (("alice", SecretRef(env="PW")),)
    (asked,) = (
        one
        for one in conversation(made, accounts, FQDN, "")
        if isinstance(one, probes.OnlyOwnSender)
    )
    assert asked.others == senders(made)


def test_a_made_up_address_belongs_to_nobody_who_is_there() -> None:
    rows = render("postfix/sender_login.regexp.j2", domains=[DOMAIN]).splitlines()
    (pattern,) = (row.split("/")[1] for row in rows if row.startswith("/"))
    found = re.fullmatch(pattern, f"nobody-0123456789ab@{DOMAIN}")
    assert found
    assert found[1] == "nobody-0123456789ab"


LAPTOP = "Received: from [192.168.1.5] (unknown [198.51.100.7])"
TLS = (
    "\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
    "\n\t key-exchange X25519 server-signature ECDSA (prime256v1))"
    "\n\t(No client certificate requested)"
)


@pytest.mark.parametrize(
    ("header", "hidden"),
    [
        (f"{LAPTOP}{TLS}\n\tby {FQDN} (Postfix) with ESMTPSA id 4c", True),
        (f"{LAPTOP}{TLS}\n\tby {FQDN} (Postfix) with UTF8SMTPSA id 4c", True),
        (f"{LAPTOP}\n\tby {FQDN} (Postfix) with ESMTPA id 4c", True),
        (f"{LAPTOP}\n\tby {FQDN} (Postfix) with UTF8SMTPA id 4c", True),
        ("User-Agent: Laptop 1.0", True),
        # nobody logged in, or at another server
        (f"{LAPTOP}{TLS}\n\tby {FQDN} (Postfix) with ESMTPS id 4c", False),
        (f"{LAPTOP}{TLS}\n\tby {FQDN} (Postfix) with UTF8SMTPS id 4c", False),
        (f"{LAPTOP}\n\tby mail.elsewhere.test (Postfix) with ESMTPSA id 4c", False),
        (f"{LAPTOP}\n\tby mailxexample.org (Postfix) with UTF8SMTPSA id 4c", False),
        ("Subject: with ESMTPSA", False),
    ],
)
def test_where_people_sit_is_taken_out_of_their_mail(header: str, hidden: bool) -> None:
    rows = render("postfix/submission_header_checks.j2", fqdn=FQDN).splitlines()
    patterns = [row[1:].rpartition("/")[0] for row in rows if row.startswith("/")]
    # regexp_table(5): a dot is any character, and letters have no case
    flags = re.DOTALL | re.IGNORECASE
    found = [re.search(each.replace("[:space:]", r"\s"), header, flags) for each in patterns]
    assert any(found) == hidden
