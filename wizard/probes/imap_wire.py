"""A probe that talks IMAP (RFC 3501): tagged commands, untagged answers, literals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.model import Host, Result
from mailwizard.probes.conversation import Conversation
from mailwizard.probes.credentials import Accounts, Credential, known, nobody_known
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import MOST_LINES, Dialogue, Transcript
from mailwizard.probes.trust import Trust, imap_trust
from mailwizard.probes.vantage import Seat

_LITERAL = re.compile(rb"\{(\d+)\}$")
_LARGEST = 65536


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a command (OK, NO, BAD), what it said, and what came before."""

    status: str
    text: str
    untagged: tuple[str, ...] = ()
    literals: tuple[bytes, ...] = ()

    @property
    def ok(self) -> bool:
        return self.status == "OK"

    @property
    def said(self) -> str:
        return f"{self.status} {self.text}"

    def capabilities(self) -> frozenset[str]:
        """What an untagged CAPABILITY or a code in brackets lists, in capitals."""
        found = [re.search(r"\bCAPABILITY ([^\]]*)", line) for line in (*self.untagged, self.text)]
        return frozenset(word.upper() for one in found if one for word in one[1].split())


class Imap:
    """One IMAP conversation."""

    def __init__(self, talk: Dialogue) -> None:
        self.talk = talk
        self._count = 0

    def greeting(self) -> Answer:
        line = sanitise.clean(self.talk.read_line(), limit=1)
        mark, _, rest = line.partition(" ")
        if mark != "*":
            raise CannotAsk(Trouble.GARBLED, f"this is not IMAP: {line[:80]}")
        status, _, text = rest.partition(" ")
        return Answer(status.upper(), text)

    def command(self, text: str, literal: bytes | None = None) -> Answer:
        """A command, with a literal at its end where one is given (RFC 3501 4.3)."""
        tag = self._tag()
        if literal is None:
            self.talk.send(f"{tag} {text}")
            return self._answer(tag)
        self.talk.send(f"{tag} {text} {{{len(literal)}}}")
        refused = self._go_ahead(tag)
        if refused:
            return refused
        self.talk.send_raw(literal + b"\r\n", shown=f"({len(literal)} octets)")
        return self._answer(tag)

    def login(self, who: Credential, name: str = "") -> Answer:
        """AUTHENTICATE PLAIN; raises CannotAsk where the server has not proved its name."""
        tag = self._tag()
        self.talk.send(f"{tag} AUTHENTICATE PLAIN")
        refused = self._go_ahead(tag)
        if refused:
            return refused
        self.talk.send_secret(who.plain(name), f"login and password of {name or who.login}")
        return self._answer(tag)

    def bye(self) -> None:
        """Part politely, whatever the other side makes of it."""
        with suppress(CannotAsk):
            self.command("LOGOUT")

    def _tag(self) -> str:
        self._count += 1
        return f"a{self._count}"

    def _go_ahead(self, tag: str) -> Answer | None:
        """None when the server says to go on, else its refusal."""
        line = self.talk.read_line()
        while line.startswith(b"* "):
            line = self.talk.read_line()
        return None if line.startswith(b"+") else self._end(tag, line, [], [])

    def _answer(self, tag: str) -> Answer:
        untagged: list[str] = []
        literals: list[bytes] = []
        while len(untagged) < MOST_LINES:
            line = self.talk.read_line()
            if found := _LITERAL.search(line):
                literals.append(self._literal(int(found[1])))
                line += self.talk.read_line()
            if not line.startswith(b"* "):
                return self._end(tag, line, untagged, literals)
            untagged.append(sanitise.clean(line[2:], limit=1))
        raise CannotAsk(Trouble.TOO_MUCH, f"more than {MOST_LINES} untagged answers")

    def _literal(self, size: int) -> bytes:
        if size > _LARGEST:
            raise CannotAsk(Trouble.TOO_MUCH, f"a literal of {size} octets")
        return self.talk.read_octets(size)

    def _end(self, tag: str, line: bytes, untagged: list[str], literals: list[bytes]) -> Answer:
        text = sanitise.clean(line, limit=1)
        mark, _, rest = text.partition(" ")
        if mark != tag:
            raise CannotAsk(Trouble.GARBLED, f"this is not IMAP: {text[:80]}")
        status, _, said = rest.partition(" ")
        return Answer(status.upper(), said, tuple(untagged), tuple(literals))


@dataclass(frozen=True, slots=True, kw_only=True)
class OverImap(Conversation):
    """A probe of an IMAP port."""

    port: int = 993
    commands: ClassVar[tuple[str, ...]] = ()

    @property
    def by_hand(self) -> str:
        where = self.server or '"$(postconf -h myhostname)"'
        said = f"{where}:{self.port}"
        if self.port == 993:
            return f"openssl s_client -crlf -quiet -connect {said}   # then: {self._spoken()}"
        return f"nc -C {where} {self.port}   # from another machine, then: {self._spoken()}"

    def _spoken(self) -> str:
        return "; ".join(f"a {line}" for line in (*self.commands, "LOGOUT"))

    @contextmanager
    def _connect(self, place: Seat, clock: Deadline, transcript: Transcript) -> Iterator[Dialogue]:
        address = place.addresses[0]
        sock = place.connect(address, self.port, clock)
        with Dialogue(sock, clock, transcript) as talk:
            transcript.note(f"connected to {address} port {self.port}")
            yield talk


@dataclass(frozen=True, slots=True)
class LoggedIn(OverImap):
    """A probe that needs somebody's password."""

    accounts: Accounts
    name: str = field(default="", kw_only=True)
    trust: str = field(default="", kw_only=True)

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        people = known(host, self.accounts)
        if not people:
            return nobody_known(host, self.accounts)
        trust = imap_trust(host, self.name, self.trust)
        with self._secured(place, clock, transcript, trust) as imap:
            answer = imap.login(people[0])
            if not answer.ok:
                raise CannotAsk(Trouble.CLOSED, f"{people[0].login} cannot log in: {answer.said}")
            result = self._judge(host, imap, people[0].login, transcript)
            imap.bye()
        return result

    def _judge(self, host: Host, imap: Imap, login: str, transcript: Transcript) -> Result:
        raise NotImplementedError

    @contextmanager
    def _secured(
        self, place: Seat, clock: Deadline, transcript: Transcript, trust: Trust
    ) -> Iterator[Imap]:
        """A conversation with a server that has proved who it is."""
        with self._connect(place, clock, transcript) as talk:
            trust.secure(talk)
            imap = Imap(talk)
            imap.greeting()
            yield imap
