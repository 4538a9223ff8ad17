"""Waiting until the world has heard: the zone's servers first, then those who remember."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from mailwizard.dnsdesk.finding import Finding
from mailwizard.dnsdesk.how import How
from mailwizard.dnsdesk.verdict import Verdict

SHORTEST, USUAL, LONGEST = 2, 10, 60


def wait(look: Callable[[], list[Finding]], minutes: float) -> list[Finding]:
    """The last look: nothing to wait for is left, or the time is over."""
    end = time.monotonic() + minutes * 60
    while True:
        findings = look()
        due, left = late(findings), end - time.monotonic()
        if not due or left <= 0:
            return findings
        _count_down(_said(due), min(pause(due), left), left)


def late(findings: Sequence[Finding]) -> list[Finding]:
    """What is worth waiting for: required and not there, or there and not heard by all."""
    return [one for one in findings if one.failed or one.outcome is Verdict.LATE]


def pause(due: Sequence[Finding]) -> float:
    """Seconds to the next look: an old answer is over when its time is."""
    return min(_pause(one) for one in due)


def _pause(one: Finding) -> float:
    if one.outcome is not Verdict.LATE:
        return USUAL
    ends = [view.ttl or USUAL for view in one.views if view.how is How.CACHED]
    return min(max(min(ends, default=USUAL) + 1, SHORTEST), LONGEST)


def _said(due: Sequence[Finding]) -> str:
    first = due[0]
    name = f"{first.record.owner} {first.record.type}"
    name += f" and {len(due) - 1} more" if len(due) > 1 else ""
    ends = [v.ttl or 0 for one in due for v in one.views if v.how is How.CACHED]
    kept = f"; old answers are kept for up to {max(ends)} s" if ends else ""
    return f"waiting for {name}{kept}"


def _count_down(said: str, seconds: float, left: float) -> None:
    """On a terminal one line that counts; elsewhere one line for each look."""
    counts = sys.stderr.isatty()
    over = time.monotonic() + seconds
    if not counts:
        print(f"{said}; next look in {seconds:.0f} s", file=sys.stderr, flush=True)
    while (rest := over - time.monotonic()) > 0:
        if counts:
            gives_up = f"gives up in {(left - seconds + rest) / 60:.0f} min"
            line = f"{said}; next look in {rest:.0f} s, {gives_up}, Ctrl+C stops"
            print(f"\r\x1b[K{line}"[:200], end="", file=sys.stderr, flush=True)
        time.sleep(min(1.0, rest))
    if counts:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
