"""A host whose release changed since it was set up, or whose packages were left half done."""

from __future__ import annotations

from collections.abc import Sequence

from mailwizard.engine import Engine
from mailwizard.platform import managers

NOTE = "release"
"""Where the journal has the release that all steps were last applied on."""


def half_done(engine: Engine, step_ids: Sequence[str]) -> tuple[str, ...]:
    """Packages for these steps that are here and not ready."""
    unready = managers.unready(engine.host)
    due = engine.missing_packages(step_ids) if unready else ()
    return tuple(name for name in due if name in unready)


def since(engine: Engine) -> str:
    """The other release that this host was set up on; empty where it is the same, or unknown."""
    known = engine.journal.noted(NOTE)
    return known if known != _release(engine) else ""


def told(engine: Engine, half: Sequence[str]) -> str:
    """What happened to this host, in a sentence."""
    was, now = since(engine), _release(engine)
    found = [f"this host was set up as {was} and is {now} now"] if was else []
    found += [f"{', '.join(half)} half done by the package manager"] if half else []
    return f"{'; '.join(found)}: all of it is renewed before it is judged"


def remember(engine: Engine, step_ids: Sequence[str]) -> None:
    """From now on this release counts, where every step was made to fit it."""
    whole = {step.id for step in engine.wanted()} <= set(step_ids)
    if whole and engine.journal.noted(NOTE) != _release(engine):
        engine.journal.note(NOTE, _release(engine))


def _release(engine: Engine) -> str:
    return f"{engine.host.platform.id} {engine.host.platform.version}"
