"""A key is changed: pending, published, active, retiring, retired.

Each stage is noted down before what it allows is done, so that a run that was killed is gone on
with: until the record stands at every server nothing signs with the new key, and as long as it is
not proved that mail is signed with it, the way leads back to the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from mailwizard.dkim.stages import Rotation, Stage, fresh
from mailwizard.errors import BadUsage, WizardError
from mailwizard.events import Event, Finished, KeyStage
from mailwizard.model import Outcome

STEP = "authentication"
Verdicts = Mapping[str, Outcome]
"""What each probe that looks for unsigned mail says."""
HALF = "DKIM-04"
"""It needs somebody's password, which not every host has."""


class Work(Protocol):
    """All that is done to the host and asked of it; every call may be repeated."""

    def load(self) -> Rotation | None: ...
    def save(self, rotation: Rotation) -> None: ...
    def in_use(self) -> str: ...
    def taken(self) -> set[str]: ...
    def unsettled(self) -> str:
        """What is to be done about the step first; empty where nothing is."""
        ...

    def foreign(self, selector: str) -> str:
        """Why the selector cannot be used: its record exists, or that cannot be told."""
        ...

    def make_keys(self, selector: str) -> Iterator[Event]: ...
    def closed(self, selector: str) -> str:
        """Which server does not answer the record right; empty when all of them do."""
        ...

    def sign_with(self, selector: str) -> Iterator[Event]: ...
    def signed(self, *, whole: bool) -> Iterator[Event | Verdicts]:
        """Asks for unsigned mail, or the whole gate; the last item is what was found."""
        ...

    def hold(self) -> timedelta: ...
    def public(self, selector: str) -> Sequence[tuple[str, str]]:
        """(owner, value) of each key record, as long as the keys are here."""
        ...

    def unmake(self, selector: str) -> Iterator[Event]: ...
    def remove(self, selector: str) -> Iterator[Event]: ...


