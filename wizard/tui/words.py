"""The words and colours of verdicts, states and diffs; no meaning is ever in a colour alone."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap

from textual.content import Content

from mailwizard.events import ProbeDone
from mailwizard.model import Outcome, Preview
from mailwizard.sanitise import clean
from mailwizard.stages import Drift, PlanItem, State

VERDICT = {
    Outcome.PASS: ("ok", "ansi_green"),
    Outcome.WARN: ("warn", "bold ansi_magenta"),
    Outcome.FAIL: ("FAIL", "bold ansi_red"),
    Outcome.UNKNOWN: ("?", "bold"),
    Outcome.SKIPPED: ("skip", "dim"),
}

STATE = {
    State.PENDING: (".", "dim"),
    State.APPLIED: ("made", ""),
    State.VERIFIED: ("ok", "ansi_green"),
    State.FAILED: ("FAIL", "bold ansi_red"),
    State.DRIFTED: ("edit", "bold ansi_magenta"),
    State.SKIPPED: ("skip", "dim"),
}

HERE = (">>", "bold")

TO_CHANGES = "Esc goes back to them; F10 there makes them."

AT_WORK = "Something is at work; wait until it ends."


def seen(text: str) -> str:
    """The text with nothing in it that acts on a terminal."""
    return text if text.isprintable() else clean(text, limit=20_000)


def fit(text: str, width: int) -> str:
    """The text in exactly so many columns, cut with an ellipsis where it must be."""
    return Content(text).truncate(max(width, 1), ellipsis=True, pad=True).plain


def mark(word: tuple[str, str], width: int = 5) -> Content:
    """A verdict or state word in its own column."""
    text, style = word
    return Content.assemble((text, style), " " * (width - len(text)))


def row(word: tuple[str, str], title: str, note: str, title_width: int) -> Content:
    """One line of a list: the word, what it is about, and a quiet remark."""
    title, note = seen(title), seen(note)
    wide = fit(title, title_width) if note else title
    return Content.assemble(mark(word), wide, ("  " + note if note else "", "dim"))


def diff(text: str) -> Content:
    """A unified diff with additions and removals coloured; everything in it is plain text."""
    return Content("\n").join(_diff_line(line) for line in seen(text).splitlines())


def _diff_line(line: str) -> Content:
    if line.startswith(("+++", "---")):
        return Content.styled(line, "bold")
    if line.startswith("+"):
        return Content.styled(line, "ansi_green")
    if line.startswith("-"):
        return Content.styled(line, "ansi_red")
    if line.startswith("@@"):
        return Content.styled(line, "dim")
    return Content(line)


def preview(shown: Preview) -> Content:
    """A change as it is shown before it is made."""
    return diff(shown.text) if shown.is_diff else Content(seen(shown.text))


def summary(item: PlanItem) -> tuple[tuple[str, str], str]:
    """The mark of a planned change and a few words about its size."""
    if item.drift is not None:
        return ("edit", "bold ansi_magenta"), "edited by hand"
    if not item.needed:
        return ("ok", "dim"), "already so"
    if item.preview.is_diff:
        lines = [line for line in item.preview.text.splitlines() if line[:3] not in {"+++", "---"}]
        added = sum(line.startswith("+") for line in lines)
        gone = sum(line.startswith("-") for line in lines)
        return ("~", "bold"), f"+{added} -{gone} lines"
    return ("+", "bold"), next(iter(item.preview.text.splitlines()), "")


def plan(items: Iterable[PlanItem]) -> Content:
    """Every change in full, one under the other."""
    parts = [
        Content.assemble((f"{number}. {item.title}\n", "bold"), preview(item.preview))
        for number, item in enumerate(items, 1)
    ]
    return Content("\n\n").join(parts)


def transcript(probe: ProbeDone, width: int = 78) -> Content:
    """Everything a probe knows: what was heard and should be, the fix, how to ask by hand."""
    result = probe.result
    word, style = VERDICT[result.outcome]
    parts: list[tuple[str, str] | str] = [(word, style), f"  {seen(probe.title)}  "]
    parts.append((f"{probe.seconds:.1f} s\n\n", "dim"))
    known = (
        ("Heard", result.said),
        ("Expected", result.expected),
        ("Fix", result.fix),
        ("By hand", probe.by_hand),
    )
    for label, text in known:
        if text:
            parts += [(f"{label:<10}", "bold"), hanging(seen(text), width) + "\n"]
    return Content.assemble(*parts, "\n", _dialogue(result.transcript))


def hanging(text: str, width: int) -> str:
    """The text beside a label of ten columns; its own line breaks stay."""
    lines = [wrap(line, max(width - 12, 30), break_on_hyphens=False) for line in text.splitlines()]
    return ("\n" + " " * 10).join(piece for pieces in lines for piece in pieces or [""])


def _dialogue(lines: tuple[str, ...]) -> Content:
    if not lines:
        return Content.styled("(there was no dialogue)", "dim")
    styled = [Content.styled(seen(line), "bold" if line.startswith(">") else "") for line in lines]
    return Content.assemble(("Dialogue", "bold"), "\n") + Content("\n").join(styled)


def three_way(drift: Drift) -> Content:
    """Both halves of a drift: what was edited, and what replacing would write."""
    from difflib import unified_diff

    def between(old: str, new: str, was: str, now: str) -> Content:
        lines = unified_diff(old.splitlines(), new.splitlines(), was, now, lineterm="")
        return diff("\n".join(lines)) or Content.styled("(no difference)", "dim")

    edited = between(drift.ours, drift.theirs, "what mailwizard left", "what is there now")
    if drift.wanted == drift.diff:
        wanted = diff(drift.diff)
    else:
        wanted = between(drift.theirs, drift.wanted, "what is there now", "what the answers want")
    return Content.assemble(
        ("Edited by hand since\n", "bold"), edited, ("\n\nReplacing would write\n", "bold"), wanted
    )
