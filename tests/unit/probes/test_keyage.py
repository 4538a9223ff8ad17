"""The age of a key, and the record of the one before it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from support.nameserver import Server, serving
from support.recorded import RecordedHost, RecordedLook, Written

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Result

DOMAIN, FOLDER = "example.test", "/etc/mailwizard/dkim"
PASS, WARN, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.UNKNOWN
DAY = 86400 * 10**9


def openssl(look: RecordedLook, argv: Sequence[str], _: str) -> Completed:
    """The public half is the private one here."""
    half = look.read(argv[3]).decode()
    shown = f"-----BEGIN PUBLIC KEY-----\n{half}\n-----END PUBLIC KEY-----\n"
    return Completed(tuple(argv), 0, shown)


def asked(ages: dict[str, int], records: dict[str, str], *, answers: bool = True) -> Result:
    """Keys with their age in days (the first one signs), and the keys that are published."""
    now = time.time_ns()
    files = {
        f"{FOLDER}/{DOMAIN}.{selector}.pem": Written(f"KEY{selector}".encode(), mtime_ns=at)
        for selector, at in ((name, now - days * DAY) for name, days in ages.items())
    }
    zone = Server("127.0.0.1", recursive=True, zones=(DOMAIN,))
    for selector, key in records.items():
        zone.set(f"{selector}._domainkey.{DOMAIN}", "TXT", f'"v=DKIM1; p={key}"')
    if not answers:
        zone.faults[""] = lambda _query, _tcp: None
    host = RecordedHost(programs={"openssl": openssl}, files=files)
    used = next(iter(ages), "none")
    with serving(zone) as port:
        path = f"{FOLDER}/{DOMAIN}.{used}.pem"
        probe = probes.KeyAge(DOMAIN, used, path, nameservers=("127.0.0.1",), dns_port=port)
        return probe.ask(host)


@pytest.mark.parametrize(
    ("ages", "records", "outcome", "said"),
    [
        ({"new": 3}, {}, PASS, "3 days old"),
        ({"new": 365}, {}, PASS, "365 days old"),
        ({"new": 366}, {}, WARN, "366 days old"),
        ({"new": 3, "old": 400}, {"old": "KEYold"}, PASS, "old before it still stands"),
        ({"new": 3, "old": 400}, {}, WARN, "old._domainkey.example.test, the key before"),
        ({"new": 3, "old": 400}, {"old": ""}, WARN, "not published any more"),
        ({"new": 3, "old": 400}, {"old": "KEYother"}, WARN, "not published any more"),
        ({"new": 91, "old": 400}, {}, PASS, "91 days old"),
        # one that waits for its record is younger, and nobody verifies with it yet
        ({"old": 9, "new": 1}, {}, PASS, "9 days old"),
        ({}, {}, UNKNOWN, "there is no key"),
    ],
)
def test_age_and_order(
    ages: dict[str, int], records: dict[str, str], outcome: Outcome, said: str
) -> None:
    result = asked(ages, records)
    assert (result.outcome, said in result.said) == (outcome, True), result
    assert outcome is PASS or result.fix


def test_no_answer_is_no_verdict() -> None:
    result = asked({"new": 3, "old": 400}, {}, answers=False)
    assert result.outcome is UNKNOWN, result
