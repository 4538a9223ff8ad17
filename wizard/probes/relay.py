"""The relay battery: nobody may send through this host to somebody else, however he spells it.

It stops at RCPT and never sends DATA: nothing can leave, whatever the server answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import ClassVar

from mailwizard.model import Host, Outcome, Result
from mailwizard.probes.deadline import CannotAsk, Deadline, Filtered, KeptOut, Trouble
from mailwizard.probes.dialogue import Reply, Transcript, by_hand
from mailwizard.probes.sampling import LIVE, spread
from mailwizard.probes.smtp import envelope
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, unknown
from mailwizard.probes.wire import STRANGER, OverTheWire

# Ten errors make smtpd answer slowly, twenty make it hang up (smtpd_soft_error_limit,
# smtpd_hard_error_limit): a few pairs for each connection.
_EACH = 6
_CLASSIC = 16
_FOREIGN = ("example.com", "example.net", "example.org")
_REFUSAL = "554 5.7.1 Relay access denied to every one of them"
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


@dataclass(slots=True)
class Round:
    """One connection: the pairs tried in it, their replies, and what cut it short."""

    address: str
    tried: list[tuple[Pair, Reply]] = field(default_factory=list)
    trouble: CannotAsk | None = None
    transcript: Transcript = field(default_factory=Transcript)

    @property
    def nobody(self) -> bool:
        return self.trouble is not None and self.trouble.kind is Trouble.REFUSED

    @property
    def filtered(self) -> bool:
        return isinstance(self.trouble, Filtered)


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
        # All at once: where reverse lookups are slow, every greeting is.
        own = len(spread(self.domains, LIVE))
        batches = range(-(-(_CLASSIC + own) // _EACH))
        jobs = [(address, batch) for address in place.addresses for batch in batches]
        with ThreadPoolExecutor(max_workers=len(jobs)) as pool:
            rounds = list(pool.map(lambda job: self._try(place, job[0], job[1], clock), jobs))
        for one in rounds:
            transcript.extend(one.transcript)
        silent = {
            address
            for address in place.addresses[1:]
            if all(one.nobody for one in rounds if one.address == address)
        }
        for address in silent:
            transcript.note(f"nobody listens on {address}: nothing to relay through there")
        shut = {
            address
            for address in place.addresses
            if all(one.filtered for one in rounds if one.address == address)
        }
        for address in shut:
            transcript.note(f"filtered: the firewall lets no stranger in at {address}")
        if len(place.addresses) == 1 and not self.server:
            transcript.note("IPv6 is switched off on this host: tried over IPv4 only")
        asked = [one for one in rounds if one.address not in silent | shut]
        kept = [one.trouble for one in rounds if isinstance(one.trouble, KeptOut)]
        if kept and not asked:
            raise kept[0]
        # where nobody could be asked at all, the troubles are what there is to say
        result = _verdict(asked or rounds)
        if asked and shut and result.outcome is Outcome.PASS:
            result = replace(result, said=f"{result.said}; not asked, filtered: {_families(shut)}")
        return result

    def _try(self, place: Seat, address: str, batch: int, clock: Deadline) -> Round:
        """A few pairs in one connection; who was not asked about says so."""
        one = Round(address)
        try:
            with self._open(place, address, clock, one.transcript) as heard:
                name = heard.ehlo.first.split(" ")[0] or address
                own = spread(self.domains, LIVE)
                senders = [f"{self.own_login}@{domain}" for domain in own]
                every = list(pairs(self.foreign, name, place.literal(address), senders))
                for pair in every[batch * _EACH : (batch + 1) * _EACH]:
                    one.tried.append((pair, envelope(heard, pair.sender, pair.recipient)))
                heard.talk.quit()
        except CannotAsk as trouble:
            one.transcript.note(trouble.sentence)
            one.trouble = trouble
        return one


def _judged(reply: Reply) -> bool:
    """Whether relaying itself was refused; Debian's default says 454 instead of 554."""
    return reply.code >= 500 or "relay" in reply.first.lower()


def _verdict(rounds: Sequence[Round]) -> Result:
    tried = [(one.address, pair, reply) for one in rounds for pair, reply in one.tried]
    taken = [(address, pair) for address, pair, reply in tried if reply.ok]
    if taken:
        address, pair = taken[0]
        others = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        return failed(
            f"OPEN RELAY: a stranger may send from {pair}{others} (asked at {address})",
            _REFUSAL,
            _HOLE,
        )
    if hindered := [one.trouble for one in rounds if one.trouble]:
        return unknown(
            f"only {len(tried)} tries were answered: {hindered[0].sentence}",
            _REFUSAL,
            "The server hung up, was too slow or is down (see SMTP-01): check again.",
        )
    if not any(_judged(reply) for _, _, reply in tried):
        return unknown(
            f"all {len(tried)} tries were only put off"
            + (f": {tried[0][2].text}" if tried else ""),
            _REFUSAL,
            "The server refuses for the time being for another reason, so relaying was not "
            "judged: often its DNS does not answer. Mend that and check again.",
        )
    families = _families(address for address, _, _ in tried)
    return passed(f"{len(tried)} tries to relay refused, over {families}")


def _families(addresses: Iterable[str]) -> str:
    return " and ".join(sorted({"IPv6" if ":" in one else "IPv4" for one in addresses}))
