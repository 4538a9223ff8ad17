"""What waits on any host is asked first; that for which a daemon starts many processes, last."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from support.toys import ToyHost, ToyProbe

from mailwizard import probing
from mailwizard.events import ProbeDone, ProbeStarted
from mailwizard.probes import (
    AuthTest,
    ImapLogin,
    SameAnswerForUnknownUser,
    ServesMany,
    SubmittedSigned,
)
from mailwizard.probing import SIDE_BY_SIDE, Crowds, Slow, ask_all


@dataclass
class Crowding(ToyProbe):
    """Makes a daemon start many processes."""

    crowds: bool = True


@dataclass
class Waiting(ToyProbe):
    """Waits for a refusal that is held back."""

    slow: bool = True


def test_what_waits_is_asked_first_a_crowd_last_and_each_is_shown_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    class Noted(Thread):
        def __init__(self, args: tuple[Any, ...], **options: Any) -> None:
            begun.append(args[1].id)
            super().__init__(args=args, **options)

    monkeypatch.setattr(probing, "Thread", Noted)
    names = ["1", "2", "crowd", *(str(number) for number in range(3, 3 * SIDE_BY_SIDE))]
    kinds = {"crowd": Crowding, "6": Waiting}
    probes = [("step", kinds.get(name, ToyProbe)(name)) for name in names]
    events = list(ask_all(ToyHost(tmp_path), probes))
    assert begun == ["6", *(name for name in names if name not in ("crowd", "6")), "crowd"]
    assert [event.id for event in events if isinstance(event, ProbeStarted)] == names
    assert {event.id for event in events if isinstance(event, ProbeDone)} == set(names)


def test_many_connections_at_once_are_such_a_crowd() -> None:
    assert isinstance(ServesMany(), Crowds)
    assert not isinstance(ToyProbe("toy"), Crowds)


@pytest.mark.parametrize("kind", [ImapLogin, AuthTest, SameAnswerForUnknownUser, SubmittedSigned])
def test_wrong_passwords_and_two_messages_in_a_row_are_slow(kind: type) -> None:
    assert kind.slow is True  # type: ignore[attr-defined]  # as its instances have it
    assert not isinstance(ToyProbe("toy"), Slow)
