"""Events, plans and verdicts as plain lines of text, for the command line and the line face.

A verdict is always a word; colour, where it is asked for, only repeats it. A width of None leaves
long lines as they are, for files and pipes.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

from mailwizard import closing, events
from mailwizard.model import Outcome, Preview
from mailwizard.stages import Drift, PlanItem, State, StepPlan, StepStatus

WIDTH: Final = 78

VERDICT_WORDS: Final[Mapping[Outcome, str]] = {
    Outcome.PASS: "ok",
    Outcome.SKIPPED: "skip",
    Outcome.UNKNOWN: "?",
    Outcome.WARN: "warn",
    Outcome.FAIL: "FAIL",
}

STATE_WORDS: Final[Mapping[State, str]] = {
    State.PENDING: "not set up yet",
    State.APPLIED: "set up, not verified by its checks",
    State.VERIFIED: "verified by its checks",
    State.FAILED: "failed",
    State.DRIFTED: "edited by hand since",
    State.SKIPPED: "left out",
}

_SGR: Final[Mapping[str, str]] = {
    "ok": "32",
    "done": "32",
    "warn": "33",
    "wait": "33",
    "?": "33",
    "FAIL": "1;31",
    "+": "32",
    "-": "31",
    "@@": "36",
}


def colour_wanted(stream: TextIO) -> bool:
    """True when the stream is a terminal that shows colour and nobody asked for none."""
    return (
        stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "dumb") not in {"", "dumb", "unknown"}
    )


def fold(
    text: str, width: int | None = WIDTH, first: str = "", rest: str | None = None
) -> list[str]:
    """The text in lines no longer than the width; `rest` indents all lines but the first."""
    indent = " " * len(first) if rest is None else rest
    lines: list[str] = []
    for part in text.split("\n"):
        lines += _fold_one(part, width, indent if lines else first, indent)
    return lines


def _fold_one(line: str, width: int | None, first: str, rest: str) -> list[str]:
    if width is None or len(first) + len(line) <= width:
        return [(first + line).rstrip()]
    return textwrap.wrap(
        line, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )


def paragraphs(text: str, width: int | None = WIDTH) -> list[str]:
    """Prose, filled anew: an empty line parts paragraphs, an indented line stands as it is."""
    lines: list[str] = []
    for block in re.split(r"\n\s*\n", textwrap.dedent(text).strip("\n")):
        as_it_is = any(line.startswith(" ") for line in block.splitlines())
        lines += fold(block if as_it_is else " ".join(block.split()), width)
        lines.append("")
    return lines[:-1]


def paint(word: str, text: str, colour: bool) -> str:
    """The text in the word's colour, when colour is asked for."""
    sgr = _SGR.get(word, "") if colour else ""
    return f"\x1b[{sgr}m{text}\x1b[0m" if sgr else text


def marked(word: str, text: str, *, colour: bool = False, width: int | None = WIDTH) -> list[str]:
    """A line that begins with a word in its own column, folded beside it."""
    lines = fold(text, width, first=f"{word:<4}  ", rest=" " * 6)
    return [paint(word, word, colour) + lines[0][len(word) :], *lines[1:]]


def diff_lines(text: str, *, colour: bool = False, width: int | None = WIDTH) -> list[str]:
    """A unified diff, indented; a folded line goes on further in."""
    lines: list[str] = []
    for line in text.splitlines():
        word = next((mark for mark in ("@@", "+", "-") if line.startswith(mark)), "")
        lines += [paint(word, part, colour) for part in fold(line, width, "  ", " " * 8)]
    return lines


def _preview_lines(preview: Preview, colour: bool, width: int | None) -> list[str]:
    if preview.is_diff:
        return diff_lines(preview.text, colour=colour, width=width)
    return [part for line in preview.text.splitlines() for part in fold(line, width, "  ", " " * 8)]


def drift_lines(drift: Drift, *, colour: bool = False, width: int | None = WIDTH) -> list[str]:
    """What was edited by hand: what mailwizard left, what is there now, what it would write."""
    lines = [
        "Edited by hand since mailwizard wrote it:",
        *fold(", ".join(drift.parts), width, "  "),
    ]
    for heading, text in (("mailwizard left:", drift.ours), ("There is now:", drift.theirs)):
        lines += [heading, *diff_lines(text or "(nothing)", width=width)]
    if drift.wanted != drift.diff:
        lines += ["mailwizard would write:", *diff_lines(drift.wanted, width=width)]
    return [*lines, "Replacing it would do:", *diff_lines(drift.diff, colour=colour, width=width)]