class Machine:
    """The stages in their order, with the work and the clock passed in."""

    def __init__(self, work: Work, clock: Callable[[], datetime]) -> None:
        self._work = work
        self._clock = clock

    def current(self) -> Rotation | None:
        """The rotation under way; none where another key than its two was chosen since."""
        found = self._work.load()
        if found is None or not found.under_way:
            return None
        return found if self._work.in_use() in (found.old, found.new) else None

    def prepare(self) -> Iterator[Event]:
        """The new keys are there and nothing signs with them; raises WizardError."""
        rotation = self.current()
        if rotation is None:
            rotation = self._begin()
            yield self._told(rotation, f"takes the place of {rotation.old} once it is published")
        if rotation.back:
            rotation = yield from self._return(rotation)
        if rotation.stage in (Stage.PENDING, Stage.PUBLISHED):
            yield from self._work.make_keys(rotation.new)

    def advance(self) -> Iterator[Event]:
        """As far as it goes now; ends with Finished, whose code is 1 where somebody has to act."""
        rotation = self.current()
        if rotation is None or rotation.back:
            yield Finished(STEP, 1, "No key is being changed: mailwizard dkim rotate")
        elif rotation.stage is Stage.RETIRING:
            yield from self._retire(rotation)
        else:
            yield from self._switch(rotation)

    def abandon(self) -> Iterator[Event]:
        """The new keys are gone, the old one signs; raises BadUsage once the new one does."""
        rotation = self.current()
        if rotation is None:
            raise BadUsage("no key is being changed", hint="`mailwizard dkim` says what signs.")
        if rotation.stage is Stage.RETIRING:
            raise BadUsage(
                f"{rotation.new} signs already: there is no way back, only on",
                hint=f"Mail on its way is verified with it. {rotation.old} goes when it is due.",
            )
        if rotation.stage is Stage.ACTIVE or rotation.back:
            rotation = yield from self._return(rotation)
        if self._work.in_use() != rotation.old:
            yield Finished(STEP, 1, f"{rotation.new} still signs: nothing was taken away.")
            return
        rotation = self._spend(rotation, rotation.new)
        yield from self._work.unmake(rotation.new)
        self._keep(rotation, Stage.UNDONE)
        yield Finished(STEP, 0, f"{rotation.new} is gone; {rotation.old} goes on signing.")

    def _begin(self) -> Rotation:
        used, known = self._work.in_use(), self._work.load()
        if not used:
            hint = "First: mailwizard apply, with the step authentication."
            raise BadUsage("no mail is signed on this host yet", hint=hint)
        if said := self._work.unsettled():
            raise WizardError(f"the key is not changed now: {said}", hint="mailwizard status")
        before = known.used if known else ()
        new = fresh(self._clock(), {*before, *self._work.taken()})
        if said := self._work.foreign(new):
            raise WizardError(said, hint="Nothing was changed.")
        moment = self._clock().isoformat(timespec="seconds")
        spent = known.spent if known else ()
        names = tuple(dict.fromkeys((*before, used, new)))
        rotation = Rotation(used, new, Stage.PENDING, moment, used=names, spent=spent)
        self._work.save(rotation)
        return rotation

    def _switch(self, rotation: Rotation) -> Iterator[Event]:
        tried = rotation.stage is Stage.ACTIVE
        if said := self._work.closed(rotation.new):
            if tried:
                rotation = yield from self._return(replace(rotation, trouble=said))
            yield Finished(STEP, 1, f"{rotation.old} goes on signing: {said}")
            return
        before: Verdicts = {}
        if not tried:
            if said := self._work.unsettled():
                yield Finished(STEP, 1, f"{rotation.old} goes on signing: {said}")
                return
            rotation = self._keep(rotation, Stage.PUBLISHED)
            yield self._told(rotation, "every server of the zone and this host's resolver have it")
            before = yield from self._verdicts(whole=False)
            if flaw := flawed(before, before):
                said = f"first mend how mail is signed now ({flaw})"
                yield Finished(STEP, 1, f"{rotation.old} goes on signing: {said}")
                return
        # what cannot be told stops here, while the old key signs
        hold = self._work.hold()
        rotation = self._keep(rotation, Stage.ACTIVE)
        yield from self._work.sign_with(rotation.new)
        after = yield from self._verdicts(whole=True)
        if flaw := flawed(after, before):
            rotation = yield from self._return(replace(rotation, trouble=flaw))
            yield Finished(STEP, 1, f"{rotation.old} signs again: {flaw}")
            return
        yield self._told(rotation, "signs, and the signatures hold")
        until = self._clock() + hold
        rotation = replace(rotation, until=until.isoformat(timespec="seconds"), trouble="")
        rotation = self._keep(rotation, Stage.RETIRING)
        yield Finished(STEP, 0, retiring(rotation))

    def _return(self, rotation: Rotation) -> Generator[Event, None, Rotation]:
        """The old key signs again; noted down before and after."""
        rotation = self._keep(replace(rotation, back=True), Stage.PENDING)
        yield from self._work.sign_with(rotation.old)
        if self._work.in_use() == rotation.old:
            rotation = self._keep(replace(rotation, back=False), Stage.PENDING)
            yield self._told(replace(rotation, new=rotation.old), "signs again")
        return rotation

    def _retire(self, rotation: Rotation) -> Iterator[Event]:
        if not rotation.over(self._clock()):
            yield Finished(STEP, 0, retiring(rotation))
            return
        if self._work.in_use() != rotation.new:
            yield Finished(STEP, 1, f"{rotation.old} signs again: nothing was taken away.")
            return
        rotation = self._spend(rotation, rotation.old)
        yield from self._work.remove(rotation.old)
        rotation = self._keep(rotation, Stage.RETIRED)
        told = replace(rotation, new=rotation.old)
        yield self._told(told, "its private half is gone")
        names = ", ".join(owner for owner, _ in rotation.spent)
        yield Finished(STEP, 0, f"Whoever runs the zone may take out: {names}")

    def _spend(self, rotation: Rotation, selector: str) -> Rotation:
        """What the key's records are is written down as long as it can be told."""
        spent = dict.fromkeys((*rotation.spent, *self._work.public(selector)))
        rotation = replace(rotation, spent=tuple(spent))
        self._work.save(rotation)
        return rotation

    def _verdicts(self, *, whole: bool) -> Generator[Event, None, Verdicts]:
        found: Verdicts = {}
        for item in self._work.signed(whole=whole):
            if isinstance(item, Event):
                yield item
            else:
                found = item
        return found

    def _keep(self, rotation: Rotation, stage: Stage) -> Rotation:
        if stage is not rotation.stage:
            moment = self._clock().isoformat(timespec="seconds")
            rotation = replace(rotation, stage=stage, since=moment)
        self._work.save(rotation)
        return rotation

    def _told(self, rotation: Rotation, said: str) -> KeyStage:
        return KeyStage(STEP, rotation.new, rotation.stage, said)


def flawed(found: Verdicts, before: Verdicts) -> str:
    """Why it is not proved that mail is signed; empty when it is."""
    for name, outcome in found.items():
        asked = outcome is Outcome.UNKNOWN and before.get(name) is outcome and name == HALF
        if outcome not in (Outcome.PASS, Outcome.SKIPPED) and not asked:
            return f"{name} says {outcome}"
    return "" if found else "nothing could be asked"


def retiring(rotation: Rotation) -> str:
    """What is to be left alone, and until when."""
    when = rotation.until[:16].replace("T", " ")
    return (
        f"{rotation.new} signs. Leave the record of {rotation.old} published until {when} UTC: "
        "mail that is on its way was signed with it. Then: mailwizard dkim rotate"
    )
