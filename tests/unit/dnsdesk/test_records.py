"""What each step needs from the DNS, by its answers."""

from __future__ import annotations

from typing import Any

import pytest
from support.recorded import RecordedLook

from mailwizard.dnsdesk.form import form
from mailwizard.model import Context, Record, Step
from mailwizard.steps import certificates, dovecot, submission

ANSWERS: dict[str, dict[str, Any]] = {
    "hostname": {"fqdn": "mail.example.org"},
    "postfix": {"domains": ["example.org", "example.net"]},
    "dovecot": {"protocols": ["imap"]},
    "certificates": {
        "source": "acme",
        "directory": certificates.LETS_ENCRYPT,
        "names": ["mail.example.org", "imap.example.org"],
    },
    "submission": {"ports": ["465", "587"]},
}


def needed(step: Step, **changed: Any) -> list[tuple[str, str, str]]:
    answers = ANSWERS | {step.id: ANSWERS[step.id] | changed}
    found: list[Record] = list(step.records(Context(step.id, answers, RecordedLook())))
    # all of it is advice, and each is a record that can be entered
    assert not any(one.required for one in found)
    assert all(form(one, None, found).line and one.why for one in found)
    return [(one.owner, one.type, one.value) for one in found]


@pytest.mark.parametrize(
    ("ports", "service", "port"),
    [
        (["465", "587"], "_submissions", 465),
        (["465"], "_submissions", 465),
        (["587"], "_submission", 587),
    ],
)
def test_sending_is_found_at_the_preferred_port(ports: list[str], service: str, port: int) -> None:
    assert needed(submission.STEP, ports=ports) == [
        (f"{service}._tcp.{domain}", "SRV", f"0 1 {port} mail.example.org.")
        for domain in ("example.org", "example.net")
    ]


def test_reading_is_found_where_it_is_offered() -> None:
    assert needed(dovecot.STEP, protocols=["imap", "pop3", "lmtp"]) == [
        (f"_{service}._tcp.{domain}", "SRV", f"0 1 {port} mail.example.org.")
        for domain in ("example.org", "example.net")
        for service, port in (("imaps", 993), ("pop3s", 995))
    ]


def test_only_the_authority_in_use_may_make_certificates() -> None:
    assert needed(certificates.STEP) == [
        (name, "CAA", '0 issue "letsencrypt.org"')
        for name in ("mail.example.org", "imap.example.org")
    ]
    assert needed(certificates.STEP, source="private-ca") == []
    # its name for CAA is its own affair
    assert needed(certificates.STEP, directory="https://acme.example/directory") == []
