"""Whether this host's resolver can be believed: where it is, and what blocklists tell it."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import dns.flags
import dns.name

from mailwizard.blocklists import ERRORS, ZEN, Blocklist, blocklist
from mailwizard.model import Host, Look, Outcome, Result
from mailwizard.probes.addresses import on_interfaces
from mailwizard.probes.deadline import CannotAsk, Deadline
from mailwizard.probes.dns import DnsQuestion, Resolver
from mailwizard.probes.nameserver import respond
from mailwizard.probes.verdict import failed, passed, skipped, unknown, warned

_INSTALL = (
    "The administrator: let this host have a resolver of its own (`resolver = true` under "
    "[protection]); it validates, and nobody else's questions count."
)
_ERROR_SAID = dict(
    zip(
        ERRORS,
        (
            "there is no list of that name",
            "the list refuses this host's resolver: it is a public one that too many ask",
            "this host's resolver asked the list too often",
        ),
        strict=True,
    )
)
# A resolver that was silent is not waited for again each time a form is drawn.
_REMEMBERED = 60.0
_silent: dict[bytes, float] = {}


def why_not(look: Look, entry: str) -> str:
    """Why this list cannot be used through this host's resolver; empty when it can (DNS-19)."""
    listing, resolver = blocklist(entry), look.read("/etc/resolv.conf")
    if time.monotonic() - _silent.get(resolver, -_REMEMBERED) < _REMEMBERED:
        return "this host's resolver does not answer"
    found: list[str] = []
    for name in (*listing.test_entries, listing.never_listed):
        asked = look.ask(["getent", "ahostsv4", f"{name}."], timeout=3)
        if asked.code == 124:
            _silent[resolver] = time.monotonic()
            return "this host's resolver does not answer"
        answers = {row.split()[0] for row in asked.out.splitlines() if row.split()}
        if name == listing.never_listed:
            return judged(listing, found, sorted(answers))
        found += sorted(answers)
    return ""


def judged(listing: Blocklist, listed: Sequence[str], never: Sequence[str]) -> str:
    """What is wrong with a list that answers so for its test entries; empty when it is right."""
    for answer in (*listed, *never):
        if answer in _ERROR_SAID:
            return f"{listing.zone}: {_ERROR_SAID[answer]} ({answer})"
    if never:
        return f"{listing.zone} lists what no list may: it would refuse everybody"
    if not listed:
        return f"{listing.zone} does not list its own test entry: it is closed, or blocked here"
    if not any(map(listing.counts, listed)):
        return f"{listing.zone} answers {listed[0]}, which {listing.codes} does not take"
    return ""


def _asked_alone(look: Look) -> bool:
    """Whether systemd-resolved asks this host's own resolver for every name (steps/resolver.py)."""
    folder = "/etc/systemd/resolved.conf.d"
    ours = [name for name in look.list(folder) if name.endswith("mailwizard.conf")]
    return any(b"Domains=~." in look.read(f"{folder}/{name}") for name in ours)


@dataclass(frozen=True, slots=True)
class ResolverTrusted(DnsQuestion):
    """The resolver is on this host and validates what it answers (DNSSEC)."""

    id: ClassVar[str] = "DNS-11"
    title: ClassVar[str] = "The resolver is this host's own and validates"
    by_hand: ClassVar[str] = "grep nameserver /etc/resolv.conf; dig +adflag . SOA | grep flags"
    _expected: ClassVar[str] = "a validating resolver on this host"

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        own = set(on_interfaces(host))
        if _asked_alone(host):
            # what a link's own servers are does not matter to systemd-resolved then
            here = tuple(one for one in resolver.nameservers if _is_here(one, own))
            resolver = replace(resolver, nameservers=here or resolver.nameservers)
        foreign = [one for one in resolver.nameservers if not _is_here(one, own)]
        if foreign:
            return warned(
                f"this host asks {', '.join(foreign)}: blocklists may refuse that resolver, and "
                "nothing proves its answers",
                self._expected,
                _INSTALL,
            )
        silent = 0
        for server in resolver.nameservers:
            try:
                validates = _validates(server, resolver.port)
            except CannotAsk as trouble:
                resolver.log.append(f"{server}: {trouble.sentence}")
                silent += 1
                continue
            resolver.log.append(f"{server}: {'AD' if validates else 'no AD'} in its answer")
            if not validates:
                return warned(f"{server} does not validate (DNSSEC)", self._expected, _INSTALL)
        if silent:
            said = f"{silent} of {len(resolver.nameservers)} resolvers do not answer"
            return unknown(said, self._expected, "The administrator: start it, then check again.")
        return passed(f"{', '.join(resolver.nameservers)} is on this host and validates")


