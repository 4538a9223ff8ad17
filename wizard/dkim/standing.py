"""Where each key stands, as values for every face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mailwizard.dkim import gate
from mailwizard.dkim.machine import STEP, Machine, retiring
from mailwizard.dkim.stages import Rotation, Stage
from mailwizard.dkim.work import EngineWork
from mailwizard.dnsdesk import nearby, spent
from mailwizard.dnsdesk.finding import Finding
from mailwizard.engine import Engine
from mailwizard.model import Record
from mailwizard.steps import selectors

WAITING = (Stage.PENDING, Stage.PUBLISHED)


def utc() -> datetime:
    """This moment."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key of one domain, what it is, and what is to be known of it."""

    domain: str
    selector: str
    state: str
    note: str


@dataclass(frozen=True, slots=True)
class Standing:
    """All keys, and the change that is under way, if any.

    findings: the new records as the DNS has them, while that is waited for.
    spent: records that still stand, and whose keys are gone.
    """

    rows: tuple[KeyRow, ...]
    said: str
    rotation: Rotation | None = None
    findings: tuple[Finding, ...] = ()
    spent: tuple[Record, ...] = ()

    @property
    def undoable(self) -> bool:
        return self.rotation is not None and self.rotation.stage is not Stage.RETIRING

    def as_json(self) -> dict[str, Any]:
        """The object that `dkim --json` prints; its keys are an API."""
        under_way = self.rotation
        return {
            "stage": under_way.stage if under_way else "",
            "old": under_way.old if under_way else "",
            "new": under_way.new if under_way else "",
            "since": under_way.since if under_way else "",
            "until": under_way.until if under_way else "",
            "said": self.said,
            "keys": [
                {"domain": r.domain, "selector": r.selector, "state": r.state, "note": r.note}
                for r in self.rows
            ],
            "records": [
                {"owner": one.record.owner, "type": "TXT", "value": one.record.value}
                for one in self.findings
            ],
            "may_be_taken_out": [one.owner for one in self.spent],
        }


def standing(engine: Engine) -> Standing:
    """The keys as they are now; asks the DNS about those that wait for it."""
    work = EngineWork(engine)
    rotation, used = Machine(work, utc).current(), work.in_use()
    found: list[Finding] = []
    if rotation and rotation.stage in WAITING:
        found = nearby.findings(engine.host, [r for r in work.records(rotation.new) if r.value])
    rows = tuple(
        _row(engine, key, used, rotation, found) for key in selectors.made(engine.context(STEP))
    )
    gone = spent.found(engine.host, engine.spent_records())
    spare = tuple(one.record for one in gone)
    return Standing(rows, _said(used, rotation, found), rotation, tuple(found), spare)


def _row(
    engine: Engine,
    key: selectors.Key,
    used: str,
    rotation: Rotation | None,
    found: Sequence[Finding],
) -> KeyRow:
    domain, selector, path = key
    if selector == used:
        days = int((utc().timestamp() - engine.host.state(path).mtime_ns / 1e9) / 86400)
        return KeyRow(domain, selector, Stage.ACTIVE, f"signs; {max(days, 0)} days old")
    if rotation and selector == rotation.new:
        owner = f"{selector}._domainkey.{domain}"
        mine = [one for one in found if one.record.owner == owner]
        closed = gate.closed(mine) if mine else "not asked"
        state = Stage.PENDING if closed else Stage.PUBLISHED
        return KeyRow(domain, selector, state, closed or "every server has its record")
    if rotation and rotation.until and selector == rotation.old:
        until = rotation.until[:10]
        return KeyRow(domain, selector, Stage.RETIRING, f"its record stands until {until}")
    return KeyRow(domain, selector, "spare", "signs nothing")


def _said(used: str, rotation: Rotation | None, found: Sequence[Finding]) -> str:
    if not used:
        return "No mail is signed on this host yet."
    if rotation is None:
        return f"{used} signs; no key is being changed."
    if rotation.stage is Stage.RETIRING:
        if rotation.over(utc()):
            return f"{rotation.new} signs. {rotation.old} is due to go: mailwizard dkim rotate"
        return retiring(rotation)
    if rotation.stage is Stage.ACTIVE or rotation.back:
        return "A run was cut short while the signer changed: mailwizard dkim rotate goes on."
    if gate.closed(found):
        return (
            f"{rotation.old} signs. Whoever runs the zone publishes the record of {rotation.new}, "
            "then: mailwizard dkim rotate"
        )
    return f"{rotation.new} is published: mailwizard dkim rotate lets it sign."
