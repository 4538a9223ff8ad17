"""What is found out about a record: how each server has it, and how it stands altogether."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.dnsdesk.how import How
from mailwizard.dnsdesk.verdict import Verdict
from mailwizard.model import Record
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.zones import Server, Zone


@dataclass(frozen=True, slots=True)
class View:
    """A record as one server has it; unknown says why in its note."""

    view: str
    server: str
    outcome: Verdict
    answer: tuple[str, ...] = ()
    ttl: int | None = None
    note: str = ""
    how: How = How.NOTHING


@dataclass(frozen=True, slots=True)
class Finding:
    """A record and how it stands in the DNS."""

    record: Record
    outcome: Verdict
    views: tuple[View, ...]
    how: How = How.NOTHING
    note: str = ""
    zone: Zone | None = None

    @property
    def failed(self) -> bool:
        return self.record.required and self.outcome.bad


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a name's zone begins, or why that cannot be told, and the zone's servers."""

    zone: Zone | CannotAsk
    servers: tuple[Server, ...]


def siblings(record: Record, records: Sequence[Record]) -> list[Record]:
    """All wanted records of the same owner and type."""
    return [one for one in records if (one.owner, one.type) == (record.owner, record.type)]
