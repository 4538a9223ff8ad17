"""The stages of a key change, with the clock passed in: killed anywhere, mail can be verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from mailwizard.dkim.machine import Machine, Verdicts
from mailwizard.dkim.stages import SIGNATURE, Rotation, Stage, fresh, hold, load
from mailwizard.errors import BadUsage, WizardError
from mailwizard.events import Event, Finished
from mailwizard.model import Outcome
from mailwizard.render import render

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OLD, NEW = "mw202510", "mw202611"
PASS, WARN, FAIL, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN
GOOD = {"SUB-13:a": PASS, "DKIM-04": PASS}


class Killed(BaseException):
    """The process is gone."""


@dataclass
class World:
    """A host and a zone, of which every call lasts; killed before the call whose turn it is."""

    kept: str = ""
    signer: str = OLD
    daemon: str = OLD
    keys: set[str] = field(default_factory=lambda: {OLD})
    zone: set[str] = field(default_factory=lambda: {OLD})
    verdicts: dict[str, Outcome] = field(
        default_factory=lambda: {"SUB-13:a": PASS, "DKIM-04": PASS}
    )
    refuses: set[str] = field(default_factory=set)
    """Selectors with which signing does not work."""
    lifetimes: str = "5d\n5d\n"
    taken_elsewhere: str = ""
    due: str = ""
    now: datetime = NOW
    left: int = 10**6
    saved: list[Stage] = field(default_factory=list)

    def point(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed
        # whoever gets a message now must be able to verify it
        assert self.daemon in self.keys, "the key that signs is gone"
        assert self.daemon in self.zone, "nobody knows the key that signs"

    def load(self) -> Rotation | None:
        return load(self.kept)

    def save(self, rotation: Rotation) -> None:
        self.point()
        self.kept = rotation.dump()
        self.saved.append(rotation.stage)
        self.point()

    def in_use(self) -> str:
        return self.signer

    def taken(self) -> set[str]:
        return set(self.keys)

    def unsettled(self) -> str:
        return self.due

    def foreign(self, selector: str) -> str:
        return self.taken_elsewhere

    def make_keys(self, selector: str) -> Iterator[Event]:
        self.point()
        self.keys.add(selector)
        self.point()
        yield from ()

    def closed(self, selector: str) -> str:
        return "" if selector in self.zone & self.keys else f"{selector} is not published"

    def sign_with(self, selector: str) -> Iterator[Event]:
        self.point()
        self.signer = selector
        self.point()
        self.daemon = selector
        self.point()
        yield from ()

    def signed(self, *, whole: bool) -> Iterator[Event | Verdicts]:
        self.point()
        bad = self.daemon in self.refuses
        yield {name: FAIL if bad else outcome for name, outcome in self.verdicts.items()}

    def hold(self) -> timedelta:
        return hold(self.lifetimes)

    def public(self, selector: str) -> list[tuple[str, str]]:
        return [(f"{selector}._domainkey.a", "p=x")] if selector in self.keys else []

    def unmake(self, selector: str) -> Iterator[Event]:
        self.point()
        self.keys.discard(selector)
        self.point()
        yield from ()

    def remove(self, selector: str) -> Iterator[Event]:
        self.point()
        self.keys.discard(selector)
        self.point()
        yield from ()

    @property
    def rotation(self) -> Rotation:
        found = self.load()
        assert found is not None
        return found


def machine(world: World) -> Machine:
    return Machine(world, lambda: world.now)


def rotate(world: World) -> Finished:
    stages = machine(world)
    events = [*stages.prepare(), *stages.advance()]
    assert isinstance(events[-1], Finished)
    return events[-1]


def abandon(world: World) -> Finished:
    *_, last = machine(world).abandon()
    assert isinstance(last, Finished)
    return last


def at(stage: Stage, **more: object) -> World:
    """A world in which a rotation has come this far."""
    world = World(**more)  # type: ignore[arg-type]
    rotate(world)
    if stage is Stage.RETIRING:
        world.zone.add(NEW)
        rotate(world)
    assert world.rotation.stage is stage
    return world


def test_the_stages_come_in_their_order() -> None:
    world = at(Stage.PENDING)
    assert (world.daemon, world.keys) == (OLD, {OLD, NEW})
    world.zone.add(NEW)
    assert rotate(world).code == 0
    assert world.daemon == NEW
    assert dict.fromkeys(world.saved) == dict.fromkeys(
        (Stage.PENDING, Stage.PUBLISHED, Stage.ACTIVE, Stage.RETIRING)
    )
    assert world.keys == {OLD, NEW}


def test_the_gate_stays_closed_until_the_record_is_there() -> None:
    world = at(Stage.PENDING)
    for _ in range(3):
        world.now += timedelta(days=100)
        done = rotate(world)
        assert (done.code, done.said) == (1, f"{OLD} goes on signing: {NEW} is not published")
    assert (world.daemon, world.rotation.new) == (OLD, NEW)


def test_the_countdown_is_a_signatures_life_and_both_queues() -> None:
    world = at(Stage.RETIRING)
    assert world.rotation.until == (NOW + timedelta(days=31)).isoformat(timespec="seconds")
    world.now += timedelta(days=31, seconds=-1)
    done = rotate(world)
    assert (done.code, "until 2026-12-22 12:00 UTC" in done.said) == (0, True)
    assert OLD in world.keys
    world.now += timedelta(seconds=1)
    assert rotate(world).code == 0
    assert (world.keys, world.rotation.stage) == ({NEW}, Stage.RETIRED)
    assert world.rotation.spent == ((f"{OLD}._domainkey.a", "p=x"),)


def test_signatures_hold_as_long_as_the_signer_writes() -> None:
    text = render("amavis/signing.j2", keys=[("a", "b", "c")], signed=1)
    assert f"ttl => {SIGNATURE.days}*24*3600" in text
    options = {"user": "o", "port": 1, "fqdn": "f", "nameservers": [], "tables": "/t"}
    text = render("opendkim/opendkim.conf.j2", **options, signing=True)
    assert f"SignatureTTL {SIGNATURE.total_seconds():.0f}" in text


def test_a_second_one_while_one_is_under_way_changes_nothing() -> None:
    for stage in (Stage.PENDING, Stage.RETIRING):
        world = at(stage)
        before = world.rotation
        rotate(world)
        assert world.rotation == before


def test_the_next_one_has_a_name_of_its_own() -> None:
    world = at(Stage.RETIRING)
    world.now += timedelta(days=32)
    rotate(world)
    world.now = NOW
    rotate(world)
    assert (world.rotation.old, world.rotation.new) == (NEW, f"{NEW}b")
    assert world.rotation.spent == ((f"{OLD}._domainkey.a", "p=x"),)


@pytest.mark.parametrize(
    ("taken", "name"),
    [(set(), NEW), ({NEW}, f"{NEW}b"), ({NEW, f"{NEW}b"}, f"{NEW}c"), ({"mail"}, NEW)],
)
def test_a_selector_is_the_month_and_a_letter(taken: set[str], name: str) -> None:
    assert fresh(NOW, taken) == name


def test_a_month_has_an_end() -> None:
    taken: set[str] = set()
    for _ in range(26):
        taken.add(fresh(NOW, taken))
    with pytest.raises(BadUsage):
        fresh(NOW, taken)


def test_a_name_that_is_taken_is_refused() -> None:
    world = World(taken_elsewhere="mw202611._domainkey.a exists already, with another key")
    with pytest.raises(WizardError, match="exists already"):
        rotate(world)
    assert (world.kept, world.keys) == ("", {OLD})


def test_nothing_is_begun_where_nobody_signs_or_changes_wait() -> None:
    with pytest.raises(BadUsage, match="no mail is signed"):
        rotate(World(signer=""))
    with pytest.raises(WizardError, match="has changes"):
        rotate(World(due="the step authentication has changes to make first"))


@pytest.mark.parametrize("verdict", [WARN, FAIL, UNKNOWN])
def test_mail_that_is_not_signed_right_now_keeps_the_gate_closed(verdict: Outcome) -> None:
    world = at(Stage.PENDING, verdicts={"SUB-13:a": verdict, "DKIM-04": PASS})
    world.zone.add(NEW)
    assert rotate(world).code == 1
    assert world.daemon == OLD


def test_a_host_where_nobodys_password_is_known_can_change_its_key() -> None:
    world = at(Stage.PENDING, verdicts={"SUB-13:a": PASS, "DKIM-04": UNKNOWN})
    world.zone.add(NEW)
    assert rotate(world).code == 0


def test_without_a_verdict_nothing_is_proved() -> None:
    world = at(Stage.PENDING, verdicts={})
    world.zone.add(NEW)
    assert rotate(world).code == 1
    assert world.daemon == OLD


def test_when_signing_fails_the_old_key_signs_again() -> None:
    world = at(Stage.PENDING, refuses={NEW})
    world.zone.add(NEW)
    done = rotate(world)
    assert (done.code, done.said) == (1, f"{OLD} signs again: SUB-13:a says fail")
    assert (world.daemon, world.signer, world.rotation.stage) == (OLD, OLD, Stage.PENDING)
    assert world.rotation.trouble == "SUB-13:a says fail"
    world.refuses.clear()
    assert rotate(world).code == 0
    assert world.daemon == NEW


def test_without_the_queues_lifetimes_the_signer_is_not_switched() -> None:
    world = at(Stage.PENDING, lifetimes="$maximal_queue_lifetime\n5d\n")
    world.zone.add(NEW)
    with pytest.raises(BadUsage, match="no time that Postfix knows"):
        rotate(world)
    assert (world.signer, world.rotation.stage) == (OLD, Stage.PUBLISHED)
    world.lifetimes = "5d\n5d\n"
    assert rotate(world).code == 0
    assert world.rotation.stage is Stage.RETIRING


def test_a_record_that_goes_before_it_is_proved_leads_back() -> None:
    for left in range(50):
        world = at(Stage.PENDING)
        world.zone.add(NEW)
        world.left = left
        with pytest.raises(Killed):
            rotate(world)
        if world.signer == NEW:
            break
    assert (world.rotation.stage, world.daemon) == (Stage.ACTIVE, OLD)
    world.left = 10**6
    world.zone.discard(NEW)
    assert rotate(world).code == 1
    assert (world.signer, world.rotation.stage) == (OLD, Stage.PENDING)


def test_a_key_that_does_not_sign_is_taken_away() -> None:
    world = at(Stage.PENDING)
    assert abandon(world).code == 0
    assert (world.keys, world.daemon, world.rotation.stage) == ({OLD}, OLD, Stage.UNDONE)
    # its name is not used again: the record may be out there
    rotate(world)
    assert world.rotation.new == f"{NEW}b"


def test_a_key_that_signs_is_not_taken_away() -> None:
    world = at(Stage.RETIRING)
    with pytest.raises(BadUsage, match="signs already"):
        abandon(world)
    with pytest.raises(BadUsage, match="no key is being changed"):
        abandon(World())


def test_the_old_key_stays_where_somebody_chose_it_again() -> None:
    world = at(Stage.RETIRING)
    world.now += timedelta(days=40)
    world.signer = world.daemon = OLD
    assert rotate(world).code == 1
    assert OLD in world.keys


def test_a_third_key_chosen_by_hand_ends_the_change() -> None:
    world = at(Stage.PENDING)
    world.signer = world.daemon = "mail"
    world.keys.add("mail")
    world.zone.add("mail")
    rotate(world)
    assert (world.rotation.old, world.rotation.new) == ("mail", f"{NEW}b")


def retire(world: World) -> None:
    world.now = NOW + timedelta(days=40)
    if world.rotation.under_way:
        rotate(world)


def publish_and_rotate(world: World) -> None:
    world.zone.add(NEW)
    rotate(world)


RUNS: dict[
    str, tuple[Callable[[], World], Callable[[World], object], Callable[[World], object]]
] = {
    "begin": (World, rotate, lambda w: w.rotation.stage is Stage.PENDING and w.daemon == OLD),
    "switch": (
        lambda: at(Stage.PENDING),
        publish_and_rotate,
        lambda w: w.rotation.stage is Stage.RETIRING and w.daemon == NEW,
    ),
    "fail": (
        lambda: at(Stage.PENDING, refuses={NEW}),
        publish_and_rotate,
        lambda w: w.rotation.stage is Stage.PENDING and w.daemon == OLD,
    ),
    "retire": (
        lambda: at(Stage.RETIRING),
        retire,
        lambda w: w.rotation.stage is Stage.RETIRED and w.keys == {NEW},
    ),
    "abandon": (
        lambda: at(Stage.PENDING),
        lambda w: w.rotation.under_way and abandon(w),
        lambda w: w.rotation.stage is Stage.UNDONE and w.keys == {OLD},
    ),
}


@pytest.mark.parametrize("run", RUNS)
def test_killed_at_any_point_it_is_gone_on_with(run: str) -> None:
    begun, act, ended = RUNS[run]
    points = 0
    while True:
        world = begun()
        world.left = points
        try:
            act(world)
        except Killed:
            world.left = 10**6
            act(world)
        else:
            break
        assert ended(world), (points, world)
        assert not world.rotation.back, (points, world)
        points += 1
    assert points > 3
    assert ended(world)