def _is_here(server: str, own: set[str]) -> bool:
    try:
        return ipaddress.ip_address(server).is_loopback or server in own
    except ValueError:
        return False  # DNS over HTTPS


def _validates(server: str, port: int) -> bool:
    """Whether the answer for the root, which is signed, is called authentic (RFC 6840, 5.7)."""
    answer = respond(server, dns.name.root, "SOA", Deadline(5), port=port)
    return bool(answer.flags & dns.flags.AD)


@dataclass(frozen=True, slots=True)
class OwnResolverAnswers(DnsQuestion):
    """The resolver on this host finds names; one that cannot would stop all mail."""

    name: str
    id: ClassVar[str] = "DNS-RESOLVER"
    title: ClassVar[str] = "This host's own resolver finds names"
    _expected: ClassVar[str] = "an answer, even if there is no such name"

    @property
    def by_hand(self) -> str:
        return f"dig @{self.nameservers[0]} {self.name} SOA"

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        try:
            resolver.ask(self.name, "SOA")
        except CannotAsk as trouble:
            fix = "The administrator: it must reach the world on port 53, UDP and TCP. Else leave "
            return failed(
                f"{self.nameservers[0]}: {trouble.sentence}",
                self._expected,
                f"{fix}`resolver` false. `journalctl -u unbound -n 20` may tell more.",
            )
        return passed(f"{', '.join(resolver.nameservers)} answers")


@dataclass(frozen=True, slots=True)
class BlocklistsAnswer(DnsQuestion):
    """Each list holds its test entry and not its opposite, asked through this host's resolver."""

    lists: tuple[str, ...] = field(default=())
    id: ClassVar[str] = "DNS-19"
    title: ClassVar[str] = "The blocklists give true answers here"
    _expected: ClassVar[str] = "its test entry listed, and its opposite not (RFC 5782)"

    @property
    def by_hand(self) -> str:
        listing = blocklist(next(iter(self.lists), ZEN))
        return f"dig +short {listing.test_entries[0]}; dig +short {listing.never_listed}"

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        results = [_answers(resolver, blocklist(entry)) for entry in self.lists or (ZEN,)]
        if not self.lists:
            why = results[0].said if results[0].outcome is not Outcome.PASS else "none is chosen"
            return skipped(f"no blocklist is asked: {why}")
        worst = max(results, key=lambda one: one.outcome.severity)
        said = "; ".join(one.said for one in results)
        return Result(worst.outcome, said, worst.expected, worst.fix)


def _answers(resolver: Resolver, listing: Blocklist) -> Result:
    expected = BlocklistsAnswer._expected
    try:
        listed = [a for name in listing.test_entries for a in resolver.ask(name, "A")]
        never = resolver.ask(listing.never_listed, "A")
    except CannotAsk as trouble:
        fix = "The administrator: mend the resolver (/etc/resolv.conf), then check again."
        return unknown(f"{listing.zone}: {trouble.sentence}", expected, fix)
    if wrong := judged(listing, listed, never):
        return failed(wrong, expected, f"Take {listing.zone} out of blocklists. Or: {_INSTALL}")
    return passed(f"{listing.zone} answers as it should")
