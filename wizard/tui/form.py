"""The questions of one step: judged while typing, saved as soon as they are right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer

from mailwizard.errors import BadAnswer, WizardError
from mailwizard.fields import SecretField
from mailwizard.model import Step
from mailwizard.tui.fields import AnswerField, TypedSecret, field_for

if TYPE_CHECKING:
    from mailwizard.tui.app import WizardApp

PAUSE = 0.4
"""Seconds without a key after which a right answer is saved."""


class Form(Vertical):
    """All fields of a step; what is right on the screen is on disk a moment later."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    class Saved(Message):
        """The answers on disk are those on the screen; `right` when none is complained about."""

        def __init__(self, right: bool) -> None:
            super().__init__()
            self.right = right

    def __init__(self, step: Step, values: dict[str, Any], reasons: Mapping[str, str]) -> None:
        super().__init__(id="form")
        self._step = step
        self._reasons = reasons
        self._values = values
        self._unsaved: dict[str, AnswerField] = {}
        self._refused: dict[str, str] = {}
        self._pause: Timer | None = None

    @property
    def wizard(self) -> WizardApp:
        return cast("WizardApp", self.app)

    @property
    def fields(self) -> list[AnswerField]:
        return list(self.query(AnswerField))

    def compose(self) -> ComposeResult:
        for question in self._step.questions:
            why = self._reasons.get(question.name, "")
            told = replace(question, help=f"{why} {question.help}".strip())
            yield field_for(told, self._values.get(question.name))

    @on(AnswerField.Changed)
    def _changed(self, event: AnswerField.Changed) -> None:
        event.stop()
        self._unsaved[event.field.question.name] = event.field
        self._refused.pop(event.field.question.name, None)
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(PAUSE, self.save)

    def first_wrong(self) -> AnswerField | None:
        """The first field that cannot be used as it is."""
        return next((field for field in self.fields if field.problem()), None)

    @property
    def complained(self) -> bool:
        """Whether something was wrong with an answer when they were judged."""
        return any(field.complained for field in self.fields)

    @work(exclusive=True, group="save")
    async def save(self) -> None:
        """Save what is right and tell the screen."""
        await self.flush()

    async def flush(self) -> bool:
        """Save what is right, ask for complaints over all answers; whether there are none."""
        if self._pause is not None:
            self._pause.stop()
        await self._save_all()
        complaints = await self._complaints()
        for field in self.fields:
            name = field.question.name
            field.judge(self._refused.get(name) or complaints.get(name))
        right = not self._refused and not complaints and self.first_wrong() is None
        self.post_message(self.Saved(right))
        return right

    async def _save_all(self) -> None:
        for name, field in list(self._unsaved.items()):
            if field.problem():
                continue
            del self._unsaved[name]
            try:
                await self.wizard.desk.tell(self._saving(name, field.value()))
            except BadAnswer as error:
                self._refused[name] = error.reason
            except WizardError as error:
                self._refused[name] = f"not saved: {error.message}"

    def _saving(self, name: str, value: Any) -> partial[None]:
        engine = self.wizard.engine
        if isinstance(value, TypedSecret):
            return partial(engine.keep_secret, self._step.id, name, str(value))
        return partial(engine.set_answer, self._step.id, name, value)

    async def _complaints(self) -> dict[str, str]:
        found = await self.wizard.desk.ask(partial(self.wizard.engine.complaints, self._step.id))
        complaints: dict[str, str] = {}
        for name, wrong in found:
            complaints.setdefault(name, wrong)
        return complaints

    def hint(self, field: AnswerField) -> Content:
        """What is asked and what is right, for the line below the form."""
        question = field.question
        right = f"Right is: {question.kind.hint}."
        if isinstance(question.kind, SecretField):
            right = "Type it here, or say in which file or environment variable it is."
        said = " ".join(question.help.split())
        if said and len(said) + len(right) > 2 * min(self.screen.size.width, 96) - 10:
            return Content(said)  # what is right is said as soon as something is wrong
        return Content.assemble(f"{said} ", (right, "dim"))
