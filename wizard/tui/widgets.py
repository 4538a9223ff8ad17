"""Small widgets with a place for the real cursor, usable without a mouse and without colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Offset, Size
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option


@runtime_checkable
class HasCursor(Protocol):
    """A widget that knows where inside itself the reader's eye (or finger) is."""

    def cursor_inside(self) -> Offset: ...


class Rows(OptionList):
    """A list whose highlighted row carries the real cursor; Enter opens, F8 copies."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes, markup=False, compact=True)

    def fill(self, rows: Sequence[tuple[str, Content]]) -> None:
        """Replace the rows, and stay on the same row where it still exists."""
        here = self.highlighted
        self.set_options([Option(content, id=name) for name, content in rows])
        if rows and (here is not None or self.has_focus):
            self.highlighted = min(here or 0, len(rows) - 1)

    def put(self, name: str, content: Content) -> None:
        """Change one row, or add it at the end."""
        if name in self._id_to_option:
            self.replace_option_prompt(name, content)
        else:
            self.add_option(Option(content, id=name))

    def choose(self, name: str) -> None:
        """Move the highlight to one row."""
        self.highlighted = self.get_option_index(name)

    def get_visual_style(self, *component_classes: str, partial: bool = False) -> Style:
        style = super().get_visual_style(*component_classes, partial=partial)
        if self.has_focus and "option-list--option-highlighted" in component_classes:
            # The library drops this from the style sheet; colours alone would not do.
            style += Style(reverse=True)
        return style

    @property
    def chosen(self) -> str | None:
        option = self.highlighted_option
        return option.id if option else None

    def on_focus(self) -> None:
        if self.highlighted is None and self.option_count:
            self.action_first()

    def cursor_inside(self) -> Offset:
        if self.highlighted is None:
            return Offset(0, 0)
        line = self._index_to_line.get(self.highlighted, self.highlighted)
        return Offset(0, line - self.scroll_offset.y)


class Push(Button):
    """A button in brackets, so that its edge does not depend on colours."""

    def __init__(self, label: str, id: str, *, disabled: bool = False) -> None:  # noqa: A002
        super().__init__(Content(f"[ {label} ]"), id=id, disabled=disabled, compact=True)
        self.styles.line_pad = 0  # the style sheet cannot say zero

    def rename(self, label: str) -> None:
        """Show another label."""
        self.label = Content(f"[ {label} ]")
        self.refresh(layout=True)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return Content(str(self.label)).cell_length

    def cursor_inside(self) -> Offset:
        return Offset(2, 0)


class ButtonRow(Horizontal):
    """Buttons side by side; the arrows move between them as Tab does."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]


class Toggle(Static, can_focus=True):
    """Yes or no, as a ticked box with a word."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space,enter", "flip", show=False)]
    on: reactive[bool] = reactive(False)

    class Changed(Message):
        """The administrator flipped it."""

        def __init__(self, toggle: Toggle) -> None:
            super().__init__()
            self.toggle = toggle

        @property
        def control(self) -> Toggle:
            return self.toggle

    def __init__(self, on: bool, *, label: str = "", id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, markup=False)
        self._label = label
        self.set_reactive(Toggle.on, on)

    def render(self) -> Content:
        return Content(f"[{'x' if self.on else ' '}] {self._label or ('yes' if self.on else 'no')}")

    def action_flip(self) -> None:
        self.on = not self.on
        self.post_message(self.Changed(self))

    def on_click(self) -> None:
        self.action_flip()

    def cursor_inside(self) -> Offset:
        return Offset(1, 0)


class Radio(Static, can_focus=True):
    """One of a few words; the arrows left and right choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", show=False),
        Binding("right,space", "move(1)", show=False),
    ]
    value: reactive[str] = reactive("", layout=True)

    class Changed(Message):
        """Another word was chosen."""

        def __init__(self, radio: Radio) -> None:
            super().__init__()
            self.radio = radio

        @property
        def control(self) -> Radio:
            return self.radio

    def __init__(self, options: Sequence[str], value: str, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, markup=False)
        self.options = tuple(options)
        self.set_reactive(Radio.value, value if value in self.options else self.options[0])

    def render(self) -> Content:
        words = [f"({'*' if word == self.value else ' '}) {word}" for word in self.options]
        return Content("   ".join(words))

    def action_move(self, by: int) -> None:
        index = (self.options.index(self.value) + by) % len(self.options)
        self.value = self.options[index]
        self.post_message(self.Changed(self))

    def cursor_inside(self) -> Offset:
        before = self.options[: self.options.index(self.value)]
        column = sum(len(word) + 7 for word in before) + 1
        width = max(self.size.width, 1)
        return Offset(column % width, column // width)


class KeyLine(Static):
    """The keys that work here, always visible."""

    def __init__(self, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__(markup=False, classes="keys")
        self.show(keys)

    def show(self, keys: Sequence[tuple[str, str]]) -> None:
        """Show other keys."""
        parts = [Content.assemble((key, "bold"), f" {does}") for key, does in keys]
        self.update(Content("  ").join(parts))
