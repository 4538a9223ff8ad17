"""Who may be written to: people, aliases and lists; not what else has a line in passwd(5)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.model import Host, Result
from mailwizard.platform import facts
from mailwizard.probes.catchall import MEANT, catch_all
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.postconf import Postconf, words
from mailwizard.probes.smtp import envelope
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, warned
from mailwizard.probes.wire import Greeted, OverTheWire

# after some refusals Postfix slows a client down (postconf(5), smtpd_soft_error_limit)
_MOST = 6
_EXPECTED = "550 5.1.1 for each account of the system's own"


@dataclass(frozen=True, slots=True)
class OnlyPeople(OverTheWire):
    """Mail for the system's own accounts is refused at once: nobody would read it.

    All of them are looked up in Postfix's own tables; some, those found there first, are tried.
    """

    domain: str
    id: ClassVar[str] = "SMTP-35"
    title: ClassVar[str] = "The system's own accounts get no mail from the world"

    def _commands(self) -> tuple[str, ...]:
        return ("MAIL FROM:<>", f"RCPT TO:<nobody@{self.domain}>")

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        with self._open(place, place.addresses[0], clock, transcript) as heard:
            names, known = _asked(host)
            transcript.note(f"{len(names)} accounts of the system's own, no aliases among them")
            first = [*known, *random.sample(names, len(names))]
            tried = list(dict.fromkeys(first))[:_MOST]
            replies = {name: envelope(heard, "", f"{name}@{self.domain}") for name in tried}
            heard.talk.quit()
        taken = [name for name, reply in replies.items() if reply.ok]
        if taken and (where := catch_all(host, self.domain)):
            return warned(f"nobody is unknown here: {where}", _EXPECTED, MEANT)
        if taken:
            return self._accepted(taken, len(known) or len(taken))
        if later := next((one for one in replies.values() if 400 <= one.code < 500), None):
            fix = "soft_bounce = no; or a table cannot be read (`journalctl -t postfix/smtpd`)."
            return warned(f"{tried[0]} is put off: {later.text}", _EXPECTED, fix)
        return passed(f"{len(names)} accounts of the system's own are nobody's mailbox")

    def _accepted(self, taken: Sequence[str], count: int) -> Result:
        more = f" and {count - len(taken)} more" if count > len(taken) else ""
        return failed(
            f"mail for {', '.join(taken)}{more} is accepted, and nobody reads it",
            _EXPECTED,
            "It is bounced to whoever was named as its sender, or kept in a service's folder. The "
            "administrator: apply the step postfix again, or give the name an alias if somebody "
            "is to read its mail.",
        )

    def _judge(self, heard: Greeted) -> Result:
        raise NotImplementedError


def _asked(host: Host) -> tuple[list[str], list[str]]:
    """The system's accounts that are no aliases, and those of them in a table of recipients."""
    settings = Postconf(host).values("alias_maps", "local_recipient_maps")
    names = facts.services(host)
    meant = _found(host, settings.get("alias_maps", ""), names)
    names = [name for name in names if name not in meant]
    if not names:
        raise CannotAsk(Trouble.GARBLED, "this host lists no accounts")
    tables = settings.get("local_recipient_maps", "")
    return names, sorted(_found(host, tables, names))


def _found(host: Host, tables: str, names: Sequence[str]) -> set[str]:
    """Which of the names these tables know, asked for all at once."""
    found: set[str] = set()
    for table in words(tables):
        if table.startswith("nis:"):
            continue
        argv = ["postmap", "-q", "-", table]
        asked = host.ask(argv, stdin="".join(f"{name}\n" for name in names), timeout=10)
        if asked.code not in (0, 1) or "fatal:" in asked.err:
            said = sanitise.clean(asked.err, width=200, limit=1)
            raise CannotAsk(Trouble.UNREACHABLE, f"postmap -q {table}: {said}")
        found |= {line.partition("\t")[0] for line in asked.out.splitlines()}
    return found & set(names)
