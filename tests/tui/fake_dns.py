"""What name servers could have said: one look with something of everything, and one all right."""

from __future__ import annotations

from dataclasses import replace

import dns.name

from mailwizard.dnsdesk import Finding, How, Verdict
from mailwizard.dnsdesk.finding import View
from mailwizard.model import Record
from mailwizard.probes.zones import Zone

ZONE = Zone(dns.name.from_text("example.org."), (dns.name.from_text("ns1.example.net."),))
REVERSE = Zone(dns.name.from_text("2.0.192.in-addr.arpa."), ZONE.servers)
SERVERS = (
    ("authoritative", "ns1.example.net"),
    ("own", "127.0.0.1 (this host's resolver)"),
    ("public", "1.1.1.1 (public)"),
)


def _found(
    record: Record,
    outcome: Verdict = Verdict.RIGHT,
    how: How = How.NOTHING,
    *answer: str,
    zone: Zone = ZONE,
) -> Finding:
    views = tuple(View(v, s, outcome, answer or (record.value,), 300, "", how) for v, s in SERVERS)
    return Finding(record, outcome, views, how, "", zone)


def _late(found: Finding) -> Finding:
    old = replace(found.views[2], outcome=Verdict.WRONG, answer=("198.51.100.7",), ttl=212)
    views = (*found.views[:2], replace(old, how=How.CACHED))
    return replace(found, outcome=Verdict.LATE, how=How.CACHED, views=views)


def findings() -> list[list[Finding]]:
    """The first look, and the next."""
    name, mx = "mail.example.org", "10 mail.example.org."
    address = Record(name, "A", "192.0.2.10", "The name of this host leads to its address.")
    pointer = Record("10.2.0.192.in-addr.arpa", "PTR", f"{name}.", "Large providers want it.")
    brought = Record("example.org", "MX", mx, "Mail for example.org is brought to this host.")
    read = Record("_imaps._tcp.example.org", "SRV", f"0 1 993 {name}.", "Found.", required=False)
    right = [_found(one) for one in (address, pointer, brought, read)]
    return [
        [
            _late(right[0]),
            _found(pointer, Verdict.WRONG, How.OTHER, "static-10.provider.example.", zone=REVERSE),
            _found(brought, Verdict.WRONG, How.DOUBLED, f"{mx}example.org."),
            _found(read, Verdict.ABSENT, How.NOTHING),
        ],
        right,
    ]
