"""Mail from before: in another mail server's queue, and in mailboxes that nobody reads any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mailwizard import leftovers, sanitise
from mailwizard.model import Host, Result
from mailwizard.probes.verdict import passed, unknown, warned

MAILBOXES = "/var/mail"


@dataclass(frozen=True, slots=True)
class QueueLeft:
    """No mail waits in the queue of a server whose place Postfix takes, or has taken."""

    id: ClassVar[str] = "HOST-LEFT"
    title: ClassVar[str] = "No mail waits in another server's queue"
    deadline: ClassVar[float] = 60.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = "find /var/spool/exim4/input -name '*-H'"

    def ask(self, host: Host) -> Result:
        found = leftovers.waiting(host)
        if not found:
            return passed("none waits")
        server, many = found[0]
        rows = [f"{one.name}: {one.folder}: {number}" for one, number in found]
        expected = "every message sent, or deleted because nobody wants it"
        if server.is_here(host):
            said = f"{leftovers.messages(many)} in the queue of {server.name}"
            return warned(said, expected, _told(leftovers.told(host)[0], server), rows)
        said = (
            f"{leftovers.messages(many)} in {server.folder}; {server.name}, which would send "
            f"{'it' if many == 1 else 'them'}, is gone"
        )
        handing = leftovers.handing_over(server)
        fix = (
            f"The administrator: `{handing}` hands {'it' if many == 1 else 'them'} to Postfix, "
            "once that runs. What nobody wants any more can be deleted."
            if handing
            else f"The administrator: copy the folder to a host with {server.name}, which can send "
            "what is in it; then delete it here."
        )
        return warned(said, expected, fix, rows)


def _told(plan: str, server: leftovers.OldServer) -> str:
    now = f" By hand, now: `{' '.join(server.flush)}`." if server.flush else ""
    return plan.partition(", which Postfix replaces. ")[2] + now


@dataclass(frozen=True, slots=True)
class OldMailboxes:
    """No mail lies in the mailboxes of before, which mail programs are not shown.

    Postfix delivers to Maildir/ in each home, and Dovecot reads there.
    """

    id: ClassVar[str] = "HOST-MBOX"
    title: ClassVar[str] = "No mail lies in old mailboxes"
    deadline: ClassVar[float] = 30.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = f"find {MAILBOXES}/ -type f -size +0"

    def ask(self, host: Host) -> Result:
        # the folder itself may be a link
        find = ["find", f"{MAILBOXES}/", "-maxdepth", "1", "-type", "f", "-size", "+0"]
        if host.state(MAILBOXES).kind == "absent":
            return passed(f"there is no {MAILBOXES}")
        asked = host.ask([*find, "-printf", "%f\\n"], timeout=20)
        if not asked.ok:
            return unknown(f"{MAILBOXES} could not be looked through", "no mail there", "")
        files = sanitise.lines(asked.out)
        asked_of = {name: host.ask(["getent", "passwd", name], timeout=10) for name in files}
        homes = {name: said.out.split(":")[5] for name, said in asked_of.items() if said.ok}
        if not homes:
            return passed("none")
        first = next(iter(homes))
        return warned(
            f"mail lies in {MAILBOXES} for {', '.join(homes)}: mail programs do not show it",
            "each person's mail in the Maildir in their home",
            f"The administrator, for each of them: `{way(first, homes[first])}` copies it into the "
            f"inbox. See that it is there, then move {MAILBOXES}/{first} away.",
            [f"{MAILBOXES}/{name}" for name in homes],
        )


def way(login: str, home: str) -> str:
    """The command that copies a person's old mailbox into the inbox of today, marks and all."""
    new, old = f"mailbox.Maildir('{home}/Maildir')", f"mailbox.mbox('{MAILBOXES}/{login}')"
    program = f"import mailbox; new = {new}; [new.add(one) for one in {old}]"
    return f'runuser -u {login} -- python3 -c "{program}"'
