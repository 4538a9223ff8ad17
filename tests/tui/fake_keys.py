"""Where signing keys could stand: before a change, waiting for a record, and after the switch."""

from __future__ import annotations

from collections.abc import Iterator

import dns.name

from mailwizard.dkim.stages import Rotation, Stage
from mailwizard.dkim.standing import KeyRow, Standing
from mailwizard.dnsdesk import Finding, Verdict
from mailwizard.dnsdesk.finding import View
from mailwizard.events import ChangeDone, Event, Finished, Gate, KeyStage, ProbeDone, Undone
from mailwizard.model import Outcome, Record, Result
from mailwizard.probes.zones import Zone

OLD, NEW, DOMAIN, STEP = "mw202511", "mw202611", "example.org", "authentication"
KEY = "v=DKIM1; k=rsa; p=" + "MIIBIjANBgkqhki/" * 12
ZONE = Zone(dns.name.from_text("example.org."), (dns.name.from_text("ns1.example.net."),))
RECORD = Record(f"{NEW}._domainkey.{DOMAIN}", "TXT", KEY, "It signs once every server has it.")
VIEW = View("authoritative", "ns1.example.net", Verdict.ABSENT)
ROTATION = Rotation(OLD, NEW, Stage.PENDING, "2026-11-21T12:00:00+00:00")


def _row(selector: str, state: str, note: str) -> KeyRow:
    return KeyRow(DOMAIN, selector, state, note)


BEFORE = Standing(
    (_row(OLD, "active", "signs; 371 days old"),), f"{OLD} signs; no key is being changed."
)
WAITING = Standing(
    (
        _row(OLD, "active", "signs; 371 days old"),
        _row(NEW, "pending", "ns1.example.net has nothing"),
    ),
    f"{OLD} signs. Whoever runs the zone publishes the record of {NEW}, then: "
    "mailwizard dkim rotate",
    ROTATION,
    (Finding(RECORD, Verdict.ABSENT, (VIEW,), zone=ZONE),),
)
AFTER = Standing(
    (
        _row(OLD, "retiring", "its record stands until 2026-12-22"),
        _row(NEW, "active", "signs; 0 days old"),
    ),
    f"{NEW} signs. Leave the record of {OLD} published until 2026-12-22 12:00 UTC: mail that is "
    "on its way was signed with it. Then: mailwizard dkim rotate",
    Rotation(OLD, NEW, Stage.RETIRING, ROTATION.since, until="2026-12-22T12:00:00+00:00"),
)
WAY = (BEFORE, WAITING, AFTER)


def rotating(place: int) -> Iterator[Event]:
    """What is said on the way from this place to the next."""
    if place == 0:
        yield KeyStage(STEP, NEW, "pending", f"takes the place of {OLD} once it is published")
        yield ChangeDone(STEP, f"make the key /etc/mailwizard/dkim/{DOMAIN}.{NEW}.pem", 0.2)
        yield Finished(STEP, 1, f"{OLD} goes on signing: ns1.example.net has nothing")
        return
    yield KeyStage(STEP, NEW, "published", "every server of the zone and the resolver have it")
    held = Result(Outcome.PASS, f"signed once by {NEW}._domainkey.{DOMAIN}")
    yield ProbeDone(STEP, "DKIM-04", "What people send is signed", "", held, 0.8)
    yield Gate(STEP, True, "pass", 3, 9.4)
    yield KeyStage(STEP, NEW, "active", "signs, and the signatures hold")
    yield Finished(STEP, 0, AFTER.said)


def taken_back() -> Iterator[Event]:
    yield Undone(STEP, f"make the key /etc/mailwizard/dkim/{DOMAIN}.{NEW}.pem")
    yield Finished(STEP, 0, f"{NEW} is gone; {OLD} goes on signing.")
