"""One widget for each kind of answer; each gives a checked value or says what is wrong."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from mailwizard.fields import Bool, Choice, Listing, Record, SecretField, Table
from mailwizard.model import Question, SecretRef
from mailwizard.tui.widgets import Radio, Toggle

OK = Content.styled("ok", "ansi_green")
WRONG = Content.styled("!!", "bold ansi_red")
TO_DO = Content.styled("<-", "bold")


class TypedSecret(str):
    """A secret as it was typed; never shown, and never part of a message."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "TypedSecret(***)"


class Line(Input):
    """One line to type in, without a border and without a blinking cursor."""

    def __init__(self, value: str, *, secret: bool = False, id: str | None = None) -> None:  # noqa: A002
        super().__init__(
            value, password=secret, compact=True, id=id, select_on_focus=False, highlighter=None
        )
        self.cursor_blink = False


class Boxed(Horizontal):
    """A line between brackets, so that its extent does not depend on colours."""

    def __init__(self, line: Line) -> None:
        super().__init__(classes="boxed")
        self._line = line

    def compose(self) -> ComposeResult:
        yield Static("[ ", markup=False)
        yield self._line
        yield Static(" ]", markup=False)


class AnswerField(Vertical):
    """A question with its widget, the verdict beside it, and what is wrong below it."""

    class Changed(Message):
        """Something was typed or chosen; it may not be right yet."""

        def __init__(self, field: AnswerField) -> None:
            super().__init__()
            self.field = field

    def __init__(self, question: Question, value: Any) -> None:
        super().__init__(classes="field")
        self.question = question
        self.touched = self.complained = False
        self._value = value

    def compose(self) -> ComposeResult:
        with Horizontal(classes="field-row"):
            yield Static(self.question.label, classes="label", markup=False)
            with Vertical(classes="answer"):
                yield from self.widgets()
            yield Static("", classes="verdict", markup=False)
        yield Static("", classes="wrong", markup=False)

    def widgets(self) -> ComposeResult:
        """The widget the answer is given with."""
        yield Boxed(Line(self.shown()))

    def shown(self) -> str:
        """The present value as a person would type it."""
        return "" if self._value is None else self.question.kind.show(self._value)

    def typed(self) -> str:
        """What stands in the widget."""
        return self.query_one(Line).value

    def value(self) -> Any:
        """The checked value; raises ValueError saying what is wrong."""
        text = self.typed().strip()
        if not text and self.question.optional:
            return None
        return self.question.kind.parse(text)

    def problem(self) -> str:
        """What is wrong with it; empty when nothing is."""
        try:
            self.value()
        except ValueError as error:
            return str(error) or f"{self.question.kind.hint} is needed"
        return ""

    def judge(self, problem: str | None = None) -> bool:
        """Show the verdict, of the field itself or one that was given; whether it is right."""
        wrong = self.problem() or (problem or "")
        self.complained = bool(wrong)
        # Nobody is told off for what was not asked yet.
        untouched = wrong and not self.touched and not self.typed().strip()
        word = TO_DO if untouched else WRONG if wrong else OK
        self.query_one(".verdict", Static).update(word)
        note = self.query_one(".wrong", Static)
        note.update(wrong)
        note.display = bool(wrong) and not untouched
        return not wrong

    def on_mount(self) -> None:
        self.judge()

    @on(Input.Changed)
    @on(Toggle.Changed)
    @on(Radio.Changed)
    def _changed(self, event: Message) -> None:
        event.stop()
        if isinstance(event, Input.Changed) and not self._is_news():
            return
        self._news()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    def _is_news(self) -> bool:
        # An Input reports its first value as a change, too.
        return self.touched or self.typed() != self.shown()

    def _news(self) -> None:
        self.touched = True
        self.judge()
        self.post_message(self.Changed(self))


class BoolField(AnswerField):
    """Yes or no."""

    def widgets(self) -> ComposeResult:
        yield Toggle(bool(self._value))

    def typed(self) -> str:
        return str(self.query_one(Toggle).on)

    def value(self) -> Any:
        return self.query_one(Toggle).on


class ChoiceField(AnswerField):
    """One of a few words."""

    def widgets(self) -> ComposeResult:
        kind = self.question.kind
        assert isinstance(kind, Choice)
        yield Radio(kind.options, str(self._value))

    def typed(self) -> str:
        return self.query_one(Radio).value

    def value(self) -> Any:
        return self.question.kind.check(self.typed())


class LinesField(AnswerField):
    """A table or a list of records, one entry a line."""

    def widgets(self) -> ComposeResult:
        from mailwizard.tui.area import Area  # a heavy import that most steps do without

        yield Area(self.shown())

    def shown(self) -> str:
        kind, value = self.question.kind, self._value
        if not value:
            return ""
        if isinstance(kind, Table):
            return "\n".join(f"{name} = {kind.value.show(entry)}" for name, entry in value.items())
        assert isinstance(kind, Listing)
        return "\n".join(kind.of.show(entry) for entry in value)

    def typed(self) -> str:
        from mailwizard.tui.area import Area

        return self.query_one(Area).text

    def value(self) -> Any:
        return self.question.kind.parse(self.typed())

    def on_text_area_changed(self, event: Message) -> None:
        """Judge while typing."""
        event.stop()
        if self._is_news():
            self._news()


class SecretAnswer(AnswerField):
    """A secret: typed here, or where it is kept."""

    WAYS = ("type it", "file", "environment")

    def widgets(self) -> ComposeResult:
        kept = self._value if isinstance(self._value, SecretRef) else SecretRef()
        way = self.WAYS[1] if kept.file else self.WAYS[2] if kept.env else self.WAYS[0]
        yield Radio(self.WAYS, way)
        yield Boxed(Line(kept.file or kept.env, secret=way == self.WAYS[0]))

    def shown(self) -> str:
        kept = self._value if isinstance(self._value, SecretRef) else SecretRef()
        return kept.file or kept.env

    def value(self) -> Any:
        text = self.query_one(Line).value
        way = self.query_one(Radio).value
        if not text and self.question.optional:
            return None
        if way == self.WAYS[0]:
            if not text:
                raise ValueError("nothing was typed; it goes into a file that only root can read")
            return TypedSecret(text)
        form = "file" if way == self.WAYS[1] else "env"
        return self.question.kind.check({form: text})

    @on(Radio.Changed)
    def _way_changed(self, event: Radio.Changed) -> None:
        line = self.query_one(Line)
        line.value = ""
        line.password = event.radio.value == self.WAYS[0]


def field_for(question: Question, value: Any) -> AnswerField:
    """The widget that suits the question."""
    kind = question.kind
    if isinstance(kind, SecretField):
        return SecretAnswer(question, value)
    if isinstance(kind, Bool):
        return BoolField(question, value)
    if isinstance(kind, Choice):
        return ChoiceField(question, value)
    if isinstance(kind, Table) or (isinstance(kind, Listing) and isinstance(kind.of, Record)):
        return LinesField(question, value)
    return AnswerField(question, value)


def owner(widget: Widget | None) -> AnswerField | None:
    """The field that a focused widget belongs to."""
    while widget is not None and not isinstance(widget, AnswerField):
        parent = widget.parent
        widget = parent if isinstance(parent, Widget) else None
    return widget
