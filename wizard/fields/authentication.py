"""Names of signing keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mailwizard.fields.text import Field, inert, quoted

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Selector(Field):
    """One label of a DNS name (RFC 6376 3.1), lower case."""

    @property
    def hint(self) -> str:
        return "a short name such as mw202611: letters, digits and hyphens"

    @property
    def example(self) -> str:
        return "mw202611"

    def check(self, value: Any) -> str:
        text = inert(value, 63).lower()
        if not _LABEL.fullmatch(text):
            raise ValueError(f"{quoted(text)} is not a name of a key; {self.hint} is right")
        return text
