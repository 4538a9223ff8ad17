"""firewalld's zones: what they let in, now and after the next start (firewall-cmd(1))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_network

from mailwizard.model import Look
from mailwizard.platform.firewalls import Opening

PERMANENT = "--permanent"
_KINDS = ("service", "port", "rich-rule")
_DEFAULT = "/etc/firewalld/firewalld.conf"


def zones(look: Look) -> tuple[str, ...]:
    """The default zone, and those of the links to the world: strangers come in by these."""
    asked = look.ask(["firewall-cmd", "--get-default-zone"]).out.strip()
    settings = look.read(_DEFAULT).decode("utf-8", "surrogateescape")
    named = re.search(r"^DefaultZone=(\S+)", settings, re.MULTILINE)
    found = [asked or (named[1] if named else "public")]
    for family in ("-4", "-6"):
        routes = look.ask(["ip", family, "route", "show", "default"]).out
        for link in re.findall(r" dev (\S+)", routes):
            zone = look.ask(["firewall-cmd", f"--get-zone-of-interface={link}"])
            found += [zone.out.strip()] if zone.ok and zone.out.strip() else []
    return tuple(dict.fromkeys(found))


def files(zone: str) -> tuple[str, str]:
    """Where a zone is kept once it was changed, and the copy that firewalld keeps of it."""
    path = f"/etc/firewalld/zones/{zone}.xml"
    return path, f"{path}.old"


def items(look: Look, zone: str, where: str = "") -> tuple[str, ...]:
    """What a zone lets in: `service=imaps`, `port=2222/tcp`, `rich-rule=…`."""
    place = [where] if where else []
    shown = look.ask(["firewall-cmd", *place, f"--zone={zone}", "--list-all"])
    if not shown.ok and where:
        shown = look.ask(["firewall-offline-cmd", f"--zone={zone}", "--list-all"])
    return tuple(_items(shown.out)) if shown.ok else ()


def _items(shown: str) -> Iterator[str]:
    for line in shown.splitlines():
        head, _, rest = line.strip().partition(":")
        if head in ("services", "ports"):
            yield from (f"{head.removesuffix('s')}={word}" for word in rest.split())
        elif line.strip().startswith("rule "):
            yield f"rich-rule={line.strip()}"


def speaks_of(there: Sequence[str], port: int) -> bool:
    """Whether a zone's items decide about SSH at this port otherwise than by opening it."""
    others = (item for item in there if item != f"port={port}/tcp")
    return any(re.search(rf"\b{port}\b", item) for item in others)


def shuts(look: Look, port: int, service: str) -> bool:
    """Whether firewalld runs, and no zone lets anybody in at this port of that service."""
    found = [item for zone in zones(look) for item in items(look, zone)]
    return bool(found) and not any(re.search(rf"\b({port}|{service})\b", item) for item in found)


def wanted(openings: Sequence[Opening]) -> tuple[str, ...]:
    """The items that these openings are, in the order in which they are added."""
    found = dict.fromkeys(item for each in openings for item in _wanted(each))
    return tuple(sorted(found, key=lambda item: _KINDS.index(item.partition("=")[0])))


def _wanted(opening: Opening) -> Iterator[str]:
    for source in opening.sources:
        family = f"ipv{ip_network(source).version}"
        place = f'port port="{opening.port}" protocol="{opening.protocol}"'
        yield f'rich-rule=rule family="{family}" source address="{source}" {place} accept'
    if not opening.sources:
        yield f"service={opening.service}" if opening.service else f"port={opening.name}"


def commands(verb: str, zone: str, where: str, chosen: Sequence[str]) -> list[tuple[str, ...]]:
    """What adds or removes items: firewall-cmd takes one kind of them at a time."""
    place = (where,) if where else ()
    found = []
    for kind in _KINDS:
        words = tuple(f"--{verb}-{item}" for item in chosen if item.startswith(f"{kind}="))
        if words:
            found.append(("firewall-cmd", "--quiet", *place, f"--zone={zone}", *words))
    return found
