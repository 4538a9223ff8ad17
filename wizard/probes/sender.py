"""Mail of a login goes out under its full address, in the envelope and in the header."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from email.utils import formatdate
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.errors import CommandFailed
from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.forwarding import stays_here
from mailwizard.probes.handed import HandedIn
from mailwizard.probes.mailbox import take_out
from mailwizard.probes.postconf import Postconf, words
from mailwizard.probes.queued import taken_back, unfinished
from mailwizard.probes.verdict import could_not_ask, failed, passed

FIX = (
    "The administrator: sender_canonical_maps must name the table, sender_canonical_classes both "
    "envelope_sender and header_sender; `postmap` must have been run after the last edit."
)


@dataclass(frozen=True, slots=True)
class SenderRewritten(HandedIn):
    """A message that the login sends on this host arrives with `address` as its sender."""

    login: str
    address: str
    reader: str

    @property
    def id(self) -> str:
        return f"SENDER:{self.login}"

    @property
    def title(self) -> str:
        return f"Mail of {self.login} is sent as {self.address}"

    @property
    def by_hand(self) -> str:
        return f"runuser -u {self.login} -- sendmail -i {self.reader} < message"

    def _sent(self, host: Host, transcript: Transcript) -> Result:
        stays_here(host, self.reader)
        mark = f"mailwizard-{secrets.token_hex(12)}@probe.invalid"
        try:
            argv = ["runuser", "-u", self.login, "--", "sendmail", "-i", "--", self.reader]
            host.run(argv, stdin=self._message(mark), timeout=20)
        except CommandFailed as error:
            return self._refused(host, self.login, error, self.address)
        arrived = take_out(
            host, self.reader, mark, wait=self.wait, transcript=transcript, folder=self.folder
        )
        if arrived:
            return self._judge(transcript.lines())
        said, expected = f"the message of {self.login}", f"mail from {self.address}"
        waiting = taken_back(host, mark, transcript)
        if waiting and waiting.busy:
            return unfinished(said, self.wait, expected)
        where = f"; {waiting.sentence}" if waiting else ""
        return failed(f"{said} did not reach {self.reader}{where}", expected, FIX)

    def _judge(self, lines: tuple[str, ...]) -> Result:
        heads = [line.removeprefix("< ") for line in lines]
        envelope = next((line for line in heads if line.startswith("Return-Path:")), "")
        header = next((line for line in heads if line.startswith("From:")), "")
        for where, line in (("envelope", envelope), ("header", header)):
            if f"<{self.address}>" not in line and f" {self.address}" not in line:
                said = f"the {where} sender is '{line}'"
                return failed(said, f"{self.address} in both", FIX)
        return passed(f"{self.login} sends as {self.address}, in envelope and header")

    def _message(self, mark: str) -> str:
        return (
            f"Message-ID: <{mark}>\nDate: {formatdate(localtime=False)}\n"
            f"From: {self.login}\nTo: {self.reader}\n"
            "Subject: mailwizard test message, removed when found\n"
            "Auto-Submitted: auto-generated\n\nmailwizard sent this and removes it by itself.\n"
        )


@dataclass(frozen=True, slots=True)
class SendersMapped:
    """The tables that Postfix reads have an address for each login that is to have one."""

    senders: tuple[tuple[str, str], ...]
    id: ClassVar[str] = "SENDER-MAPS"
    title: ClassVar[str] = "Every login has its sender address"
    deadline: ClassVar[float] = 30.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        logins = " ".join(login for login, _ in self.senders[:20])
        table = '"$(postconf -xh sender_canonical_maps)"'
        return f"for login in {logins}; do postmap -q $login {table}; done"

    def ask(self, host: Host) -> Result:
        try:
            found = self._found(host)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        wrong = [
            f"{login} is {found.get(login, 'not there')}, and not {address}"
            for login, address in self.senders
            if found.get(login, "").lower() != address.lower()
        ]
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            return failed(f"{wrong[0]}{more}", "the addresses of the answers", FIX, wrong[:200])
        return passed(f"{len(self.senders)} logins have the address that was given for them")

    def _found(self, host: Host) -> dict[str, str]:
        name = "sender_canonical_maps"
        tables = list(words(Postconf(host).values(name).get(name, "")))
        keys = "".join(f"{login}\n" for login, _ in self.senders)
        found: dict[str, str] = {}
        for table in tables:
            asked = host.ask(["postmap", "-q", "-", table], stdin=keys, timeout=25)
            # code 1 says "not found" of every name, and as well that the table cannot be opened
            if asked.code not in (0, 1) or (asked.code and "fatal:" in asked.err):
                said = sanitise.clean(asked.err, width=200, limit=1) or "no answer"
                raise CannotAsk(Trouble.UNREACHABLE, f"postmap -q - {table}: {said}")
            rows = (line.partition("\t") for line in asked.out.splitlines())
            # the first table that knows a name decides
            found = {key: value.strip() for key, _, value in rows} | found
        return found
