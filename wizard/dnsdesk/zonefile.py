"""The records as a file of each zone, whole enough for `named-checkzone`."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import dns.name

from mailwizard import show
from mailwizard.dnsdesk.form import TTL, form
from mailwizard.model import Record
from mailwizard.probes.nameserver import absolute
from mailwizard.probes.zones import Apex

HEAD = "as the DNS has it now; leave it out when you add the records to the zone's own file"
PLACEHOLDER = "the DNS does not tell who serves this zone: put its own lines in the place of these"


def zone_text(records: Sequence[Record], heads: Mapping[str, Apex]) -> Iterator[str]:
    """A file for each zone, one under the other; a zone that was not found is guessed."""
    groups: defaultdict[str, list[tuple[Record, Apex | None, str]]] = defaultdict(list)
    for record in records:
        head = heads.get(record.owner)
        entry = form(record, head.zone if head else None, records)
        groups[entry.zone].append((record, head if entry.known else None, entry.line))
    for name, inside in groups.items():
        head = inside[0][1]
        yield f"; zone {name}{'' if head else ' (a guess: the DNS does not tell it yet)'}"
        yield f"$ORIGIN {name}."
        yield f"$TTL {TTL}"
        yield f"; {HEAD if head and head.soa else PLACEHOLDER}"
        yield from _top(absolute(name), head, records)
        for record, _, line in inside:
            yield from show.fold(record.why, first="; ", rest="; ")
            yield line
        yield ""


def _top(zone: dns.name.Name, head: Apex | None, records: Sequence[Record]) -> Iterator[str]:
    """SOA, NS and the addresses of servers within the zone: no zone loads without (RFC 1035, 5)."""
    if head is not None and head.soa is not None:
        yield f"@ IN SOA {head.soa.to_text()}"
        for name, addresses in head.servers.items():
            yield f"@ IN NS {name.to_text()}"
            if name.is_subdomain(zone):
                wanted = {one.value for one in records if absolute(one.owner) == name}
                for address in addresses:
                    if address not in wanted:
                        kind = "AAAA" if ":" in address else "A"
                        yield f"{name.relativize(zone)} IN {kind} {address}"
        return
    server = next((one.owner for one in records if one.type in {"A", "AAAA"}), "localhost")
    serial = time.strftime("%Y%m%d00", time.gmtime())
    yield f"@ IN SOA {server}. hostmaster.{server}. {serial} 7200 3600 1209600 3600"
    yield f"@ IN NS {server}."
