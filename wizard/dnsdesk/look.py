"""Each record as the zone's own servers, this host's resolver and the world's resolvers have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from mailwizard.dnsdesk.agreed import UNDECIDED, Agreed, agreed
from mailwizard.dnsdesk.causes import explained
from mailwizard.dnsdesk.finding import Cut, Finding, View, siblings
from mailwizard.dnsdesk.how import How
from mailwizard.dnsdesk.verdict import Verdict, judge, shown, worst
from mailwizard.model import Look, Record
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.nameserver import Heard, one_line
from mailwizard.probes.networks import is_private
from mailwizard.probes.zones import (
    AUTHORITATIVE,
    OWN,
    PRIMARY,
    PUBLIC,
    WORKERS,
    Apex,
    Desk,
    Server,
    Where,
    Zone,
)

Question = tuple[str, str]
Answer = Heard | CannotAsk
Replies = list[tuple[Server, Answer]]


def look(
    host: Look, records: Sequence[Record], where: Where | None = None, *, patient: bool = False
) -> list[Finding]:
    """Every record beside what each server answers, all asked at once, within one deadline.

    While waiting (`patient`) resolvers are not asked for what the zone does not hold yet: they
    would remember that there is nothing (RFC 2308).
    """
    desk = Desk(host, where or Where())
    questions = list(dict.fromkeys((record.owner, record.type) for record in records))
    cuts, heard = _hear(desk, questions, records if patient else ())
    same = agreed(host, desk.where, records, {q: _texts(heard[q]) for q in questions})
    found = [_finding(one, same, cuts, heard[one.owner, one.type]) for one in same.records]
    told = explained(desk.again(), found, cuts)
    return [replace(one, record=record) for one, record in zip(told, records, strict=True)]


def _texts(replies: Replies) -> list[str]:
    """What the zone's own servers say, else whoever answers."""
    said = [(server.view, shown(one)) for server, one in replies if isinstance(one, Heard)]
    own = [texts for view, texts in said if view == AUTHORITATIVE]
    return [text for texts in own or [texts for _, texts in said] for text in texts]


def apexes(host: Look, records: Sequence[Record], where: Where | None = None) -> dict[str, Apex]:
    """The top of the zone that each owner is in, as far as that can be told."""
    desk, owners = Desk(host, where or Where()), sorted({one.owner for one in records})
    with ThreadPoolExecutor(WORKERS) as pool:
        found = dict(zip(owners, pool.map(desk.zone, owners), strict=True))
        known = {owner: zone for owner, zone in found.items() if isinstance(zone, Zone)}
        each = list(dict.fromkeys(known.values()))
        tops = dict(zip(each, pool.map(desk.apex, each), strict=True))
    return {owner: tops[zone] for owner, zone in known.items()}


def _hear(
    desk: Desk, questions: Sequence[Question], patient_for: Sequence[Record]
) -> tuple[dict[str, Cut], dict[Question, Replies]]:
    """The resolvers are asked while the zones' own servers are still being looked for."""
    with ThreadPoolExecutor(WORKERS) as pool:

        def put(
            question: Question, servers: Iterable[Server]
        ) -> list[tuple[Server, Future[Answer]]]:
            return [(server, pool.submit(desk.ask, server, *question)) for server in servers]

        others = {} if patient_for else {q: put(q, desk.recursive()) for q in questions}
        cuts = _cuts(desk, pool, sorted({owner for owner, _ in questions}))
        asked = {question: put(question, cuts[question[0]].servers) for question in questions}
        if patient_for:
            ready = [q for q in questions if _stands(q, asked[q], patient_for)]
            others = {q: put(q, desk.recursive()) for q in ready}
        heard = {
            q: [(server, answer.result()) for server, answer in (*asked[q], *others.get(q, ()))]
            for q in questions
        }
    return cuts, heard


def _cuts(desk: Desk, pool: ThreadPoolExecutor, owners: Sequence[str]) -> dict[str, Cut]:
    zones = dict(zip(owners, pool.map(desk.zone, owners), strict=True))
    names = sorted({n for zone in zones.values() if isinstance(zone, Zone) for n in zone.servers})
    known = dict(zip(names, pool.map(desk.server, names), strict=True))
    return {
        owner: Cut(zone, tuple(known[n] for n in zone.servers))
        if isinstance(zone, Zone)
        else Cut(zone, (_lost(zone),))
        for owner, zone in zones.items()
    }


