"""DMARC records by RFC 9989: tags, the walk up the DNS, reports, and a policy before its time."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from support.dnsasked import DOMAIN, asked
from support.fake_servers import FakeSmtp
from support.recorded import RecordedHost, Written
from support.verdicts import FAIL, PASS, UNKNOWN, WARN, checked

from mailwizard import probes
from mailwizard.model import Host, Outcome, Result
from mailwizard.probes.dmarc import Policy
from mailwizard.probes.verdict import failed, passed, unknown

PATH = "/etc/mailwizard/dkim/key.pem"
OWN = f"_dmarc.{DOMAIN}"


@pytest.mark.parametrize(
    ("records", "outcome", "said"),
    [
        (["v=DMARC1; p=none; rua=mailto:postmaster@example.test"], PASS, "p=none"),
        (["v=DMARC1;p=Reject ; sp=none; np=reject; t=n; adkim=s; psd=n"], PASS, "Reject"),
        (["v = DMARC1; p=none; x=y"], PASS, "p=none"),
        ([], FAIL, "no DMARC record"),
        (["v=dmarc1; p=none"], FAIL, "no DMARC record"),
        (["p=none; v=DMARC1"], FAIL, "no DMARC record"),
        (["v=DMARC12; p=none"], FAIL, "no DMARC record"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], FAIL, "2 DMARC records"),
        (["v=DMARC1; rua=mailto:postmaster@example.test"], FAIL, "no policy"),
        (["v=DMARC1; p=monitor"], FAIL, "no policy"),
        (["v=DMARC1; p=none; pct=100; ri=3600"], WARN, "pct, ri"),
        (["v=DMARC1; p=none; rf=afrf"], WARN, "rf is of the old standard"),
        (["v=DMARC1; p=none; p=reject"], WARN, "p= stands twice"),
        (["v=DMARC1; p=none; np=no"], WARN, "np=no is not"),
        (["v=DMARC1; p=none; t=yes"], WARN, "t=yes is not"),
        (["v=DMARC1; p=none; rua=mailto:a@example.test!10m"], WARN, "size limit"),
        (["v=DMARC1; p=none; rua=a@example.test"], WARN, "no mailto: address"),
        (["v=DMARC1; p=none; ruf=mailto:a@example.test"], WARN, "ruf"),
    ],
)
def test_dmarc_is_read(records: list[str], outcome: Outcome, said: str) -> None:
    checked(asked(probes.DmarcPublished, {OWN: records}, DOMAIN), outcome, said)


def record(owner: str, text: str) -> dict[str, list[str]]:
    return {f"_dmarc.{owner}": [f"v=DMARC1; {text}"]}


NINE = "a.b.c.d.e.f.g.example.test"


@pytest.mark.parametrize(
    ("domain", "records", "outcome", "said"),
    [
        (DOMAIN, record(DOMAIN, "p=none"), PASS, "none, by p= of _dmarc.example.test"),
        (DOMAIN, record(DOMAIN, "p=reject; t=n"), PASS, "reject"),
        (DOMAIN, record(DOMAIN, "p=reject; t=y"), WARN, "quarantine, by p="),
        (DOMAIN, record(DOMAIN, "p=none; t=y"), WARN, "t=y"),
        (DOMAIN, {}, FAIL, "no policy counts"),
        (DOMAIN, record(DOMAIN, "p=odd; rua=mailto:a@example.test"), PASS, "none, by p="),
        (DOMAIN, record(DOMAIN, "p=odd"), FAIL, "no policy counts"),
        ("a.example.test", record(DOMAIN, "p=none; sp=reject"), PASS, "reject, by sp= of"),
        ("a.example.test", record(DOMAIN, "p=quarantine; np=reject"), PASS, "quarantine, by p="),
        # the highest counts, not the nearest, unless a domain says that it is nobody's part
        (
            "a.b.example.test",
            record("b.example.test", "p=none") | record(DOMAIN, "p=reject"),
            PASS,
            "reject, by p= of _dmarc.example.test",
        ),
        (
            "a.b.example.test",
            record("b.example.test", "p=none; psd=n") | record(DOMAIN, "p=reject"),
            PASS,
            "none, by p= of _dmarc.b.example.test",
        ),
        # a registry's own record counts where the domain below it has none
        (
            "a.example.test",
            record(DOMAIN, "p=none") | record("test", "p=reject; psd=y"),
            PASS,
            "none, by p= of _dmarc.example.test",
        ),
        (
            "a.b.example.test",
            record("b.example.test", "p=none") | record("test", "p=reject; psd=y"),
            PASS,
            "reject, by p= of _dmarc.test",
        ),
        # two records are none
        (
            DOMAIN,
            {OWN: ["v=DMARC1; p=none", "v=DMARC1; p=reject"], **record("test", "p=quarantine")},
            PASS,
            "quarantine, by p= of _dmarc.test",
        ),
        # with nine labels the second is not asked for
        (
            NINE,
            record(NINE.partition(".")[2], "p=none; psd=n") | record(DOMAIN, "p=reject"),
            PASS,
            "reject, by p= of _dmarc.example.test",
        ),
    ],
)
def test_the_policy_is_found_by_walking_up(
    domain: str, records: dict[str, list[str]], outcome: Outcome, said: str
) -> None:
    checked(asked(probes.DmarcEffective, records, domain, PATH), outcome, said)


def test_none_for_ever_is_told() -> None:
    weeks = [(1, PASS), (9, WARN)]
    for age, outcome in weeks:
        made = Written(b"key", mtime_ns=int(time.time() - age * 7 * 86400) * 10**9)
        host = RecordedHost(files={PATH: made})
        result = asked(probes.DmarcEffective, record(DOMAIN, "p=none"), DOMAIN, PATH, host=host)
        checked(result, outcome, "none")
    result = asked(probes.DmarcEffective, record(DOMAIN, "p=reject"), DOMAIN, PATH, host=host)
    checked(result, PASS, "reject")


def test_a_test_lowers_the_policy_by_one() -> None:
    asked_for = {"none": "none", "quarantine": "none", "reject": "quarantine"}
    for policy, effective in asked_for.items():
        assert Policy(DOMAIN, policy, OWN, "p", testing=True).effective == effective


AGREES = {f"{DOMAIN}._report._dmarc.elsewhere.test": ["v=DMARC1;"]}


@pytest.mark.parametrize(
    ("rua", "more", "outcome", "said"),
    [
        ("mailto:a@sub.example.test", {}, PASS, "agrees"),
        ("mailto:a@elsewhere.test", AGREES, PASS, "agrees"),
        ("mailto:a@elsewhere.test!5m", AGREES, PASS, "agrees"),
        ("mailto:a@elsewhere.test", {}, FAIL, "elsewhere.test does not agree"),
        ("mailto:a@sub.example.test, mailto:a@elsewhere.test", {}, FAIL, "does not agree"),
        ("mailto:a@notexample.test", {}, FAIL, "does not agree"),
        ("https://example.test/", {}, WARN, "nobody is told"),
    ],
)
def test_who_is_told_must_agree(
    rua: str, more: dict[str, list[str]], outcome: Outcome, said: str
) -> None:
    there = record(DOMAIN, f"p=none; rua={rua}") | more
    checked(asked(probes.DmarcReports, there, DOMAIN, (DOMAIN,)), outcome, said)


def test_without_a_record_nobody_is_told() -> None:
    checked(asked(probes.DmarcReports, {}, DOMAIN, (DOMAIN,)), FAIL, "no record to go by")


@pytest.mark.parametrize(
    ("reply", "outcome", "said"),
    [
        (b"250 2.1.5 Ok", PASS, "which this host takes"),
        (b"550 5.1.1 nobody", FAIL, "are refused: 550"),
        (b"450 4.2.0 greylisted", UNKNOWN, "put off"),
    ],
)
def test_reports_must_be_taken_here(reply: bytes, outcome: Outcome, said: str) -> None:
    with FakeSmtp(recipient=lambda *_: reply) as server:
        there = record(DOMAIN, "p=none; rua=mailto:dmarc@example.test")
        args = (DOMAIN, (DOMAIN,), "127.0.0.1", server.port)
        checked(asked(probes.DmarcReports, there, *args), outcome, said)


@dataclass(frozen=True)
class Proof:
    """A check whose verdict is known beforehand."""

    result: Result
    id: str = "DKIM-02:example.test"
    title: str = "The DNS has the key"
    by_hand: str = "dig"
    deadline: float = 1.0
    critical: bool = False

    def ask(self, host: Host) -> Result:
        del host
        return self.result


GOOD, BAD = Proof(passed("there")), Proof(failed("absent", "there", "publish it"))
UNSURE = Proof(unknown("no answer", "an answer", "again"))


@pytest.mark.parametrize(
    ("policy", "published", "proofs", "outcome", "said"),
    [
        ("none", "none", (BAD,), PASS, "p=none"),
        ("reject", "none", (GOOD, GOOD), PASS, "p=reject: mail of this host passes"),
        ("reject", "none", (GOOD, BAD), WARN, "p=reject while not all mail"),
        ("none", "quarantine", (BAD,), WARN, "p=quarantine while not all mail"),
        ("quarantine", "none", (UNSURE,), WARN, "no answer"),
        ("none", "reject; t=y", (BAD,), WARN, "p=quarantine"),
    ],
)
def test_a_policy_before_its_time_is_told(
    policy: str, published: str, proofs: tuple[Proof, ...], outcome: Outcome, said: str
) -> None:
    there = record(DOMAIN, f"p={published}")
    result = asked(probes.PolicyEarned, there, DOMAIN, policy, proofs)
    checked(result, outcome, said)
