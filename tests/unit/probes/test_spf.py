"""SPF records: every term of the standard, the limits, the relay, and a library that evaluates."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from support.dnsasked import DOMAIN, asked
from support.programs import Program
from support.recorded import RecordedHost, RecordedLook
from support.verdicts import FAIL, PASS, UNKNOWN, WARN, checked

from mailwizard import probes
from mailwizard.model import Completed, Outcome
from mailwizard.probes import spf
from mailwizard.probes.library import PYTHON
from mailwizard.probes.spfrecords import spf_verdict

FQDN = "mail.example.test"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("v=spf1 mx a:mail.example.test ~all", PASS),
        ("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 include:_spf.example.net -all", PASS),
        ("V=SPF1  A MX:Example.Test/24//64 -ALL", PASS),
        ("v=spf1 redirect=_spf.example.net", PASS),
        ("v=spf1 a/24 mx//64 exists:%{ir}.%{v}._spf.%{d2} -all", PASS),
        ("v=spf1 include:%{d}.example.net exp=why.example.net x-ours=1/2 ~all", PASS),
        ("v=spf1 a:%{d} exists:%{i} include:%{d1r}.%{o} redirect=%{d} -all", PASS),
        ("v=spf1 ip4:0.0.0.0/0 a/0//0 mx/32//128 -all", PASS),
        ("v=spf1 ipv6:2001:db8::1 -all", FAIL),
        ("v=spf1 ip4:192.0.2.0/255.255.255.0 -all", FAIL),
        ("v=spf1 ip4:192.0.2.0/024 -all", FAIL),
        ("v=spf1 ip6:fe80::1%eth0 -all", FAIL),
        ("v=spf1 a/024 -all", FAIL),
        ("v=spf1 exists:%{c}.example.net -all", FAIL),
        ("v=spf1 include:spf..example.net -all", FAIL),
        ("v=spf1 include:.example.net -all", FAIL),
        (f"v=spf1 include:{'x' * 64}.example.net -all", FAIL),
        ("v=spf1 ip4:192.0.2.300 -all", FAIL),
        ("v=spf1 ip4:192.0.2.0/33 -all", FAIL),
        ("v=spf1 ip4:2001:db8::1 -all", FAIL),
        ("v=spf1 ip6:192.0.2.1 -all", FAIL),
        ("v=spf1 a/33 -all", FAIL),
        ("v=spf1 mx//129 -all", FAIL),
        ("v=spf1 include: -all", FAIL),
        ("v=spf1 include -all", FAIL),
        ("v=spf1 include:localhost -all", FAIL),
        ("v=spf1 include:192.0.2.1 -all", FAIL),
        ("v=spf1 exists:%{z}.example.net -all", FAIL),
        ("v=spf1 a:50%.example.net -all", FAIL),
        ("v=spf1 -all:example.net", FAIL),
        ("v=spf1 mx, -all", FAIL),
        ("v=spf1 -redirect=example.net", FAIL),
        ("v=spf1 redirect=", FAIL),
        ("v=spf1 redirect=a.example redirect=b.example", FAIL),
        ("v=spf1 mx", FAIL),
        ("v=spf1 mx ?all", FAIL),
        ("v=spf1 mx +all", FAIL),
        ("v=spf1 mx all", FAIL),
        ("v=spf1 ptr:example.test -all", WARN),
        ("v=spf1 ptr -all", WARN),
    ],
)
def test_every_term_is_read(text: str, outcome: Outcome) -> None:
    checked(spf_verdict(text), outcome)


def test_an_end_is_called_what_it_is() -> None:
    checked(spf_verdict("v=spf1 mx ?all"), FAIL, "says nothing of the others")
    checked(spf_verdict("v=spf1 mx +all"), FAIL, "allows everybody")


@pytest.mark.parametrize(
    ("records", "outcome", "said"),
    [
        (["v=spf1 mx ~all", "some text"], PASS, "v=spf1 mx ~all"),
        ([], FAIL, "no SPF record"),
        ([" v=spf1 mx ~all"], FAIL, "no SPF record"),
        (["v=spf10 mx ~all"], FAIL, "no SPF record"),
        (["v=spf1 mx ~all", "v=spf1 a -all"], FAIL, "2 SPF records"),
    ],
)
def test_there_is_one_record(records: list[str], outcome: Outcome, said: str) -> None:
    checked(asked(probes.SpfPublished, {DOMAIN: records}, DOMAIN), outcome, said)
    assert not spf.is_spf("v=spf1mx")


def test_the_old_type_is_told() -> None:
    records = {DOMAIN: ["v=spf1 -all"], f"{DOMAIN} SPF": ['"v=spf1 -all"']}
    checked(asked(probes.SpfPublished, records, DOMAIN), WARN, "of the type SPF")


# eleven names, each of which leads on
CHAIN = {f"s{n}.{DOMAIN}": [f"v=spf1 include:s{n + 1}.{DOMAIN} -all"] for n in range(12)}
MANY = [f"{n} m{n}.{DOMAIN}." for n in range(11)]


@pytest.mark.parametrize(
    ("records", "outcome", "said"),
    [
        ({DOMAIN: [f"v=spf1 a:{FQDN} ~all"]}, PASS, "1 of 10 lookups, 0"),
        ({DOMAIN: ["v=spf1 ip4:192.0.2.1 -all"]}, PASS, "0 of 10"),
        ({DOMAIN: ["v=spf1 exists:%{i}.x.test mx ~all"]}, PASS, "2 of 10 lookups, 1"),
        ({DOMAIN: ["v=spf1 a:x.test a:y.test a:z.test ~all"]}, FAIL, "3 names that have no"),
        # an exchanger that has no address; and what only IPv6 finds is not there (5.7)
        ({DOMAIN: ["v=spf1 mx ~all"], f"{DOMAIN} MX": MANY[:3]}, FAIL, "3 names that have no"),
        ({DOMAIN: ["v=spf1 mx ~all"], f"{DOMAIN} MX": [f"1 {FQDN}.", "2 ."]}, PASS, "lookups, 0"),
        (
            {DOMAIN: ["v=spf1 exists:x.test ~all"], "x.test AAAA": ["2001:db8::1"]},
            PASS,
            "1 of 10 lookups, 1",
        ),
        # what stands behind all is never looked at
        ({DOMAIN: ["v=spf1 -all a:x.test a:y.test a:z.test"]}, PASS, "0 of 10"),
        ({**CHAIN, DOMAIN: [f"v=spf1 include:s0.{DOMAIN} ~all"]}, FAIL, "more than 10 lookups"),
        ({**CHAIN, DOMAIN: [f"v=spf1 redirect=s0.{DOMAIN}"]}, FAIL, "more than 10 lookups"),
        ({DOMAIN: ["v=spf1 include:x.test ~all"]}, FAIL, "x.test is included and has no SPF"),
        ({DOMAIN: [f"v=spf1 include:{DOMAIN} ~all"]}, FAIL, "includes itself"),
        (
            {DOMAIN: ["v=spf1 include:x.test ~all"], "x.test": ["v=spf1 ip5:1 -all"]},
            FAIL,
            "x.test is included and cannot be read: ip5:1",
        ),
        ({DOMAIN: ["v=spf1 mx ~all"], f"{DOMAIN} MX": MANY}, FAIL, "11 MX names"),
        ({DOMAIN: ["v=spf1 ip5:1 ~all"]}, FAIL, "cannot be read"),
        ({}, FAIL, "no SPF record"),
    ],
)
def test_receivers_give_up_after_ten_lookups(
    records: dict[str, list[str]], outcome: Outcome, said: str
) -> None:
    there = {f"{FQDN} A": ["192.0.2.25"], **records}
    checked(asked(probes.SpfLimits, there, DOMAIN), outcome, said)


def test_the_same_provider_twice_counts_twice_and_is_no_loop() -> None:
    records = {
        DOMAIN: ["v=spf1 include:x.test include:y.test ~all"],
        "x.test": ["v=spf1 include:y.test -all"],
        "y.test": ["v=spf1 ip4:192.0.2.1 -all"],
    }
    checked(asked(probes.SpfLimits, records, DOMAIN), PASS, "3 of 10")


def answering(*results: str, code: int = 0) -> Program:
    """The system's Python with a library that says so (a fake)."""

    def run(_: RecordedLook, argv: Sequence[str], stdin: str) -> Completed:
        addresses = json.loads(stdin)["addresses"]
        told = [[a, r, 250, "because"] for a, r in zip(addresses, results, strict=False)]
        return Completed(tuple(argv), code, json.dumps(told), "ImportError" if code else "")

    return run


