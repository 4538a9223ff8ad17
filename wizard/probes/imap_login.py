"""Logging in and reading mail as a mail program does: only after the server has proved its name."""

from __future__ import annotations

import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.platform import facts
from mailwizard.probes.credentials import KEPT, MOST, Credential, away, known, nobody_known
from mailwizard.probes.deadline import Deadline
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.imap_wire import Answer, Imap, LoggedIn
from mailwizard.probes.mailbox import find_user, take_out
from mailwizard.probes.trust import Trust, imap_trust
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, unknown

_ADMIN = "The administrator, in Dovecot's configuration: "
# RFC 2342: each namespace is ("prefix" "separator")
_NAMESPACE = re.compile(r'\("([^"]+)" ')
_APART = (
    f"{_ADMIN}mail_full_filesystem_access = no, and no shared namespace without acl; a home that "
    "others can read is closed with `chmod 700`."
)
_USES = (r"\Drafts", r"\Junk", r"\Sent", r"\Trash")


@dataclass(frozen=True, slots=True)
class ImapLogin(LoggedIn):
    """The right password opens the mailbox, by bare name and full address; a wrong one does not."""

    domain: str
    id: ClassVar[str] = "IMAP-04"
    title: ClassVar[str] = "People can log in to IMAP, others cannot"
    slow: ClassVar[bool] = True
    commands: ClassVar[tuple[str, ...]] = ("LOGIN name password",)

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        people = known(host, self.accounts)
        if not people:
            return nobody_known(host, self.accounts)
        trust = imap_trust(host, self.name, self.trust)
        wrong, apart = Credential(people[0].login, secrets.token_hex(12)), Transcript()
        with ThreadPoolExecutor(max_workers=1) as pool:
            # a refusal takes its seconds: meanwhile the right ones
            refusal = pool.submit(
                self._try, away(self.server), clock, apart, trust, wrong, wrong.login
            )
            for who in people:
                for name in (who.login, f"{who.login}@{self.domain}"):
                    answer = self._try(place, clock, transcript, trust, who, name)
                    if not answer.ok:
                        return _refused(name, answer)
        answer = refusal.result()
        transcript.extend(apart)
        if answer.ok:
            return failed(
                f"{wrong.login} is let in with a made-up password",
                "NO [AUTHENTICATIONFAILED]",
                f"{_ADMIN}a passdb lets everybody in: `doveconf -n passdb` shows them.",
            )
        names = ", ".join(who.login for who in people)
        return passed(f"{names}: in by bare name and full address; a wrong password: {answer.said}")

    def _try(
        self,
        place: Seat,
        clock: Deadline,
        transcript: Transcript,
        trust: Trust,
        who: Credential,
        name: str,
    ) -> Answer:
        with self._secured(place, clock, transcript, trust) as imap:
            answer = imap.login(who, name)
            imap.bye()
        return answer


def _refused(name: str, answer: Answer) -> Result:
    if "[UNAVAILABLE]" in answer.text or "[INUSE]" in answer.text:
        return unknown(
            f"{name}: {answer.said}",
            "OK",
            "The server says to come back later: `journalctl -u dovecot -n 20` says why.",
        )
    return failed(
        f"{name} cannot log in: {answer.said}",
        "OK",
        f"{KEPT} Where only the full address fails, auth_username_format must cut the domain off.",
    )


@dataclass(frozen=True, slots=True)
class ImapRoundTrip(LoggedIn):
    """A message put into INBOX is found, comes back octet for octet, and can be removed.

    A second one must lie in the folder that Postfix delivers to: else nobody sees what comes.
    """

    folder: str = "Maildir"
    id: ClassVar[str] = "IMAP-06"
    title: ClassVar[str] = "Mail can be stored, read and removed"
    deadline: ClassVar[float] = 40.0
    commands: ClassVar[tuple[str, ...]] = ("LOGIN name password", "SELECT INBOX", "UID SEARCH ALL")

    def _judge(self, host: Host, imap: Imap, login: str, transcript: Transcript) -> Result:
        mark, text = _message(login)
        trouble = _missing(imap.command("SELECT INBOX"), "SELECT") or self._trip(imap, mark, text)
        if trouble:
            return trouble
        if not self.server and not self._shared(host, imap, login, transcript):
            return failed(
                f"INBOX of {login} is not {self.folder}, where Postfix delivers his mail",
                "one and the same folder",
                f"{_ADMIN}mail_path = ~/{self.folder} and mail_inbox_path = ~/{self.folder} (2.4), "
                f"mail_location = maildir:~/{self.folder} (2.3); in Postfix home_mailbox = "
                f"{self.folder}/.",
            )
        return passed(f"{login}: {len(text)} octets stored, found, read back equal, removed")

    def _trip(self, imap: Imap, mark: str, text: bytes) -> Result | None:
        """APPEND, SEARCH, FETCH, STORE, EXPUNGE; the first that goes wrong, or None."""
        # ask for ours alone (RFC 4315): what else is marked as deleted here is not our business
        stored = imap.command("APPEND INBOX", text)
        uid = _found(imap, mark)
        if not uid:
            return _missing(stored, "APPEND") or _lost("SEARCH does not find what was stored")
        fetched = imap.command(f"UID FETCH {uid} (BODY.PEEK[])")
        same = fetched.literals == (text,)
        gone = _remove(imap, uid)
        if not same:
            size = sum(map(len, fetched.literals))
            return _lost(f"{len(text)} octets were stored and {size} others came back")
        if not gone.ok or _found(imap, mark):
            return _lost(f"the message cannot be removed: {gone.said}")
        return None

    def _shared(self, host: Host, imap: Imap, login: str, transcript: Transcript) -> bool:
        """Whether what is put into INBOX lies in the folder of the disk; it is removed."""
        mark, text = _message(login)
        imap.command("APPEND INBOX", text)
        there = take_out(host, login, mark, wait=1, transcript=transcript, folder=self.folder)
        if not there and (uid := _found(imap, mark)):
            _remove(imap, uid)
        return there


