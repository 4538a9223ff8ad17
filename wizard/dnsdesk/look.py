"""Each record as the zone's own servers, this host's resolver and the world's resolvers have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from mailwizard.dnsdesk.ask import Heard, one_line
from mailwizard.dnsdesk.servers import AUTHORITATIVE, OWN, Desk, Server, Where, Zone
from mailwizard.dnsdesk.verdict import Verdict, judge, shown, worst
from mailwizard.model import Look, Record
from mailwizard.probes.deadline import CannotAsk

WORKERS = 48
Question = tuple[str, str]
Answer = Heard | CannotAsk


@dataclass(frozen=True, slots=True)
class View:
    """A record as one server has it; unknown says why in its note."""

    view: str
    server: str
    outcome: Verdict
    answer: tuple[str, ...] = ()
    ttl: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A record and how it stands in the DNS."""

    record: Record
    outcome: Verdict
    views: tuple[View, ...]

    @property
    def failed(self) -> bool:
        return self.record.required and self.outcome.bad


def look(host: Look, records: Sequence[Record], where: Where | None = None) -> list[Finding]:
    """Every record beside what each server answers, all asked at once, within one deadline."""
    questions = list(dict.fromkeys((record.owner, record.type) for record in records))
    heard = _hear(Desk(host, where or Where()), questions)
    return [_finding(record, records, heard[record.owner, record.type]) for record in records]


def zones(host: Look, records: Sequence[Record], where: Where | None = None) -> dict[str, Zone]:
    """The zone that each owner is in, as far as that can be told."""
    desk, owners = Desk(host, where or Where()), sorted({one.owner for one in records})
    with ThreadPoolExecutor(WORKERS) as pool:
        found = zip(owners, pool.map(desk.zone, owners), strict=True)
        return {owner: zone for owner, zone in found if isinstance(zone, Zone)}


def _hear(desk: Desk, questions: Sequence[Question]) -> dict[Question, list[tuple[Server, Answer]]]:
    """The resolvers are asked while the zones' own servers are still being looked for."""
    owners = sorted({owner for owner, _ in questions})
    with ThreadPoolExecutor(WORKERS) as pool:

        def put(
            question: Question, servers: Iterable[Server]
        ) -> list[tuple[Server, Future[Answer]]]:
            return [(server, pool.submit(desk.ask, server, *question)) for server in servers]

        finding = pool.map(desk.zone, owners)
        others = [put(question, desk.recursive()) for question in questions]
        cuts = dict(zip(owners, finding, strict=True))
        names = sorted({n for cut in cuts.values() if isinstance(cut, Zone) for n in cut.servers})
        known = dict(zip(names, pool.map(desk.server, names), strict=True))
        asked = []
        for question in questions:
            cut = cuts[question[0]]
            servers = [known[n] for n in cut.servers] if isinstance(cut, Zone) else [_lost(cut)]
            asked.append(put(question, servers))
    return {
        question: [(server, answer.result()) for server, answer in (*first, *then)]
        for question, first, then in zip(questions, asked, others, strict=True)
    }


def _lost(why: CannotAsk) -> Server:
    trouble = CannotAsk(why.kind, f"cannot be found: {why}")
    return Server(AUTHORITATIVE, "the zone's own servers", trouble=trouble)


def _finding(
    record: Record, records: Sequence[Record], heard: Sequence[tuple[Server, Answer]]
) -> Finding:
    siblings = [o for o in records if (o.owner, o.type) == (record.owner, record.type)]
    views = tuple(_view(record, siblings, server, answer) for server, answer in heard)
    return Finding(record, overall(views), views)


def _view(record: Record, siblings: Sequence[Record], server: Server, answer: Answer) -> View:
    if isinstance(answer, CannotAsk):
        note = one_line(answer.sentence)
        return View(server.view, server.name, Verdict.UNKNOWN, note=note)
    outcome, note = judge(record, siblings, answer)
    return View(server.view, server.name, outcome, shown(answer), answer.ttl, note)


def overall(views: Sequence[View]) -> Verdict:
    """As the zone's own servers have it, else this host's resolver; others may hold old answers."""
    known = [one for one in views if one.outcome is not Verdict.UNKNOWN]
    authority = [one.outcome for one in known if one.view == AUTHORITATIVE]
    if not authority:
        return worst(one.outcome for one in known if one.view == OWN)
    said = worst(authority)
    others = [one.outcome for one in known if one.view != AUTHORITATIVE]
    return Verdict.LATE if said is Verdict.RIGHT and worst(others).bad else said
