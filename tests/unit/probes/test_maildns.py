"""Where mail is brought, who may certify, and what mail programs look up, as the DNS has it."""

from __future__ import annotations

import dns.rcode
import pytest
from support.nameserver import Server, fails, serving
from support.recorded import RecordedHost

from mailwizard.model import Outcome, Probe, Result
from mailwizard.probes import (
    AddressesNotListed,
    AuthorityAllowed,
    DomainsNotListed,
    MailExchangers,
    ServicesFound,
)

DOMAIN, FQDN = "example.test", "mail.example.test"
PASS, WARN, FAIL, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN
SKIPPED = Outcome.SKIPPED
SIX = f"1.{'0.' * 23}8.b.d.0.1.0.0.2.zen"
Zone = dict[tuple[str, str], list[str]]


def ask(records: Zone, kind: type, *args: object, broken: bool = False) -> Result:
    server = Server("127.0.0.1", recursive=True, zones=("test",))
    for (name, type_), values in records.items():
        server.set(name, type_, *values)
    if broken:
        server.faults[""] = fails(dns.rcode.SERVFAIL)
    with serving(server) as port:
        probe: Probe = kind(*args, nameservers=("127.0.0.1",), dns_port=port)
        result = probe.ask(RecordedHost())
    assert probe.by_hand.startswith("dig @127.0.0.1 ")
    if result.outcome not in (PASS, SKIPPED):
        assert result.expected
        assert result.fix
    return result


HERE: Zone = {(FQDN, "A"): ["192.0.2.10"], ("mx.other.test", "A"): ["192.0.2.20"]}


@pytest.mark.parametrize(
    ("records", "outcome", "said"),
    [
        ({(DOMAIN, "MX"): [f"10 {FQDN.upper()}."]}, PASS, FQDN),
        ({(DOMAIN, "MX"): [f"10 {FQDN}.", "20 mx.other.test."]}, WARN, "also brought"),
        ({(DOMAIN, "MX"): ["10 mx.other.test."]}, FAIL, f"not to {FQDN}"),
        ({(DOMAIN, "MX"): [f"10 {FQDN}.", "0 ."]}, FAIL, "takes no mail"),
        ({(DOMAIN, "MX"): ["0 ."]}, FAIL, "takes no mail"),
        ({(DOMAIN, "MX"): ["10 192.0.2.10."]}, FAIL, "is an address"),
        ({(DOMAIN, "MX"): ["10 nobody.test."]}, FAIL, "has no address"),
        (
            {(DOMAIN, "MX"): ["10 www.test."], ("www.test", "CNAME"): [f"{FQDN}."]},
            FAIL,
            "is an alias",
        ),
        ({(DOMAIN, "A"): ["192.0.2.10"]}, WARN, "has no MX"),
        ({}, FAIL, "neither MX nor address"),
    ],
)
def test_where_mail_is_brought(records: Zone, outcome: Outcome, said: str) -> None:
    result = ask(HERE | records, MailExchangers, DOMAIN, FQDN)
    assert (result.outcome, said in result.said) == (outcome, True), result.said


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        ({}, PASS),
        ({(DOMAIN, "CAA"): ['0 issue "ca.example"']}, PASS),
        ({(DOMAIN, "CAA"): ['0 issue "other.example"', '0 issue "CA.example; a=1"']}, PASS),
        ({(DOMAIN, "CAA"): ['0 iodef "mailto:x@example.test"']}, PASS),
        ({("test", "CAA"): ['0 issue "other.example"']}, FAIL),
        ({(DOMAIN, "CAA"): ['0 issue ";"']}, FAIL),
        ({(FQDN, "CAA"): ['0 issue "ca.example"'], (DOMAIN, "CAA"): ['0 issue ";"']}, PASS),
    ],
)
def test_who_may_certify(records: Zone, outcome: Outcome) -> None:
    result = ask(records, AuthorityAllowed, (FQDN,), "ca.example")
    assert result.outcome is outcome, result.said


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [
        ("_submissions", f"0 1 465 {FQDN}.", PASS),
        ("_submission", f"0 1 587 {FQDN}.", PASS),
        ("_submission", f"0 1 465 {FQDN}.", WARN),
        ("_imaps", f"0 1 143 {FQDN}.", WARN),
        ("_imap", f"0 1 143 {FQDN}.", WARN),
        ("_imap", "0 0 0 .", PASS),
        ("_nothing", f"0 1 1 {FQDN}.", PASS),
    ],
)
def test_what_mail_programs_look_up(name: str, value: str, outcome: Outcome) -> None:
    result = ask({(f"{name}._tcp.{DOMAIN}", "SRV"): [value]}, ServicesFound, DOMAIN)
    assert result.outcome is outcome, result.said


@pytest.mark.parametrize(
    ("kind", "args", "entry", "answer", "outcome"),
    [
        (AddressesNotListed, (("192.0.2.10", ""),), "10.2.0.192.zen", "127.0.0.4", FAIL),
        (AddressesNotListed, (("192.0.2.10",),), "10.2.0.192.zen", "127.255.255.254", UNKNOWN),
        (AddressesNotListed, (("192.0.2.10",),), "11.2.0.192.zen", "127.0.0.4", PASS),
        (AddressesNotListed, (("10.0.0.5",),), "5.0.0.10.zen", "127.0.0.4", SKIPPED),
        (AddressesNotListed, (("2001:db8::1",),), SIX, "127.0.0.2", FAIL),
        (DomainsNotListed, ((DOMAIN,),), f"{DOMAIN}.dbl", "127.0.1.2", FAIL),
        (DomainsNotListed, ((DOMAIN,),), f"{DOMAIN}.dbl", "127.0.1.255", PASS),
        (DomainsNotListed, ((DOMAIN,),), f"{DOMAIN}.dbl", "127.255.255.252", UNKNOWN),
    ],
)
def test_who_is_on_a_list(
    kind: type, args: tuple[object, ...], entry: str, answer: str, outcome: Outcome
) -> None:
    result = ask({(f"{entry}.spamhaus.org", "A"): [answer]}, kind, *args)
    assert result.outcome is outcome, result.said


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        (AddressesNotListed, (("192.0.2.10",),)),
        (DomainsNotListed, ((DOMAIN,),)),
        (MailExchangers, (DOMAIN, FQDN)),
        (AuthorityAllowed, ((FQDN,), "ca.example")),
        (ServicesFound, (DOMAIN,)),
    ],
)
def test_no_answer_is_unknown(kind: type, args: tuple[object, ...]) -> None:
    assert ask({}, kind, *args, broken=True).outcome is UNKNOWN
