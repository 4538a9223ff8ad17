"""What can go wrong, by what the reader can do about it; each class carries its exit code."""

from __future__ import annotations

import re


class WizardError(Exception):
    """A sentence for the reader, a hint what to do, and the exit code of the command line."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadUsage(WizardError):
    """The command line or the answers are wrong: correct them and call again."""

    exit_code = 2


class BadAnswer(BadUsage):
    """One answer is wrong; `key` names it as the answer file would."""

    def __init__(self, key: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{key}: {message}", hint=hint)
        self.key = key
        self.reason = message


class UnfitSecret(BadUsage):
    """A secret is there, and holds what nobody sees or types."""


class HostRefused(WizardError):
    """This host (or its saved state) cannot be used as it is."""

    exit_code = 3


def for_root_alone(what: str) -> HostRefused:
    """What is raised where only root may look: what was not seen is not believed to be absent."""
    return HostRefused(f"{what} can be read by root alone", hint="Run it again with sudo.")


class Locked(WizardError):
    """Another run holds the lock."""

    exit_code = 4


# "[Y/n]", "(y|n)?", "(yes/no)": and without an answer many say that they gave up
_ASKS = re.compile(r".*[\[(]y(?:es)? ?[/|] ?no?[\])] ?\??:?(?= *(?:abort\w*\.?)?$)", re.IGNORECASE)


def _question(tail: tuple[str, ...]) -> str:
    """The question that a command ended with, as tools ask a person; empty when it is none."""
    last = next((line.strip() for line in reversed(tail) if line.strip()), "")
    asked = _ASKS.match(last)
    return asked[0].strip() if asked else ""


class CommandFailed(WizardError):
    """A command ended otherwise than it should; `tail` is the end of its output."""

    def __init__(
        self, argv: tuple[str, ...], code: int, tail: tuple[str, ...] = (), *, hint: str = ""
    ) -> None:
        shown = " ".join(argv[:4]) + (" …" if len(argv) > 4 else "")
        said = f"`{shown}` ended with code {code}"
        if asked := _question(tail):
            said = f'{said}: it asked "{asked}", and nobody may answer here'
            hint = hint or (
                f"Run it once yourself and answer: {' '.join(argv)}. Then start mailwizard again."
            )
        super().__init__(said, hint=hint)
        self.argv = argv
        self.code = code
        self.tail = tail


class ReadBackFailed(WizardError):
    """A change was made, but the host does not show it."""


class ProofFailed(WizardError):
    """A configuration was refused before a daemon saw it; `tail` holds the findings."""

    def __init__(self, message: str, tail: tuple[str, ...] = (), *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.tail = tail


class NotContent(ProofFailed):
    """A daemon's own parser refuses its files, of whichever step they are."""


class HandEdited(WizardError):
    """Something we own was edited by hand since; it is the administrator's to decide."""
