"""A 4xx that says why: not "come back later", but what is wrong on this host (RFC 3463 3.4)."""

from __future__ import annotations

from mailwizard import sanitise
from mailwizard.model import Host
from mailwizard.probes.deadline import AtFault, CannotAsk
from mailwizard.probes.dialogue import Dialogue, Reply
from mailwizard.probes.postconf import Postconf

NO_ROOM = "4.3.1"
# 4.3.2 is a server that is busy, 4.3.4 a message too large that soft_bounce puts off
_OF_THE_SYSTEM = ("4.3.0", NO_ROOM, "4.3.5")
_MIB = 1 << 20


def is_own_fault(reply: Reply) -> bool:
    """Whether the mail system itself is what hinders it: then it does so for ever."""
    later = 400 <= reply.code < 500 and reply.code != 421
    return later and reply.first.startswith(_OF_THE_SYSTEM)


def own_fault(host: Host, what: str, reply: Reply) -> AtFault:
    """What a reply of that kind means, and for a full disk which and how full."""
    said, expected = f"{what}: {reply.text}", "250"
    if reply.first.startswith(NO_ROOM) and (full := short_of_room(host)):
        return AtFault(f"{said}: {full}", expected, ROOM)
    return AtFault(
        said,
        expected,
        "Mail is put off until this host is mended. The administrator: `journalctl -t "
        "postfix/smtpd -p warning -n 20` names the table, the service or the setting.",
    )


ROOM = (
    "Nothing is accepted meanwhile; other servers try again for days. The administrator: make "
    "room on that disk, or give it a larger one (`du -xh --max-depth=2 / | sort -h | tail`)."
)


def short_of_room(host: Host) -> str:
    """Where the queue has too little room for Postfix, and how much; empty where it has enough."""
    place = host.platform.path("queue")
    asked = host.ask(["df", "-B1", "--output=size,avail,iavail,target", place], timeout=10)
    rows = [line.split(None, 3) for line in asked.out.splitlines()[1:]]
    if not rows or len(rows[0]) < 4 or not all(one.isdigit() for one in rows[0][:2]):
        return ""
    size, free, disk = int(rows[0][0]), int(rows[0][1]), sanitise.clean(rows[0][3], limit=1)
    if rows[0][2] == "0":
        return f"no file can be made any more on {disk}, which holds {place} (df -i)"
    wanted = _wanted(host)
    if free >= wanted:
        return ""
    return (
        f"{free / _MIB:.0f} of {size / _MIB:.0f} MiB are left on {disk}, which holds {place}, and "
        f"Postfix wants {wanted / _MIB:.0f} MiB"
    )


def _wanted(host: Host) -> int:
    """Below this smtpd takes no mail (postconf(5), queue_minfree)."""
    try:
        found = Postconf(host).values("message_size_limit", "queue_minfree")
    except CannotAsk:
        found = {}
    limit, least = (found.get(n, "") for n in ("message_size_limit", "queue_minfree"))
    numbers = [int(one) if one.isdigit() else 0 for one in (limit, least)]
    return max(numbers[0] * 3 // 2, numbers[1], _MIB)


class OwnServer(Dialogue):
    """A conversation with this host's own server: what hinders all mail ends it."""

    def command(self, line: str) -> Reply:
        reply = Dialogue.command(self, line)
        if is_own_fault(reply):
            raise PutOffByItself(line, reply)
        return reply


class PutOffByItself(AtFault):
    """Its own server puts mail off, and says why."""

    def __init__(self, line: str, reply: Reply) -> None:
        super().__init__(f"{line}: {reply.text}", "250", "")
        self.what = line
        self.reply = reply
