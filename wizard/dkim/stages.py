"""Where a change of signing keys stands, as the journal keeps it; pure, the clock is passed in."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailwizard.errors import BadUsage
from mailwizard.model import Record

SIGNATURE = timedelta(days=21)
"""How long a signature says that it holds (x=, templates/amavis/signing.j2)."""

NOTE = "dkim-rotation"
"""Where the journal keeps it."""
SPENT = "Its key is gone, and so is all mail that was signed with it."
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class Stage(StrEnum):
    """What the new key is; the old one signs until it is active."""

    PENDING = "pending"
    PUBLISHED = "published"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Rotation:
    """One change of keys; moments are ISO 8601, UTC.

    back: the old key takes its place again, and that is not finished. trouble: why it did.
    spent: (owner, value) of records whose key is gone, so that they may go too.
    """

    old: str
    new: str
    stage: Stage
    since: str
    until: str = ""
    back: bool = False
    trouble: str = ""
    used: tuple[str, ...] = ()
    spent: tuple[tuple[str, str], ...] = ()

    @property
    def under_way(self) -> bool:
        return self.stage not in (Stage.RETIRED, Stage.UNDONE)

    def over(self, now: datetime) -> bool:
        """Whether nothing that the old key signed can be on its way any more."""
        return bool(self.until) and now >= datetime.fromisoformat(self.until)

    def dump(self) -> str:
        return json.dumps(asdict(self))


def load(text: str) -> Rotation | None:
    """The rotation that was noted down; None where there never was one."""
    if not text:
        return None
    kept = json.loads(text)
    spent = tuple((owner, value) for owner, value in kept.pop("spent"))
    used, stage = tuple(kept.pop("used")), Stage(kept.pop("stage"))
    return Rotation(**kept, stage=stage, used=used, spent=spent)


def spent_records(text: str) -> list[Record]:
    """The records of all keys that are gone, of the rotation that was noted down."""
    known = load(text)
    spent = known.spent if known else ()
    return [Record(owner, "TXT", value, SPENT, required=False) for owner, value in spent]


def fresh(now: datetime, taken: Collection[str]) -> str:
    """This month's selector, with a letter behind it when that was used before."""
    month = f"mw{now:%Y%m}"
    names = [month, *(f"{month}{letter}" for letter in string.ascii_lowercase[1:])]
    for name in names:
        if name not in taken:
            return name
    raise BadUsage(
        f"{len(names)} keys were made this month", hint="Find out why they do not last; wait."
    )


def seconds(text: str) -> int:
    """A time as Postfix writes it, "5d" (postconf(5)); days where no unit stands."""
    found = re.fullmatch(r"(\d+)([smhdw]?)", text.strip())
    if found is None:
        raise BadUsage(f"{text!r} is no time that Postfix knows", hint="See: postconf -xh")
    return int(found[1]) * _UNITS[found[2] or "d"]


def hold(queues: str) -> timedelta:
    """How long the old record has to stand: a signature's life, and the time in both queues.

    queues: what `postconf -xh maximal_queue_lifetime bounce_queue_lifetime` prints.
    """
    times = queues.splitlines()
    if len(times) != 2:
        raise BadUsage(
            f"Postfix does not say how long mail stays in its queues: {queues!r}",
            hint="See: postconf -xh maximal_queue_lifetime bounce_queue_lifetime",
        )
    return SIGNATURE + timedelta(seconds=sum(map(seconds, times)))
