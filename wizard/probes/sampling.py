"""Which of many are tried for real; the tables, asked for all at once, prove the rest."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

LIVE = 8
"""So many messages show that what the tables say is what is done."""
WIDEST = 20
"""A list of more readers than that gets no test message: it would come into each mailbox."""


def sampled(kinds: Mapping[str, Hashable]) -> list[str]:
    """Of names with their kinds: all where they are few, else one of each kind and some more."""
    names = list(kinds)
    if len(names) <= LIVE:
        return names
    first: dict[Hashable, str] = {}
    for name, kind in kinds.items():
        first.setdefault(kind, name)
    chosen = set(first.values())
    chosen.update(spread(names, LIVE - len(chosen)))
    return [name for name in names if name in chosen]


def spread(names: Sequence[str], most: int) -> Sequence[str]:
    """At most so many of them, from the first to the last."""
    if len(names) <= most:
        return names
    if most < 2:
        return names[: max(most, 0)]
    return [names[number * (len(names) - 1) // (most - 1)] for number in range(most)]
