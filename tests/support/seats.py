"""A stranger's seat before a firewall that drops what goes to some addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mailwizard.model import Host
from mailwizard.probes import conversation
from mailwizard.probes.connect import connect
from mailwizard.probes.deadline import Deadline
from mailwizard.probes.vantage import Seat
from mailwizard.probes.wall import Wall

# what connect(2) says when nothing comes back, or the firewall says no in one way or the other
DROPPED: OSError = TimeoutError("timed out")
REJECTED = (ConnectionRefusedError(111, "refused"), OSError(113, "No route to host"))


def sit(
    monkeypatch: pytest.MonkeyPatch,
    *addresses: str,
    drops: tuple[str, ...] = (),
    error: OSError = DROPPED,
) -> None:
    """Seat the probes of this test so that they ask at these addresses."""

    class Stopped(socket.socket):
        def connect(self, _: object) -> None:
            raise error

    class Place(Seat):
        def _reach(self, address: str, port: int, deadline: Deadline) -> socket.socket:
            make = Stopped if address in drops else socket.socket
            return connect(address, port, deadline, make)

    @contextmanager
    def seat(host: Host, server: str = "") -> Iterator[Seat]:
        assert not server
        yield Place(addresses, ("127.0.0.1",), wall=Wall(host))

    monkeypatch.setattr(conversation, "seat", seat)
