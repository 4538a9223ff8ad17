"""Mail of a login goes out under its full address, in the envelope and in the header."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from email.utils import formatdate

from mailwizard.errors import CommandFailed
from mailwizard.model import Host, Result
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.forwarding import stays_here
from mailwizard.probes.handed import HandedIn
from mailwizard.probes.mailbox import take_out
from mailwizard.probes.queued import taken_back, unfinished
from mailwizard.probes.verdict import failed, passed, unknown

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
            return unknown(f"could not send as {self.login}: {error.message}", self.address, FIX)
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
