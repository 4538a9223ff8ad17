"""The questions of one step, one after the other; every answer is checked and saved at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mailwizard import show
from mailwizard.errors import BadAnswer
from mailwizard.model import Question, Step
from mailwizard.plain.contract import Engine
from mailwizard.plain.terminal import Terminal

BACK, EXPLAIN, NOTHING = "<", "?", "-"


class Form:
    """Asks until nothing is wrong with a step's answers."""

    def __init__(self, engine: Engine, terminal: Terminal, step: Step) -> None:
        self._engine = engine
        self._terminal = terminal
        self._step = step

    def ask(self) -> bool:
        """Ask every question; False when the person goes back before the first."""
        questions = self._step.questions
        if questions:
            self._terminal.say(
                f"\nEnter keeps what is in brackets. {EXPLAIN} explains, {BACK} goes back, "
                f"{NOTHING} leaves an answer empty."
            )
        asked = self._ask_these(questions)
        while asked and (wrong := self._engine.complaints(self._step.id)):
            asked = self._ask_these(self._complain(wrong))
        return asked

    def _complain(self, wrong: Iterable[tuple[str, str]]) -> tuple[Question, ...]:
        """Say what no single field could see; the questions to ask again."""
        self._terminal.say("\nThese answers cannot be used together, or one is missing:")
        named = set()
        for key, said in wrong:
            named.add(key.removeprefix(f"{self._step.id}."))
            self._terminal.lines(show.marked("FAIL", f"{key}: {said}", width=self._terminal.width))
        chosen = tuple(each for each in self._step.questions if each.name in named)
        return chosen or self._step.questions

    def _ask_these(self, questions: tuple[Question, ...]) -> bool:
        number = 0
        while number < len(questions):
            number += 1 if self._ask_one(questions[number]) else -1
            if number < 0:
                return False
        return True

    def _ask_one(self, question: Question) -> bool:
        """Ask until the answer is right; False to go back."""
        current = self._engine.defaults(self._step.id).get(question.name)
        self._terminal.say(f"\n{question.label}")
        if why := self._engine.reasons(self._step.id).get(question.name):
            self._terminal.lines(show.paragraphs(why, self._terminal.width))
        while True:
            typed = self._terminal.ask(f"{_bracketed(question, current)}:", secret=question.secret)
            if typed == BACK:
                return False
            if typed == EXPLAIN:
                self._explain(question)
            elif self._accepts(question, typed, current):
                return True

    def _explain(self, question: Question) -> None:
        self._terminal.lines(show.paragraphs(question.help or question.label, self._terminal.width))
        self._terminal.say(f"Right is: {question.kind.hint}.")
        self._terminal.say(f"In an answer file: {question.name}, below [{self._step.id}]")

    def _accepts(self, question: Question, typed: str, current: Any) -> bool:
        try:
            self._save(question, typed, current)
        except BadAnswer as error:
            self._refuse(question, error.reason, error.hint)
        except ValueError as error:
            self._refuse(question, str(error), "")
        else:
            return True
        return False

    def _save(self, question: Question, typed: str, current: Any) -> None:
        if typed == NOTHING or (not typed and current is None):
            if not question.optional:
                raise ValueError("an answer is needed")
            value = None
        elif not typed:
            # Keeping a default is an answer too: it must not change when the host does.
            value = current
        elif question.secret:
            self._engine.keep_secret(self._step.id, question.name, typed)
            return
        else:
            value = question.kind.parse(typed)
        self._engine.set_answer(self._step.id, question.name, value)

    def _refuse(self, question: Question, reason: str, hint: str) -> None:
        self._terminal.say(f"Not accepted: {reason}.".replace("..", "."))
        self._terminal.say(f"Right is: {hint or question.kind.hint}")


def _bracketed(question: Question, current: Any) -> str:
    if question.secret:
        return "[the one that is kept]" if current is not None else "[none yet, not shown]"
    shown = "" if current is None else question.kind.show(current)
    return f"[{shown or ('none' if question.optional else 'no default')}]"
