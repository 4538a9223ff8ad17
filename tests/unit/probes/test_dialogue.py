"""A conversation ends within its deadline and its budget, whatever the other side does (R26)."""

import errno
import socket
import ssl
import threading

import pytest
from support import fake_servers
from support.clocks import HUNG
from support.fake_servers import FakeServer, FakeSmtp

from mailwizard.probes.connect import connect
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Dialogue, Transcript, by_hand


def talk_to(server: FakeServer, seconds: float = 20, octets: int = 65536) -> Dialogue:
    clock = Deadline(seconds, octets)
    return Dialogue(connect("127.0.0.1", server.port, clock), clock, Transcript())


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (fake_servers.silent, Trouble.TIMED_OUT),
        (fake_servers.drip, Trouble.TIMED_OUT),
        (fake_servers.reset, Trouble.RESET),
        (fake_servers.endless_banner, Trouble.TOO_MUCH),
        (fake_servers.endless_line, Trouble.GARBLED),
        (lambda connection: connection.close(), Trouble.CLOSED),
        (lambda connection: connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"), Trouble.GARBLED),
        (lambda connection: connection.sendall(b"220"), Trouble.CLOSED),
    ],
    ids=["silent", "drip", "reset", "endless banner", "endless line", "closed", "http", "half"],
)
def test_each_trouble_has_its_name_and_its_time(script: fake_servers.Script, kind: Trouble) -> None:
    # who is waited for beyond the deadline hangs up, and that has another name
    seconds = 0.3 if kind is Trouble.TIMED_OUT else 20
    # one who breaks off may be quicker than the connection
    with (
        FakeServer(script) as server,
        pytest.raises(CannotAsk) as caught,
        talk_to(server, seconds) as talk,
    ):
        talk.reply()
    assert caught.value.kind is kind


def test_a_slow_but_large_answer_meets_the_byte_budget() -> None:
    with FakeServer(fake_servers.endless_banner) as server, talk_to(server, 20, 1000) as talk:
        with pytest.raises(CannotAsk) as caught:
            talk.reply()
        assert caught.value.kind is Trouble.TOO_MUCH


def test_nobody_listening_is_refused() -> None:
    with FakeServer(fake_servers.silent) as server:
        port = server.port
    with pytest.raises(CannotAsk) as caught:
        connect("127.0.0.1", port, Deadline(20))
    assert caught.value.kind is Trouble.REFUSED


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENETUNREACH, "Network is unreachable"), Trouble.UNREACHABLE),
        (OSError(errno.EHOSTUNREACH, "No route to host"), Trouble.UNREACHABLE),
        (PermissionError(errno.EPERM, "Operation not permitted"), Trouble.UNREACHABLE),
        (TimeoutError("timed out"), Trouble.TIMED_OUT),
        (ConnectionResetError(), Trouble.RESET),
        (BrokenPipeError(), Trouble.RESET),
        (ConnectionRefusedError(), Trouble.REFUSED),
    ],
)
def test_each_error_of_the_system_has_its_own_kind(error: OSError, kind: Trouble) -> None:
    def make(_: socket.AddressFamily) -> socket.socket:
        raise error

    with pytest.raises(CannotAsk) as caught:
        connect("192.0.2.1", 25, Deadline(1), make)
    assert caught.value.kind is kind
    assert "192.0.2.1:25" in caught.value.sentence


def test_a_name_is_not_an_address() -> None:
    with pytest.raises(CannotAsk) as caught:
        connect("mail.example", 25, Deadline(1))
    assert caught.value.kind is Trouble.DNS


def test_escape_sequences_in_a_banner_are_shown_not_obeyed() -> None:
    banner = b"220 mail\x1b]52;c;ZXZpbA==\x07 \xe2\x80\xae [red]"
    transcript = Transcript()
    with FakeSmtp(banner=banner) as server:
        clock = Deadline(20)
        with Dialogue(connect("127.0.0.1", server.port, clock), clock, transcript) as talk:
            greeting = talk.reply()
    assert greeting.first == "mail^[]52;c;ZXZpbA==^G <U+202E> [red]"
    assert transcript.lines() == ("< 220 mail^[]52;c;ZXZpbA==^G <U+202E> [red]",)


def test_a_reply_of_several_lines_and_its_keywords() -> None:
    ehlo = b"250-mail.example.test\r\n250-SIZE 1000\r\n250-AUTH=PLAIN LOGIN\r\n250 DSN"
    with FakeSmtp(ehlo=ehlo) as server, talk_to(server) as talk:
        talk.reply()
        reply = talk.command("EHLO x.invalid")
        assert (reply.code, reply.first) == (250, "mail.example.test")
        assert reply.keyword("SIZE") == "1000"
        assert reply.keyword("AUTH") == "PLAIN LOGIN"
        assert reply.keyword("DSN") == ""
        assert reply.keyword("STARTTLS") is None
        talk.quit()
    assert server.heard == ["EHLO x.invalid", "QUIT"]


def test_silence_is_an_answer_where_it_is_waited_for() -> None:
    with FakeSmtp() as server, talk_to(server) as talk:
        talk.reply()
        assert talk.silent_for(0.3) is None
        # which is heard only where the waiting has not taken the time of the whole
        assert talk.command("RSET").ok


def test_what_is_said_while_silence_is_waited_for_is_heard() -> None:
    waits = threading.Event()

    def says_more(connection: socket.socket) -> None:
        connection.sendall(b"220 here\r\n")
        assert waits.wait(HUNG)
        connection.sendall(b"421 going\r\n")

    class Waiting(Deadline):
        def within(self, seconds: float) -> Deadline:
            waits.set()
            return super().within(seconds)

    with FakeServer(says_more) as server:
        clock = Waiting(20)
        with Dialogue(connect("127.0.0.1", server.port, clock), clock, Transcript()) as talk:
            talk.reply()
            heard = talk.silent_for(19)
    assert heard is not None
    assert heard.code == 421


def test_what_is_said_in_clear_after_the_go_ahead_stops_tls() -> None:
    # in one packet, so in one read
    server = FakeServer(lambda c: c.sendall(b"220 go\r\n250 injected\r\n"))
    with server, talk_to(server) as talk:
        assert talk.reply().ok
        with pytest.raises(CannotAsk) as caught:
            talk.start_tls(ssl.create_default_context(), "mail.example.test")
        assert caught.value.kind is Trouble.GARBLED


def test_the_command_by_hand_quotes_what_it_is_given() -> None:
    typed = by_hand("192.0.2.1", 25, ("EHLO x", "RCPT TO:<it's@example.test>"))
    assert typed.endswith("| nc -C 192.0.2.1 25")
    assert "'RCPT TO:<it'\"'\"'s@example.test>'" in typed
