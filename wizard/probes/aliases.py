"""Where an alias ends, asked of the tables Postfix itself reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.platform.facts import is_person
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.mailbox import find_user
from mailwizard.probes.postconf import Postconf, words
from mailwizard.probes.verdict import could_not_ask, failed, passed, warned

REQUIRED = ("root", "postmaster", "abuse")
# RFC 2142: judged where they exist, not demanded.
CUSTOMARY = (
    "hostmaster",
    "webmaster",
    "info",
    "marketing",
    "sales",
    "support",
    "noc",
    "security",
    "usenet",
    "news",
    "www",
    "uucp",
    "ftp",
    "mailer-daemon",
)
_DEEPEST = 20
# a login whatever the tables say (aliases(5)); a program, a file, a list
_NOT_FOLLOWED = ("\\", "|", "/", ":include:")
# of thousands of names a person reads what is wrong, and how the first ones were followed
_SHOWN = 200
_PARAMETERS = ("alias_maps", "mydestination", "recipient_delimiter")


@dataclass(slots=True)
class _Walk:
    """The tables, what they answered so far, and what was found at the ends."""

    host: Host
    maps: tuple[str, ...]
    local: frozenset[str]
    delimiter: str
    answers: dict[str, str] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    ends: set[str] = field(default_factory=set)

    def look_ahead(self, names: Sequence[str]) -> None:
        """Ask for all that these names lead to, a level at a time: there may be thousands."""
        for _ in range(_DEEPEST):
            self.look_up(names)
            targets = {target for name in names for target in targets_of(self.answers[name])}
            followed = (one for one in targets if not one.startswith(_NOT_FOLLOWED))
            further = {local for one in followed if (local := self._local_part(one)) is not None}
            names = sorted(further - self.answers.keys())
            if not names:
                return

    def look_up(self, names: Sequence[str]) -> None:
        """Ask every table for all names at once: postalias(1) reads keys from standard input."""
        open_names = [name for name in names if name not in self.answers]
        for table in self.maps:
            if not open_names:
                break
            keys = "".join(f"{name}\n" for name in open_names)
            asked = self.host.ask(["postalias", "-q", "-", table], stdin=keys, timeout=20)
            # Code 1 says "not found" of every name, and as well that the table cannot be opened.
            if asked.code not in (0, 1) or (asked.code and "fatal:" in asked.err):
                said = (asked.err.strip().splitlines() or ["no answer"])[-1]
                raise CannotAsk(Trouble.UNREACHABLE, f"postalias -q {table}: {said}")
            for line in asked.out.splitlines():
                key, _, value = line.partition("\t")
                self.answers[key.rstrip(":").strip()] = value.strip()
            open_names = [name for name in open_names if name not in self.answers]
        for name in open_names:
            self.answers[name] = ""

    def follow(self, name: str, way: tuple[str, ...]) -> None:
        """Judge one target: a login, a file, a program, another alias, or somewhere else."""
        path = " -> ".join((*way, name))
        local = self._local_part(name)
        if name.startswith(_NOT_FOLLOWED[1:]):
            self.rows.append(f"{path} (a program, a file or a list: not followed)")
        elif local is None:
            self.ends.add(name.lower())
            self.rows.append(f"{path} (leaves this host)")
            self.doubtful.append(f"{path} leaves this host")
        elif local in way or len(way) > _DEEPEST:
            self.ends.add(local)
            self.rows.append(f"{path} (a circle)")
            # local(8) delivers `alice: alice, bob` to the mailbox of alice: not a loop.
            if way[-1:] != (local,) or find_user(self.host, local) is None:
                self.bad.append(f"{path} goes round in circles")
        else:
            self._follow_local(local, name.startswith("\\"), way, path)

    def _follow_local(self, local: str, bare: bool, way: tuple[str, ...], path: str) -> None:
        if not bare:
            self.look_up([local])
        targets = () if bare else tuple(targets_of(self.answers[local]))
        if targets:
            for target in targets:
                self.follow(target, (*way, local))
            return
        self.ends.add(local)
        user = find_user(self.host, local)
        if user is None:
            self.rows.append(f"{path} (nobody)")
            self.bad.append(f"{path} ends nowhere: there is no such alias or login")
        elif not is_person(user.uid):
            self.rows.append(f"{path} (system account)")
            self.doubtful.append(f"{path} ends in the mailbox of a system account")
        else:
            self.rows.append(f"{path} (login, uid {user.uid})")

    def compare(self, name: str, meant: Sequence[str]) -> None:
        """Complain of whoever is meant to read this name's mail, and does not get it."""
        wanted = {one if (local := self._local_part(one)) is None else local for one in meant}
        if missed := sorted(wanted - self.ends):
            found = ", ".join(sorted(self.ends)) or "nobody"
            self.bad.append(f"{name} leads to {found}, and not to {', '.join(missed)}")

    def _local_part(self, name: str) -> str | None:
        local, at, domain = name.removeprefix("\\").rpartition("@")
        if not at:
            local = domain
        elif domain.lower() not in self.local:
            return None
        if self.delimiter and local[1:].find(self.delimiter) >= 0:
            local = local[: 1 + local[1:].index(self.delimiter)]
        return local.strip('"').lower()


