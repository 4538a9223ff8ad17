"""How long the record of a replaced key has to stand: Postfix is asked, and must answer."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from support.recorded import RecordedHost

from mailwizard.dkim.stages import hold
from mailwizard.dkim.work import EngineWork
from mailwizard.errors import BadUsage, CommandFailed
from mailwizard.model import Completed

ASKED = "postconf -xh maximal_queue_lifetime bounce_queue_lifetime"


@pytest.mark.parametrize(
    ("printed", "days"), [("5d\n5d\n", 31), ("1w\n12h\n", 28.5), ("2\n0\n", 23), ("86400s\n0h", 22)]
)
def test_the_queues_lifetimes_as_postfix_writes_them(printed: str, days: float) -> None:
    assert hold(printed) == timedelta(days=days)


@pytest.mark.parametrize("printed", ["postconf: fatal", "5d\n5 d\n", "", "5d\n", "5d\n5d\n5d\n"])
def test_lifetimes_that_cannot_be_read_are_an_error(printed: str) -> None:
    with pytest.raises(BadUsage):
        hold(printed)


def asked(code: int, out: str) -> timedelta:
    engine: Any = SimpleNamespace(host=RecordedHost(answers={ASKED: Completed((), code, out)}))
    return EngineWork(engine).hold()


def test_one_lifetime_may_stand_for_the_other() -> None:
    assert asked(0, "5d\n5d\n") == timedelta(days=31)


def test_a_postfix_that_does_not_answer_is_no_hold() -> None:
    with pytest.raises(CommandFailed):
        asked(1, "")
