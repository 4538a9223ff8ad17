"""Whether this host's provider lets it send mail at all."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.connect import connect
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dns import Resolver, resolver_of
from mailwizard.probes.verdict import could_not_ask, passed, unknown, warned

LARGE_PROVIDERS = ("gmail-smtp-in.l.google.com", "outlook-com.olc.protection.outlook.com")


@dataclass(frozen=True, slots=True)
class Port25Open:
    """One of the exchangers can be reached on port 25; a block is a warning, never a fail."""

    exchangers: tuple[str, ...] = LARGE_PROVIDERS
    port: int = 25
    nameservers: tuple[str, ...] = ()
    dns_port: int = 53
    id: ClassVar[str] = "OUT-01"
    title: ClassVar[str] = "Other mail servers can be reached"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        first = (self.exchangers or LARGE_PROVIDERS)[0]
        return f"nc -vz -w 5 {first} {self.port}"

    def ask(self, host: Host) -> Result:
        exchangers = self.exchangers or LARGE_PROVIDERS
        try:
            resolver = resolver_of(host, self.nameservers, self.dns_port)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        with ThreadPoolExecutor(max_workers=len(exchangers)) as pool:
            heard = list(pool.map(lambda name: self._reach(resolver, name), exchangers))
        rows = [
            f"{name}: {trouble or 'open'}" for name, trouble in zip(exchangers, heard, strict=True)
        ]
        return self._verdict(exchangers, heard, rows)

    def _reach(self, resolver: Resolver, name: str) -> CannotAsk | None:
        try:
            addresses = resolver.addresses(name)
            if not addresses:
                return CannotAsk(Trouble.DNS, f"{name} has no address")
        except CannotAsk as trouble:
            return trouble
        troubles = []
        # one of each family: this host may have one of them alone
        for address in {":" in one: one for one in reversed(addresses)}.values():
            try:
                connect(address, self.port, Deadline(5)).close()
            except CannotAsk as trouble:
                troubles.append(trouble)
            else:
                return None
        heard = (one for one in troubles if one.kind is not Trouble.UNREACHABLE)
        return next(heard, troubles[0])

    def _verdict(
        self, exchangers: Sequence[str], heard: Sequence[CannotAsk | None], rows: Sequence[str]
    ) -> Result:
        if None in heard:
            return passed(f"port {self.port} of {exchangers[heard.index(None)]} is open", rows)
        first = next((one for one in heard if one and one.kind is not Trouble.DNS), None)
        if first is None:
            return unknown(
                "the DNS does not say where other mail servers are",
                "addresses of the exchangers",
                "The administrator: mend /etc/resolv.conf, or the host's network, and check again.",
                rows,
            )
        if first.kind is Trouble.UNREACHABLE:
            return unknown(
                first.sentence,
                f"an open port {self.port}",
                "This host has no way to the Internet at all: mend its network first.",
                rows,
            )
        blocked = warned(
            f"this provider seems to block port {self.port}: {first.sentence}",
            f"an open port {self.port} to other mail servers",
            "Use a relay host (the relay step), or ask the provider to open port 25; many do so "
            "on request, some after the first bill.",
            rows,
        )
        return replace(blocked, suggests="relay")