def targets_of(value: str) -> Iterator[str]:
    """The addresses on the right side of an alias (aliases(5)), quotes respected."""
    for match in re.finditer(r'(?:"(?:\\.|[^"])*"|[^,\s"])+', value):
        word = match.group()
        yield word[1:-1].replace('\\"', '"') if word[0] == word[-1] == '"' else word


@dataclass(frozen=True, slots=True)
class AliasGraph:
    """Every role address ends in the mailbox of somebody who can log in; no circles, no voids.

    ends: of a name, the logins and addresses that its mail is meant to come to.
    """

    names: tuple[str, ...] = ()
    database: str = ""
    ends: tuple[tuple[str, tuple[str, ...]], ...] = ()
    id: ClassVar[str] = "OUT-07"
    title: ClassVar[str] = "Every alias ends with a person"
    deadline: ClassVar[float] = 30.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        table = self.database or '"$(postconf -xh alias_maps)"'
        asked = " ".join(islice(dict.fromkeys((*REQUIRED, *self.names)), 20))
        return f"for name in {asked}; do postalias -q $name {table} || getent passwd $name; done"

    def ask(self, host: Host) -> Result:
        try:
            walk = self._start(host)
            asked = tuple(dict.fromkeys((*REQUIRED, *(name.lower() for name in self.names))))
            walk.look_ahead([*asked, *CUSTOMARY])
            extra = tuple(name for name in CUSTOMARY if walk.answers[name] and name not in asked)
            meant = dict(self.ends)
            for name in (*asked, *extra):
                walk.ends.clear()
                walk.follow(name, ())
                walk.compare(name, meant.get(name, ()))
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        if walk.bad:
            return failed(
                "; ".join(walk.bad[:3]),
                "every role address ends in the mailbox of a person",
                "The administrator: correct the line in the alias table (/etc/aliases), then run "
                "newaliases.",
                walk.rows[:_SHOWN],
            )
        if walk.doubtful:
            return warned(
                "; ".join(walk.doubtful[:3]),
                "mail for root, postmaster and abuse is read by a person on this host",
                "The administrator: give root an alias to a person's login. Mail forwarded to "
                "another host often fails its sender's SPF there.",
                walk.rows[:_SHOWN],
            )
        return passed(f"{len(asked) + len(extra)} names end with a person", walk.rows[:_SHOWN])

    def _start(self, host: Host) -> _Walk:
        values = Postconf(host).values(*_PARAMETERS)
        maps = tuple(words(self.database or values.get("alias_maps", "")))
        tables = tuple(one for one in maps if not one.startswith("nis:"))
        if not tables:
            raise CannotAsk(Trouble.UNREACHABLE, "alias_maps names no table")
        local = frozenset(word.lower() for word in words(values.get("mydestination", "")))
        return _Walk(host, tables, local, values.get("recipient_delimiter", ""))
