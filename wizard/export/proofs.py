"""Which probes the script can repeat by itself, in bash."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from mailwizard import probes
from mailwizard.engine import Engine
from mailwizard.model import Probe, Step


def proofs(engine: Engine, steps: Sequence[Step]) -> Iterator[str]:
    """One line of bash for each probe that has one; it ends the script when it does not hold."""
    for step in steps:
        for probe in engine.probes(step.id):
            words = _words(probe)
            if words:
                yield shlex.join(words)


def _words(probe: Probe) -> list[str]:
    match probe:
        case probes.UnitRuns(unit=unit):
            return ["runs", unit]
        case probes.SmtpGreeting(hostname=hostname):
            return ["greets", hostname]
        case probes.RefusesRelay(domains=domains):
            return ["refuses_relay", domains[0]]
        case probes.PostfixReadBack(parameters=parameters):
            return [
                "reads_back",
                *(f"{name} = {value}" for name, value in dict(parameters).items()),
            ]
        case probes.AliasGraph(names=names):
            return ["aliases_resolve", *names]
        case _:
            return []
