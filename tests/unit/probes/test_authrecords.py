"""Key records in a DNS that is right, wrong, and not there."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import dns.rcode
import pytest
from support.dnsasked import DOMAIN, asked
from support.nameserver import Server, fails, serving
from support.recorded import RecordedHost, RecordedLook
from support.verdicts import FAIL, PASS, UNKNOWN, WARN, checked

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Probe
from mailwizard.probes.dkimcheck import tags

SELECTOR, PATH = "mw202611", "/etc/mailwizard/dkim/key.pem"
NAME = f"{SELECTOR}._domainkey.{DOMAIN}"


def key(size: int = 294, first: int = 48) -> str:
    """So many octets that could be a key of that size."""
    return base64.b64encode(bytes([first]) + bytes(size - 1)).decode()


OWN, MEDIUM, SHORT = key(), key(162), key(94)


def host(own: str = OWN) -> RecordedHost:
    def openssl(_: RecordedLook, argv: Sequence[str], __: str) -> Completed:
        folded = "\n".join(own[i : i + 64] for i in range(0, len(own), 64))
        shown = f"-----BEGIN PUBLIC KEY-----\n{folded}\n-----END PUBLIC KEY-----\n"
        return Completed(tuple(argv), 0, shown)

    return RecordedHost(programs={"openssl": openssl})


@pytest.mark.parametrize(
    ("records", "outcome", "said"),
    [
        ([f"v=DKIM1; k=rsa; p={OWN}"], PASS, "public half"),
        ([f"p={OWN[:100]} {OWN[100:]}"], PASS, "public half"),
        ([f"v=DKIM1; h=sha1:sha256; s=email; t=s; x=y; p={OWN}"], PASS, "public half"),
        ([], FAIL, "does not exist"),
        (["v=DKIM1; p="], FAIL, "holds no key"),
        (["v=spf1 -all"], FAIL, "v=DKIM1 does not stand first"),
        ([f"k=rsa; v=DKIM1; p={OWN}"], FAIL, "v=DKIM1 does not stand first"),
        ([f"v=DKIM1; p={OWN[:-3]}"], FAIL, "p= is not whole"),
        ([f"v=DKIM1; p={OWN[:-4]}é==="], FAIL, "p= is not whole"),
        ([f'v=DKIM1; p={OWN[:20]}\\"{OWN[20:]}'], FAIL, "cannot be used"),
        ([f"v=DKIM1; k=dsa; p={OWN}"], FAIL, "no kind of key"),
        ([f"v=DKIM1; k=r sa; p={OWN}"], FAIL, "no kind of key"),
        ([f"v=DKIM1; p={OWN}; p={OWN}"], FAIL, "p= stands twice"),
        ([f"v=DKIM1; rsa; p={OWN}"], FAIL, "rsa between semicolons is no tag"),
        ([f"v=DKIM1; p={OWN}; "], PASS, "public half"),
        ([f"v=DKIM1; p={OWN};;"], FAIL, "nothing between semicolons"),
        ([f"v=DKIM1; h=sha1; p={OWN}"], FAIL, "does not let sha256"),
        ([f"v=DKIM1; s=tlsrpt; p={OWN}"], FAIL, "is not for mail"),
        ([f"v=DKIM1; k=rsa; p={key(first=49)}"], FAIL, "somebody else"),
        ([f"v=DKIM1; k=ed25519; p={key(32)}"], FAIL, "Ed25519 key alone"),
        ([f"v=DKIM1; p={OWN}", "v=DKIM1; p=x"], FAIL, "2 TXT records"),
        ([f"v=DKIM1; t=s:y; p={OWN}"], WARN, "t=y"),
    ],
)
def test_the_key_is_compared(records: list[str], outcome: Outcome, said: str) -> None:
    result = asked(probes.KeyPublished, {NAME: records}, DOMAIN, SELECTOR, PATH, host=host())
    checked(result, outcome, said)


def test_a_selector_that_is_taken_is_told_with_a_way_on() -> None:
    records = {NAME: [f"v=DKIM1; k=rsa; p={key(first=49)}"]}
    result = asked(probes.KeyPublished, records, DOMAIN, SELECTOR, PATH, host=host())
    assert "another selector" in result.fix
    assert "replaces" in result.fix


@pytest.mark.parametrize(
    ("own", "outcome", "said"),
    [(MEDIUM, WARN, "shorter than 2048 bits"), (SHORT, FAIL, "shorter than 1024 bits")],
)
def test_short_keys_are_told(own: str, outcome: Outcome, said: str) -> None:
    records = {NAME: [f"v=DKIM1; p={own}"]}
    result = asked(probes.KeyPublished, records, DOMAIN, SELECTOR, PATH, host=host(own))
    checked(result, outcome, said)


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        (probes.KeyPublished, (DOMAIN, SELECTOR, PATH)),
        (probes.SpfPublished, (DOMAIN,)),
        (probes.SpfLimits, (DOMAIN,)),
        (probes.SpfCovers, (DOMAIN, ("192.0.2.25",), "mail.example.test")),
        (probes.SpfHello, ("mail.example.test", ("192.0.2.25",))),
        (probes.SpfRelay, (DOMAIN, "smtp.elsewhere.test")),
        (probes.DmarcPublished, (DOMAIN,)),
        (probes.DmarcEffective, (DOMAIN, PATH)),
        (probes.DmarcReports, (DOMAIN, (DOMAIN,))),
        (probes.PolicyEarned, (DOMAIN, "reject", ())),
    ],
)
def test_a_dns_that_is_down_is_no_verdict(kind: type, args: tuple[object, ...]) -> None:
    made = Server("127.0.0.1", recursive=True, zones=(DOMAIN,))
    made.faults[""] = fails(dns.rcode.SERVFAIL)
    with serving(made) as port:
        probe: Probe = kind(*args, nameservers=("127.0.0.1",), dns_port=port)
        checked(probe.ask(host()), UNKNOWN)


def test_tags_lose_their_blanks() -> None:
    assert tags("v=DKIM1; p=ab cd ; t = y : s") == {"v": "DKIM1", "p": "abcd", "t": "y:s"}
