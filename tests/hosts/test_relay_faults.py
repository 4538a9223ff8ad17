"""Every probe of the way through a relay is able to fail, and a relay's whims stop nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from lab.internet import Internet
from support import suites
from support.applied import ANSWERS, UNFILTERED, Prepared, answers
from support.faults import Bench, Fault, outcomes
from support.faults.relay import FAULTS, HOP, NAME
from support.program import Program

SECRET = "/root/relay-password"
# The same worker as that of the other faults: the layers are there already.


@pytest.fixture(scope="module", params=suites.grouped("faults"))
def made(request: pytest.FixtureRequest, prepared: Prepared, internet: Internet) -> Iterator[Bench]:
    """Give a host of each release that sends through the lab's relay."""
    suite = str(request.param)
    with prepared.applied_host(suite, UNFILTERED) as host:
        internet.trust(host)
        # what alice sends as leads back to her
        host.run("echo 'alice.liddell: alice' >>/etc/aliases && newaliases")
        host.put(internet.relay.password, SECRET, mode=0o600)
        login = f'username = "{internet.relay.user}"\npassword = {{ file = "{SECRET}" }}\n'
        host.put(f'{answers(host, UNFILTERED)}\n[relay]\nhost = "{NAME}:587"\n{login}', ANSWERS)
        done = Program(host).apply("relay")
        assert done.status == 0, done.stdout[-4000:] + done.stderr
        bench = Bench(suite, host, internet)
        try:
            yield bench
        finally:
            bench.close()


def ours(made: Bench) -> list[str]:
    """The probes of the step."""
    return [probe for probe, verdict in made.sound.items() if verdict["step"] == "relay"]


@suites.both_releases
def test_a_sound_way_passes(made: Bench) -> None:
    assert {probe: made.sound[probe]["outcome"] for probe in ours(made)} == {
        "HOST-07:relay": "pass",
        f"OUT-04:{HOP}": "pass",
        **dict.fromkeys(("OUT-03", "OUT-05", "OUT-06"), "pass"),
    }


@suites.both_releases
def test_every_probe_has_a_fault(made: Bench) -> None:
    broken = {p for fault in FAULTS for p, t in fault.turns.items() if t.startswith("fail")}
    broken |= {p for fault in FAULTS for p, t in fault.turns.items() if t.startswith("warn")}
    assert set(ours(made)) == broken


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.title))
def test_a_fault_is_seen(
    made: Bench, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    broken, after = made.try_out(fault)
    for probe in fault.turns:
        verdicts = (made.sound[probe], broken[probe], after[probe])
        shown = (made.suite, probe, fault.title, *(one["outcome"] for one in verdicts))
        record_property("fault", shown)
    assert fault.unmet(broken) == []
    assert set(outcomes(after).values()) == {"pass"}


@pytest.mark.parametrize(
    ("title", "code"),
    [("the relay does not know the sender yet", 0), ("the relay made its certificate itself", 1)],
)
def test_the_rest_goes_on_whatever_the_relay_does(made: Bench, title: str, code: int) -> None:
    program = Program(made.host)
    fault = next(fault for fault in FAULTS if fault.title == title)
    with made.broken(fault):
        assert program.apply("relay").status == code
        assert program("check", "relay").status == code
        assert program("check", "postfix", "submission").status == 0
        # all of it is written: there is nothing left to do
        assert program("plan", "-a", ANSWERS, "relay").status == 0
    assert program.apply("relay").status == 0


@suites.both_releases
def test_the_host_is_sound_after_all_faults(made: Bench) -> None:
    sound, after = outcomes(made.sound), outcomes(made.ask(None))
    # what could not be asked at first, on a busy machine, may pass now
    worse = {name: said for name, said in after.items() if said not in (sound[name], "pass")}
    assert worse == {}
    assert after.keys() == sound.keys()
