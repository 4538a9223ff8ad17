"""Several lines to type in; apart, since the library's widget takes long to load."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import TextArea

_FUNCTION = re.compile(r"f\d+$")


class Area(TextArea, inherit_bindings=False):
    """Leaves the function keys to the screen: selecting a line or all of it is no key's work."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding
        for binding in TextArea.BINDINGS
        if isinstance(binding, Binding) and not _FUNCTION.match(binding.key)
    ]

    def __init__(self, text: str) -> None:
        super().__init__(text, compact=True, tab_behavior="focus", soft_wrap=True)
        self.cursor_blink = False