def _item_lines(number: int, item: PlanItem, colour: bool, width: int | None) -> list[str]:
    state = "" if item.needed else "  (already so)"
    lines = fold(item.title + state, width, f"{number:>2}. ")
    if item.needed:
        lines += _preview_lines(item.preview, colour, width)
    if item.drift is not None:
        lines += fold(
            "Edited by hand since mailwizard wrote it: " + ", ".join(item.drift.parts),
            width,
            "    ",
        )
    return lines


def plan_lines(plan: StepPlan, *, colour: bool = False, width: int | None = WIDTH) -> list[str]:
    """Every change of a step, numbered, with its diff or commands; what is already so is named."""
    needed, total = len(plan.pending), len(plan.items)
    head = f"{plan.step.id}: {needed} of {total} changes to make."
    if not needed:
        head = f"{plan.step.id}: nothing to change, all {total} are already so."
    lines = fold(head, width)
    for why in plan.reasons:
        lines += fold(why, width, "      ")
    for number, item in enumerate(plan.items, 1):
        lines += _item_lines(number, item, colour, width)
    return lines


def remedy_lines(
    done: events.ProbeDone, *, width: int | None = WIDTH, indent: str = " " * 6
) -> list[str]:
    """What is, what should be, what to do, how to ask by hand: one idea a line."""
    result = done.result
    pairs = (
        ("It is:", result.said),
        ("It should be:", result.expected),
        ("What to do:", result.fix),
        ("By hand:", done.by_hand),
    )
    return [
        line
        for label, text in pairs
        if text
        for line in fold(text, width, f"{indent}{label:<14}", indent + " " * 14)
    ]


Told = dict[tuple[str, str], str]
"""What was said already, with its remedy, and by which check."""


def result_lines(
    done: events.ProbeDone,
    *,
    colour: bool = False,
    width: int | None = WIDTH,
    told: Told | None = None,
) -> list[str]:
    """One line for a verdict; for a warning, a failure or an unknown the remedy below it, once."""
    word = VERDICT_WORDS[done.result.outcome]
    named = f"{done.id:<8} {done.title}"
    if done.result.outcome in {Outcome.PASS, Outcome.SKIPPED}:
        said = f": {done.result.said}" if done.result.said else ""
        return marked(word, named + said, colour=colour, width=width)
    cause = done.result.said, done.result.fix
    if told is not None and cause in told:
        return marked(word, f"{named}: as {told[cause]} says", colour=colour, width=width)
    if told is not None:
        told[cause] = done.id
    return marked(word, named, colour=colour, width=width) + remedy_lines(done, width=width)


def dialogue_lines(done: events.ProbeDone, *, width: int | None = WIDTH) -> list[str]:
    """The whole conversation of a check, as it went over the wire."""
    lines = fold(f"{done.id}  {done.title}", width)
    lines += remedy_lines(done, width=width, indent="")
    lines.append("The dialogue:" if done.result.transcript else "There was no dialogue.")
    for line in done.result.transcript:
        lines += fold(line, width, "  ", " " * 6)
    return lines


def counted(outcomes: Iterable[Outcome]) -> str:
    """How many of each verdict, the worst first, e.g. "1 FAIL, 2 warn, 40 ok"."""
    counts = Counter(outcomes)
    worst_first = sorted(counts, key=lambda outcome: -outcome.severity)
    return ", ".join(f"{counts[one]} {VERDICT_WORDS[one]}" for one in worst_first) or "no checks"


def checks_table(
    results: Iterable[events.ProbeDone], *, colour: bool = False, width: int | None = WIDTH
) -> list[str]:
    """Every verdict below its step's name, and the count of each at the end."""
    done = list(results)
    lines, told = list[str](), Told()
    for step in dict.fromkeys(one.step for one in done):
        lines += [step, "-" * len(step)]
        for one in done:
            if one.step == step:
                lines += result_lines(one, colour=colour, width=width, told=told)
        lines.append("")
    lines.append(f"{len(done)} checks: {counted(one.result.outcome for one in done)}")
    for sentence in filter(None, (closing.said(done), closing.records_said(done))):
        lines += fold(sentence, width)
    return lines


def checks_json(results: Iterable[events.ProbeDone], outcome: Outcome) -> dict[str, Any]:
    """The object that `check --json` prints; its keys are an API."""
    return {
        "outcome": outcome.value,
        "checks": [
            {
                "id": done.id,
                "step": done.step,
                "title": done.title,
                "outcome": done.result.outcome.value,
                "said": done.result.said,
                "expected": done.result.expected,
                "fix": done.result.fix,
                "by_hand": done.by_hand,
                "transcript": list(done.result.transcript),
                "seconds": round(done.seconds, 3),
            }
            for done in results
        ],
    }


