"""The stranger: a network namespace on this host whose address nobody trusts.

Seen from there the host looks as it does to the Internet: loopback and `mynetworks` do not count.
It exists while a probe uses it; what a killed run left behind is removed before the next is made.
"""

from __future__ import annotations

import ctypes
import ipaddress
import itertools
import json
import math
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mailwizard.errors import CommandFailed
from mailwizard.model import Host
from mailwizard.probes import addresses as known
from mailwizard.probes.connect import connect, plain_socket
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.networks import Network, trusted
from mailwizard.probes.wall import Wall

PREFIX = "mailwizard-stranger-"
_CLONE_NEWNET = 0x40000000
# A part of RFC 2544's benchmarking space and one of RFC 4193's local networks: never a route on the
# public Internet, and small enough to be told from others (greylisting lets them through).
_POOL4 = ipaddress.IPv4Network("198.19.192.0/18")
_POOL6 = ipaddress.IPv6Network("fd6d:7769:7a00::/40")
STRANGERS = (str(_POOL4), str(_POOL6))
# the pair of addresses stands at the beginning of so many, and their upper half are callers: one
# check makes some three hundred connections
_SIZE = 1024
_FIRST, _BLOCK = _SIZE // 2 - 2, {4: 23, 6: 119}
# over all strangers of a run: one comes and goes many times, and may have a block again
_TURNS = itertools.count(random.randrange(_SIZE // 2))
_IPV6_FREEBIND = 78  # ipv6(7), linux/in6.h


# No packet leaves this machine: where nothing answers for so long a firewall has dropped it.
_NEAR = 6.0


class NoVantage(CannotAsk):
    """This host cannot look at itself from outside; only another machine could tell."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(Trouble.NO_VANTAGE, f"cannot look at this host from outside: {why}")


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a probe sits: how it connects, the server's addresses, and those it is known by.

    make: a socket of that place; call: one that comes from another address each time, where there
    are several.
    own: the stranger's own IPv4 address, where the server could bring something; else empty.
    wall: what may stand between him and the server; None for who is no stranger.
    """

    addresses: tuple[str, ...]
    known_as: tuple[str, ...]
    make: Callable[[socket.AddressFamily], socket.socket] = plain_socket
    call: Callable[[socket.AddressFamily], socket.socket] | None = None
    patience: float = math.inf
    own: str = ""
    wall: Wall | None = None

    def connect(self, address: str, port: int, deadline: Deadline) -> socket.socket:
        """A connected socket; raises CannotAsk, KeptOut where only a firewall is in the way."""
        if self.wall and (out := self.wall.known(address, port)):
            raise out
        try:
            return self._reach(address, port, deadline)
        except CannotAsk as trouble:
            if self.wall is None:
                raise
            raise self.wall.judged(trouble, address, port, self.known_as) from trouble

    def _reach(self, address: str, port: int, deadline: Deadline) -> socket.socket:
        return connect(address, port, deadline.within(self.patience), self.call or self.make)

    def literal(self, address: str) -> str:
        """The server's own address as in `user@[…]`: of this family, where it has one."""
        same = [one for one in self.known_as if known.version(one) == known.version(address)]
        return known.literal((*same, *self.known_as, "127.0.0.1")[0])


@dataclass(frozen=True, slots=True)
class _Link:
    """Names and addresses of the veth pair between the stranger and this host."""

    space: str
    near: str
    far: str
    near4: str
    far4: str
    near6: str
    far6: str
    known_as: tuple[str, ...]
    here: tuple[str, ...]
    wall: Wall

    def seat(self) -> Seat:
        addresses = (self.near4, self.near6) if self.near6 else (self.near4,)
        ways = self._socket, self._caller
        return Seat(addresses, self.known_as, *ways, _NEAR, self.far4, self.wall)

    def _socket(self, family: socket.AddressFamily) -> socket.socket:
        return _socket_in(f"/run/netns/{self.space}", family)

    def _caller(self, family: socket.AddressFamily) -> socket.socket:
        """A log watcher that bans whoever is refused too often never meets the same one twice."""
        sock = self._socket(family)
        block = _callers(self.far6 if family == socket.AF_INET6 else self.far4)
        try:
            if family == socket.AF_INET6:
                # the kernel knows the whole block as its own, and none of it by itself
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
            sock.bind((str(block[next(_TURNS) % block.num_addresses]), 0))
        except OSError:
            sock.close()
            raise
        return sock


def _socket_in(space: str, family: socket.AddressFamily) -> socket.socket:
    """A socket that belongs to another network namespace, made by a thread that moves there."""
    made: list[socket.socket | OSError] = []

    def move_and_make() -> None:
        try:
            fd = os.open(space, os.O_RDONLY | os.O_CLOEXEC)
            try:
                _setns(fd)
            finally:
                os.close(fd)
            made.append(socket.socket(family, socket.SOCK_STREAM))
        except OSError as error:
            made.append(error)

    # setns(2) moves the calling thread only; this one ends at once: nothing else ever runs there.
    thread = threading.Thread(target=move_and_make, daemon=True)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise NoVantage(f"{made[0].strerror or made[0]}") from made[0]
    return made[0]


def _setns(fd: int) -> None:
    setns: Callable[[int, int], None] | None = getattr(os, "setns", None)  # Python 3.12
    if setns is not None:
        setns(fd, _CLONE_NEWNET)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _callers(far: str) -> Network:
    """The addresses that a stranger calls from, beside his own."""
    first = ipaddress.ip_address(far) + _FIRST
    return ipaddress.ip_network(f"{first}/{_BLOCK[first.version]}")


# Probes that run at once need not all fail to make what the first could not.
_REMEMBERED = 3.0
_READY = 2.0
# whoever ends a run waits so long; a stranger that is left over is swept by the next
_PARTING = 2.0


class _Pool:
    """One stranger for all probes that run at the same time: the last to leave removes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._link: _Link | None = None
        self._refusal = ""
        self._refused_at = -_REMEMBERED

    def enter(self, host: Host) -> _Link:
        with self._lock:
            if time.monotonic() - self._refused_at < _REMEMBERED:
                raise NoVantage(self._refusal)
            if self._link is None:
                try:
                    self._link = _make(host)
                except NoVantage as refusal:
                    self._refusal, self._refused_at = refusal.why, time.monotonic()
                    raise
            self._users += 1
            return self._link

    def leave(self, host: Host) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._drop(host)

    def clear(self, host: Host) -> None:
        # not for ever: the thread that has it may stand still, as all do when Python ends
        if self._lock.acquire(timeout=_PARTING):
            try:
                self._drop(host)
            finally:
                self._lock.release()

    def _drop(self, host: Host) -> None:
        if self._link is not None:
            link, self._link = self._link, None
            _remove(host, link.space, link.near)


_pool = _Pool()


@contextmanager
def seat(host: Host, server: str = "") -> Iterator[Seat]:
    """The stranger's seat, or for a given server address a plain one; raises NoVantage."""
    if server:
        yield Seat((server,), (server,))
        return
    link = _pool.enter(host)
    try:
        yield link.seat()
    finally:
        _pool.leave(host)


def release(host: Host) -> None:
    """No stranger is left, whoever sits there: for a run that was stopped."""
    _pool.clear(host)


def _make(host: Host) -> _Link:
    if not host.which("ip"):
        raise NoVantage("the program `ip` (package iproute2) is missing")
    _sweep(host)
    link = _plan(host)
    try:
        host.run(["ip", "-batch", "-"], stdin=_near_side(link), timeout=10)
        host.run(["ip", "-n", link.space, "-batch", "-"], stdin=_far_side(link), timeout=10)
        _await_link(host, link)
    except CommandFailed as error:
        _remove(host, link.space, link.near)
        why = error.tail[0] if error.tail else error.message
        raise NoVantage(f"{why} (it needs root with CAP_NET_ADMIN and CAP_SYS_ADMIN)") from error
    return link


def _await_link(host: Host, link: _Link) -> None:
    """Until the kernel has made both ends usable: before, packets get lost or have no route."""
    end = time.monotonic() + _READY
    for argv in (["-n", link.space, "-o", "link", "show", link.far],
                 ["-o", "link", "show", link.near]):  # fmt: skip
        while time.monotonic() < end:
            shown = host.ask(["ip", *argv], timeout=5)
            if not shown.ok or " state UP " in shown.out:
                break
            time.sleep(0.01)


def _remove(host: Host, space: str, near: str) -> None:
    # The link first: a namespace is torn down later, in the background, and would keep the name.
    for argv in (["ip", "link", "del", near], ["ip", "netns", "del", space]):
        with suppress(CommandFailed):
            host.run(argv, timeout=10, ok=(0, 1, 255))


def _sweep(host: Host) -> None:
    """Remove strangers whose makers are gone (killed, or an earlier life of our own pid)."""
    for name in host.list("/run/netns"):
        pid = name.removeprefix(PREFIX)
        if pid == name or not pid.isdigit():
            continue
        if int(pid) == os.getpid() or not Path(f"/proc/{pid}").exists():
            _remove(host, name, f"{known.LINK}{pid}")


def _plan(host: Host) -> _Link:
    taken = tuple(_routed(host))
    inside: tuple[Network, ...] = ()
    with suppress(CannotAsk):  # no Postfix yet: it trusts nobody
        inside = tuple(one.network for one in trusted(host).networks)
    four = _free_pair(_pairs4(), taken, inside)
    six = _free_pair(_pairs6(), taken, inside) if _has_ipv6(host) else ("", "")
    pid = os.getpid()
    names = known.of_host(host, known.proxied(host))
    return _Link(
        *(f"{PREFIX}{pid}", f"{known.LINK}{pid}", f"mwz{pid}"),
        *(*four, *six),
        known_as=names,
        here=known.on_interfaces(host),
        wall=Wall(host),
    )


def _has_ipv6(host: Host) -> bool:
    return host.read("/proc/sys/net/ipv6/conf/default/disable_ipv6").strip() == b"0"


def _routed(host: Host) -> Iterator[Network]:
    for family in ("-4", "-6"):
        asked = host.ask(["ip", "-j", family, "route", "show", "table", "all"])
        for row in json.loads(asked.out or "[]") if asked.ok else ():
            with suppress(ValueError):
                yield ipaddress.ip_network(str(row.get("dst")), strict=False)


def _pairs4() -> Iterator[tuple[str, str]]:
    while True:
        blocks = _POOL4.num_addresses // _SIZE
        base = int(_POOL4.network_address) + _SIZE * random.randrange(blocks)
        yield str(ipaddress.IPv4Address(base + 1)), str(ipaddress.IPv4Address(base + 2))


def _pairs6() -> Iterator[tuple[str, str]]:
    while True:
        base = int(_POOL6.network_address) | (random.getrandbits(24) << 64)
        yield str(ipaddress.IPv6Address(base + 1)), str(ipaddress.IPv6Address(base + 2))


def _free_pair(
    pairs: Iterator[tuple[str, str]], taken: Sequence[Network], inside: Sequence[Network]
) -> tuple[str, str]:
    """Two addresses off every route but the default one, and the far one outside mynetworks.

    Where mynetworks trusts the whole space, a real stranger is trusted as well: then any pair is
    the truth.
    """
    spare = ("", "")
    for pair, _ in zip(pairs, range(500), strict=False):
        near, far = (ipaddress.ip_address(one) for one in pair)
        if any(net.prefixlen and (near in net or far in net) for net in taken):
            continue
        if not any(one in net for net in inside for one in (far, _callers(pair[1])[0])):
            return pair
        spare = pair
    if not spare[0]:
        raise NoVantage(f"every address of {_POOL4} is in use here")
    return spare


# Fixed hardware addresses and permanent neighbours: a firewall that drops ARP or neighbour
# discovery does not blind the stranger. Host routes (/32, /128) keep a `mynetworks_style = subnet`
# from trusting him. nodad: duplicate address detection would cost two seconds.
_NEAR_MAC, _FAR_MAC = "02:6d:77:00:00:01", "02:6d:77:00:00:02"


def _near_side(link: _Link) -> str:
    pair = f"address {_NEAR_MAC} type veth peer name {link.far} address {_FAR_MAC}"
    ways = _addresses(link.near, (link.near4, link.far4), (link.near6, link.far6), _FAR_MAC)
    add = f"link add {link.near} {pair} netns {link.space}"
    back = [f"route add {_callers(far)} via {far} dev {link.near} onlink" for far in _fars(link)]
    return "\n".join((f"netns add {link.space}", add, *ways, *back, ""))


def _fars(link: _Link) -> Iterator[str]:
    yield from filter(None, (link.far4, link.far6))


def _far_side(link: _Link) -> str:
    # No default route: the stranger reaches this host and nothing else. Mail that is bound to
    # one of its addresses (smtp_bind_address) comes from there; onlink, since a link that comes up
    # just now has no way to the other end yet, and the kernel would refuse such a route.
    ways = _addresses(link.far, (link.far4, link.near4), (link.far6, link.near6), _NEAR_MAC)
    near = {4: link.near4, 6: link.near6}
    back = [(one, near[known.version(one)]) for one in link.here]
    routes = [f"route replace {one} via {via} dev {link.far} onlink" for one, via in back if via]
    # (ip-route(8), local: the whole block is his)
    block = [f"route add local {_callers(far)} dev lo" for far in _fars(link)]
    return "\n".join(("link set lo up", *ways, *routes, *block, ""))


def _addresses(
    device: str, four: tuple[str, str], six: tuple[str, str], peer_mac: str
) -> Iterator[str]:
    yield f"link set {device} up"
    yield f"addr add {four[0]} peer {four[1]}/32 dev {device}"
    yield f"neigh replace {four[1]} lladdr {peer_mac} nud permanent dev {device}"
    if six[0]:
        yield f"addr add {six[0]} peer {six[1]}/128 dev {device} nodad"
        yield f"neigh replace {six[1]} lladdr {peer_mac} nud permanent dev {device}"
