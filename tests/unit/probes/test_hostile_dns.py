"""Answers that are forged, beside the point, endless or too slow do no harm (R24)."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import dns.flags
import dns.message
import dns.name
import dns.rrset
import pytest
from support.clocks import HUNG

from mailwizard.probes import nameserver
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.nameserver import Heard

NAME = dns.name.from_text("mail.example.test.")
RIGHT, FORGED = "192.0.2.10", "198.51.100.66"
Talk = Callable[[socket.socket], None]


@contextmanager
def played(kind: int, talk: Talk) -> Iterator[int]:
    """A fake name server that says what no real one can be made to say; gives its port."""
    with socket.socket(type=kind) as wire:
        wire.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            wire.listen()

        def run() -> None:
            with suppress(OSError):  # the test is over
                talk(wire)

        threading.Thread(target=run, daemon=True).start()
        yield wire.getsockname()[1]


def answer(query: dns.message.Message, address: str, name: dns.name.Name = NAME) -> bytes:
    """As a resolver would say it."""
    said = dns.message.make_response(query)
    said.flags |= dns.flags.RA
    said.answer.append(dns.rrset.from_text(name, 300, "IN", "A", address))
    return said.to_wire()


def ask(port: int, *, over_tcp: bool = False, patience: float = HUNG) -> Heard:
    return nameserver.ask(
        "127.0.0.1", NAME, "A", Deadline(HUNG), port=port, over_tcp=over_tcp, patience=patience
    )


def heard(answer: Heard) -> list[str]:
    return [one.to_text() for one in answer.records]


def test_forged_packets_that_come_first_are_passed_over() -> None:
    """CVE-2023-29483: one of them must neither be believed nor end the wait."""

    def talk(wire: socket.socket) -> None:
        asked, client = wire.recvfrom(4096)
        query = dns.message.from_wire(asked)
        with socket.socket(type=socket.SOCK_DGRAM) as stranger:
            stranger.sendto(answer(query, FORGED), client)
        other_id = dns.message.from_wire(asked)
        other_id.id ^= 1
        wire.sendto(answer(other_id, FORGED), client)
        other_question = dns.message.make_query("other.example.test.", "A", id=query.id)
        wire.sendto(answer(other_question, FORGED), client)
        wire.sendto(asked[:12] + b"\xc0\x0c" * 40, client)
        wire.sendto(asked, client)  # no answer, but the question
        wire.sendto(answer(query, RIGHT), client)

    with played(socket.SOCK_DGRAM, talk) as port:
        assert heard(ask(port)) == [RIGHT]


def test_forged_packets_alone_are_no_answer() -> None:
    def talk(wire: socket.socket) -> None:
        while True:
            asked, client = wire.recvfrom(4096)
            query = dns.message.from_wire(asked)
            query.id ^= 1
            wire.sendto(answer(query, FORGED), client)

    with played(socket.SOCK_DGRAM, talk) as port, pytest.raises(CannotAsk) as caught:
        ask(port, patience=0.3)
    assert caught.value.kind is Trouble.TIMED_OUT


def test_records_of_another_name_are_not_believed() -> None:
    def talk(wire: socket.socket) -> None:
        asked, client = wire.recvfrom(4096)
        other = dns.name.from_text("bank.example.test.")
        wire.sendto(answer(dns.message.from_wire(asked), FORGED, other), client)

    with played(socket.SOCK_DGRAM, talk) as port, pytest.raises(CannotAsk, match="another name"):
        ask(port)


def test_records_beside_the_answer_are_left_out() -> None:
    """What is slipped in for another name is not taken along."""

    def talk(wire: socket.socket) -> None:
        asked, client = wire.recvfrom(4096)
        said = dns.message.from_wire(answer(dns.message.from_wire(asked), RIGHT))
        said.answer.append(dns.rrset.from_text("bank.example.test.", 1, "IN", "A", FORGED))
        said.additional.append(dns.rrset.from_text(NAME, 1, "IN", "A", FORGED))
        wire.sendto(said.to_wire(), client)

    with played(socket.SOCK_DGRAM, talk) as port:
        assert heard(ask(port)) == [RIGHT]


def _accepted(wire: socket.socket, said: Callable[[socket.socket, bytes], None]) -> None:
    while True:
        client, _ = wire.accept()
        with client:
            (length,) = struct.unpack("!H", client.recv(2))
            said(client, client.recv(length))


def _dripped(client: socket.socket, _asked: bytes) -> None:
    for _ in range(int(HUNG / 0.05)):
        client.send(b"\xff")
        time.sleep(0.05)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(lambda client, _asked: client.send(b"\xff\xff"), id="a length, and no more"),
        pytest.param(lambda client, _asked: client.send(b"\x00\x03abc"), id="no message"),
        pytest.param(lambda _client, _asked: None, id="closed"),
    ],
)
def test_tcp_without_an_answer_is_no_answer(said: Callable[[socket.socket, bytes], None]) -> None:
    with (
        played(socket.SOCK_STREAM, lambda wire: _accepted(wire, said)) as port,
        pytest.raises(CannotAsk, match="over TCP") as caught,
    ):
        ask(port, over_tcp=True)
    assert caught.value.kind is Trouble.GARBLED


def test_tcp_that_never_ends_is_left_in_time() -> None:
    with (
        played(socket.SOCK_STREAM, lambda wire: _accepted(wire, _dripped)) as port,
        pytest.raises(CannotAsk, match="over TCP") as caught,
    ):
        ask(port, over_tcp=True, patience=0.3)
    # in the end it hangs up by itself, and that would be another kind
    assert caught.value.kind is Trouble.TIMED_OUT


def test_the_largest_text_is_heard_whole_and_shown_in_part() -> None:
    text = "z" * 60_000
    strings = " ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250))

    def said(client: socket.socket, asked: bytes) -> None:
        message = dns.message.make_response(dns.message.from_wire(asked))
        message.flags |= dns.flags.RA
        message.answer.append(dns.rrset.from_text(NAME, 300, "IN", "TXT", strings))
        octets = message.to_wire(max_size=65535)
        client.sendall(struct.pack("!H", len(octets)) + octets)

    with played(socket.SOCK_STREAM, lambda wire: _accepted(wire, said)) as port:
        clock = Deadline(5)
        got = nameserver.ask("127.0.0.1", NAME, "TXT", clock, port=port, over_tcp=True)
    assert len(nameserver.one_line(got.records[0].to_text())) <= 340
