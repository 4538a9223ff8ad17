"""nftables' rules as text: which of them are ours, which close a host, what a file would make."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from ipaddress import ip_network

from mailwizard.errors import for_root_alone
from mailwizard.model import Completed, Look
from mailwizard.platform.firewalls import Opening
from mailwizard.render import render

DROP_IN = "/etc/nftables.d/mailwizard.nft"
INCLUDE = 'include "/etc/nftables.d/mailwizard*.nft"'
OWN, CHAIN = "inet mailwizard", "mailwizard"
_MARK = f'comment "{CHAIN}"'
# a rule that ends the chain for every packet, whatever it counts or logs before
_FINAL = re.compile(
    r'(?:counter(?: packets \d+ bytes \d+)? |log(?: (?:prefix "[^"]*"|level \w+|flags [\w ,]+|'
    r"group \d+))* )*(?:drop|reject(?: with .*)?)(?: comment .*)?"
)
# a rule may name a link, which must be there; not every kernel has each type of them
_ISOLATED = """
for name; do ip link add "$name" type dummy || ip link add "$name" type bridge; done 2>/dev/null
nft -f - && exec nft -s list ruleset
"""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain as `nft list ruleset` shows it; `base` is its hook and policy, if it has one."""

    table: str
    name: str
    base: str
    rules: tuple[str, ...]

    @property
    def closes(self) -> bool:
        """Whether what comes in here is refused unless a rule lets it in."""
        if "hook input" not in self.base or not self.table.startswith(("inet ", "ip ", "ip6 ")):
            return False
        return "type filter" in self.base and ("policy drop" in self.base or self.last is not None)

    @property
    def last(self) -> int | None:
        """The place of the rule that refuses all the rest; None where the policy decides."""
        places = (n for n, rule in enumerate(self.rules) if _FINAL.fullmatch(rule))
        return next(places, None)

    @property
    def jump(self) -> str:
        """The command that lets our rules decide after all of theirs but the last."""
        where = "add rule" if self.last is None else "insert rule"
        place = "" if self.last is None else f" index {self.last}"
        return f"{where} {self.table} {self.name}{place} jump {CHAIN} {_MARK}"


@dataclass(slots=True)
class _Reading:
    table: str = ""
    name: str = ""
    base: str = ""
    rules: list[str] = field(default_factory=list)


def listing(look: Look) -> str:
    """The rules in force, without counters; empty where nft is not there, raises HostRefused."""
    shown = look.ask(["nft", "-s", "list", "ruleset"])
    if not shown.ok and os.geteuid() and "Operation not permitted" in shown.err:
        raise for_root_alone("the rules of nftables")
    return shown.out


def tables(rules: str) -> dict[str, str]:
    """Each table's text."""
    found: dict[str, str] = {}
    for text in re.findall(r"^table .*?^}\n", rules, re.MULTILINE | re.DOTALL):
        found[" ".join(text.split()[1:3])] = text
    return found


def chains(rules: str) -> Iterator[Chain]:
    """Every chain; rules and sets of ours in others' tables are not seen."""
    for table, text in tables(rules).items():
        now = _Reading(table)
        for line in without_ours(text).splitlines():
            row = line.strip()
            if line.startswith("\tchain "):
                now = _Reading(table, row.split()[1])
            elif line == "\t}" and now.name:
                yield Chain(table, now.name, now.base, tuple(now.rules))
                now = _Reading(table)
            elif now.name and row.startswith("type "):
                now.base = row
            elif now.name and row:
                now.rules.append(row)


def closing(rules: str) -> tuple[Chain, ...]:
    """Others' chains that refuse what they do not know."""
    return tuple(chain for chain in chains(rules) if chain.closes and chain.table != OWN)


def _beside(rules: str) -> tuple[Chain, ...]:
    """All chains of the tables that close this host: one may lead to another."""
    places = {chain.table for chain in closing(rules)}
    return tuple(chain for chain in chains(rules) if chain.table in places)


def ours(rules: str) -> str:
    """What of these rules is ours: a table, or chains and jumps in others' tables."""
    out: list[str] = []
    for table, text in tables(rules).items():
        if table == OWN:
            out.append(text)
            continue
        out += [f"{table}: {line.strip()}" for line, is_ours in _owned(text) if is_ours]
    return re.sub(r"\n\t\telements = \{.*?\}", "", "\n".join(out), flags=re.DOTALL)


def without_ours(text: str) -> str:
    """A table's text, others' rules alone."""
    return "".join(f"{line}\n" for line, is_ours in _owned(text) if not is_ours)


def _owned(text: str) -> Iterator[tuple[str, bool]]:
    inside = False
    for line in text.splitlines():
        inside = inside or line == f"\tchain {CHAIN} {{"
        yield line, inside or line.endswith(_MARK)
        inside = inside and line != "\t}"


def included(conf: str) -> bool:
    """Whether another line of a file than our own loads our rules already."""
    patterns = re.findall(r'^\s*include\s+"([^"]+)"', conf, re.MULTILINE)
    ours = INCLUDE.split('"')[1]
    return any(fnmatch(DROP_IN, each) for each in patterns if each != ours)


def isolated(look: Look, script: str) -> Completed:
    """What a script makes of an empty host with the same interfaces: nothing here is touched."""
    links = look.list("/sys/class/net")
    return look.ask(["unshare", "--net", "sh", "-c", _ISOLATED, "sh", *links], stdin=script)


def script(rules: str, openings: Sequence[Opening]) -> str:
    """Our rules for a host with these rules: added to others' that close it, else a table."""
    bases = closing(rules)
    if not bases:
        return render("firewall/own.nft.j2", rules={"inet": accepted("inet", openings)})
    places = list(dict.fromkeys(base.table for base in bases))
    families = {place.split()[0] for place in places}
    lines = {family: accepted(family, openings) for family in families}
    return render("firewall/addition.nft.j2", tables=places, bases=bases, rules=lines)


def wanted(look: Look, rules: str, text: str) -> str:
    """Our rules as they will be listed on a host with these rules."""
    beside = {base.table for base in closing(rules)}
    others = "".join(without_ours(tables(rules)[table]) for table in beside)
    return ours(isolated(look, others + text).out)


def speaks_of(rules: str, port: int) -> bool:
    """Whether rules of others that close this host say something about a port."""
    return any(_names(rule, port) for chain in _beside(rules) for rule in chain.rules)


def shuts(rules: str, port: int) -> bool:
    """Whether this host is closed, and no rule at all says something about a port."""
    return any(chain.closes for chain in chains(rules)) and not _names(rules, port)


def _names(text: str, port: int) -> bool:
    return re.search(rf"dport (?:{port}\b|{{[^}}]*\b{port}\b)", text) is not None


def accepted(family: str, openings: Sequence[Opening]) -> list[str]:
    """One rule for each protocol and circle of clients."""
    groups: dict[tuple[str, str], list[int]] = {}
    for opening in openings:
        for source in _sources(family, opening.sources):
            groups.setdefault((source, opening.protocol), []).append(opening.port)
    return [
        f"{source}{protocol} dport {{ {', '.join(map(str, sorted(set(ports))))} }} accept"
        for (source, protocol), ports in groups.items()
    ]


def _sources(family: str, networks: Sequence[str]) -> Iterator[str]:
    if not networks:
        yield ""
    for word, version in (("ip", 4), ("ip6", 6)):
        inside = [each for each in networks if ip_network(each).version == version]
        if inside and family in (word, "inet"):
            yield f"{word} saddr {{ {', '.join(inside)} }} "
