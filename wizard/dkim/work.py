"""What the machine has done to this host, by the same changes and probes as the step's."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from mailwizard import making
from mailwizard.changes import FileContent, RetiredKey, SigningKey
from mailwizard.dkim import gate
from mailwizard.dkim.machine import HALF, STEP, Verdicts
from mailwizard.dkim.stages import NOTE, Rotation, hold, load
from mailwizard.dnsdesk import nearby
from mailwizard.engine import Engine
from mailwizard.events import ChangeDone, ChangeStarted, Event, ProbeDone
from mailwizard.model import Change, Context, Record
from mailwizard.probing import ask_all
from mailwizard.steps import authentication, selectors
from mailwizard.subjects import SecretFile
from mailwizard.undoing import undo

BESIDE = f"{STEP}.keys"
"""Where the journal keeps what is done to keys that do not sign; it is undone with the step."""
RETIRED = "# Selectors whose keys mailwizard replaced and removed; they are not used again."
# -x: one may stand for the other ($maximal_queue_lifetime)
LIFETIMES = ("postconf", "-xh", "maximal_queue_lifetime", "bounce_queue_lifetime")


class EngineWork:
    """The step `authentication` of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def _context(self) -> Context:
        return self._engine.context(STEP)

    def load(self) -> Rotation | None:
        return load(self._engine.journal.noted(NOTE))

    def save(self, rotation: Rotation) -> None:
        self._engine.journal.note(NOTE, rotation.dump())

    def in_use(self) -> str:
        return selectors.in_use(self._engine.host)

    def taken(self) -> set[str]:
        return {selector for _, selector, _ in selectors.made(self._context)}

    def unsettled(self) -> str:
        if due := self._engine.plan(STEP).pending:
            return f"the step {STEP} has changes to make first ({due[0].title})"
        return ""

    def foreign(self, selector: str) -> str:
        keys = selectors.keys(self._context, selector)
        return gate.foreign(self._engine.host, [_owner(domain, name) for domain, name, _ in keys])

    def records(self, selector: str) -> list[Record]:
        """What has to stand in the DNS before the selector's keys sign."""
        why = "The new key: it signs once every server has its record."
        return [
            Record(_owner(domain, name), "TXT", authentication.key_record(self._context, path), why)
            for domain, name, path in selectors.keys(self._context, selector)
        ]

    def closed(self, selector: str) -> str:
        records = self.records(selector)
        if missing := [one.owner for one in records if not one.value]:
            return f"there is no key for {missing[0]}"
        return gate.closed(nearby.findings(self._engine.host, records))

    def make_keys(self, selector: str) -> Iterator[Event]:
        signer = self._context["signer"]
        keys = selectors.keys(self._context, selector)
        yield from self._made([SigningKey(path, signer) for _, _, path in keys])

    def sign_with(self, selector: str) -> Iterator[Event]:
        # not as if somebody answered anew: nothing builds on which key it is that signs
        self._engine.answers = self._engine.answers.with_value(STEP, "selector", selector)
        self._engine.remember()
        yield from self._engine.apply(STEP)

    def signed(self, *, whole: bool) -> Iterator[Event | Verdicts]:
        probes = [(STEP, one) for one in self._engine.probes(STEP) if _looks_for_unsigned(one.id)]
        asked = self._engine.probe(STEP) if whole else ask_all(self._engine.host, probes)
        found = {}
        for event in asked:
            if isinstance(event, ProbeDone) and _looks_for_unsigned(event.id):
                found[event.id] = event.result.outcome
            yield event
        yield found

    def hold(self) -> timedelta:
        return hold(self._engine.host.run(LIFETIMES).out)

    def public(self, selector: str) -> Sequence[tuple[str, str]]:
        context = self._context
        return [
            (_owner(domain, name), value)
            for domain, name, path in selectors.made(context)
            if name == selector and (value := authentication.key_record(context, path))
        ]

    def unmake(self, selector: str) -> Iterator[Event]:
        folder = self._context.platform.path("dkim-keys")
        entries = [
            entry
            for entry in self._engine.journal.entries(BESIDE)
            for subject in entry.subjects
            if isinstance(subject, SecretFile)
            and subject.name.startswith(f"{folder}/")
            and subject.name.endswith(f".{selector}.pem")
        ]
        yield from undo(self._engine.journal, self._engine.host, entries)

    def remove(self, selector: str) -> Iterator[Event]:
        there = [path for _, name, path in selectors.made(self._context) if name == selector]
        paths = dict.fromkeys([*there, *(p for *_, p in selectors.keys(self._context, selector))])
        look = self._engine.host
        gone = dict.fromkeys([*selectors.retired(look), selector])
        text = "\n".join([RETIRED, *gone, ""])
        listed = FileContent(selectors.list_of_retired(look), text)
        yield from self._made([listed, *(RetiredKey(path) for path in paths)])

    def _made(self, changes: Iterable[Change]) -> Iterator[Event]:
        """Changes to keys that nothing signs with: the step and its services need not follow."""
        host, journal = self._engine.host, self._engine.journal
        for change in changes:
            tries = [one.state for one in journal.entries(BESIDE) if one.title == change.title]
            if change.needed(host) or tries[-1:] == ["intent"]:
                begun = time.monotonic()
                yield ChangeStarted(STEP, change.title, change.preview(host).text, False)
                making.make(host, journal, BESIDE, change)
                yield ChangeDone(STEP, change.title, time.monotonic() - begun)


def _owner(domain: str, selector: str) -> str:
    return f"{selector}._domainkey.{domain}"


def _looks_for_unsigned(probe: str) -> bool:
    return probe == HALF or probe.startswith("SUB-13:")
