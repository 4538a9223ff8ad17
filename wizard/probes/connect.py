"""TCP connections that fail with a reason: refused, filtered, unreachable and reset are not one."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from mailwizard.probes.deadline import CannotAsk, Deadline, Filtered, Trouble, from_os_error

MakeSocket = Callable[[socket.AddressFamily], socket.socket]


def plain_socket(family: socket.AddressFamily) -> socket.socket:
    """A TCP socket of this process's own network."""
    return socket.socket(family, socket.SOCK_STREAM)


def family_of(address: str) -> socket.AddressFamily:
    """AF_INET or AF_INET6; raises CannotAsk for what is no address."""
    try:
        version = ipaddress.ip_address(address).version
    except ValueError as error:
        raise CannotAsk(Trouble.DNS, f"{address!r} is not an IP address") from error
    return socket.AF_INET6 if version == 6 else socket.AF_INET


def connect(
    address: str, port: int, deadline: Deadline, make: MakeSocket = plain_socket
) -> socket.socket:
    """A connected socket to an IP address; raises CannotAsk saying why there is none."""
    shown = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        sock = make(family_of(address))
    except OSError as error:
        raise from_os_error(error, f"a socket for {shown}") from error
    try:
        sock.settimeout(deadline.left(f"connecting to {shown}"))
        sock.connect((address, port))
    except CannotAsk:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        if isinstance(error, TimeoutError):
            raise Filtered(from_os_error(error, f"connecting to {shown}").sentence) from error
        raise from_os_error(error, f"connecting to {shown}") from error
    return sock