def library(*results: str, code: int = 0) -> RecordedHost:
    return RecordedHost(programs={PYTHON: answering(*results, code=code)})


BOTH = ("192.0.2.25", "2001:db8::25")


@pytest.mark.parametrize(
    ("results", "code", "outcome", "said"),
    [
        (("pass", "pass"), 0, PASS, "192.0.2.25"),
        (("pass", "softfail"), 0, FAIL, "2001:db8::25: softfail"),
        (("permerror", "pass"), 0, FAIL, "permerror"),
        (("pass", "temperror"), 0, UNKNOWN, "could not be evaluated"),
        ((), 3, UNKNOWN, "library that evaluates SPF is missing"),
        ((), 1, UNKNOWN, "ImportError"),
    ],
)
def test_every_address_must_be_allowed(
    results: tuple[str, ...], code: int, outcome: Outcome, said: str
) -> None:
    there, host = {DOMAIN: ["v=spf1 mx ~all"]}, library(*results, code=code)
    checked(asked(probes.SpfCovers, there, DOMAIN, BOTH, FQDN, host=host), outcome, said)
    there = {FQDN: ["v=spf1 a -all"]}
    checked(asked(probes.SpfHello, there, FQDN, BOTH, host=host), outcome, said)


def test_without_a_record_bounces_prove_nothing() -> None:
    checked(asked(probes.SpfHello, {}, FQDN, BOTH), WARN, "bounces of this host prove nothing")
    checked(asked(probes.SpfCovers, {}, DOMAIN, BOTH, FQDN), FAIL, "no SPF record")


