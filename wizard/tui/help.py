"""Help on F1: the focused field, the step, and all keys."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content

from mailwizard.tui.fields import owner
from mailwizard.tui.frame import Frame, Keys
from mailwizard.tui.textpane import TextScreen

KEYS = (
    ("Tab, Shift+Tab", "move between fields, lists and buttons"),
    ("Arrows", "move in a list, between fields and buttons; choose a word"),
    ("Space, Enter", "tick; open the change or the check; press the button"),
    ("Esc", "one level back; waits while a command runs"),
    ("F1 or ?", "this help"),
    ("F2", "a shell, and back when it ends"),
    ("F3 or Ctrl+L", "redraw the screen"),
    ("F5", "run this step's checks again"),
    ("F6", "the whole log"),
    ("F7", "the DNS records that are needed, and what is answered"),
    ("F9", "the keys that sign mail, and how to change them"),
    ("F8", "copy what is in focus, to the clipboard and to a file (c in logs)"),
    ("F10", "apply, then on to the next step"),
    ("Ctrl+P", "all commands: go to a step, theme, log"),
    ("Ctrl+Q or Ctrl+C", "leave; everything is saved (Ctrl+C twice: at once)"),
)

VERDICTS = (
    ("ok", "as it should be"),
    ("warn", "works, but should be better; the gate opens"),
    ("FAIL", "the gate stays closed until this is right"),
    ("?", "could not be asked: neither good nor bad; the gate opens"),
    ("skip", "does not apply here"),
    ("edit", "was edited by hand; you are asked before anything is written"),
)


class HelpScreen(TextScreen):
    """The help, over the whole screen."""

    KEYS: ClassVar[Keys] = (("Esc", "back"), ("arrows", "scroll"), ("F8", "copy"))


def help_text(screen: Frame) -> Content:
    """What can be said about this place."""
    parts: list[Content] = []
    field = owner(screen.focused)
    if field is not None:
        question = field.question
        parts.append(_part(question.label, [question.help, f"Right is: {question.kind.hint}"]))
    step = getattr(screen, "step", None)
    if step is not None:
        parts.append(_part(step.title, [step.explain.strip()]))
    parts.append(_table("Keys", KEYS))
    parts.append(_table("Words", VERDICTS))
    return Content("\n\n").join(parts)


def _part(title: str, lines: list[str]) -> Content:
    return Content.assemble((title, "bold"), "\n", "\n".join(line for line in lines if line))


def _table(title: str, rows: tuple[tuple[str, str], ...]) -> Content:
    lines = [Content.assemble((f"{key:<16}", "bold"), does) for key, does in rows]
    return Content.assemble((title, "bold"), "\n") + Content("\n").join(lines)
