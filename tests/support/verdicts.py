"""What a test of a probe demands of each verdict."""

from __future__ import annotations

from mailwizard.model import Outcome, Result

PASS, WARN, FAIL, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN
SKIPPED = Outcome.SKIPPED


def checked(result: Result, outcome: Outcome, said: str = "") -> None:
    """The verdict is this; whatever is not in order says what should be and who can do it."""
    assert result.outcome is outcome, result
    assert said in result.said, result.said
    if outcome not in (PASS, SKIPPED):
        assert result.expected
        assert result.fix


def proved(result: Result, outcome: Outcome) -> None:
    """The same, with the dialogue that shows it."""
    checked(result, outcome)
    assert result.transcript or outcome is UNKNOWN
