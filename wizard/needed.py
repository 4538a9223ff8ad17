"""The DNS records that the steps need, from the first answer on: the zone takes longest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mailwizard.model import Context, Look, Record, Step

Found = Mapping[str, Mapping[str, Any]]


def records(steps: Sequence[Step], found: Found, look: Look) -> list[Record]:
    """Each record once; of a step that lacks an answer those that do not depend on it."""
    known = (one for step in steps for one in _of(step, found, look))
    return list({(one.owner, one.type, one.value): one for one in known}.values())


def _of(step: Step, found: Found, look: Look) -> Iterator[Record]:
    # an answer that is not there yet is a KeyError
    try:
        yield from step.records(Context(step.id, found, look))
    except KeyError:
        return
