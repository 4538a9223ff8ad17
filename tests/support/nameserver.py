"""Name servers on loopback, with records and faults on demand; all of them on one port."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Fault = Callable[[dns.message.Message, bool], dns.message.Message | bytes | None]
"""From a question and whether it came over TCP: what to answer, None for silence."""


@dataclass
class Server:
    """One server; as an authority it says so, as a resolver it offers recursion."""

    address: str
    recursive: bool = False
    zones: tuple[str, ...] = ()
    records: dict[tuple[str, str], tuple[int, list[str]]] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    """By name asked for; "" stands for every name."""
    asked: list[tuple[str, str]] = field(default_factory=list)

    def set(self, name: str, kind: str, *values: str, ttl: int = 300) -> None:
        self.records[name, kind] = (ttl, list(values))

    def answer(self, wire: bytes, over_tcp: bool) -> bytes | None:
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        self.asked.append((name, dns.rdatatype.to_text(query.question[0].rdtype)))
        fault = self.faults.get(name) or self.faults.get("") or self._plain
        said = fault(query, over_tcp)
        if said is None or isinstance(said, bytes):
            return said
        whole = said.to_wire(max_size=65535)
        if over_tcp or len(whole) <= 1232:
            return whole
        said.answer.clear()
        said.flags |= dns.flags.TC
        return said.to_wire()

    def _plain(self, query: dns.message.Message, _over_tcp: bool) -> dns.message.Message:
        said = self.respond(query)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            if (name, kind) in self.records:
                said.answer.append(self._rrset(name, kind))
                return said
            if (name, "CNAME") not in self.records:
                break
            said.answer.append(self._rrset(name, "CNAME"))
            name = self.records[name, "CNAME"][1][0].rstrip(".")
        above = [z for z in self.zones if f".{name}".endswith(f".{z}")]
        if above:
            zone = max(above, key=len)
            said.authority.append(
                dns.rrset.from_text(f"{zone}.", 60, "IN", "SOA", "ns. me. 1 60 60 60 30")
            )
            if all(owner != name for owner, _ in self.records):
                said.set_rcode(dns.rcode.NXDOMAIN)
        return said

    def respond(self, query: dns.message.Message) -> dns.message.Message:
        """Begin an answer."""
        said = dns.message.make_response(query)
        said.flags |= dns.flags.RA if self.recursive else dns.flags.AA
        return said

    def _rrset(self, name: str, kind: str) -> dns.rrset.RRset:
        ttl, values = self.records[name, kind]
        return dns.rrset.from_text_list(f"{name}.", ttl, "IN", kind, values)


def silent(_query: dns.message.Message, _over_tcp: bool) -> None:
    """Answer nothing."""


def fails(code: dns.rcode.Rcode) -> Fault:
    """Answer with an error."""

    def fault(query: dns.message.Message, _over_tcp: bool) -> dns.message.Message:
        said = dns.message.make_response(query)
        said.set_rcode(code)
        return said

    return fault


@contextmanager
def serving(*servers: Server, port: int = 0) -> Iterator[int]:
    """Serve them all until the end, on the port that this gives."""
    with ExitStack() as stack:
        port = port or _free_port([each.address for each in servers])
        for each in servers:
            for kind in (_udp(each), _tcp(each)):
                stack.enter_context(_running(kind, each.address, port))
        yield port


Make = Callable[[tuple[str, int]], socketserver.BaseServer]


@contextmanager
def _running(make: Make, address: str, port: int) -> Iterator[None]:
    with make((address, port)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    block_on_close = False


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


def _udp(server: Server) -> Make:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, wires = self.request
            said = server.answer(wire, False)
            if said is not None:
                wires.sendto(said, self.client_address)

    return lambda place: _Udp(place, Handler)


def _tcp(server: Server) -> Make:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            (length,) = struct.unpack("!H", self.rfile.read(2))
            said = server.answer(self.rfile.read(length), True)
            if said is not None:
                self.wfile.write(struct.pack("!H", len(said)) + said)

    return lambda place: _Tcp(place, Handler)


def _free_port(addresses: list[str]) -> int:
    """Find a port that is free at all addresses, for both protocols."""
    for _ in range(50):
        with ExitStack() as stack:
            port = 0
            try:
                for address in addresses:
                    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                        wire = stack.enter_context(socket.socket(socket.AF_INET, kind))
                        wire.bind((address, port))
                        port = port or wire.getsockname()[1]
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")
