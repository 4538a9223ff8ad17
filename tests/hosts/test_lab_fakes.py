"""Scripted peers misbehave exactly as told, for the program and for hosts of the lab."""

import socket
import time

import pytest
from lab import fakes
from lab.fakes import FakePeer
from lab.fixtures import FreshHost
from lab.network import Network


def connect(peer: FakePeer) -> socket.socket:
    return socket.create_connection((peer.address, peer.port), timeout=5)


def test_a_script_is_played(network: Network) -> None:
    with FakePeer(
        fakes.say("220 hello"),
        fakes.expect("^EHLO"),
        fakes.replies({"MAIL": "250 ok", "QUIT": b"221 bye\r\n"}),
    ) as peer:
        with connect(peer) as client, client.makefile("rw", newline="\r\n") as lines:
            assert lines.readline() == "220 hello\r\n"
            for said, answer in (
                ("x\r\nEHLO me\r\nmail from", "250 ok"),
                ("BAD", "502 5.5.2 what?"),
            ):
                lines.write(f"{said}\r\n")
                lines.flush()
                assert lines.readline() == f"{answer}\r\n"
        peer.wait_for("EHLO me")


def test_slow_endless_and_broken_peers() -> None:
    with FakePeer(fakes.drip(b"abc", 0.1)) as peer, connect(peer) as client:
        start = time.monotonic()
        assert client.recv(1) == b"a"
        assert client.makefile("rb").read() == b"bc"
        assert time.monotonic() - start > 0.25
    with FakePeer(fakes.endless(b"220-more\r\n")) as peer, connect(peer) as client:
        assert sum(len(client.recv(1 << 16)) for _ in range(100)) > 100_000
    with FakePeer(fakes.expect("x"), fakes.reset()) as peer, connect(peer) as client:
        client.sendall(b"x\n")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with FakePeer(fakes.half_close(), fakes.silence()) as peer, connect(peer) as client:
        assert client.recv(1) == b""
        client.sendall(b"still here")
        peer.wait_for("still here")
    with FakePeer(fakes.silence()) as peer, connect(peer) as client:
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_a_host_can_meet_a_fake_peer(network: Network, fresh_host: FreshHost) -> None:
    host = fresh_host()
    address, address6 = network.add_address(network.take())
    for own in (address, address6):
        with FakePeer(fakes.say("220 x"), address=own, port=2525) as peer:
            script = f"exec 3<>/dev/tcp/{own}/{peer.port}; head -n1 <&3"
            assert host.run(["bash", "-c", script]).stdout == "220 x\r\n"
