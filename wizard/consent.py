"""Questions of the command line whose answer is yes or no."""

from __future__ import annotations

import argparse
import sys

from mailwizard.errors import BadUsage


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
