"""What many domains and aliases cost: `plan`, `apply` and `check` of a tenth of them and of all.

    benchmarks/run --many [trixie] [bookworm]      prints; nothing here fails a build

Where the work is linear ten times as many take at most ten times as long. The goals: 200 domains
and 20,000 aliases are planned within 5 s and checked within 60 s.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence

from lab import images
from lab.host import Host
from lab.internet import Internet
from support.applied import ANSWERS, LAUNCHER, UNSCANNED, Prepared, answers

from mailwizard.model import Outcome

SIZES = ((20, 2_000), (200, 20_000))
# people who read, a list of each ten of them, and names that lead to the lists
PEOPLE, LISTS = 20, 5
TIMEOUT = 900


def many(host: Host, domains: int, names: int) -> str:
    """The answers of a prepared host with so many domains and aliases."""
    people = [f"person{number}" for number in range(PEOPLE)]
    table = {f"list{n}": people[n :: PEOPLE // 4] for n in range(LISTS)}
    for number in range(names - LISTS):
        end = f"list{number % LISTS}" if number % 100 == 0 else people[number % PEOPLE]
        table[f"name{number}"] = [end]
    rows = "\n".join(f"{name} = {json.dumps(ends)}" for name, ends in table.items())
    own = ["example.test", *(f"d{number}.example.test" for number in range(1, domains))]
    text = answers(host, UNSCANNED).replace("[aliases.aliases]", f"[aliases.aliases]\n{rows}")
    return f"{text}\n[postfix]\ndomains = {json.dumps(own)}\n"


def seconds(host: Host, line: str, *codes: int) -> tuple[float, str]:
    """How long a command takes, and what it printed; another code than these ends the benchmark."""
    begun = time.monotonic()
    done = host.run(line, check=False, timeout=TIMEOUT)
    took = time.monotonic() - begun
    if done.status not in codes:
        sys.exit(f"{line}: {done.status}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return took, done.stdout


def measured(host: Host, domains: int, names: int) -> Iterator[tuple[str, float]]:
    """Each command, and its seconds."""
    host.put(many(host, domains, names), ANSWERS)
    yield "plan", seconds(host, f"{LAUNCHER} plan -a {ANSWERS}", 10)[0]
    # the lab has no zone for each domain: what the DNS lacks are warnings
    yield "apply", seconds(host, f"{LAUNCHER} apply -a {ANSWERS} --yes", 0)[0]
    yield "plan, nothing to do", seconds(host, f"{LAUNCHER} plan -a {ANSWERS}", 0)[0]
    yield "status", seconds(host, f"{LAUNCHER} status", 0)[0]
    yield "check aliases", seconds(host, f"{LAUNCHER} check aliases", 0)[0]
    took, said = seconds(host, f"{LAUNCHER} check --json", 0, 1)
    checks = json.loads(said)["checks"]
    slow = max(checks, key=lambda check: check["seconds"])
    yield f"check, {len(checks)} of them", took
    yield f"  the slowest ({slow['id']})", slow["seconds"]
    for outcome in (Outcome.FAIL, Outcome.UNKNOWN):
        found = [check for check in checks if check["outcome"] == outcome]
        yield f"  {outcome} (a number)", len(found)
        for check in found[:5]:
            print(f"    {check['id']}: {check['said'][:150]}")


def main(words: Sequence[str]) -> int:
    """Measure, print."""
    suites = [word for word in words if word in images.SUITES] or images.SUITES
    with Internet() as internet:
        prepared = Prepared(internet)
        for suite in suites:
            with prepared.applied_host(suite, UNSCANNED) as host:
                host.run(f"for n in $(seq 0 {PEOPLE - 1}); do useradd -m person$n; done")
                for domains, names in SIZES:
                    print(f"\n{suite}: {domains} domains, {names} aliases, seconds", flush=True)
                    for name, took in measured(host, domains, names):
                        print(f"{name:<44}{took:>9.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
