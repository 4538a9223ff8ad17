"""A command that asks a person something, where there is none."""

from __future__ import annotations

import pytest

from mailwizard.errors import CommandFailed


@pytest.mark.parametrize(
    ("last", "asked"),
    [
        ("Do you want to continue? [Y/n] Abort.", "Do you want to continue? [Y/n]"),
        ("Proceed with operation (y|n)? Aborted", "Proceed with operation (y|n)?"),
        ("Is the information correct? [y/N]", "Is the information correct? [y/N]"),
        ("Overwrite (yes/no):", "Overwrite (yes/no):"),
    ],
)
def test_its_question_is_the_cause(last: str, asked: str) -> None:
    failed = CommandFailed(("ufw", "enable"), 1, ("a line", last, ""))
    assert f'it asked "{asked}", and nobody may answer here' in failed.message
    assert (
        failed.hint == "Run it once yourself and answer: ufw enable. Then start mailwizard again."
    )


@pytest.mark.parametrize("last", ["E: are you root?", "done", "", "see apt(8) [yes]"])
def test_other_last_lines_are_none(last: str) -> None:
    failed = CommandFailed(("apt-get", "update"), 100, (last,))
    assert (failed.message, failed.hint) == ("`apt-get update` ended with code 100", "")
