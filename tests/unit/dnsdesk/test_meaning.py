"""What a text does for mail is compared, not how it is written."""

from __future__ import annotations

import pytest
from support.dnsworld import DOMAIN, World

from mailwizard import dnsdesk
from mailwizard.dnsdesk import How, Verdict
from mailwizard.dnsdesk.meaning import said as heard
from mailwizard.model import Record

KEY = "MIIBIjANBgkqhki/" * 4
DKIM = Record(f"mw._domainkey.{DOMAIN}", "TXT", f"v=DKIM1; k=rsa; p={KEY}", "the key")
SPF = Record(DOMAIN, "TXT", f"v=spf1 mx a:mail.{DOMAIN} ~all", "the senders")
HARD = Record(DOMAIN, "TXT", "v=spf1 mx -all", "the senders")
DMARC = Record(f"_dmarc.{DOMAIN}", "TXT", f"v=DMARC1; p=none; rua=mailto:p@{DOMAIN}", "the policy")
STRICT = Record(f"_dmarc.{DOMAIN}", "TXT", "v=DMARC1; p=quarantine", "the policy")
AGREES = Record(f"x._report._dmarc.{DOMAIN}", "TXT", "v=DMARC1", "reports")


@pytest.mark.parametrize(
    ("record", "found", "said"),
    [
        (DKIM, f"v=DKIM1; k=rsa; p={KEY[:20]} {KEY[20:40]}\t{KEY[40:]}", ""),
        (DKIM, f"v=DKIM1; p={KEY}", ""),
        (DKIM, f"p={KEY}; n=ours", ""),
        (DKIM, f"v=DKIM1; k=rsa; t=s; s=email; h=sha1 : sha256; p={KEY};", ""),
        (DKIM, f"v=DKIM1; t=s:y; p={KEY}", "t=y says that it is a test"),
        (SPF, f"v=spf1 +mx +a:mail.{DOMAIN} ~all", ""),
        (SPF, f"v=spf1 a:MAIL.{DOMAIN}. MX ~ALL", "it says a:mail"),
        (SPF, f"v=spf1 mx:{DOMAIN} a:mail.{DOMAIN} ~all", "as good"),
        (SPF, f"v=spf1 mx/24 a:mail.{DOMAIN} ~all", "it says mx/24: as good"),
        (SPF, f"v=spf1 mx a:mail.{DOMAIN} -all", "it says -all: as good or stricter"),
        (SPF, f"v=spf1 mx a:mail.{DOMAIN} ~all exp=why.{DOMAIN}", f"it says exp=why.{DOMAIN}: as"),
        (SPF, f"v=spf1 ip4:192.0.2.1 mx a:mail.{DOMAIN} ~all", "it says ip4:192.0.2.1: as good"),
        (SPF, f"v=spf1 mx -ip4:192.0.2.0/24 a:mail.{DOMAIN} ~all", "but whoever -ip4:192.0.2.0/24"),
        (SPF, f"v=spf1 mx a:mail.{DOMAIN} ?a ~all", "it says ?a: as good"),
        (DMARC, f"v=DMARC1;p=none;rua=mailto:P@{DOMAIN};", ""),
        (DMARC, f"{DMARC.value}; fo=1", "it says fo=1: as good or stricter"),
        (DMARC, f"v=DMARC1; p=reject; rua=mailto:p@{DOMAIN}", "it says p=reject: as good"),
        (DMARC, f"v=DMARC1; p=none; rua=mailto:x@y.example, mailto:p@{DOMAIN}", "as good"),
        (DMARC, f"v = DMARC1; p=none; rua=mailto:p@{DOMAIN}; sp=reject; adkim=s", "adkim=s: as"),
        (STRICT, "v=DMARC1; p=quarantine; sp=quarantine", "sp=quarantine: as good"),
        (STRICT, "v=DMARC1; p=reject; t=y", "it says p=reject, t=y: as good"),
        (AGREES, "v=DMARC1; rua=mailto:x@y.example", "it says rua="),
    ],
)
def test_what_does_as_much_is_right(world: World, record: Record, found: str, said: str) -> None:
    world.publish(record, f'"{found}"')
    (finding,) = world.look(record)
    assert finding.outcome is Verdict.RIGHT
    shown = finding.views[0].note
    assert said in shown if said else shown == ""
    assert f"right, {shown}" in " ".join("\n".join(dnsdesk.table([finding])).split()) or not said
    assert not finding.how


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (DKIM, f"k=rsa; v=DKIM1; p={KEY}"),
        (DKIM, f"v=DKIM1; k=ed25519; p={KEY}"),
        (DKIM, f"v=DKIM1; k=rsa; p={KEY[:-16]}"),
        (DKIM, f"v=DKIM1; h=sha1; p={KEY}"),
        (DKIM, f"v=DKIM1; p={KEY}; p={KEY}"),
        (DKIM, "v=DKIM1; p="),
        (DKIM, "v=DKIM1; p=é"),
        (SPF, "v=spf1 ip4:é ~all"),
        (SPF, f"v=spf1 ?all mx a:mail.{DOMAIN} ~all"),
        (SPF, f"v=spf1 -mx mx a:mail.{DOMAIN} ~all"),
        (SPF, f"v=spf1 ?mx:{DOMAIN} mx a:mail.{DOMAIN} ~all"),
        (SPF, f"v=spf1 -mx/24 mx a:mail.{DOMAIN} ~all"),
        (SPF, f"v=spf1 mx a:mail.{DOMAIN}"),
        (SPF, f"v=spf1 mx a:mail.{DOMAIN} ?all"),
        (SPF, f"v=spf1 mx a:mail.{DOMAIN} redirect=x.example"),
        (SPF, f"v=spf1 mx a:mail.{DOMAIN} ipv4:192.0.2.1 ~all"),
        (HARD, "v=spf1 mx ~all"),
        (HARD, "v=spf1 mx +all"),
        (DMARC, f"p=none; v=DMARC1; rua=mailto:p@{DOMAIN}"),
        (DMARC, f"v=DMARC1; rua=mailto:p@{DOMAIN}"),
        (DMARC, f"{DMARC.value}; p=reject"),
        (STRICT, "v=DMARC1; p=none"),
        (STRICT, "v=DMARC1; p=quarantine; t=y"),
        (STRICT, "v=DMARC1; p=quarantine; pct=10"),
        (STRICT, "v=DMARC1; p=reject; sp=none"),
        (STRICT, "v=DMARC1; p=reject; np=none"),
    ],
)
def test_what_does_less_is_not(record: Record, found: str) -> None:
    assert heard(record, found) is None


