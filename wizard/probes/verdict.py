"""Short ways to say a verdict; anything but a pass says what should be and who can do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mailwizard.model import Outcome, Result
from mailwizard.probes.deadline import AtFault, CannotAsk, KeptOut


def passed(said: str, transcript: Sequence[str] = ()) -> Result:
    """It is as it should be."""
    return Result(Outcome.PASS, said, transcript=tuple(transcript))


def failed(said: str, expected: str, fix: str, transcript: Sequence[str] = ()) -> Result:
    """It is wrong, and the gate stays closed."""
    return Result(Outcome.FAIL, said, expected, fix, tuple(transcript))


def warned(said: str, expected: str, fix: str, transcript: Sequence[str] = ()) -> Result:
    """It works, and somebody should look at it."""
    return Result(Outcome.WARN, said, expected, fix, tuple(transcript))


def unknown(said: str, expected: str, fix: str, transcript: Sequence[str] = ()) -> Result:
    """It could not be found out."""
    return Result(Outcome.UNKNOWN, said, expected, fix, tuple(transcript))


def skipped(said: str, transcript: Sequence[str] = ()) -> Result:
    """It does not apply here; `said` is the reason."""
    return Result(Outcome.SKIPPED, said, transcript=tuple(transcript))


def could_not_ask(trouble: CannotAsk, transcript: Sequence[str] = ()) -> Result:
    """The verdict of a question that could not be asked; fail only where the host says why."""
    if isinstance(trouble, AtFault):
        return failed(trouble.sentence, trouble.expected, trouble.fix, transcript)
    if isinstance(trouble, KeptOut):
        kept = unknown(trouble.sentence, trouble.expected, trouble.fix, transcript)
        return replace(kept, suggests="firewall")
    return unknown(
        trouble.sentence,
        "an answer to this question",
        "Nothing is proved either way: mend what is named and check again.",
        transcript,
    )
