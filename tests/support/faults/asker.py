"""Runs on the host under test: asks single probes of the program, line by line of JSON.

In: {"ids": [...] or null for all, "options": {...}}; out: {id: verdict}.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mailwizard import platform
from mailwizard.answers import Answers
from mailwizard.engine import Engine
from mailwizard.events import ProbeDone
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.model import Probe
from mailwizard.probes import Advisory
from mailwizard.probing import ask_all
from mailwizard.steps import STEPS

STATE = "/var/lib/mailwizard"


@functools.cache
def probes(answers: str) -> list[tuple[str, Probe]]:
    """Every probe of every step, as `mailwizard check` has them on the host while it is sound."""
    host = LocalHost(platform.here(), STATE)
    journal = Journal(f"{STATE}/journal.db", platform.machine_id(), read_only=True)
    engine = Engine(STEPS, Answers.from_text(answers, STEPS), host, journal)
    return [(step.id, probe) for step in engine.wanted() for probe in engine.probes(step.id)]


def with_options(probe: Any, options: Mapping[str, Any]) -> Any:
    """The probe with those of these fields that it has."""
    if isinstance(probe, Advisory):
        return dataclasses.replace(probe, probe=with_options(probe.probe, options))
    names = {field.name for field in dataclasses.fields(probe)}
    given = {name: value for name, value in options.items() if name in names}
    return dataclasses.replace(probe, **given)


def kind(probe: Probe) -> str:
    """The class that asks."""
    return type(probe.probe if isinstance(probe, Advisory) else probe).__name__


def ask(ids: list[str] | None, options: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The verdicts of these probes, asked all at once."""
    found = probes(Path(STATE, "answers.toml").read_text())
    every = [(s, with_options(p, options)) for s, p in found if ids is None or p.id in ids]
    kinds = {probe.id: kind(probe) for _, probe in every}
    host = LocalHost(platform.here(), STATE)
    done = [event for event in ask_all(host, every) if isinstance(event, ProbeDone)]
    return {
        event.id: {
            "outcome": event.result.outcome.value,
            "said": event.result.said,
            "kind": kinds[event.id],
            "step": event.step,
        }
        for event in done
    }


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(ask(asked["ids"], asked["options"])), flush=True)
