"""The last words of every face: what works, and what is still open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mailwizard.events import ProbeDone
from mailwizard.model import Outcome

if TYPE_CHECKING:
    from mailwizard.dnsdesk.finding import Finding

RECORDS = "DNS-16"
"""The check whether the DNS holds what a step needs; its whole name has the step's."""

OPEN = (Outcome.FAIL, Outcome.WARN, Outcome.UNKNOWN)
_ARRIVING = ("MX", "A", "AAAA")


def open_points(heard: Iterable[ProbeDone]) -> list[ProbeDone]:
    """The last verdict of each check that is not as it should be, the worst first."""
    last = {one.id: one for one in heard}
    found = [one for one in last.values() if one.result.outcome in OPEN]
    return sorted(found, key=lambda one: OPEN.index(one.result.outcome))


def said(heard: Iterable[ProbeDone]) -> str:
    """Which checks warn or have no verdict, as a sentence; empty when there are none."""
    found = open_points(heard)
    warned = [one.id for one in found if one.result.outcome is Outcome.WARN]
    unasked = [one.id for one in found if one.result.outcome is Outcome.UNKNOWN]
    parts = [f"{_counted(warned)} warn{'s' * (len(warned) == 1)}: {', '.join(warned)}"] * bool(
        warned
    )
    parts += [f"{_counted(unasked)} could not be asked: {', '.join(unasked)}"] * bool(unasked)
    return f"{'; '.join(parts)}." if parts else ""


def _counted(ids: Sequence[str]) -> str:
    return "1 check" if len(ids) == 1 else f"{len(ids)} checks"


def records_said(heard: Iterable[ProbeDone]) -> str:
    """What the checks of the DNS records mean for mail; empty when they hold."""
    mine = [one for one in open_points(heard) if one.id.startswith(f"{RECORDS}:")]
    if any(one.result.outcome is Outcome.WARN for one in mine):
        return (
            "Not all mail can come and go yet: the DNS does not hold every record that is needed. "
            "`mailwizard dns` names them."
        )
    return "Whether the DNS holds every record could not be asked: `mailwizard dns`." * bool(mine)


def dns_verdict(found: Sequence[Finding]) -> tuple[Outcome, str]:
    """What the DNS as it is means for mail, in a sentence."""
    # slow to load, and seldom needed
    from mailwizard.dnsdesk.verdict import Verdict
    from mailwizard.dnsdesk.waiting import late

    due = late(found)
    are = "1 DNS record is" if len(due) == 1 else f"{len(due)} DNS records are"
    if any(one.failed and one.record.type in _ARRIVING for one in due):
        return Outcome.WARN, f"Mail from the world cannot arrive yet: {are} not right."
    if any(one.failed for one in due):
        return Outcome.WARN, f"Others may refuse mail of this host: {are} not right."
    if due:
        return Outcome.WARN, f"{are} right in the zone, but not known everywhere yet."
    if any(one.record.required and one.outcome is Verdict.UNKNOWN for one in found):
        return Outcome.UNKNOWN, "Whether the DNS holds every record could not be asked."
    return Outcome.PASS, "The DNS holds every record that is needed."
