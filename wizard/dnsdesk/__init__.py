"""`mailwizard dns`: the records that the steps need beside what the DNS holds."""

from __future__ import annotations

import json
import sys

from mailwizard import show
from mailwizard.dnsdesk.look import Finding, look, zones
from mailwizard.dnsdesk.servers import Where
from mailwizard.dnsdesk.text import as_json as findings_json
from mailwizard.dnsdesk.text import table, zone_text
from mailwizard.dnsdesk.verdict import Verdict
from mailwizard.engine import Engine
from mailwizard.model import Record

__all__ = ["Finding", "Verdict", "Where", "look", "records", "run", "table", "zone_text", "zones"]


def records(engine: Engine) -> list[Record]:
    """What the steps that are switched on need, each once, in their order."""
    wanted = engine.wanted()
    needed = (one for step in wanted for one in step.records(engine.context(step.id)))
    return list({(one.owner, one.type, one.value): one for one in needed}.values())


def run(
    engine: Engine, *, zone: bool = False, as_json: bool = False, where: Where | None = None
) -> int:
    """Print the records; 1 when one that is required is absent or wrong."""
    needed = records(engine)
    if zone and not as_json:
        print("\n".join(zone_text(needed, zones(engine.host, needed, where))))
        return 0
    findings = look(engine.host, needed, where)
    if as_json:
        print(json.dumps(findings_json(findings), indent=1))
    else:
        print("\n".join(table(findings, colour=show.colour_wanted(sys.stdout))))
    return 1 if any(one.failed for one in findings) else 0
