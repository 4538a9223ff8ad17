"""Which of this host's doors a stranger finds open, over IPv4 and IPv6."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.listening import Listener, listeners
from mailwizard.probes.vantage import Seat, seat
from mailwizard.probes.verdict import could_not_ask, failed, passed

# The stranger is on this machine: who lets him in answers at once. Where much is going on he may
# have to knock again, and does so after 1, 3 and 7 s (tcp(7), tcp_syn_retries).
_PATIENCE, _AT_CLOSED = 9.0, 2.0


@dataclass(frozen=True, slots=True)
class Tried:
    """One connection: where to, and what hindered it."""

    address: str
    port: int
    trouble: CannotAsk | None

    @property
    def family(self) -> str:
        return "IPv6" if ":" in self.address else "IPv4"

    @property
    def refused(self) -> bool:
        return self.trouble is not None and self.trouble.kind is Trouble.REFUSED

    def __str__(self) -> str:
        found = self.trouble.sentence if self.trouble else f"connected to port {self.port}"
        return f"{self.family}: {found}"


@dataclass(frozen=True, slots=True)
class PublicPortsReached:
    """A stranger reaches the public ports over both families, and none of the closed ones.

    ssh: ports where somebody must answer; on the others it is enough that the firewall lets
    strangers through. address6: the host's published IPv6 address; without one it is fine that
    nobody listens there.
    """

    ports: tuple[int, ...]
    ssh: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()
    address6: str = ""
    id: ClassVar[str] = "HOST-12"
    title: ClassVar[str] = "Strangers reach the public ports, and only those"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        wanted = " ".join(map(str, (*self.ports, *self.ssh)))
        return f'from elsewhere: for port in {wanted}; do nc -zvw 3 "$HOST" $port; done'

    def ask(self, host: Host) -> Result:
        try:
            waiting = listeners(host)
            with seat(host) as place:
                # what a firewall does is this probe's own question
                tried = self._try(replace(place, wall=None))
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        rows = [str(one) for one in tried]
        for one in tried:
            if one.port in self.closed and one.trouble is None:
                return failed(
                    f"port {one.port} is open to everybody over {one.family}",
                    f"port {one.port} open to the networks in `lan` at most",
                    "The administrator: see which rule lets it in (nft list ruleset, ufw status, "
                    "firewall-cmd --list-all); or name it in `services` if that is meant.",
                    rows,
                )
        for one in tried:
            if one.port not in self.closed and (said := self._shut(one, waiting)):
                return failed(
                    said,
                    f"{one.port}/tcp reached from outside over IPv4 and IPv6",
                    "The administrator: let it through in this host's firewall (nft list ruleset, "
                    "ufw status, firewall-cmd --list-all), for IPv6 as well; and does its server "
                    "listen on all addresses?",
                    rows,
                )
        return passed("; ".join(self._seen(tried)) or "no port is to be let in", rows)

    def _seen(self, tried: Sequence[Tried]) -> Iterator[str]:
        """What strangers reached; a refusal where nobody listens may be the firewall's as well."""
        came_in = [one for one in tried if one.trouble is None]
        reached = {one.port for one in came_in}
        if reached:
            families = " and ".join(dict.fromkeys(one.family for one in came_in))
            yield f"let in: {_listed(reached)}, over {families}"
        if unseen := {*self.ports, *self.ssh} - reached:
            yield f"nobody listens at {_listed(unseen)}: not seen"

    def _try(self, place: Seat) -> list[Tried]:
        wanted = dict.fromkeys((*self.ssh, *self.ports, *self.closed))
        pairs = [(address, port) for port in wanted for address in place.addresses]
        if not pairs:
            return []
        with ThreadPoolExecutor(max_workers=len(pairs)) as pool:
            return list(pool.map(lambda pair: self._knock(place, *pair), pairs))

    def _knock(self, place: Seat, address: str, port: int) -> Tried:
        clock = Deadline(_AT_CLOSED if port in self.closed else _PATIENCE)
        try:
            place.connect(address, port, clock).close()
        except CannotAsk as trouble:
            return Tried(address, port, trouble)
        return Tried(address, port, None)

    def _shut(self, one: Tried, waiting: tuple[Listener, ...]) -> str:
        """Why a port that should be reached is not; empty where all is well."""
        if one.trouble is None:
            return ""
        where = f"port {one.port} over {one.family}"
        here = one.family in _families(waiting, one.port)
        if not one.refused:
            return f"strangers are not let in to {where} ({_briefly(one.trouble)})"
        if here:
            return f"strangers are refused at {where}, though a server listens there"
        if one.family == "IPv4":
            return f"nobody answers at {where}" if one.port in self.ssh else ""
        # reached over IPv4 alone: right for a host that has no address of the other family
        only4 = "IPv4" in _families(waiting, one.port)
        return f"nobody listens on {where}" if only4 and self.address6 else ""


def _listed(ports: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(ports)))


def _briefly(trouble: CannotAsk) -> str:
    return trouble.sentence.partition(": ")[2] or trouble.sentence


def _families(waiting: tuple[Listener, ...], port: int) -> set[str]:
    return set(_listened(waiting, port))


def _listened(waiting: tuple[Listener, ...], port: int) -> Iterator[str]:
    for one in waiting:
        if one.port == port and not one.on_loopback:
            yield "IPv6" if ":" in one.address else "IPv4"
