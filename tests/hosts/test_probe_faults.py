"""Every probe is able to fail: on a sound host it passes, broken it says so, mended it passes.

The table of all faults and verdicts is printed after the tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from support import suites
from support.applied import LAUNCHER, Prepared
from support.faults import FAULTS, Bench, Fault, bench, outcomes
from support.faults.libraries import HANGING

# What the lab cannot offer: its hosts are containers, whose clock the build machine keeps, and
# their resolver is the lab's.
NOT_PASSED = {"HOST-03": "skipped", "DNS-11": "warn"}
# One worker keeps one release's host.


@pytest.fixture(scope="module", params=suites.grouped("faults"))
def made(request: pytest.FixtureRequest, prepared: Prepared) -> Iterator[Bench]:
    """Give the host of each release, one after the other."""
    with bench(prepared, str(request.param)) as opened:
        yield opened


@suites.both_releases
def test_a_sound_host_passes(made: Bench) -> None:
    found = outcomes(made.sound)
    passed = dict.fromkeys(found, "pass")
    # where the build machine's own clock is synchronised its containers show it
    assert found in (passed | NOT_PASSED, passed)


@suites.both_releases
def test_every_kind_of_probe_has_a_fault(made: Bench) -> None:
    sound = made.sound
    broken = {
        sound[probe]["kind"]
        for fault in FAULTS
        for probe, turn in fault.turns.items()
        if turn.startswith(("fail", "warn"))
    }
    assert {verdict["kind"] for verdict in sound.values()} == broken


@pytest.mark.parametrize("fault", suites.faults(FAULTS), ids=lambda fault: str(fault.title))
def test_a_fault_is_seen(
    made: Bench, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    broken, after = made.try_out(fault)
    for probe in fault.turns:
        verdicts = (made.sound[probe], broken[probe], after[probe])
        record_property(
            "fault", (made.suite, probe, fault.title, *(one["outcome"] for one in verdicts))
        )
    assert fault.unmet(broken) == []
    assert outcomes(after) == {probe: made.sound[probe]["outcome"] for probe in fault.turns}


def test_the_command_tells_the_same(made: Bench) -> None:
    check = [LAUNCHER, "check", "--json", "postfix"]
    sound = made.host.run(check)
    assert json.loads(sound.stdout)["outcome"] == "pass"
    fault = next(fault for fault in FAULTS if list(fault.turns) == ["SMTP-15"])
    with made.broken(fault):
        broken = made.host.run(check, check=False)
    checks = json.loads(broken.stdout)["checks"]
    found = {one["id"]: (one["outcome"], one["said"]) for one in checks}
    assert broken.status == 1
    assert found["SMTP-15"][0] == "fail", found["SMTP-15"][1]


# The run is stopped while a library is being asked; what a shell begins aside would ignore ^C.
STOPPED = f"""
env --default-signal=INT {LAUNCHER} check authentication >/dev/null 2>&1 & run=$!
asked() {{ pgrep -f '^/usr/bin/python3 -I -c' >/dev/null; }}
for _ in $(seq 200); do asked && break; sleep 0.05; done
asked
sleep 0.5
kill -s "$1" $run
wait $run || echo $?
for _ in $(seq 100); do asked || exit 0; sleep 0.05; done
pgrep -af python3
exit 1
"""


@pytest.mark.parametrize(
    ("signal", "code"), [("INT", 130), ("TERM", 143), ("HUP", 129), ("KILL", 137)]
)
def test_no_library_is_left_by_a_run_that_is_stopped(made: Bench, signal: str, code: int) -> None:
    with made.broken(HANGING):
        done = made.host.run(["bash", "-ec", STOPPED, "bash", signal], timeout=60)
    assert done.stdout.split() == [str(code)]


@suites.both_releases
def test_the_host_is_sound_after_all_faults(made: Bench) -> None:
    assert outcomes(made.ask(None)) == outcomes(made.sound)