GOOGLE, OTHER = "smtp-relay.gmail.com", "smtp.elsewhere.test"
FOREIGN = {"x.test": ["v=spf1 ip4:192.0.2.1 -all"]}


@pytest.mark.parametrize(
    ("server", "text", "results", "outcome", "said"),
    [
        (GOOGLE, "v=spf1 include:_spf.google.com ~all", (), PASS, "_spf.google.com"),
        (GOOGLE, "v=spf1 redirect=_spf.google.com", (), PASS, "_spf.google.com"),
        (GOOGLE, "v=spf1 mx ~all", (), FAIL, f"through {GOOGLE}, and SPF does not"),
        (GOOGLE, "v=spf1 include:x.test ~all", (), FAIL, "does not allow it"),
        (OTHER, "v=spf1 ip4:192.0.2.80 ~all", ("pass",), PASS, "the addresses of"),
        (OTHER, "v=spf1 mx ~all", ("softfail",), FAIL, "does not allow it"),
        (OTHER, "v=spf1 include:x.test ~all", ("softfail",), UNKNOWN, "includes x.test"),
        (OTHER, "v=spf1 ip5:1 ~all", (), FAIL, "cannot be read"),
    ],
)
def test_spf_knows_the_relay(
    server: str, text: str, results: tuple[str, ...], outcome: Outcome, said: str
) -> None:
    google = {"_spf.google.com": ["v=spf1 ip4:192.0.2.99 ~all"]}
    there = {DOMAIN: [text], f"{OTHER} A": ["192.0.2.80"], **google, **FOREIGN}
    host = library(*results)
    checked(asked(probes.SpfRelay, there, DOMAIN, server, host=host), outcome, said)


def test_providers_are_known_by_their_servers() -> None:
    assert probes.providers_record("email-smtp.eu-west-1.amazonaws.com.") == "amazonses.com"
    assert probes.providers_record("smtp.office365.com") == "spf.protection.outlook.com"
    assert probes.providers_record("notgmail.com") == ""
