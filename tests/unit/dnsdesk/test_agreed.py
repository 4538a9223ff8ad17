"""SPF in somebody else's words: the desk asks who judges for receivers, as SPF-05 does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from support.dnsworld import DOMAIN, FQDN, A, World

from mailwizard.dnsdesk import Verdict, agreed
from mailwizard.model import Look, Record
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.dns import Resolver

SPF = Record(DOMAIN, "TXT", f"v=spf1 mx a:{FQDN} ~all", "")
OURS = A.value


def library(monkeypatch: pytest.MonkeyPatch, ours: str, others: str) -> None:
    """The library says so of this host and of everybody else."""

    def results(
        _host: Look, _resolver: Resolver, asked: Mapping[str, object]
    ) -> Sequence[tuple[str, str, str]]:
        addresses = asked["addresses"]
        assert isinstance(addresses, list)
        return [(each, ours if each == OURS else others, "") for each in addresses]

    monkeypatch.setattr(agreed, "spf_results", results)


def verdict(world: World, text: str) -> Verdict:
    world.publish(A)
    world.publish(SPF, f'"{text}"')
    world.publish(Record(f"_spf.{DOMAIN}", "TXT", "", ""), f'"v=spf1 ip4:{OURS} -all"')
    (finding,) = world.look(SPF)
    assert finding.record == SPF
    return finding.outcome


REDIRECT = f"v=spf1 redirect=_spf.{DOMAIN}"
MACRO = f"v=spf1 exists:%{{i}}._spf.{DOMAIN} -all"


@pytest.mark.parametrize("text", [REDIRECT, MACRO, f"v=spf1 include:_spf.{DOMAIN} -all"])
@pytest.mark.parametrize(
    ("ours", "others", "expected"),
    [
        ("pass", "fail", Verdict.RIGHT),
        ("pass", "softfail", Verdict.RIGHT),
        ("pass", "neutral", Verdict.WRONG),
        ("pass", "pass", Verdict.WRONG),
        ("fail", "fail", Verdict.WRONG),
        ("permerror", "permerror", Verdict.WRONG),
    ],
)
def test_what_lets_this_host_pass_and_others_no_further_is_right(
    world: World, monkeypatch: pytest.MonkeyPatch, text: str, ours: str, others: str,
    expected: Verdict,
) -> None:  # fmt: skip
    library(monkeypatch, ours, others)
    assert verdict(world, text) is expected


def test_a_provider_that_mail_leaves_through_must_be_in_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    library(monkeypatch, "pass", "fail")
    through = Record(DOMAIN, "TXT", f"v=spf1 mx a:{FQDN} include:p.example.net ~all", "")
    world.publish(A)
    world.publish(through, f'"{REDIRECT}"')
    ours = Record(f"_spf.{DOMAIN}", "TXT", "", "")
    world.publish(Record("p.example.net", "TXT", "", ""), '"v=spf1 -all"')
    for text, expected in (
        ("v=spf1 mx -all", Verdict.WRONG),
        ("v=spf1 mx include:p.example.net -all", Verdict.RIGHT),
    ):
        world.publish(ours, f'"{text}"')
        (finding,) = world.look(through)
        assert finding.outcome is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [(REDIRECT, Verdict.UNKNOWN), (MACRO, Verdict.UNKNOWN), ("v=spf1 -all", Verdict.WRONG)],
)
def test_without_the_library_nobody_offers_to_replace_it(
    world: World, monkeypatch: pytest.MonkeyPatch, text: str, expected: Verdict
) -> None:
    def away(*_: object) -> None:
        raise CannotAsk(Trouble.UNREACHABLE, "not there")

    monkeypatch.setattr(agreed, "spf_results", away)
    assert verdict(world, text) is expected
