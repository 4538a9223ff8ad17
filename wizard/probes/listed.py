"""Whether others already refuse this host: its addresses and domains on well-known blocklists."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.blocklists import ERRORS, ZEN, blocklist
from mailwizard.model import Host, Result
from mailwizard.probes.dns import DnsQuestion, Resolver
from mailwizard.probes.networks import is_private
from mailwizard.probes.verdict import failed, passed, skipped, unknown

DBL = "dbl.spamhaus.org"
_LOOKUP = "https://check.spamhaus.org"
_OWN = "The administrator: ask by a resolver of this host's own, see DNS-11."
_REVERSE = re.compile(r"\.(in-addr|ip6)\.arpa$")


@dataclass(frozen=True, slots=True)
class AddressesNotListed(DnsQuestion):
    """None of the public addresses is on the list that most servers ask."""

    addresses: tuple[str, ...]
    id: ClassVar[str] = "DNS-17"
    title: ClassVar[str] = "The addresses are on no blocklist"

    @property
    def by_hand(self) -> str:
        return self._dig(*(f"{_entry(one)}. A" for one in self.addresses if one))

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        public = [one for one in self.addresses if one and not is_private(one)]
        if not public:
            return skipped("no public address: whoever relays is asked for")
        return _none_listed(resolver, ZEN, {one: _entry(one) for one in public})


@dataclass(frozen=True, slots=True)
class DomainsNotListed(DnsQuestion):
    """None of the domains is on the list that most servers ask for senders."""

    domains: tuple[str, ...]
    id: ClassVar[str] = "DNS-18"
    title: ClassVar[str] = "The domains are on no blocklist"

    @property
    def by_hand(self) -> str:
        return self._dig(*(f"{one}.{DBL}. A" for one in self.domains))

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        return _none_listed(resolver, DBL, {one: f"{one}.{DBL}" for one in self.domains})


def _entry(address: str) -> str:
    """Where the list has its entry for an address (RFC 5782, 2.1)."""
    pointer = ipaddress.ip_address(address).reverse_pointer
    return f"{_REVERSE.sub('', pointer)}.{ZEN}"


def _none_listed(resolver: Resolver, zone: str, entries: dict[str, str]) -> Result:
    listing, heard = blocklist(zone), {one: resolver.ask(at, "A") for one, at in entries.items()}
    for one, answers in heard.items():
        if any(map(listing.counts, answers)):
            fix = f"The administrator: look it up at {_LOOKUP}, mend the cause, have it taken out."
            return failed(f"{one} is on {zone} ({answers[0]})", f"{one} on no list", fix)
    errors = [one for answers in heard.values() for one in answers if one in ERRORS]
    if errors:
        said = f"{zone} refuses this host's resolver ({errors[0]})"
        return unknown(said, "an answer of the list", _OWN)
    return passed(f"{', '.join(heard)}: not on {zone}")
