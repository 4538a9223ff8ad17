"""Runs on the host under test: the step postfix with parameters more than its plan has.

First argument: the parameters as JSON. Out: the events of apply, and of probe when it got that far.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator

from mailwizard import platform
from mailwizard.answers import Answers
from mailwizard.changes import PostfixParameters
from mailwizard.engine import Engine
from mailwizard.events import Event, Failed
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.model import Change, Context
from mailwizard.steps import STEPS, postfix

STATE = "/var/lib/mailwizard"


def plan(context: Context) -> Iterator[Change]:
    """The step's own changes, and the other parameters just before the daemon reads them."""
    *changes, service = postfix.STEP.plan(context)
    yield from (*changes, PostfixParameters(json.loads(sys.argv[1])), service)


def run() -> Iterator[Event]:
    """Apply, then the gate, as unattended.run does."""
    host = LocalHost(platform.here(), STATE)
    journal = Journal(f"{STATE}/journal.db", platform.machine_id())
    patched = dataclasses.replace(postfix.STEP, plan=plan)
    steps = [patched if step.id == "postfix" else step for step in STEPS]
    engine = Engine(steps, Answers.load(f"{STATE}/answers.toml", STEPS), host, journal)
    failed = False
    for event in engine.apply("postfix"):
        failed = failed or isinstance(event, Failed)
        yield event
    if not failed:
        yield from engine.probe("postfix")


if __name__ == "__main__":
    for each in run():
        print(json.dumps(each.as_json()), flush=True)
