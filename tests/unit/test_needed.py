"""Which DNS records are told while answers are still missing: a zone takes longer than a set-up."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import tomli_w
from support import programs
from support.recorded import RecordedHost, recorded

from mailwizard import needed
from mailwizard.answers import Answers
from mailwizard.platform.debian import TRIXIE
from mailwizard.steps import STEPS

FACTS = tomllib.loads((Path(__file__).parents[1] / "steps/facts.toml").read_text())


@pytest.fixture
def host() -> RecordedHost:
    """Give a host with only root."""
    found = recorded(FACTS, TRIXIE)
    found.programs = {**programs.EVERYWHERE, **programs.POSTFIX}
    passwd = found.answers["getent passwd"]
    found.answers["getent passwd"] = passwd.__class__(passwd.argv, 0, "root:x:0:0::/root:/bin/sh\n")
    return found


def told(host: RecordedHost, text: str) -> set[str]:
    answers = Answers.from_text(text, STEPS)
    wanted = [each for each in STEPS if not each.optional or each.proposed]
    found = needed.records(wanted, answers.examine(STEPS, host)[0], host)
    return {f"{one.owner} {one.type}" for one in found}


def test_with_the_name_alone_all_is_told_but_the_key_that_is_not_made_yet(
    host: RecordedHost,
) -> None:
    text = tomli_w.dumps({"hostname": FACTS["answers"]["hostname"]})
    _, complaints = Answers.from_text(text, STEPS).examine(STEPS, host)
    assert [key for key, _ in complaints] == ["aliases.root"]
    found = told(host, text)
    assert {
        *("mail.example.org A", "10.0.18.198.in-addr.arpa PTR", "example.org MX"),
        *("example.org TXT", "_dmarc.example.org TXT", "_imaps._tcp.example.org SRV"),
    } <= found
    assert not [one for one in found if "_domainkey" in one]


def test_without_a_name_none_is_told(host: RecordedHost) -> None:
    assert told(host, "") == set()
