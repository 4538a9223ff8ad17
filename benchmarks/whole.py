"""The whole set-up beside a straight-line script, and what the later commands cost.

    benchmarks/run [--json] [trixie] [bookworm]      prints; nothing here fails a build

The script and the program run on twin hosts, one right after the other, twice: from the same bare
layer, with the same packages downloaded already. Both set up everything; the program proves it too.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lab import images
from lab.host import Host
from lab.internet import NAMES, Internet
from lab.layers import Layer
from support.applied import ANSWERS, CHECKOUT, DOMAIN, FQDN, LAUNCHER, STRANGERS, UNSCANNED, answers
from support.program import put_checkout, stand_in_for_providers

from mailwizard.platform import KNOWN

REFERENCE = CHECKOUT.parent / "shared/reference"
RELAY, RELAY_SECRET = NAMES["relay.test"], "/root/relay-password"
RUNS, TIMES, TIMEOUT = 2, 3, 400
LOOKING, CHANGES, CHECKS = "looking", "changes", "checks"
# what the program asks beside its steps' packages, and the script
MORE_PACKAGES = "python3 python3-pip-whl ssl-cert"
# a signature of no virus; the folders are what the units wait for (clamav-daemon(8))
DEFINITIONS = (
    "mkdir -p /var/lib/clamav/daily.inc /var/lib/clamav/main.inc && "
    "echo 'Test:0:*:58354f2150254041505b345c505a58353428505e29374343' >/var/lib/clamav/local.ndb"
)
EVERYTHING = """\
[amavis]
virus = true

[relay]
host = "[{host}]:587"
username = "{user}"
password = {{ file = "{secret}" }}

[firewall]
enabled = true
"""
SCRIPT_PARTS = {
    "apt-update": "package lists",
    "apt-download": "packages",
    "apt-install": "packages",
}


@dataclass
class Run:
    """Seconds of one run: the whole, its parts, those of each step, single changes and checks."""

    whole: float = 0.0
    parts: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    steps: dict[str, dict[str, float]] = field(default_factory=dict)
    single: dict[str, float] = field(default_factory=dict)


def bare(suite: str, internet: Internet) -> Layer:
    """A fresh host with two people on it, and all packages in its cache."""
    release = next(one for one in KNOWN if one.codename == suite)
    names = sorted({name for role in release.package_names.values() for name in role})
    get = f"apt-get -q -y --no-install-recommends --download-only install {MORE_PACKAGES}"
    line = f"apt-get -q update && {get} {' '.join(names)}"

    def fill(host: Host) -> None:
        host.run("useradd -m -s /bin/bash alice && useradd -m -s /bin/bash bob")
        host.run(DEFINITIONS)
        host.run(line, timeout=600)

    key = f"{line}{DEFINITIONS}"
    return images.layer(images.base(suite), f"bench-{suite}", key, fill, internet.network)


@contextmanager
def fresh(layer: Layer, internet: Internet) -> Iterator[Host]:
    """A host on this layer under the name of the answers, which trusts the lab."""
    with Host(layer, net=internet.network) as host:
        internet.register(host, FQDN, mx=DOMAIN)
        internet.trust(host)
        yield host


def run_script(host: Host, internet: Internet) -> Run:
    """The straight-line script, from its start to every port answering."""
    host.put(REFERENCE / f"{host.layer.suite}.sh", "/root/reference.sh", mode=0o755)
    chosen = {"DOMAIN": DOMAIN, "HOST": "mail", "MAIL": FQDN, "IO": "unsafe"}
    relay = internet.relay
    chosen |= {"RELAY": f"[{RELAY}]:587", "RELAY_USER": relay.user, "RELAY_PW": relay.password}
    begun = time.monotonic()
    host.run("bash /root/reference.sh", env=chosen, timeout=TIMEOUT)
    made = Run(time.monotonic() - begun)
    marks = host.get("/var/log/mailref.marks").decode().splitlines()
    for before, after in itertools.pairwise(line.split(None, 1) for line in marks):
        made.parts[SCRIPT_PARTS.get(after[1], CHANGES)] += float(after[0]) - float(before[0])
    return made


def answer_everything(host: Host, internet: Internet) -> None:
    """Give the host the answers that switch every step on."""
    host.put(internet.relay.password, RELAY_SECRET, mode=0o600)
    filled = EVERYTHING.format(host=RELAY, user=internet.relay.user, secret=RELAY_SECRET)
    host.put(answers(host).replace(UNSCANNED, filled), ANSWERS)


def run_program(host: Host, internet: Internet) -> Run:
    """`apply`, from the launcher's first line to the last verdict."""
    put_checkout(host)
    answer_everything(host, internet)
    begun = time.monotonic()
    events = list(heard(host, [LAUNCHER, "apply", "-a", ANSWERS, "--yes", "--json"], begun))
    made = Run(time.monotonic() - begun)
    made.parts["launcher and its environment"] = events[0][0]
    divided(events, made)
    return made


