"""`mailwizard dns`: the records that the steps need beside what the DNS holds."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from mailwizard import show
from mailwizard.dnsdesk import spent
from mailwizard.dnsdesk.finding import Finding
from mailwizard.dnsdesk.how import How
from mailwizard.dnsdesk.look import apexes, look
from mailwizard.dnsdesk.text import as_json as findings_json
from mailwizard.dnsdesk.text import table
from mailwizard.dnsdesk.verdict import Verdict
from mailwizard.dnsdesk.waiting import wait
from mailwizard.dnsdesk.zonefile import zone_text
from mailwizard.probes.zones import Where

if TYPE_CHECKING:
    from mailwizard.engine import Engine

__all__ = [
    "Finding",
    "How",
    "Verdict",
    "Where",
    "look",
    "run",
    "say",
    "table",
    "zone_text",
]


def run(
    engine: Engine,
    *,
    zone: bool = False,
    as_json: bool = False,
    minutes: float = 0,
    where: Where | None = None,
) -> int:
    """Print the records; 1 when one that is required is absent or wrong.

    With minutes: once there is nothing more to wait for, or when they are over.
    """
    needed = engine.records()
    if zone:
        print("\n".join(zone_text(needed, apexes(engine.host, needed, where))))
        return 0
    if minutes:
        findings = wait(partial(look, engine.host, needed, where, patient=True), minutes)
    else:
        findings = look(engine.host, needed, where)
    code = say(findings, as_json=as_json)
    if not as_json:
        spare = spent.lines(engine.host, engine.spent_records())
        print("".join(f"{line}\n" for line in spare), end="")
    return code


def say(findings: Sequence[Finding], *, as_json: bool = False) -> int:
    """Print what was found; 1 when a record that is required is absent or wrong."""
    if as_json:
        print(json.dumps(findings_json(findings), indent=1))
    else:
        print("\n".join(table(findings, colour=show.colour_wanted(sys.stdout))))
    return 1 if any(one.failed for one in findings) else 0
