"""Blocklists at work: who is listed is refused, nobody else, and an error of a list counts not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard.blocklists import ERRORS, Blocklist, blocklist, counts
from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk, Deadline
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.dns import resolver_of
from mailwizard.probes.postconf import Postconf, words
from mailwizard.probes.smtp import envelope
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import could_not_ask, failed, passed, skipped, unknown
from mailwizard.probes.wire import OverTheWire

_STAGES = ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data")
_LISTS = tuple(f"smtpd_{stage}_restrictions" for stage in _STAGES)
_EXPECTED = "a filter such as zone=127.0.0.[2..11] behind every list"


def in_use(conf: Postconf) -> Iterator[tuple[str, str]]:
    """Each blocklist that any smtpd asks, and where that stands."""
    for name, value in conf.values(*_LISTS).items():
        yield from ((entry, name) for entry in _entries(value))
    for service in conf.smtpd_services():
        for name in _LISTS:
            value = service.overrides.get(name, "")
            yield from ((entry, f"{service.name} -o {name}") for entry in _entries(value))


def _entries(value: str) -> Iterator[str]:
    items = iter(words(value))
    for item in items:
        if item.startswith(("reject_rbl_", "reject_rhsbl_")):
            yield next(items, "")


def believes_errors(entry: str) -> bool:
    """Whether an error message of the list would be taken for an entry: then nobody can write."""
    _, equals, codes = entry.partition("=")
    try:
        return not equals or any(counts(codes, error) for error in ERRORS)
    except ValueError:
        return False  # smtpd itself complains


@dataclass(frozen=True, slots=True)
class RefusesListed(OverTheWire):
    """Every list has a filter, holds its test entry, and does not refuse who is on none of them."""

    lists: tuple[str, ...]
    recipient: str
    nameservers: tuple[str, ...] = ()
    dns_port: int = 53
    id: ClassVar[str] = "SMTP-30"
    title: ClassVar[str] = "Blocklists refuse who is listed, and nobody else"

    @property
    def by_hand(self) -> str:
        tests = "; ".join(f"dig +short {blocklist(e).test_entries[0]}" for e in self.lists)
        return f"postconf -x {_LISTS[4]}" + (f"; {tests}" if tests else "")

    def ask(self, host: Host) -> Result:
        rows: list[str] = []
        try:
            if early := self._configured(host, rows):
                return early
        except CannotAsk as trouble:
            return could_not_ask(trouble, rows)
        # not super(): slots make the class anew
        result = OverTheWire.ask(self, host)
        return replace(result, transcript=(*rows, *result.transcript))

    def _configured(self, host: Host, rows: list[str]) -> Result | None:
        """The verdict, where the configuration alone decides."""
        asked = list(in_use(Postconf(host)))
        rows += [f"{where}: {entry}" for entry, where in asked]
        for entry, where in asked:
            if believes_errors(entry):
                return failed(
                    f"{entry} in {where} takes an error message for an entry: one day all mail is "
                    "refused",
                    _EXPECTED,
                    f"The administrator: write {blocklist(entry.partition('=')[0])} in {where}.",
                    rows,
                )
        missing = [entry for entry in self.lists if entry not in {name for name, _ in asked}]
        if missing:
            return failed(
                f"Postfix does not ask {missing[0]}",
                f"reject_rbl_client {missing[0]} in {_LISTS[4]}",
                "The administrator: apply this step again.",
                rows,
            )
        return None if asked else skipped("no blocklist is asked", rows)

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        with self._open(place, place.addresses[0], clock, transcript) as heard:
            reply = envelope(heard, "", self.recipient)
            heard.talk.quit()
        if reply.code >= 400 and "blocked using" in reply.text:
            return failed(
                f"somebody on no list is refused: {reply.text}",
                "250",
                "The administrator: take that list out; it is closed, or refuses this host's "
                "resolver.",
            )
        resolver = resolver_of(host, self.nameservers, self.dns_port)
        for entry in self.lists:
            listing = blocklist(entry)
            listed = [a for name in listing.test_entries for a in resolver.ask(name, "A")]
            transcript.note(f"{listing.test_entries[0]}: {', '.join(listed) or 'not listed'}")
            if not any(map(listing.counts, listed)):
                return _not_seen(listing)
        if reply.code >= 400:
            said = f"whether somebody on no list is let in was not seen: {reply.text}"
            return unknown(said, "250", "See what the reply names, then check again.")
        return passed(
            f"the test entries count, errors do not, and a stranger is let in: {reply.code}"
        )


def _not_seen(listing: Blocklist) -> Result:
    return unknown(
        f"{listing.zone} does not list its own test entry, so nobody is known to be refused",
        f"{listing.test_entries[0]} listed",
        "See DNS-19.",
    )
