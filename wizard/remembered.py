"""The answers as they were last given on this host."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mailwizard.answers import Answers
from mailwizard.errors import WizardError
from mailwizard.host import LocalHost
from mailwizard.model import Step


def save(host: LocalHost, answers: Answers) -> None:
    """Keep them, durable on return, for a later resume, check or export."""
    answers.save(host, _place(host))


def load(host: LocalHost, steps: Sequence[Step]) -> Answers:
    """Empty when none were ever given; raises as Answers.load."""
    place = _place(host)
    return Answers.load(place, steps) if os.access(place, os.F_OK) else Answers.empty(steps)


def if_readable(host: LocalHost, steps: Sequence[Step]) -> Answers:
    """The same, and empty too where they cannot be read any more."""
    try:
        return load(host, steps)
    except WizardError:
        return Answers.empty(steps)


def _place(host: LocalHost) -> str:
    return f"{host.state_dir}/answers.toml"
