"""The records without the world's resolvers, which forget later than one wants to wait."""

from __future__ import annotations

from collections.abc import Sequence

from mailwizard.dnsdesk.finding import Finding
from mailwizard.dnsdesk.look import look
from mailwizard.model import Look, Record
from mailwizard.probes.zones import Where

NEAR = Where(public=())


def findings(host: Look, records: Sequence[Record]) -> list[Finding]:
    """The records as the zones' servers have them; this host's resolver once these are right."""
    return look(host, records, NEAR, patient=True)
