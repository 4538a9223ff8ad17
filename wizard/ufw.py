"""ufw's rules as it keeps them: a tuple for each, in a file for each family (ufw-framework(8))."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_network

from mailwizard.model import Look
from mailwizard.platform.firewalls import Opening, sshd_ports

FILES = ("/etc/ufw/user.rules", "/etc/ufw/user6.rules")
# iptables-restore(8) files, what reads and shows them, and the chain of the incoming rules
FAMILIES = (
    (FILES[0], "iptables", "ufw-user-input"),
    (FILES[1], "ip6tables", "ufw6-user-input"),
)
MARK = "mailwizard"
_TUPLE = re.compile(r"^### tuple ### (.*?)(?: comment=([0-9a-f]*))?$", re.MULTILINE)
# what `_tuples` makes; others may have taken our comment for rules of theirs
_OURS = re.compile(r"allow (?:tcp|udp) \d+ \S+ any \S+ in")
_SIX = re.compile(rb"^IPV6=\"?no", re.MULTILINE | re.IGNORECASE)
_ANY = {4: "0.0.0.0/0", 6: "::/0"}


def _text(look: Look, path: str) -> str:
    return look.read(path).decode("utf-8", "surrogateescape")


def tuples(text: str) -> tuple[str, ...]:
    """The rules of a file, without their comments."""
    return tuple(found[1] for found in _TUPLE.finditer(text))


def there(look: Look) -> tuple[str, ...]:
    """All rules."""
    return tuple(each for path in FILES for each in tuples(_text(look, path)))


def speaks_of(look: Look, port: int) -> bool:
    """Whether somebody else has decided about a port already."""
    for path in FILES:
        for found in _TUPLE.finditer(_text(look, path)):
            ports = found[1].split()[2]
            theirs = (found[2] or "") != MARK.encode().hex()
            if theirs and any(_holds(part, port) for part in ports.split(",")):
                return True
    return False


def shuts(look: Look, port: int) -> bool:
    """Whether no rule lets anybody in at a port."""
    allowed = (rule.split()[2] for rule in there(look) if rule.startswith(("allow ", "limit ")))
    return not any(_holds(part, port) for ports in allowed for part in ports.split(","))


def _holds(part: str, port: int) -> bool:
    first, _, last = part.partition(":")
    return first.isdigit() and int(first) <= port <= int(last or first)


def wanted(look: Look, openings: Sequence[Opening]) -> tuple[str, ...]:
    """The tuples that these openings are."""
    versions = (4,) if _SIX.search(look.read("/etc/default/ufw")) else (4, 6)
    return tuple(each for opening in openings for each in _tuples(opening, versions))


def _tuples(opening: Opening, versions: Sequence[int]) -> Iterator[str]:
    sources = opening.sources or tuple(_ANY[version] for version in versions)
    for source in sources:
        everybody = _ANY[ip_network(source).version]
        yield f"allow {opening.protocol} {opening.port} {everybody} any {source} in"


def allowing(rule: str) -> tuple[str, ...]:
    """The command that adds a rule."""
    return ("ufw", *_said(rule), "comment", MARK)


def deleting(rule: str) -> tuple[str, ...]:
    """The command that takes it away."""
    return ("ufw", "--force", "delete", *_said(rule))


def _said(rule: str) -> Iterator[str]:
    action, protocol, port, _, _, source, _ = rule.split()
    whom = "any" if source in _ANY.values() else source
    yield from (action, "proto", protocol, "from", whom, "to", "any", "port", port)


def spent(look: Look, openings: Sequence[Opening]) -> tuple[str, ...]:
    """Rules of ours that are not wanted any more; none by which SSH can be reached."""
    # one command takes away the rules of both families
    kept = set(map(deleting, wanted(look, openings)))
    found = [
        rule
        for path in FILES
        for rule, comment in _TUPLE.findall(_text(look, path))
        if comment == MARK.encode().hex() and _OURS.fullmatch(rule) and deleting(rule) not in kept
    ]
    ssh = sshd_ports(look) if found else ()
    return tuple(rule for rule in found if port_of(rule) not in ssh)


def port_of(rule: str) -> int:
    """The port of a rule of ours."""
    return int(rule.split()[2])


def is_public(rule: str) -> bool:
    """Whether a rule of ours lets everybody in."""
    return rule.split()[5] in _ANY.values()


def commands(look: Look, openings: Sequence[Opening]) -> list[tuple[str, ...]]:
    """What adds the missing ones and takes the spent ones away, of both families at once."""
    have = there(look)
    missing = [each for each in wanted(look, openings) if each not in have]
    gone = spent(look, openings)
    return list(dict.fromkeys([*map(allowing, missing), *map(deleting, gone)]))
