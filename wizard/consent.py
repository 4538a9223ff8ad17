"""Questions of the command line whose answer is yes or no."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from mailwizard.errors import BadUsage, HostRefused
from mailwizard.model import Platform, Tier
from mailwizard.platform import named

_EXPECTED = """\
{name} is expected to work with mailwizard, but not proven: it has the packages of a
system that is, under other habits, and was tried on look-alike hosts only. Every change
is still shown before it is made, tested after it, and can be taken back."""


def doubt(found: Platform, accepted: bool) -> HostRefused | None:
    """Why this system may not be changed just like that; none where it may."""
    if found.tier is Tier.DATA:
        return HostRefused(
            f"{found.name} is known to mailwizard as data only: nobody has tried it there",
            hint=f"Proven: {named(Tier.PROVEN)}. Expected to work: {named(Tier.EXPECTED)}. "
            "To go on all the same: --unproven",
        )
    if found.tier is Tier.PROVEN or accepted:
        return None
    return HostRefused(
        f"{found.name} is expected to work, but no test host has proven it",
        hint="To go on: --unproven, or `expected = true` below [system] in the answers.",
    )


def for_system(found: Platform, options: argparse.Namespace, given: Callable[[], bool]) -> bool:
    """Whether the host's system was accepted just now; it may be changed. Raises HostRefused.

    given: whether it was accepted before, in the answers.
    """
    if found.tier is Tier.PROVEN or options.unproven:
        return found.tier is Tier.EXPECTED
    refusal = doubt(found, given())
    if refusal is None:
        return False
    if found.tier is Tier.DATA or options.yes or not sys.stdin.isatty():
        raise refusal
    print(_EXPECTED.format(name=found.name), file=sys.stderr)
    confirm(f"Go on with {found.name}?")
    return True


def need_somebody(options: argparse.Namespace) -> None:
    """Said before anything is locked or looked at; raises BadUsage."""
    if not options.yes and not sys.stdin.isatty():
        raise BadUsage("nobody is there to confirm this", hint="Add --yes to go on without asking.")


def given(question: str) -> bool:
    """Whether a person says yes; asked on standard error, since output may be for a program."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        print(file=sys.stderr)
        return False


def confirm(question: str) -> None:
    """Go on only after a yes; raises BadUsage."""
    if not given(question):
        raise BadUsage("not confirmed; nothing was changed")
