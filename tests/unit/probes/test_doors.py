"""What a stranger's knocking means, for each way that a door can be shut."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.recorded import RecordedHost

from mailwizard.model import Completed, Host, Outcome
from mailwizard.probes import PublicPortsReached, doors
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.vantage import Seat

V4, V6 = "198.19.192.1", "fd6d:7769:7a00::1"
BOTH = 'LISTEN 0 9 0.0.0.0:25 0.0.0.0:* users:(("master",pid=1,fd=3))\nLISTEN 0 9 [::]:25 [::]:*\n'
ONLY_4 = "LISTEN 0 9 0.0.0.0:25 0.0.0.0:*\n"
SILENT = CannotAsk(Trouble.TIMED_OUT, "connecting: no answer in time")
REFUSED = CannotAsk(Trouble.REFUSED, "connecting: connection refused")
FORBIDDEN = CannotAsk(Trouble.UNREACHABLE, "connecting: forbidden by a firewall")


def knocking(
    monkeypatch: pytest.MonkeyPatch,
    listening: str,
    troubles: dict[tuple[str, int], CannotAsk],
) -> RecordedHost:
    """A host whose doors are shut in these ways, and open else."""

    class Place(Seat):
        def connect(self, address: str, port: int, deadline: Deadline) -> socket.socket:
            if (address, port) in troubles:
                raise troubles[address, port]
            return socket.socket()

    @contextmanager
    def seat(host: Host) -> Iterator[Seat]:
        yield Place((V4, V6), ())

    monkeypatch.setattr(doors, "seat", seat)
    host = RecordedHost()
    host.answers = {"ss -Hltnp": Completed((), 0, listening)}
    return host


@pytest.mark.parametrize(
    ("listening", "troubles", "address6", "outcome", "said"),
    [
        (BOTH, {}, "", "pass", "let in: 25, over IPv4 and IPv6"),
        (BOTH, {(V4, 25): SILENT}, "", "fail", "not let in to port 25 over IPv4"),
        (BOTH, {(V6, 25): FORBIDDEN}, "", "fail", "not let in to port 25 over IPv6"),
        (BOTH, {(V6, 25): REFUSED}, "", "fail", "refused at port 25 over IPv6, though"),
        (ONLY_4, {(V6, 25): REFUSED}, "", "pass", "over IPv4"),
        (ONLY_4, {(V6, 25): REFUSED}, "fd00::1", "fail", "nobody listens on port 25 over IPv6"),
        # a port that is used now and then, such as an authority's way in
        (
            "",
            {(V4, 25): REFUSED, (V6, 25): REFUSED},
            "fd00::1",
            "pass",
            "nobody listens at 25: not seen",
        ),
        ("", {(V4, 25): SILENT}, "", "fail", "not let in to port 25 over IPv4"),
    ],
)
def test_a_public_port(
    monkeypatch: pytest.MonkeyPatch,
    listening: str,
    troubles: dict[tuple[str, int], CannotAsk],
    address6: str,
    outcome: str,
    said: str,
) -> None:
    host = knocking(monkeypatch, listening, troubles)
    result = PublicPortsReached((25,), address6=address6).ask(host)
    assert (result.outcome, said in result.said) == (Outcome(outcome), True), result.said


def test_a_port_without_a_listener_is_not_told_to_be_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # the firewall may have refused it: our own answers as if nobody listened
    shut = {(V4, 80): REFUSED, (V6, 80): REFUSED, (V4, 443): REFUSED, (V6, 443): REFUSED}
    result = PublicPortsReached((443, 25, 80)).ask(knocking(monkeypatch, BOTH, shut))
    assert result.outcome is Outcome.PASS
    assert result.said == "let in: 25, over IPv4 and IPv6; nobody listens at 80, 443: not seen"
    none = PublicPortsReached(()).ask(knocking(monkeypatch, BOTH, {}))
    assert (none.outcome, none.said) == (Outcome.PASS, "no port is to be let in")


def test_somebody_must_answer_for_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    host = knocking(monkeypatch, "", {(V4, 22): REFUSED, (V6, 22): REFUSED})
    result = PublicPortsReached((), ssh=(22,)).ask(host)
    assert (result.outcome, result.said) == (Outcome.FAIL, "nobody answers at port 22 over IPv4")


def test_a_port_that_should_be_shut(monkeypatch: pytest.MonkeyPatch) -> None:
    shut = {(V4, 143): SILENT, (V6, 143): REFUSED}
    assert (
        PublicPortsReached((), closed=(143,)).ask(knocking(monkeypatch, "", shut)).outcome
        is Outcome.PASS
    )
    open6 = knocking(monkeypatch, "", {(V4, 143): SILENT})
    result = PublicPortsReached((), closed=(143,)).ask(open6)
    assert (result.outcome, result.said) == (
        Outcome.FAIL,
        "port 143 is open to everybody over IPv6",
    )


def test_without_ss_nothing_is_known() -> None:
    assert PublicPortsReached((25,)).ask(RecordedHost()).outcome is Outcome.UNKNOWN
