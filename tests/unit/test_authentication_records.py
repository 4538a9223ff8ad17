"""What the zone is asked to hold: SPF with and without a relay, keys, DMARC, odd domains."""

from __future__ import annotations

from typing import Any

import pytest
from support.recorded import RecordedLook, Written

from mailwizard.model import Completed, Context
from mailwizard.probes.dmarc import flaws
from mailwizard.probes.spfrecords import spf_verdict
from mailwizard.steps.authentication import STEP, published, records, relay_of, resolvers

IDN = "xn--bcher-kva.example"
KEY = "/etc/mailwizard/dkim/example.org.mw202611.pem"
OPENSSL = f"openssl rsa -in {KEY} -pubout"
PUBLIC = "-----BEGIN PUBLIC KEY-----\nT1dO\nS0VZ\n-----END PUBLIC KEY-----\n"


def context(relay: dict[str, Any] | None = None, **changed: Any) -> Context:
    answers: dict[str, dict[str, Any]] = {
        "hostname": {"fqdn": "mail.example.org", "address": "192.0.2.9", "address6": None},
        "postfix": {"domains": changed.pop("domains", ["example.org"])},
        "aliases": {"root": "alice"},
        "relay": {"enabled": False} if relay is None else {"enabled": True, "senders": {}, **relay},
        "authentication": {
            "selector": "mw202611",
            "signer": "amavis",
            "spf_policy": "~all",
            "dmarc_policy": "none",
            "dmarc_reports": "postmaster@example.org",
            **changed,
        },
    }
    look = RecordedLook(answers={OPENSSL: Completed(("openssl",), 0, PUBLIC)})
    return Context(STEP.id, answers, look)


def texts(made: Context) -> dict[str, str]:
    return {one.owner: one.value for one in records(made)}


def test_everything_is_asked_for_and_can_be_read() -> None:
    found = texts(context())
    assert found == {
        "example.org": "v=spf1 mx a:mail.example.org ~all",
        "mail.example.org": "v=spf1 a -all",
        "mw202611._domainkey.example.org": "v=DKIM1; k=rsa; p=T1dOS0VZ",
        "_dmarc.example.org": "v=DMARC1; p=none; rua=mailto:postmaster@example.org",
    }
    assert not list(flaws(found["_dmarc.example.org"]))
    assert spf_verdict(found["example.org"]).outcome.value == "pass"


@pytest.mark.parametrize(
    ("hop", "spf", "told"),
    [
        ("[smtp-relay.gmail.com]:587", "include:_spf.google.com ", "include:_spf.google.com"),
        ("[smtp.example.net]:587", "", "ask its provider which include:"),
        ("[192.0.2.80]:25", "", "through 192.0.2.80: ask"),
    ],
)
def test_spf_knows_of_the_relay(hop: str, spf: str, told: str) -> None:
    made = context({"host": hop})
    (record,) = [one for one in records(made) if one.owner == "example.org"]
    assert record.value == f"v=spf1 mx a:mail.example.org {spf}~all"
    assert told in record.why


def test_a_domain_may_have_a_relay_of_its_own() -> None:
    relay = {"host": None, "senders": {"@example.net": {"host": "[smtp.sendgrid.net]:587"}}}
    made = context(relay, domains=["example.org", "example.net"])
    assert relay_of(made, "example.org") == ""
    assert relay_of(made, "example.net") == "smtp.sendgrid.net"
    assert texts(made)["example.net"] == "v=spf1 mx a:mail.example.org include:sendgrid.net ~all"


def asked_about_spf(made: Context) -> list[str]:
    return [one.id for one in published(made) if one.id.startswith(("SPF-05", "SPF-06", "SPF-07"))]


def test_single_senders_may_have_relays_of_their_own() -> None:
    senders = {
        "bob@example.org": {"host": "[smtp.gmail.com]:587"},
        "eve@example.org": {"host": "[smtp-relay.gmail.com]:587"},
        "dan@example.org": {"host": "[smtp.elsewhere.test]:465"},
        "kim@example.net": {"host": "[smtp.sendgrid.net]:587"},
    }
    made = context({"host": None, "senders": senders}, domains=["example.org", "example.net"])
    (record,) = [one for one in records(made) if one.owner == "example.org"]
    assert record.value == "v=spf1 mx a:mail.example.org include:_spf.google.com ~all"
    assert "through smtp.elsewhere.test: ask its provider" in record.why
    assert texts(made)["example.net"] == "v=spf1 mx a:mail.example.org include:sendgrid.net ~all"
    # all other mail leaves directly
    assert asked_about_spf(made) == [
        "SPF-06",
        "SPF-05:example.org",
        "SPF-07:example.org:smtp.gmail.com",
        "SPF-07:example.org:smtp-relay.gmail.com",
        "SPF-07:example.org:smtp.elsewhere.test",
        "SPF-05:example.net",
        "SPF-07:example.net:smtp.sendgrid.net",
    ]


def test_the_relay_of_a_single_sender_is_beside_that_of_all() -> None:
    senders = {"bob@example.org": {"host": "[smtp.sendgrid.net]:587"}}
    made = context({"host": "[smtp.gmail.com]:587", "senders": senders})
    spf = "v=spf1 mx a:mail.example.org include:_spf.google.com include:sendgrid.net ~all"
    assert texts(made)["example.org"] == spf
    assert asked_about_spf(made) == [
        "SPF-07:example.org:smtp.gmail.com",
        "SPF-07:example.org:smtp.sendgrid.net",
    ]
    assert asked_about_spf(context()) == ["SPF-06", "SPF-05:example.org"]


def test_domains_beyond_ascii_stand_in_their_ascii_form() -> None:
    found = texts(context(domains=["example.org", IDN], dmarc_policy="reject", dmarc_reports=None))
    assert found[f"_dmarc.{IDN}"] == "v=DMARC1; p=reject"
    assert found[IDN].startswith("v=spf1 mx a:mail.example.org")
    assert all(text.isascii() and name.isascii() for name, text in found.items())


def test_reports_that_go_elsewhere_need_a_word_from_there() -> None:
    found = texts(context(dmarc_reports="d@reports.example.net"))
    assert found["example.org._report._dmarc.reports.example.net"] == "v=DMARC1"


def test_a_name_server_on_the_link_keeps_its_interface() -> None:
    text = b"nameserver fe80::1%eth0\nnameserver\t192.0.2.53 # x\n#nameserver 192.0.2.1\n"
    made = Context(STEP.id, {}, RecordedLook(files={"/etc/resolv.conf": Written(text)}))
    assert resolvers(made) == ["fe80::1%eth0", "192.0.2.53"]
