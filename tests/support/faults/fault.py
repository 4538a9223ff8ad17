"""One thing that is broken on purpose, and what each probe must make of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from lab.host import Host
from lab.internet import Internet


class Verdict(TypedDict):
    """What one probe said."""

    outcome: str
    said: str
    kind: str
    step: str


Meddling = Callable[[Host, Internet], object]


@dataclass(frozen=True)
class Fault:
    """How to break one thing on a sound host, and the verdicts that must follow.

    turns: probe -> outcome, or "outcome: what it says" (a regular expression).
    do: shell lines on the host, with the functions of kit.sh; undo: likewise, "sound" by itself
    puts the host's files back and makes Postfix read them.
    lab: what is done in the network around the host, and how that ends.
    options: fields of the probe for this question; `wait` keeps deliveries that fail short.
    """

    title: str
    turns: Mapping[str, str]
    do: str = ""
    undo: str = "sound"
    lab: Meddling | None = None
    mend: Meddling | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def unmet(self, verdicts: Mapping[str, Verdict]) -> list[str]:
        """What did not turn out as it must."""
        found = []
        for probe, turn in self.turns.items():
            outcome, _, pattern = turn.partition(": ")
            verdict = verdicts[probe]
            if verdict["outcome"] != outcome or not re.search(pattern, verdict["said"]):
                shown = f"{verdict['outcome']}: {verdict['said']}"
                found.append(f"{probe} should be {turn!r}, is {shown!r}")
        return found