def _stands(
    question: Question, asked: Sequence[tuple[Server, Future[Answer]]], records: Sequence[Record]
) -> bool:
    """Whether all servers of the zone that answer have it right."""
    replies = [(server, answer.result()) for server, answer in asked]
    wanted = [one for one in records if (one.owner, one.type) == question]
    said = [_view(one, wanted, *reply).outcome for one in wanted for reply in replies]
    return worst(one for one in said if one is not Verdict.UNKNOWN) is Verdict.RIGHT


def _lost(why: CannotAsk) -> Server:
    trouble = CannotAsk(why.kind, f"cannot be found: {why}")
    return Server(AUTHORITATIVE, "the zone's own servers", trouble=trouble)


def _finding(record: Record, same: Agreed, cuts: dict[str, Cut], heard: Replies) -> Finding:
    wanted = siblings(record, same.records)
    views = [_view(record, wanted, server, answer) for server, answer in heard]
    views = [
        replace(one, outcome=Verdict.UNKNOWN, how=How.NOTHING, note=UNDECIDED)
        if one.outcome.bad and same.undecided.intersection(one.answer)
        else one
        for one in views
    ]
    at_zone = [one for one in views if one.view == AUTHORITATIVE]
    if worst(_known(at_zone)) is Verdict.RIGHT:
        pairs = zip(views, heard, strict=True)
        views = [_older(record, view, reply[1]) for view, reply in pairs]
    inside = any(server.internal for server, _ in heard if server.view == AUTHORITATIVE)
    outcome, how, note = overall(views, inside=inside)
    zone = cuts[record.owner].zone
    known = zone if isinstance(zone, Zone) else None
    return Finding(record, outcome, tuple(views), how, note, known)


def _view(record: Record, wanted: Sequence[Record], server: Server, answer: Answer) -> View:
    if isinstance(answer, CannotAsk):
        note = one_line(answer.sentence)
        return View(server.view, server.name, Verdict.UNKNOWN, note=note)
    said = judge(record, wanted, answer)
    return View(
        server.view, server.name, said.outcome, shown(answer), answer.ttl, said.note, said.how
    )


def _older(record: Record, view: View, answer: Answer) -> View:
    """A resolver that differs from a zone that is right: it remembers, or serves another zone."""
    if not view.outcome.bad or isinstance(answer, CannotAsk):
        return view
    # whoever has a zone of its own never asks for the world's (AA); and the world is never
    # told addresses that it cannot reach
    inside = record.type in {"A", "AAAA"} and not is_private(record.value)
    inside = inside and any(is_private(one.to_text()) for one in answer.records)
    split = view.view == OWN and (answer.own or inside)
    return replace(view, how=How.SPLIT if split else How.CACHED)


def _known(views: Iterable[View]) -> list[Verdict]:
    return [one.outcome for one in views if one.outcome is not Verdict.UNKNOWN]


def overall(views: Sequence[View], *, inside: bool = False) -> tuple[Verdict, How, str]:
    """As the zone's own servers have it, else this host's resolver; others may hold old answers.

    `inside`: the servers that this host finds are such as the world cannot ask.
    """
    at_zone = [one for one in views if one.view == AUTHORITATIVE]
    public = [one for one in views if one.view == PUBLIC]
    authority = _known(at_zone)
    if not authority:
        own = [one for one in views if one.view == OWN]
        return worst(_known(own)), _how(own), ""
    said, world = worst(authority), worst(_known(public))
    if inside and _known(public) and world is not said:
        return world, How.SPLIT, ""
    if said is not Verdict.RIGHT:
        right = authority.count(Verdict.RIGHT)
        note = f"Right on {right} of the zone's {len(at_zone)} servers only." if right else ""
        return said, How.DISAGREE if right else _how(at_zone), note
    others = [one for one in views if one.view not in {AUTHORITATIVE, PRIMARY}]
    late = [one for one in others if one.outcome.bad and one.how is not How.SPLIT]
    if late:
        return Verdict.LATE, How.CACHED, ""
    return Verdict.RIGHT, _how(others), ""


def _how(views: Sequence[View]) -> How:
    bad = [one for one in views if one.outcome.bad]
    return max(bad, key=lambda one: list(Verdict).index(one.outcome)).how if bad else How.NOTHING
