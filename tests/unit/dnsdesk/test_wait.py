"""Waiting for propagation, and the options of `mailwizard dns`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.clocks import Clock
from support.dnsworld import FQDN, MX, A, World

from mailwizard.cli import parser
from mailwizard.dnsdesk import Finding, Verdict, command, waiting
from mailwizard.dnsdesk import look as look_at
from mailwizard.dnsdesk.waiting import pause, wait
from mailwizard.errors import BadUsage


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time that passes only while it is waited."""
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


def looking(world: World, *then: Callable[[], object]) -> Callable[[], list[Finding]]:
    """Look patiently; before each look but the first, one thing happens."""
    due = iter((lambda: None, *then))

    def look() -> list[Finding]:
        next(due)()
        return look_at(world.host, [A, MX], world.where, patient=True)

    return look


def test_it_waits_for_the_zone_and_asks_resolvers_only_then(
    world: World, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    world.publish(MX)

    def publish() -> None:
        # nobody was made to remember that there is nothing
        assert all((FQDN, "A") not in each.asked for each in (world.own, world.public))
        world.publish(A)

    found = wait(looking(world, publish), 1)
    assert [one.outcome for one in found] == [Verdict.RIGHT] * 2
    assert all(world.outcomes(one) == ["right"] * 4 for one in found)
    assert f"waiting for {FQDN} A; next look in 10 s" in capsys.readouterr().err
    assert clock.monotonic() == waiting.USUAL


def test_it_waits_as_long_as_an_old_answer_is_kept(world: World) -> None:
    world.publish(MX)
    world.publish(A)
    world.publish(A, "192.0.2.99", at=(world.public,), ttl=7)
    world.publish(A, "192.0.2.98", at=(world.own,), ttl=1)
    late = looking(world)()
    assert [one.outcome for one in late] == [Verdict.LATE, Verdict.RIGHT]
    # not before the last second of one, nor long after the first
    assert pause(late[:1]) == 2
    world.publish(A, at=(world.own,))
    assert pause(looking(world)()[:1]) == 8


def test_it_gives_up_in_time_and_says_how_things_stand(world: World, clock: Clock) -> None:
    looks: list[float] = []
    found = wait(looking(world, *[lambda: looks.append(clock.monotonic())] * 9), 0.6)
    assert looks == [10, 20, 30, 36]
    assert [one.outcome for one in found] == [Verdict.ABSENT] * 2


def test_it_is_cancelled_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Clock):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(waiting, "time", Stopped())
    with pytest.raises(KeyboardInterrupt):
        wait(looking(world), 60)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--resolver ns.example.org", "--resolver: 'ns.example.org' is no IP address"),
        ("--publish --key k --server ns1", "--server: 'ns1' is no IP address"),
        ("--wait -3", "minutes"),
        ("--zone --json", "--zone prints a file"),
        ("--zone --publish --key k", "--zone prints a file"),
        ("--publish --key k --json", "--publish shows and asks"),
        ("--publish", "needs one key"),
        ("--publish --key k --key-env K", "needs one key"),
        ("--key k", "for --publish alone"),
        ("--server 192.0.2.53", "for --publish alone"),
    ],
)
def test_options_that_make_no_sense_are_refused(words: str, said: str) -> None:
    with pytest.raises(BadUsage) as refused:
        command.check(parser().parse_args(["dns", *words.split()]))
    assert said in refused.value.message
    assert refused.value.hint


def test_given_resolvers_take_the_place_of_the_usual_ones() -> None:
    words = ["dns", "--resolver", "192.0.2.1", "--resolver", "2001:db8::1", "--wait"]
    options = parser().parse_args(words)
    command.check(options)
    assert command.where(options).public == (("192.0.2.1",), ("2001:db8::1",))
    assert options.wait == 60
    assert len(command.where(parser().parse_args(["dns"])).public) == 2
