"""The age of the key that signs, and whether the key before it can still be verified with."""

from __future__ import annotations

import posixpath
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.dkimcheck import public_half, tags
from mailwizard.probes.dns import Resolver, resolver_of
from mailwizard.probes.verdict import could_not_ask, passed, warned

OLD = 365
"""Days; common advice is six to twelve months (M3AAWG, DKIM key rotation)."""
ON_ITS_WAY = 90
"""Days after which nothing that an older key signed can be waiting anywhere."""


@dataclass(frozen=True, slots=True)
class KeyAge:
    """The key is younger than a year, and the record of the key before it still stands.

    Mail that waits in a queue was signed with the key before (RFC 6376 3.6.1): as long as that
    is kept here, it is not over.
    """

    domain: str
    selector: str
    path: str
    nameservers: tuple[str, ...] = field(default=(), kw_only=True)
    dns_port: int = field(default=53, kw_only=True)
    deadline: ClassVar[float] = 25.0
    critical: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return f"DKIM-10:{self.domain}"

    @property
    def title(self) -> str:
        return f"The key of {self.domain} is changed in time"

    @property
    def by_hand(self) -> str:
        return f"ls -l {posixpath.dirname(self.path)}; dig +short TXT OLD._domainkey.{self.domain}"

    def ask(self, host: Host) -> Result:
        try:
            resolver = resolver_of(host, self.nameservers, self.dns_port)
            result = self._judge(host, resolver)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        return Result(result.outcome, result.said, result.expected, result.fix, tuple(resolver.log))

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        state = host.state(self.path)
        if state.kind != "file":
            raise CannotAsk(Trouble.CLOSED, f"there is no key {self.path}")
        days = int((time.time_ns() - state.mtime_ns) / 86400e9)
        before = list(self._before(host, state.mtime_ns)) if days <= ON_ITS_WAY else []
        for selector, path in before:
            name, own = f"{selector}._domainkey.{self.domain}", public_half(host, path)
            found = [tags(one) for one in resolver.texts(name)]
            if own not in ["".join(one.get("p", "").split()) for one in found]:
                return warned(
                    f"{name}, the key before this one, is not published any more",
                    "its record, until `mailwizard dkim` says that it may go",
                    "Whoever runs the zone: publish it again (`mailwizard dns` shows it). Mail "
                    "that is still on its way was signed with it.",
                )
        if days > OLD:
            fix = "The administrator: `mailwizard dkim rotate` changes it without a gap."
            return warned(f"{self.selector} is {days} days old", f"at most {OLD} days", fix)
        kept = "".join(f"; {selector} before it still stands" for selector, _ in before)
        return passed(f"{self.selector} is {days} days old{kept}")

    def _before(self, host: Host, made_ns: int) -> Iterator[tuple[str, str]]:
        """(selector, path) of each older key; a younger one waits for its own record."""
        folder = posixpath.dirname(self.path)
        for name in host.list(folder):
            found = re.fullmatch(re.escape(self.domain) + r"\.([a-z0-9-]+)\.pem", name)
            path = f"{folder}/{name}"
            if found and path != self.path and host.state(path).mtime_ns < made_ns:
                yield found[1], path