def heard(host: Host, argv: Sequence[str], begun: float) -> Iterator[tuple[float, dict[str, Any]]]:
    """The events of `apply --json`, each with the second at which it came."""
    with host.popen(f"exec {' '.join(argv)} 2>/root/errors") as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            yield time.monotonic() - begun, event
        if process.wait() != 0:
            sys.exit(f"apply failed: {event}\n{host.get('/root/errors').decode()}")


def divided(events: Sequence[tuple[float, dict[str, Any]]], made: Run) -> None:
    """Give each second to what it was spent on."""
    part, last = LOOKING, events[0][0]
    for now, event in events:
        step = event["step"]
        made.parts[part] += now - last
        if part in (LOOKING, CHANGES, CHECKS) and step not in ("", "packages"):
            made.steps.setdefault(step, defaultdict(float))[part] += now - last
        if event["event"] in ("change-done", "probe-done"):
            made.single[f"{step}: {event.get('id') or event['title']}"] = event["seconds"]
        part, last = next_part(part, event), now


def next_part(part: str, event: dict[str, Any]) -> str:
    """What the time after this event goes to."""
    name = event["event"]
    if event["step"] == "packages" and name == "change-started":
        return "package lists"
    if name == "output" and event["line"].startswith("(Reading database"):
        return "packages"
    after = {"change-started": CHANGES, "change-done": LOOKING, "gate": LOOKING}
    return CHECKS if name == "probe-started" else after.get(name, part)


def again(host: Host) -> dict[str, float]:
    """Seconds of each later command, the best of some: nothing is left to do for them."""
    folder = host.run("echo /usr/local/lib/mailwizard/env-*/bin").stdout.strip()
    commands = {
        "program alone, --version": f"{folder}/python -I {folder}/mailwizard --version",
        "launcher, --version": f"{LAUNCHER} --version",
        "second apply": f"{LAUNCHER} apply -a {ANSWERS} --yes",
        "plan": f"{LAUNCHER} plan -a {ANSWERS}",
        "status": f"{LAUNCHER} status",
        "check": f"{LAUNCHER} check",
    }
    found = {}
    for name, line in commands.items():
        seconds = []
        for _ in range(TIMES):
            begun = time.monotonic()
            host.run(line)
            seconds.append(time.monotonic() - begun)
        found[name] = min(seconds)
    checks = json.loads(host.run(f"{LAUNCHER} check --json").stdout)["checks"]
    slow = max(checks, key=lambda check: check["seconds"])
    found[f"slowest of {len(checks)} checks ({slow['id']})"] = slow["seconds"]
    return found


def measured(suite: str, internet: Internet) -> dict[str, Any]:
    """Everything about one release."""
    layer = bare(suite, internet)
    scripts, programs = [], []
    for number in range(RUNS):
        if REFERENCE.is_dir():
            with fresh(layer, internet) as host:
                scripts.append(run_script(host, internet))
        with fresh(layer, internet) as host:
            programs.append(run_program(host, internet))
            later = again(host) if number == RUNS - 1 else {}
    return {"suite": suite, "script": scripts, "program": programs, "later": later}


def show(found: dict[str, Any]) -> None:
    """A table for a person."""
    scripts, programs = found["script"], found["program"]
    print(f"\n{found['suite']}: the whole set-up, seconds{'run':>14} 1{'run':>9} 2")
    for name, runs in (("the straight-line script", scripts), ("mailwizard apply", programs)):
        if runs:
            row(name, *(run.whole for run in runs))
    if scripts:
        ratios = (ours.whole / its.whole for its, ours in zip(scripts, programs, strict=True))
        row("ratio (goal: 0.9)", *ratios, form=".2f")
    else:
        print(f"(no script to compare with: {REFERENCE} is not there)")
    last = programs[-1]
    print("\nwhere the last run's time went" + f"{'script':>16}{'program':>11}")
    for part, seconds in last.parts.items():
        row(part, *(run.parts[part] for run in scripts[-1:]), seconds)
    print(f"\nstep{LOOKING:>41}{CHANGES:>11}{CHECKS:>11}")
    for step, parts in last.steps.items():
        row(step, parts[LOOKING], parts[CHANGES], parts[CHECKS])
    print("\nthe slowest single ones")
    for name, seconds in sorted(last.single.items(), key=lambda item: -item[1])[:12]:
        row(name[:60], seconds)
    print("\nlater, on that host")
    for name, seconds in found["later"].items():
        row(name, seconds, form=".2f")


def furnish(internet: Internet) -> None:
    """Let the small internet have all that the hosts will ask for, before anything is timed."""
    for zone in set(STRANGERS) - set(internet.dns.zones):
        internet.dns.add_zone(zone)
    stand_in_for_providers(internet)
    assert internet.relay


def row(name: str, *values: float, form: str = ".1f") -> None:
    """One line of figures."""
    print(f"{name:<34}" + "".join(f"{value:>11{form}}" for value in values))


def main(words: Sequence[str]) -> int:
    """Measure, print."""
    suites = [word for word in words if word in images.SUITES] or images.SUITES
    found = []
    with Internet() as internet:
        furnish(internet)
        for suite in suites:
            found.append(measured(suite, internet))
            if "--json" not in words:
                show(found[-1])
    if "--json" in words:
        print(json.dumps(found, default=vars, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
