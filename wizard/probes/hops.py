"""What the door offers, every hop behind it carries: else mail is taken first and bounced then."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from email.utils import formatdate
from typing import ClassVar

from mailwizard.errors import CommandFailed
from mailwizard.model import Host, Result
from mailwizard.probes.connect import connect, plain_socket
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Dialogue, Reply, Transcript
from mailwizard.probes.forwarding import stays_here
from mailwizard.probes.handed import HandedIn
from mailwizard.probes.postconf import Postconf, words
from mailwizard.probes.queued import taken_back, unfinished
from mailwizard.probes.taken import take
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, unknown
from mailwizard.probes.wire import OverTheWire

# what a message may need of every hop (RFC 6531, 3461, 3030); CHUNKING is between two alone, and
# 8-bit text can be encoded on the way, which breaks what others have signed
_UTF8 = "SMTPUTF8"
_NEEDED = (_UTF8, "DSN", "BINARYMIME")
_WHOLE = "8BITMIME"
_EXPECTED = "each hop offers what the door offers, and takes what has grown by its lines"


@dataclass(frozen=True, slots=True)
class HopsCarry(OverTheWire):
    """What a door offers is offered by each hop behind it, on its own port.

    own: the hops of mail of our own people, who have doors of their own, and whose 8-bit text is
    encoded before it is signed.
    """

    hops: tuple[int, ...]
    own: tuple[int, ...] = ()
    id: ClassVar[str] = "SMTP-36"
    title: ClassVar[str] = "Every hop carries what the door offers"
    # the filter has few processes, and mail of the other probes keeps them busy
    slow: ClassVar[bool] = True

    @property
    def by_hand(self) -> str:
        ports = " ".join(map(str, (25, *self.hops)))
        return f"for p in {ports}; do printf 'EHLO x\\r\\nQUIT\\r\\n' | nc -w 3 127.0.0.1 $p; done"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        with self._open(place, place.addresses[0], clock, transcript) as heard:
            door = heard.ehlo
            heard.talk.quit()
        if not door.ok:
            raise CannotAsk(Trouble.GARBLED, f"EHLO is answered with {door.text}")
        offered = {word for word in (*_NEEDED, _WHOLE) if door.keyword(word) is not None}
        for hop in self.hops:
            there = _ehlo(hop, clock, transcript)
            doors = _own_doors(host, transcript) if hop in self.own else "the door"
            wanted = {word for word in offered if doors or word != _UTF8}
            wanted -= {_WHOLE} if hop in self.own else set()
            if missing := sorted(word for word in wanted if there.keyword(word) is None):
                return _not_carried(" and ".join(missing), doors or "the door", hop)
            if most := _too_little(hop, door, there, Postconf(host)):
                return _too_small(most, hop)
        named = ", ".join(sorted(offered)) or "nothing"
        return passed(f"{named} at the door and on {', '.join(map(str, self.hops))}")


def _own_doors(host: Host, transcript: Transcript) -> str:
    """Which of the ways in for our own people take SMTPUTF8 mail; empty for none."""
    conf = Postconf(host)
    names = ("smtputf8_enable", "smtputf8_autodetect_classes", "smtpd_discard_ehlo_keywords")
    values = conf.values(*names)
    if values.get("smtputf8_enable", "yes") == "no":
        return ""
    found = []
    if {*words(values.get("smtputf8_autodetect_classes", ""))} & {"sendmail", "all"}:
        found.append("sendmail(1)")
    for service, options in conf.overrides().items():
        discarded = {**values, **options}.get("smtpd_discard_ehlo_keywords", "").lower()
        if options.get("smtpd_sasl_auth_enable") == "yes" and _UTF8.lower() not in discarded:
            found.append(service)
    transcript.note(f"ways in for our own people with {_UTF8}: {', '.join(found) or 'none'}")
    return ", ".join(found)


def _ehlo(port: int, clock: Deadline, transcript: Transcript) -> Reply:
    with Dialogue(connect("127.0.0.1", port, clock, plain_socket), clock, transcript) as talk:
        transcript.note(f"connected to 127.0.0.1 port {port}")
        talk.reply()
        offered = talk.command("EHLO localhost")
        talk.quit()
    return offered


def _limit(reply: Reply) -> int:
    """The largest message (RFC 1870); 0 where there is no limit, or none is told."""
    said = reply.keyword("SIZE") or ""
    return int(said) if said.isdigit() else 0


def _too_little(hop: int, door: Reply, there: Reply, conf: Postconf) -> int:
    """A limit of the hop, or of the cleanup behind it, that is no higher than the door's."""
    limits = [_limit(there)]
    overrides = conf.overrides()
    if options := overrides.get(f"127.0.0.1:{hop}/inet"):
        cleanup = overrides.get(f"{options.get('cleanup_service_name', 'cleanup')}/unix", {})
        limit = {**conf.values("message_size_limit"), **cleanup}.get("message_size_limit", "0")
        limits.append(int(limit))
    return next((most for most in limits if most and most <= (_limit(door) or most)), 0)


