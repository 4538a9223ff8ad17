"""What only a second question tells: a doubled suffix, a hidden primary, servers out of step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import dns.name
from dns.rdtypes.ANY.SOA import SOA

from mailwizard.dnsdesk.finding import Cut, Finding, View, siblings
from mailwizard.dnsdesk.how import How
from mailwizard.dnsdesk.verdict import Verdict, judge, shown
from mailwizard.model import Record
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.nameserver import absolute, one_line
from mailwizard.probes.zones import PRIMARY, WORKERS, Desk, Server, Zone


def explained(desk: Desk, findings: Sequence[Finding], cuts: Mapping[str, Cut]) -> list[Finding]:
    """The findings, those that are bad in their zone with the cause where one can be found."""
    bad = [one for one in findings if one.outcome.bad and one.zone and one.how is not How.SPLIT]
    if not bad:
        return list(findings)
    heads = _heads(desk, {one.zone: cuts[one.record.owner] for one in bad if one.zone})
    with ThreadPoolExecutor(WORKERS) as pool:
        records = [one.record for one in findings]
        better = pool.map(lambda one: _explain(desk, one, records, cuts, heads), bad)
        found = {id(one): new for one, new in zip(bad, better, strict=True)}
    return [found.get(id(one), one) for one in findings]


Heads = Mapping[Zone, Sequence[tuple[Server, SOA | None]]]


def _heads(desk: Desk, zones: Mapping[Zone, Cut]) -> Heads:
    """Each zone's SOA as each of its servers has it."""
    asked = [(zone, server) for zone, cut in zones.items() for server in cut.servers]
    found: dict[Zone, list[tuple[Server, SOA | None]]] = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        answers = pool.map(lambda pair: desk.soa(pair[1], pair[0]), asked)
        for (zone, server), soa in zip(asked, answers, strict=True):
            found.setdefault(zone, []).append((server, soa))
    return found


def _explain(
    desk: Desk, found: Finding, records: Sequence[Record], cuts: Mapping[str, Cut], heads: Heads
) -> Finding:
    zone = found.zone
    assert zone is not None
    found = _hidden(desk, found, records, heads[zone])
    if found.how is How.PRIMARY:
        return found
    if found.how is How.DISAGREE:
        return replace(found, note=f"{found.note} {_serials(heads[zone])}".strip())
    if found.outcome is Verdict.ABSENT:
        return _doubled(desk, found, zone, cuts[found.record.owner].servers)
    return found


def _serials(heads: Sequence[tuple[Server, SOA | None]]) -> str:
    serials = {server.name: soa.serial for server, soa in heads if soa}
    if len(set(serials.values())) < 2:
        return ""
    return "Serials: " + ", ".join(f"{name} has {n}" for name, n in serials.items()) + "."


def _hidden(
    desk: Desk,
    found: Finding,
    records: Sequence[Record],
    heads: Sequence[tuple[Server, SOA | None]],
) -> Finding:
    """Ask where the zone is edited, when that is none of its servers."""
    head = next((soa for _, soa in heads if soa), None)
    if head is None or found.zone is None or head.mname in found.zone.servers:
        return found
    primary = replace(desk.server(head.mname), view=PRIMARY)
    listed = {address for server, _ in heads for address in server.addresses}
    if not primary.addresses or listed & set(primary.addresses):
        return found
    record = found.record
    heard = desk.ask(primary, record.owner, record.type)
    if isinstance(heard, CannotAsk):
        # it need not answer strangers: that is what hidden means
        return found
    said = judge(record, siblings(record, records), heard)
    name, newest = f"{primary.name} (the hidden primary)", desk.soa(primary, found.zone)
    view = View(PRIMARY, name, said.outcome, shown(heard), heard.ttl, said.note, said.how)
    views = (*found.views, view)
    if said.outcome is not Verdict.RIGHT:
        return replace(found, views=views)
    serials = _serials([(replace(primary, name=name), newest), *heads])
    return replace(found, views=views, how=How.PRIMARY, note=serials)


def _doubled(desk: Desk, found: Finding, zone: Zone, servers: Sequence[Server]) -> Finding:
    """A name without its final dot gets the zone's name behind it (RFC 1035, 5.1)."""
    record, owner = found.record, absolute(found.record.owner)
    try:
        twice = dns.name.Name(owner.labels[:-1] + zone.name.labels)
    except dns.name.NameTooLong:
        return found
    text = twice.to_text(omit_final_dot=True)
    server = next((one for one in servers if one.addresses), None)
    if server is None:
        return found
    heard = desk.ask(server, text, record.type)
    moved = replace(record, owner=text)
    if isinstance(heard, CannotAsk) or judge(moved, [moved], heard).outcome is not Verdict.RIGHT:
        return found
    note = f"It stands at {one_line(text)}."
    return replace(found, outcome=Verdict.WRONG, how=How.DOUBLED, note=note)
