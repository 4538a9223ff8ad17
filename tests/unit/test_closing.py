"""The last words: no more is claimed than what was proved, and what is open is named."""

from __future__ import annotations

import pytest

from mailwizard import closing
from mailwizard.dnsdesk.finding import Finding
from mailwizard.dnsdesk.probe import RecordsPublished
from mailwizard.dnsdesk.verdict import Verdict
from mailwizard.events import Event, Gate, ProbeDone, Undone
from mailwizard.heard import Heard
from mailwizard.model import Outcome, Record, Result


def heard(name: str, outcome: Outcome, step: str = "postfix") -> ProbeDone:
    return ProbeDone(step, name, f"title of {name}", "true", Result(outcome, "so it is"), 0.1)


def found(kind: str, outcome: Verdict, *, required: bool = True) -> Finding:
    return Finding(Record("example.test", kind, "x", "why", required=required), outcome, ())


def test_what_is_open_is_named_once_the_worst_first() -> None:
    said = [
        heard("a", Outcome.UNKNOWN),
        heard("b", Outcome.PASS),
        heard("c", Outcome.UNKNOWN),
        heard("d", Outcome.WARN),
        heard("a", Outcome.WARN, "aliases"),
        heard("c", Outcome.SKIPPED, "aliases"),
        heard("e", Outcome.FAIL),
    ]
    assert [one.id for one in closing.open_points(said)] == ["e", "a", "d"]
    assert closing.said(said) == "2 checks warn: a, d."
    assert closing.said(said[:3]) == "2 checks could not be asked: a, c."
    assert closing.said(said[2:4]) == "1 check warns: d; 1 check could not be asked: c."
    assert closing.said(said[1:2]) == ""


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome.WARN, "Not all mail can come and go yet"),
        (Outcome.UNKNOWN, "Whether the DNS"),
        (Outcome.PASS, ""),
    ],
)
def test_records_that_are_missing_are_said_in_words(outcome: Outcome, said: str) -> None:
    name = RecordsPublished("postfix", ()).id
    assert closing.records_said([heard(name, outcome)]).startswith(said)
    assert bool(closing.records_said([heard(name, outcome)])) is bool(said)
    assert closing.records_said([heard("DNS-01", Outcome.WARN)]) == ""


@pytest.mark.parametrize(
    ("findings", "outcome", "said"),
    [
        ([found("MX", Verdict.ABSENT), found("TXT", Verdict.WRONG)], Outcome.WARN,
         "Mail from the world cannot arrive yet: 2 DNS records are not right."),
        ([found("MX", Verdict.RIGHT), found("TXT", Verdict.ABSENT)], Outcome.WARN,
         "Others may refuse mail of this host: 1 DNS record is not right."),
        ([found("A", Verdict.LATE)], Outcome.WARN,
         "1 DNS record is right in the zone, but not known everywhere yet."),
        ([found("A", Verdict.UNKNOWN), found("SRV", Verdict.ABSENT, required=False)],
         Outcome.UNKNOWN, "Whether the DNS holds every record could not be asked."),
        ([found("A", Verdict.RIGHT), found("SRV", Verdict.ABSENT, required=False)],
         Outcome.PASS, "The DNS holds every record that is needed."),
    ],
)  # fmt: skip
def test_what_the_dns_means_for_mail(findings: list[Finding], outcome: Outcome, said: str) -> None:
    assert closing.dns_verdict(findings) == (outcome, said)


def test_a_verdict_counts_until_the_next_gate_of_its_step() -> None:
    kept = Heard()

    def hear(*said: Event) -> list[tuple[str, str]]:
        kept.take(said)
        return [(one.step, one.id) for one in kept.verdicts]

    one, two = heard("a", Outcome.WARN), heard("b", Outcome.PASS)
    opened = Gate("postfix", True, "warn", 1, 1.0)
    assert hear(one) == []
    assert hear(two, opened) == [("postfix", "a"), ("postfix", "b")]
    assert hear(two, opened) == [("postfix", "b")]
    other = Gate("aliases", True, "pass", 1, 1.0)
    assert hear(heard("c", Outcome.PASS, "aliases"), other)[-1] == ("aliases", "c")
    assert hear(Undone("postfix", "it")) == [("aliases", "c")]