def _not_carried(what: str, doors: str, hop: int) -> Result:
    return failed(
        f"{what} is offered by {doors} and not by the hop on 127.0.0.1 port {hop}: mail that "
        "needs it is taken, and bounced then",
        _EXPECTED,
        "The administrator: apply the steps submission and amavis again; by hand, let the door "
        "discard it (smtpd_discard_ehlo_keywords, smtputf8_autodetect_classes).",
    )


def _too_small(most: int, hop: int) -> Result:
    return failed(
        f"the hop on 127.0.0.1 port {hop} takes {most} octets, no more than the door: the largest "
        "messages are taken, and bounced then, for they have grown by the lines of each hop",
        _EXPECTED,
        "The administrator: message_size_limit=0 for that entry of master.cf and for the cleanup "
        "behind it (cleanup_service_name); apply the step amavis again.",
    )


@dataclass(frozen=True, slots=True)
class OwnUtf8(HandedIn):
    """A program's mail with letters beyond ASCII in its head, such as cron's, reaches the login."""

    login: str
    id: ClassVar[str] = "SMTP-37"
    title: ClassVar[str] = "Mail of this host with letters beyond ASCII arrives"

    @property
    def by_hand(self) -> str:
        return f"printf 'Subject: gr\u00fc\u00dfe\\n\\n' | sendmail -f '<>' {self.login}"

    def _sent(self, host: Host, transcript: Transcript) -> Result:
        stays_here(host, self.login)
        mark = f"mailwizard-{secrets.token_hex(12)}@probe.invalid"
        argv = ["sendmail", "-i", "-f", "<>", "--", self.login]
        what, expected = "a program's message with 'gr\u00fc\u00dfe' in its head", "delivered"
        try:
            host.run(argv, stdin=_message(mark, self.login), timeout=20)
        except CommandFailed as error:
            return unknown(f"{what} could not be handed in: {error.message}", expected, _FIX)
        wait, folder = self.wait, self.folder
        if take(host, self.login, mark, wait=wait, transcript=transcript, folder=folder):
            return passed(f"{what} reached {self.login}")
        waiting = taken_back(host, mark, transcript)
        if waiting and waiting.busy:
            return unfinished(what, self.wait, expected)
        where = f"; {waiting.sentence}" if waiting else ""
        return failed(f"{what} did not reach {self.login}{where}", expected, _FIX)


_FIX = (
    "The administrator: `journalctl -t postfix/smtp -t postfix/bounce -n 20` says which hop does "
    "not know SMTPUTF8; SMTP-36 asks each."
)


def _message(mark: str, login: str) -> str:
    return (
        f"Message-ID: <{mark}>\nDate: {formatdate(localtime=False)}\n"
        f"From: mailwizard test <root>\nTo: {login}\n"
        "Subject: gr\u00fc\u00dfe, a mailwizard test message, removed when found\n"
        "Auto-Submitted: auto-generated\n\nmailwizard sent this and removes it by itself.\n"
    )
