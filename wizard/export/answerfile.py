"""The answers as a file for `apply -a`: what was given, and secrets only by their place."""

from __future__ import annotations

from mailwizard.answers import dump
from mailwizard.engine import Engine


def text(engine: Engine) -> str:
    """TOML that sets up the same again."""
    return dump(engine.steps, engine.resolved(), engine.answers.accepted)
