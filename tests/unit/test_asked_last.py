"""A probe for which a daemon starts many processes is asked when all others have begun."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from support.toys import ToyHost, ToyProbe

from mailwizard import probing
from mailwizard.events import ProbeDone, ProbeStarted
from mailwizard.probes import ServesMany
from mailwizard.probing import SIDE_BY_SIDE, Crowds, ask_all


@dataclass
class Crowding(ToyProbe):
    """Makes a daemon start many processes."""

    crowds: bool = True


def test_what_makes_a_crowd_is_asked_last_and_shown_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    class Noted(Thread):
        def __init__(self, args: tuple[Any, ...], **options: Any) -> None:
            begun.append(args[1].id)
            super().__init__(args=args, **options)

    monkeypatch.setattr(probing, "Thread", Noted)
    names = ["1", "2", "crowd", *(str(number) for number in range(3, 3 * SIDE_BY_SIDE))]
    kinds = {"crowd": Crowding}
    probes = [("step", kinds.get(name, ToyProbe)(name)) for name in names]
    events = list(ask_all(ToyHost(tmp_path), probes))
    assert begun == [*(name for name in names if name != "crowd"), "crowd"]
    assert [event.id for event in events if isinstance(event, ProbeStarted)] == names
    assert {event.id for event in events if isinstance(event, ProbeDone)} == set(names)


def test_many_connections_at_once_are_such_a_crowd() -> None:
    assert isinstance(ServesMany(), Crowds)
    assert not isinstance(ToyProbe("toy"), Crowds)
