"""Answers that were only the default of their day: they follow what they were made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mailwizard.answers import Answers
from mailwizard.model import Context, Look, Question, Step

Found = Mapping[str, Mapping[str, Any]]


def followed(before: Answers, after: Answers, look: Look) -> Answers:
    """`after`, without the answers that `before` proposes and `after` would propose otherwise.

    Who accepts a proposal has said nothing of their own: another host name, and the names in the
    certificate are others. What a host proposes by itself stays as it was accepted.
    """
    was = before.examine(before.steps, look)[0]
    for step, question in _given(before, after):
        old = _proposed(step, question, was, look)
        if old is None or old != after.given(step.id, question.name):
            continue
        now = after.examine(after.steps, look)[0]
        if _proposed(step, question, now, look) != old:
            after = after.without(step.id, question.name)
    return after


def _given(before: Answers, after: Answers) -> Iterator[tuple[Step, Question]]:
    """Questions whose answer is on file and was not changed just now, in order."""
    for step in after.steps:
        for question in step.questions:
            place = step.id, question.name
            if after.is_given(*place) and after.given(*place) == before.given(*place):
                yield step, question


def _proposed(step: Step, question: Question, found: Found, look: Look) -> Any:
    """The default as an answer; None where there is none, or it cannot be told."""
    try:
        value = question.default(Context(step.id, found, look))
        return None if value is None else question.kind.check(value)
    except (KeyError, ValueError):
        return None