def _message(login: str) -> tuple[str, bytes]:
    mark = f"mailwizard-{secrets.token_hex(12)}@probe.invalid"
    head = (
        f"Message-ID: <{mark}>",
        f"Date: {formatdate(localtime=False)}",
        "From: mailwizard test <mailwizard@probe.invalid>",
        f"To: {login}",
        "Subject: mailwizard test message, removed when found",
        "",
        "mailwizard stored this over IMAP, and removes it by itself.",
        "Eight bits: \u00e4\u20ac. A dot, and trailing blanks:  ",
        ".",
        "",
    )
    return mark, "\r\n".join(head).encode()


def _found(imap: Imap, mark: str) -> str:
    """The UID of the message; empty when there is none."""
    asked = imap.command(f'UID SEARCH HEADER Message-ID "{mark}"')
    found = [line.split()[1:] for line in asked.untagged if line.upper().startswith("SEARCH")]
    return next((numbers[0] for numbers in found if numbers and numbers[0].isdigit()), "")


def _remove(imap: Imap, uid: str) -> Answer:
    marked = imap.command(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
    return imap.command(f"UID EXPUNGE {uid}") if marked.ok else marked


def _missing(answer: Answer, verb: str) -> Result | None:
    return None if answer.ok else _lost(f"{verb}: {answer.said}")


def _lost(said: str) -> Result:
    return failed(
        said,
        "the same octets back, and then nothing",
        "The administrator: `journalctl -u dovecot -n 20` says why; usually the mail folder "
        "belongs to somebody else, or the disk is full.",
    )


@dataclass(frozen=True, slots=True)
class SpecialFolders(LoggedIn):
    """Drafts, Junk, Sent and Trash are there and say what they are for (RFC 6154)."""

    uses: tuple[str, ...] = _USES
    id: ClassVar[str] = "IMAP-07"
    title: ClassVar[str] = "The usual folders are there"
    commands: ClassVar[tuple[str, ...]] = ("LOGIN name password", 'LIST (SPECIAL-USE) "" "*"')

    def _judge(self, host: Host, imap: Imap, login: str, transcript: Transcript) -> Result:
        listed = imap.command('LIST (SPECIAL-USE) "" "*"')
        if not listed.ok:
            return unknown(f"LIST: {listed.said}", "a list", "Ask by hand with a mail program.")
        text = "\n".join(listed.untagged).lower()
        missing = [use for use in self.uses if use.lower() not in text]
        if missing:
            return failed(
                f"no folder is marked {', '.join(missing)}",
                ", ".join(self.uses),
                f"{_ADMIN}in namespace inbox: mailbox Sent {{ auto = subscribe, special_use = "
                "\\Sent } and so on, one setting a line.",
            )
        return passed(f"folders for {', '.join(self.uses)}")


@dataclass(frozen=True, slots=True)
class MailboxesApart(LoggedIn):
    """Nobody opens the mailbox of somebody else, however he spells it."""

    other: str = "root"
    id: ClassVar[str] = "IMAP-09"
    title: ClassVar[str] = "Nobody reads somebody else's mail"
    commands: ClassVar[tuple[str, ...]] = ("LOGIN name password", "SELECT ../../bob/Maildir")

    def _judge(self, host: Host, imap: Imap, login: str, transcript: Transcript) -> Result:
        named = (*(one for one, _ in self.accounts), *facts.people(host))
        others = [one for one in dict.fromkeys(named) if one != login][:MOST] or [self.other]
        spaces = _NAMESPACE.findall(" ".join(imap.command("NAMESPACE").untagged))
        for other in others:
            user = find_user(host, other)
            home = user.home if user else f"/home/{other}"
            for place in (*_spellings(other, home), *(f"{prefix}{other}" for prefix in spaces)):
                if imap.command(f'SELECT "{place}"').ok:
                    return failed(f"{login} opens {place}", "NO", _APART)
        return passed(f"{login} cannot open a mailbox of {', '.join(others)}")


def _spellings(other: str, home: str) -> tuple[str, ...]:
    # Dovecot takes a full path for a Maildir's INBOX when it ends with a slash
    homes = (f"~{other}/Maildir", f"{home}/Maildir/", f"{home}/Maildir", f"../{other}/Maildir")
    spaces = (f"user/{other}", f"user.{other}", f"shared/{other}", f"shared.{other}.INBOX")
    return (*homes, f"../../{other}/Maildir", *spaces, f"Users/{other}/INBOX", f"#user/{other}")
