"""Runs on the host under test: a step with parameters more than its plan has.

Arguments: the step, and the parameters as JSON; a name with a slash is one of master.cf. Out: the
events of apply, and of probe when it got that far.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator

from mailwizard import platform
from mailwizard.answers import Answers
from mailwizard.changes import MasterCfParameters, PostfixParameters
from mailwizard.engine import Engine
from mailwizard.events import Event, Failed
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.model import Change, Context
from mailwizard.steps import STEPS

STEP = next(step for step in STEPS if step.id == sys.argv[1])
STATE = "/var/lib/mailwizard"


def plan(context: Context) -> Iterator[Change]:
    """The step's own changes, and the other parameters just before a daemon reads them."""
    changes = list(STEP.plan(context))
    first = next(n for n, change in enumerate(changes) if change.follows == "*")
    yield from changes[:first]
    values: dict[str, str] = json.loads(sys.argv[2])
    if services := {name: value for name, value in values.items() if "/" in name}:
        yield MasterCfParameters(services)
    if parameters := {name: value for name, value in values.items() if "/" not in name}:
        yield PostfixParameters(parameters)
    yield from changes[first:]


def run() -> Iterator[Event]:
    """Apply, then the gate, as unattended.run does."""
    host = LocalHost(platform.here(), STATE)
    journal = Journal(f"{STATE}/journal.db", platform.machine_id())
    patched = dataclasses.replace(STEP, plan=plan)
    steps = [patched if step is STEP else step for step in STEPS]
    engine = Engine(steps, Answers.load(f"{STATE}/answers.toml", STEPS), host, journal)
    failed = False
    for event in engine.apply(STEP.id):
        failed = failed or isinstance(event, Failed)
        yield event
    if not failed:
        yield from engine.probe(STEP.id)


if __name__ == "__main__":
    for each in run():
        print(json.dumps(each.as_json()), flush=True)
