"""A stranger's seat before a firewall that drops what goes to some addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mailwizard.probes import conversation
from mailwizard.probes.deadline import Deadline
from mailwizard.probes.vantage import Seat


class _Dropped(socket.socket):
    """Nothing answers who connects."""

    def connect(self, _: object) -> None:
        raise TimeoutError("timed out")


def sit(monkeypatch: pytest.MonkeyPatch, *addresses: str, drops: tuple[str, ...] = ()) -> None:
    """Seat the probes of this test so that they ask at these addresses."""

    class Place(Seat):
        def connect(self, address: str, port: int, deadline: Deadline) -> socket.socket:
            make = _Dropped if address in drops else socket.socket
            return Seat((), (), make).connect(address, port, deadline)

    @contextmanager
    def seat(_host: object, server: str = "") -> Iterator[Seat]:
        assert not server
        yield Place(addresses, ("127.0.0.1",))

    monkeypatch.setattr(conversation, "seat", seat)
