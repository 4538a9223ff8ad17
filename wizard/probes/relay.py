"""The relay battery: nobody may send through this host to somebody else, however he spells it.

It stops at RCPT and never sends DATA: nothing can leave, whatever the server answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Reply, Transcript, by_hand
from mailwizard.probes.smtp import envelope
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, unknown
from mailwizard.probes.wire import STRANGER, OverTheWire

# Ten errors make smtpd answer slowly, twenty make it hang up (smtpd_soft_error_limit,
# smtpd_hard_error_limit): a few pairs for each connection.
_EACH = 6
_FOREIGN = ("example.com", "example.net", "example.org")
_HOLE = (
    "The administrator, at once: smtpd_relay_restrictions = permit_mynetworks, "
    "permit_sasl_authenticated, reject_unauth_destination, and mynetworks = 127.0.0.0/8 "
    "[::ffff:127.0.0.0]/104 [::1]/128. Else this host sends spam for everybody and is on every "
    "blocklist within days."
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A sender and a recipient of somewhere else."""

    sender: str
    recipient: str

    def __str__(self) -> str:
        return f"<{self.sender}> to <{self.recipient}>"


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a pair: the reply, or why there was none."""

    pair: Pair
    address: str
    reply: Reply | None


def pairs(domain: str, server: str, literal: str, own_senders: Sequence[str]) -> Iterator[Pair]:
    """The classic ways to name a foreign recipient: sixteen of nmap's smtp-open-relay, and ours.

    `domain` is foreign, `server` the server's name, `literal` its address in brackets.
    """
    to = f"relaytest@{domain}"
    yield Pair("", to)
    yield Pair(f"antispam@{domain}", to)
    yield Pair(f"antispam@{server}", to)
    literal_sender = f"antispam@{literal}"
    for recipient in (
        to,
        f"relaytest%{domain}@{literal}",
        f"relaytest%{domain}@{server}",
        f'"{to}"',
        f'"relaytest%{domain}"',
        f"{to}@{literal}",
        f'"{to}"@{literal}',
        f"{to}@{server}",
        f"@{literal}:{to}",
        f"@{server}:{to}",
        f"{domain}!relaytest",
        f"{domain}!relaytest@{literal}",
        f"{domain}!relaytest@{server}",
    ):
        yield Pair(literal_sender, recipient)
    for sender in own_senders:
        yield Pair(sender, to)


@dataclass(frozen=True, slots=True)
class RefusesRelay(OverTheWire):
    """No foreign recipient is accepted from a stranger, over IPv4 or IPv6, in any spelling."""

    domains: tuple[str, ...]
    own_login: str = "postmaster"
    id: ClassVar[str] = "SMTP-06"
    title: ClassVar[str] = "This host is not an open relay"
    deadline: ClassVar[float] = 40.0
    critical: ClassVar[bool] = True

    @property
    def foreign(self) -> str:
        """A reserved domain (RFC 2606) that is not one of ours."""
        for name in _FOREIGN:
            if not any(f".{own}".endswith(f".{name}") for own in map(str.lower, self.domains)):
                return name
        return "relay-test.invalid"

    @property
    def by_hand(self) -> str:
        commands = (f"EHLO {STRANGER}", "MAIL FROM:<>", f"RCPT TO:<relaytest@{self.foreign}>")
        typed = by_hand(self.server, self.port, commands)
        return f"{typed}  # on a machine outside mynetworks"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        del host
        jobs: list[tuple[str, list[Pair]]] = []
        for address in place.addresses:
            try:
                name = self._server_name(place, address, clock, transcript)
            except CannotAsk as trouble:
                if trouble.kind is not Trouble.REFUSED or address == place.addresses[0]:
                    raise
                transcript.note(f"nobody listens on {address}: nothing to relay through there")
                continue
            senders = [f"{self.own_login}@{domain}" for domain in self.domains]
            every = list(pairs(self.foreign, name, place.literal(address), senders))
            jobs += [(address, every[at : at + _EACH]) for at in range(0, len(every), _EACH)]
        with ThreadPoolExecutor(max_workers=8) as pool:
            parts = pool.map(lambda job: self._try(place, job[0], job[1], clock), jobs)
            tried = []
            for heard, part in parts:
                transcript.extend(part)
                tried += heard
        if len(place.addresses) == 1 and not self.server:
            transcript.note("IPv6 is switched off on this host: tried over IPv4 only")
        return _verdict(tried)

    def _server_name(
        self, place: Seat, address: str, clock: Deadline, transcript: Transcript
    ) -> str:
        with self._open(place, address, clock, transcript) as heard:
            heard.talk.quit()
            return heard.ehlo.first.split(" ")[0] or address

    def _try(
        self, place: Seat, address: str, some: Sequence[Pair], clock: Deadline
    ) -> tuple[list[Tried], Transcript]:
        """A few pairs in one connection; a pair that got no answer says so."""
        part = Transcript()
        tried: list[Tried] = []
        try:
            with self._open(place, address, clock, part) as heard:
                for pair in some:
                    reply = envelope(heard, pair.sender, pair.recipient)
                    tried.append(Tried(pair, address, reply))
                heard.talk.quit()
        except CannotAsk as trouble:
            part.note(trouble.sentence)
        tried += [Tried(pair, address, None) for pair in some[len(tried) :]]
        return tried, part


def _judged(reply: Reply) -> bool:
    """Whether relaying itself was refused; Debian's default says 454 instead of 554."""
    return reply.code >= 500 or "relay" in reply.first.lower()


def _verdict(tried: Sequence[Tried]) -> Result:
    taken = [one for one in tried if one.reply and one.reply.ok]
    unasked = [one for one in tried if one.reply is None]
    expected = "554 5.7.1 Relay access denied to every one of them"
    if taken:
        first = taken[0]
        others = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        return failed(
            f"OPEN RELAY: a stranger may send from {first.pair}{others} (asked at {first.address})",
            expected,
            _HOLE,
        )
    if unasked:
        return unknown(
            f"{len(unasked)} of {len(tried)} tries got no answer, e.g. {unasked[0].pair}",
            expected,
            "The server hung up or was too slow (see the transcript): check again.",
        )
    families = " and ".join(
        name
        for name, mark in (("IPv4", "."), ("IPv6", ":"))
        if any(mark in t.address for t in tried)
    )
    if not any(one.reply and _judged(one.reply) for one in tried):
        shown = tried[0].reply.text if tried and tried[0].reply else "nothing"
        return unknown(
            f"all {len(tried)} tries were only put off: {shown}",
            expected,
            "The server refuses for the time being for another reason, so relaying was not "
            "judged: often its DNS does not answer. Mend that and check again.",
        )
    return passed(f"{len(tried)} tries to relay refused, over {families}")
