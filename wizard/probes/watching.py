"""Only watching: what the new rules would have refused, as Postfix logged it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.model import Host, Look, Result
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.verdict import could_not_ask, warned
from mailwizard.probes.wire import STRANGER

_JOURNAL = ("journalctl", "-q", "--no-pager", "-o", "cat", "--since", "-30days")
_SOURCES = ("-t", "postfix/smtpd", "-t", "postfix/cleanup")
_MOST = 20000
# smtpd: "reject_warning: RCPT from name[address]: 554 5.7.1 <why>; from=<…> to=<…> …"
_SMTPD = re.compile(
    r"reject_warning: \w+ from (\S+): [45]\d\d (?:[45]\.\d+\.\d+ )?(.*?); (from=.*)$"
)
# cleanup: "warning: header X: y from name[address]; from=<…> to=<…> …: would be REJECT …"
_CLEANUP = re.compile(r"warning: header (.*?) from (\S+); (from=.*): (would be .*)$")


@dataclass(frozen=True, slots=True)
class Spared:
    """A message that was let in, and the rule that would have refused it."""

    client: str
    envelope: str
    rule: str


def would_have_rejected(look: Look) -> list[Spared]:
    """All such messages of the last 30 days, the oldest first; raises CannotAsk."""
    wanted = "reject_warning:|would be (REJECT|DISCARD|HOLD)"
    asked = look.ask([*_JOURNAL, *_SOURCES, "-n", str(_MOST), "-g", wanted], timeout=15)
    if not asked.ok and "pattern matching" in asked.err:
        asked = look.ask([*_JOURNAL, *_SOURCES, "-n", str(_MOST)], timeout=15)
    # a journal without such lines is code 1 and nothing said
    if asked.code in (124, 127) or (asked.err.strip() and not asked.out):
        why = sanitise.clean(asked.err, width=200, limit=1) or f"code {asked.code}"
        raise CannotAsk(Trouble.UNREACHABLE, f"the journal cannot be read: {why}")
    found = (_spared(line) for line in sanitise.lines(asked.out, width=1000, limit=_MOST))
    return [one for one in found if one is not None and STRANGER not in one.envelope]


def _spared(line: str) -> Spared | None:
    if found := _SMTPD.search(line):
        client, why, envelope = found.groups()
        return Spared(client, envelope, _rule(why))
    if found := _CLEANUP.search(line):
        _, client, envelope, rule = found.groups()
        return Spared(client, envelope, f"header check: {rule}")
    return None


def _rule(why: str) -> str:
    """The reason without the names in it, so that equal ones can be counted."""
    if listed := re.search(r"blocked using ([^\s;]+)", why):
        return f"on the blocklist {listed[1]}"
    return re.sub(r"^<[^>]*>: ", "", why)


def counted(spared: Sequence[Spared]) -> str:
    """How many messages for which reason, the commonest first."""
    rules = Counter(one.rule for one in spared)
    return "; ".join(f"{number} times: {rule}" for rule, number in rules.most_common(5))


@dataclass(frozen=True, slots=True)
class WouldReject:
    """A reminder that nothing is refused yet, with what would have been."""

    id: ClassVar[str] = "WATCH"
    title: ClassVar[str] = "What the new rules would have refused"
    deadline: ClassVar[float] = 35.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = "journalctl -t postfix/smtpd -t postfix/cleanup -g reject_warning"

    def ask(self, host: Host) -> Result:
        try:
            spared = would_have_rejected(host)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        messages = {(one.client, one.envelope) for one in spared}
        rows = [f"{one.rule}: {one.client} {one.envelope}" for one in spared[-200:]]
        said = f"would have rejected {len(messages)} messages"
        return warned(
            f"only watching: {said}{f': {counted(spared)}' if spared else ' so far'}",
            "rules that are in force",
            "Look through the list; when nothing in it was wanted mail, set watch_first to false "
            "and apply this step again.",
            rows,
        )
