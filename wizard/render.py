"""Templates of the package, filled in: undefined names and control characters are errors (R19)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

HEADER = (
    "Written by mailwizard; edits by hand are noticed and kept, but `mailwizard` asks about them."
)


def _plain(value: Any) -> str:
    """A value with a control character could start a line of its own in the daemon's file."""
    text = str(value)
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text):
        # not the value itself: it may be a secret
        raise ValueError("a value for a configuration file holds a control character")
    return text


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(str(files("mailwizard.templates"))),
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def render(name: str, **values: Any) -> str:
    """The template's text; `header` is ours. Raises jinja2.UndefinedError or ValueError."""
    return _environment().get_template(name).render(header=HEADER, **values)
