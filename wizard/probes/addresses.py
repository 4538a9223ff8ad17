"""This host's addresses: what its interfaces have, what the world knows, where mail leaves from.

The only place that says so: a table of addresses, the probe that tries it and what Postfix is told
of a router cannot take different ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from mailwizard.model import Look
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.postconf import Postconf, words

# an address of the documentation range: the route to it is the route to the world, nothing is sent
ELSEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}
# what the host's end of each stranger's link is called
LINK = "mws"


def version(address: str) -> int:
    """4 or 6."""
    return ip_address(address).version


def literal(address: str) -> str:
    """The address as it stands in a greeting or after an @ (RFC 5321 4.1.3)."""
    return f"[IPv6:{address}]" if version(address) == 6 else f"[{address}]"


def on_interfaces(look: Look) -> tuple[str, ...]:
    """The addresses of the interfaces, but those that come and go.

    That is our strangers' links, and what the kernel changes from day to day (RFC 8981).
    """
    return tuple(_on_interfaces(look))


def _on_interfaces(look: Look) -> Iterator[str]:
    for link in _json(look, ["ip", "-j", "addr", "show", "scope", "global"]):
        if not str(link.get("ifname", "")).startswith(LINK):
            for one in link.get("addr_info", ()):
                if one.get("local") and not one.get("temporary"):
                    yield str(one["local"])


def of_host(look: Look, answered: Iterable[str | None]) -> tuple[str, ...]:
    """All that this host is known by: the answered addresses, then those of the interfaces."""
    told = (str(ip_address(one)) for one in answered if one)
    return tuple(dict.fromkeys((*told, *on_interfaces(look))))


def of_routers(look: Look, answered: Iterable[str | None]) -> tuple[str, ...]:
    """The answered addresses that no interface has: a router passes on what comes there."""
    here = on_interfaces(look)
    told = (str(ip_address(one)) for one in answered if one)
    return tuple(one for one in told if here and one not in here)


def proxied(look: Look) -> tuple[str, ...]:
    """The routers' addresses that Postfix takes for its own; none where it cannot be asked."""
    found: list[str] = []
    with suppress(CannotAsk):
        value = Postconf(look).values("proxy_interfaces").get("proxy_interfaces", "")
        for word in words(value):
            with suppress(ValueError):
                found.append(str(ip_address(word.strip("[]"))))
    return tuple(found)


def proposed(look: Look, family: int) -> str | None:
    """The address that the world most likely reaches this host at; for IPv6 only a global one."""
    routed, here = _routed(look, family), on_interfaces(look)
    for text in (*([routed] if routed in here or not here else []), *here):
        address = ip_address(text) if text else None
        if address is None or address.version != family or address.is_loopback:
            continue
        if family == 4 or address.is_global:
            return str(address)
    return None


def inner(look: Look, answered: Sequence[str]) -> tuple[str, ...]:
    """The answered addresses that are on an interface; behind NAT the inner one instead."""
    here = on_interfaces(look)
    own = tuple(address for address in answered if address in here)
    other = proposed(look, 4)
    return own or ((other,) if other else ("127.0.1.1",))


def source(look: Look, family: int, answered: Iterable[str | None]) -> str:
    """The address that mail leaves from as the kernel chooses it; empty where there is no way out.

    A local address of IPv6 (RFC 4193) leads nowhere, unless just such a one was answered.
    """
    found = _routed(look, family)
    if not found or ip_address(found).is_loopback or ip_address(found).is_link_local:
        return ""
    local = any(not ip_address(one).is_global for one in answered if one and version(one) == 6)
    return found if family == 4 or local or ip_address(found).is_global else ""


def _routed(look: Look, family: int) -> str:
    rows = _json(look, ["ip", "-j", f"-{family}", "route", "get", ELSEWHERE[family]])
    return next((str(row["prefsrc"]) for row in rows if row.get("prefsrc")), "")


def _json(look: Look, argv: Sequence[str]) -> list[dict[str, Any]]:
    asked = look.ask(argv)
    try:
        found = json.loads(asked.out or "[]") if asked.ok else []
    except ValueError:
        return []
    return found if isinstance(found, list) else []
