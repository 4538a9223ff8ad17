"""Whom this host's Postfix trusts, as networks, and which networks are private."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass, field

from mailwizard.model import Look
from mailwizard.probes.postconf import Postconf, words

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# RFC 1918, RFC 6598, RFC 3927, RFC 4193 and RFC 4291: nobody there without being on our wires.
_PRIVATE = tuple(
    ipaddress.ip_network(one)
    for one in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class Trust:
    """One entry of mynetworks and where it stands ("mynetworks", or a service's override)."""

    network: Network
    where: str


@dataclass(slots=True)
class Trusted:
    """All entries of mynetworks, and those that cannot be expanded to networks."""

    networks: list[Trust] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)


def trusted(look: Look, config_dir: str = "") -> Trusted:
    """What mynetworks says, in main.cf and in each service of master.cf that listens widely."""
    conf = Postconf(look, config_dir)
    found = Trusted()
    _expand(look, conf.values("mynetworks").get("mynetworks", ""), "mynetworks", found, 0)
    for service in conf.smtpd_services():
        if "mynetworks" in service.overrides and not service.on_loopback:
            where = f"{service.name} -o mynetworks"
            _expand(look, service.overrides["mynetworks"], where, found, 0)
    return found


def _expand(look: Look, value: str, where: str, found: Trusted, depth: int) -> None:
    for word in words(value):
        if word.startswith("!"):
            continue
        if word.startswith("/") and depth < 3:
            text = look.read(word).decode("utf-8", "replace")
            rows = " ".join(row for row in text.splitlines() if not row.lstrip().startswith("#"))
            _expand(look, rows, f"{where} ({word})", found, depth + 1)
        elif (network := parse_network(word)) is None:
            found.opaque.append(word)
        else:
            found.networks.append(Trust(network, where))


def parse_network(word: str) -> Network | None:
    """An entry such as 127.0.0.0/8 or [::1]/128, an IPv4-mapped one as the IPv4 it means."""
    with suppress(ValueError):
        network = ipaddress.ip_network(word.replace("[", "").replace("]", ""), strict=False)
        if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
            address = network.network_address.ipv4_mapped
            return ipaddress.ip_network(f"{address}/{network.prefixlen - 96}", strict=False)
        return network
    return None


def is_private(where: Network | str) -> bool:
    """Whether only somebody on our own wires can have this address (or any of this network)."""
    network = ipaddress.ip_network(where) if isinstance(where, str) else where
    if isinstance(network, ipaddress.IPv4Network):
        return any(network.subnet_of(one) for one in _PRIVATE if one.version == 4)
    return any(network.subnet_of(one) for one in _PRIVATE if one.version == 6)
