"""Settings of others that lead mail another way, and copies that would leave with our messages."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from mailwizard import elsewhere, sanitise
from mailwizard.model import Host, Look, Result
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.postconf import Postconf, words
from mailwizard.probes.verdict import passed, warned

_COPIES = ("always_bcc", "recipient_bcc_maps")
_LOCAL = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains")


@dataclass(frozen=True, slots=True)
class NothingElsewhere:
    """No setting but ours says where mail goes, who gets it, or which service answers.

    ours: parameters that the answers of some step set.
    """

    ours: frozenset[str] = frozenset()
    id: ClassVar[str] = "HOST-ELSEWHERE"
    title: ClassVar[str] = "Nothing else leads mail another way"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = (
        "postconf -n; postconf -M; systemctl cat postfix dovecot opendkim | grep -A9 '^# /etc'"
    )

    def ask(self, host: Host) -> Result:
        found = elsewhere.settings(host, self.ours)
        if not found:
            return passed("no setting of somebody else's leads mail another way")
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return warned(
            f"{found[0].sentence}{more}",
            "only what this set-up needs",
            "Right if it is meant: it is left alone. Else the administrator: take it out where it "
            "stands, then reload Postfix (after a drop-in: systemctl daemon-reload, and restart).",
            [one.sentence for one in found],
        )


def not_copied(look: Look, *logins: str) -> None:
    """Nothing, where no copy of a message to these logins leaves; raises CannotAsk elsewhere."""
    values: dict[str, str] = {}
    with suppress(CannotAsk):
        values = Postconf(look).values(*_COPIES, *_LOCAL)
    if not any(values.get(name) for name in _COPIES):
        return
    local = {word.lower() for name in _LOCAL for word in words(values.get(name, ""))}
    for name, address in _copies(look, values, logins, sorted(local)):
        domain = address.rpartition("@")[2].lower()
        if "@" in address and domain not in local:
            shown = sanitise.clean(address, width=100, limit=1)
            path = look.platform.path("main.cf")
            line = elsewhere.line_of(look.read(path).decode("utf-8", "replace"), name)
            raise CannotAsk(
                Trouble.NO_VANTAGE,
                f"{name} ({path}, line {line}) would send a copy to {shown}: no test message was "
                "sent",
            )


def _copies(
    look: Look, values: dict[str, str], logins: Collection[str], domains: list[str]
) -> Iterator[tuple[str, str]]:
    """The parameter, and who gets a copy."""
    if values.get("always_bcc"):
        yield "always_bcc", values["always_bcc"]
    keys = [key for domain in domains for key in (*(f"{one}@{domain}" for one in logins),
                                                  f"@{domain}")]  # fmt: skip
    for table in words(values.get("recipient_bcc_maps", "")):
        stdin = "".join(f"{key}\n" for key in (*keys, *logins))
        asked = look.ask(["postmap", "-q", "-", table], stdin=stdin, timeout=10)
        for line in asked.out.splitlines():
            yield "recipient_bcc_maps", line.partition("\t")[2].strip()
