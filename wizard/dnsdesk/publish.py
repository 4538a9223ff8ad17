"""`mailwizard dns --publish`: shows the difference, sends signed updates, and looks again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from mailwizard import making, show
from mailwizard.changes.zone import PublishedRecords
from mailwizard.dnsdesk import spent
from mailwizard.dnsdesk.draft import Draft, draft
from mailwizard.dnsdesk.finding import Finding
from mailwizard.dnsdesk.how import How
from mailwizard.dnsdesk.verdict import Verdict
from mailwizard.engine import Engine
from mailwizard.errors import BadUsage, WizardError
from mailwizard.model import SecretRef
from mailwizard.probes.zones import Desk, Where, Zone
from mailwizard.subjects import PUBLISHED, ZoneRecords
from mailwizard.zoneedits import Primary
from mailwizard.zoneupdate import UpdateRefused, fetch

MOST_NAMED = 3
Ask = Callable[[str], bool]
"""Whether a person says yes to a question."""


@dataclass
class Plan:
    """What can be published in each zone, and why the rest cannot."""

    drafts: dict[Primary, list[Draft]] = field(default_factory=dict)
    problems: list[WizardError] = field(default_factory=list)

    def without_foreign(self) -> Plan:
        """Nothing that others own is touched."""
        own = {p: [one for one in drafts if not one.foreign] for p, drafts in self.drafts.items()}
        return Plan({primary: drafts for primary, drafts in own.items() if drafts}, self.problems)

    @property
    def foreign(self) -> list[Draft]:
        return [one for drafts in self.drafts.values() for one in drafts if one.foreign]


def publish(
    engine: Engine,
    findings: Sequence[Finding],
    key: SecretRef,
    *,
    where: Where,
    server: str = "",
    ask: Ask | None,
) -> bool:
    """Whether everything that is not right could be published; each zone is changed whole.

    Without anybody to `ask` it goes on, and leaves alone what others own.
    """
    plan = planned(engine, findings, where, server)
    if not plan.drafts and not plan.problems:
        print("Nothing to publish: the zones hold what is needed.")
        return True
    _print(difference(plan))
    plan = _agreed(plan, ask)
    problems = list(plan.problems)
    for primary, drafts in plan.drafts.items():
        edits, seen = (tuple(getattr(one, part) for one in drafts) for part in ("edit", "seen"))
        change = PublishedRecords(primary, key, edits, seen)
        try:
            making.make(engine.host, engine.journal, PUBLISHED, change)
        except WizardError as error:
            problems.append(error)
        else:
            _print(show.marked("done", change.title, colour=show.colour_wanted(sys.stdout)))
    for problem in problems:
        _print(show.marked("FAIL", problem.message, colour=show.colour_wanted(sys.stdout)))
        _print(show.fold(problem.hint, first=" " * 6))
    print()
    return not problems


def _agreed(plan: Plan, ask: Ask | None) -> Plan:
    """What the administrator says yes to; what others own is a question of its own."""
    own = plan.without_foreign()
    count = sum(len(drafts) for drafts in own.drafts.values())
    if count and ask and not ask(f"Publish {count} changes?"):
        raise BadUsage("not confirmed; nothing was published")
    if not plan.foreign:
        return plan
    if ask and ask(f"{len(plan.foreign)} records (!) are not mailwizard's. Replace them?"):
        return plan
    names = ", ".join(f"{one.edit.owner} {one.edit.type}" for one in plan.foreign)
    hint = "Take them away where they were made, or answer yes when asked: --yes never does."
    left = WizardError(f"left as others made it: {names}", hint=hint)
    return Plan(own.drafts, [*own.problems, left])


def planned(engine: Engine, findings: Sequence[Finding], where: Where, server: str) -> Plan:
    """The changes of each zone, drafted from what its own primary holds right now."""
    desk, plan = Desk(engine.host, where), Plan()
    ours, records = _published(engine), [one.record for one in findings]
    due = [one for one in findings if one.outcome.bad and one.how is not How.SPLIT]
    for zone in dict.fromkeys(one.zone for one in due):
        mine = [one.record for one in due if one.zone == zone]
        try:
            primary = _primary(desk, zone, where, server, mine[0].owner)
            sets = {(one.owner, one.type): one for one in mine}
            drafts = [
                found
                for (owner, kind), record in sets.items()
                if (found := draft(record, records, fetch(primary, owner, kind), ours))
            ]
        except WizardError as error:
            plan.problems.append(error)
        else:
            if drafts:
                plan.drafts[primary] = drafts
    if silent := [one for one in findings if one.outcome is Verdict.UNKNOWN]:
        plan.problems.append(_unasked(silent))
    _take_out(engine, desk, plan, where, server)
    return plan


def _unasked(silent: Sequence[Finding]) -> UpdateRefused:
    """What nobody answers for is not known to be right: nothing is published blindly."""
    names = ", ".join(f"{one.record.owner} {one.record.type}" for one in silent[:MOST_NAMED])
    more = f" and {len(silent) - MOST_NAMED} more" if len(silent) > MOST_NAMED else ""
    notes = [view.note for one in silent for view in one.views if view.note]
    why = f": {notes[0]}" if notes else ""
    hint = "Mend what is named (or name another resolver with --resolver), then publish again."
    return UpdateRefused(f"could not be asked for: {names}{more}{why}", hint=hint)


def _take_out(engine: Engine, desk: Desk, plan: Plan, where: Where, server: str) -> None:
    """Records of signing keys that are gone."""
    for one in spent.found(engine.host, engine.spent_records()):
        try:
            primary = _primary(desk, one.zone, where, server, one.record.owner)
            found = spent.draft(one.record, fetch(primary, one.record.owner, one.record.type))
        except WizardError as error:
            plan.problems.append(error)
        else:
            plan.drafts.setdefault(primary, []).extend([found] if found else [])


def _primary(desk: Desk, zone: Zone | None, where: Where, server: str, owner: str) -> Primary:
    """Where the zone is edited: the server that its head names, unless one is given."""
    if zone is None:
        hint = "It must be delegated first: whoever sold the domain names its servers."
        raise UpdateRefused(f"the DNS does not tell which zone {owner} is in", hint=hint)
    name = zone.name.to_text(omit_final_dot=True)
    if server:
        return Primary(name, server, where.port)
    head = desk.apex(zone).soa
    addresses = desk.server(head.mname).addresses if head else ()
    if not addresses:
        hint = "Name it with --server ADDRESS."
        raise UpdateRefused(f"{name}: the DNS does not tell where it is edited", hint=hint)
    return Primary(name, addresses[0], where.port)


def _published(engine: Engine) -> set[tuple[str, str, str]]:
    """Every value that we put into a zone before."""
    entries = engine.journal.entries(PUBLISHED)
    subjects = [one for entry in entries for one in entry.subjects if isinstance(one, ZoneRecords)]
    edits = [edit for subject in subjects for edit in subject.edits]
    return {(edit.owner, edit.type, value) for edit in edits for value in edit.adds}


def difference(plan: Plan) -> Iterator[str]:
    """Every change as a difference; what is not ours is marked."""
    colour = show.colour_wanted(sys.stdout)
    for primary, drafts in plan.drafts.items():
        yield f"zone {primary.zone}, at {primary.address}:"
        for one in drafts:
            mark = "  ! not mailwizard's: you are asked once more\n" if one.foreign else ""
            yield from mark.splitlines()
            edit = one.edit
            text = [f"-{edit.owner}. {one.seen.ttl} {edit.type} {value}" for value in edit.drops]
            text += [f"+{edit.owner}. {edit.ttl} {edit.type} {value}" for value in edit.adds]
            yield from show.diff_lines("\n".join(text), colour=colour)
        yield ""


def _print(lines: Sequence[str] | Iterator[str]) -> None:
    for line in lines:
        print(line, flush=True)