@pytest.mark.parametrize(
    ("record", "found", "lacks"),
    [
        (SPF, "v=spf1 include:x.example mx -all", f"a:mail.{DOMAIN}"),
        (SPF, f"v=spf1 mx ~all a:mail.{DOMAIN}", f"a:mail.{DOMAIN}"),
        (HARD, "v=spf1 -all", f"mx:{DOMAIN}"),
        (DMARC, "v=DMARC1; p=reject", f"rua=mailto:p@{DOMAIN}"),
        (DMARC, "v=DMARC1; p=none; rua=mailto:x@y.example", f"rua=mailto:p@{DOMAIN}"),
    ],
)
def test_what_lacks_something_need_not_go(
    world: World, record: Record, found: str, lacks: str
) -> None:
    world.publish(record, f'"{found}"')
    (finding,) = world.look(record)
    assert (finding.outcome, finding.how) == (Verdict.WRONG, How.LACKS)
    assert finding.views[0].note == f"missing: {lacks}"
    shown = "\n".join(dnsdesk.table([finding]))
    assert "keep the" in shown
    assert "replace" not in shown


def test_two_records_that_are_each_right_are_one_too_many(world: World) -> None:
    world.publish(DMARC, f'"{DMARC.value}"', f'"{DMARC.value}; fo=1"')
    (finding,) = world.look(DMARC)
    assert finding.outcome is Verdict.WRONG
    assert "the others must go" in finding.views[0].note