def plan_json(
    plans: Iterable[StepPlan], missing: Sequence[str], left: Sequence[str] = ()
) -> dict[str, Any]:
    """The object that `plan --json` prints; its keys are an API."""
    return {
        "packages": list(missing),
        "mail_left": list(left),
        "steps": [
            {
                "id": plan.step.id,
                "reasons": list(plan.reasons),
                "changes": [_item_json(item) for item in plan.items],
            }
            for plan in plans
        ],
    }


def _item_json(item: PlanItem) -> dict[str, Any]:
    return {
        "title": item.title,
        "needed": item.needed,
        "preview": item.preview.text,
        "is_diff": item.preview.is_diff,
        "edited_by_hand": list(item.drift.parts) if item.drift else [],
    }


def _since(stamp: str) -> str:
    return f", since {stamp[:16].replace('T', ' ')} UTC" if stamp else ""


def status_lines(
    states: Sequence[StepStatus], *, colour: bool = False, width: int | None = WIDTH
) -> list[str]:
    """One line for each step: its state, what that means, and since when."""
    column = max((len(status.id) for status in states), default=0)
    words = {State.FAILED: "FAIL", State.VERIFIED: "ok", State.DRIFTED: "warn", State.APPLIED: "?"}
    lines: list[str] = []
    for status in states:
        text = f"{status.id:<{column}}  {STATE_WORDS[status.state]}{_since(status.since)}"
        lines += marked(words.get(status.state, "-"), text, colour=colour, width=width)
    return lines


def event_line(
    event: events.Event,
    *,
    colour: bool = False,
    width: int | None = WIDTH,
    previews: bool = False,
    told: Told | None = None,
) -> list[str]:
    """An event for a person to read; `previews` adds the diff or commands of a change."""
    if isinstance(event, events.ProbeDone):
        return result_lines(event, colour=colour, width=width, told=told)
    if isinstance(event, events.ChangeStarted):
        shown = Preview(event.preview, event.is_diff)
        lines = marked("do", event.title, colour=colour, width=width)
        return lines + (_preview_lines(shown, colour, width) if previews else [])
    if isinstance(event, events.Drifted):
        return _drifted(event, colour, width)
    if isinstance(event, events.Failed):
        return _failed(event, colour, width)
    if isinstance(event, events.Gate):
        return _gate(event, colour, width)
    word, text = _short(event)
    return (
        marked(word, text, colour=colour, width=width)
        if word
        else fold(text, width)
        if text
        else []
    )


def _short(event: events.Event) -> tuple[str, str]:
    """The word and the text of an event that is one line; no word for a heading."""
    match event:
        case events.StepStarted():
            return "", f"{event.step}: {event.title}"
        case events.ChangeDone() | events.KeyStage():
            return "done", event.sentence
        case events.AlreadySo():
            return "same", event.title
        case events.Output():
            return "|", event.line
        case events.Waiting():
            return "wait", event.reason
        case events.Proposed():
            return "next", f"{event.title} is proposed: {event.reason}"
        case events.Undone(problem=""):
            return "done", f"{event.title}: put back"
        case events.Undone():
            return "FAIL", f"{event.title}: not put back: {event.problem}"
        case events.Finished():
            return "", event.said
    return "", ""


def _drifted(event: events.Drifted, colour: bool, width: int | None) -> list[str]:
    parts = ", ".join(event.parts)
    head = f"{event.title}: edited by hand since ({parts}). Nothing was written over it."
    lines = marked("warn", head, colour=colour, width=width)
    return lines + diff_lines(event.diff, colour=colour, width=width)


def _failed(event: events.Failed, colour: bool, width: int | None) -> list[str]:
    lines = marked("FAIL", event.message, colour=colour, width=width)
    for line in event.tail:
        lines += fold(line, width, "      | ", "      |   ")
    return lines + (fold(event.hint, width, "      ") if event.hint else [])


def _gate(event: events.Gate, colour: bool, width: int | None) -> list[str]:
    changes = f"{event.changes} change" + ("" if event.changes == 1 else "s")
    cost = f"{changes}, {event.seconds:.1f} s"
    if not event.open:
        text = f"{event.step}: the gate is closed, a check failed ({cost})."
        return marked("FAIL", text, colour=colour, width=width)
    why = {Outcome.WARN: ", with warnings", Outcome.UNKNOWN: ", but not all could be asked"}
    outcome = Outcome(event.outcome)
    text = f"{event.step}: the gate is open{why.get(outcome, '')} ({cost})."
    return marked(VERDICT_WORDS[outcome], text, colour=colour, width=width)
