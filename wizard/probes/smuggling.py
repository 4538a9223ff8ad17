"""SMTP smuggling: nothing but CR LF . CR LF ends a message (RFC 5321 4.1.1.4).

A server that takes another ending lets one message hide a second, with a forged sender.
"""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk, Deadline, KeptOut, Trouble
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.mailbox import take_out
from mailwizard.probes.queued import taken_back
from mailwizard.probes.smtp import envelope
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, unknown
from mailwizard.probes.wire import STRANGER, Greeted, OverTheWire

ENDINGS: dict[str, bytes] = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CR.LF": b"\r.\n",
    "CR.CRLF": b"\r.\r\n",
    "LF.CR": b"\n.\r",
    "CRLF.CR": b"\r\n.\r",
    "CRLF NUL.CRLF": b"\r\n\0.\r\n",
    "CRLF.NUL CRLF": b"\r\n.\0\r\n",
}
# A server that took the ending answers in milliseconds; silence for this long is a refusal.
_SILENCE = 1.5


@dataclass(frozen=True, slots=True)
class Ended:
    """What a server made of an ending: "taken", "refused", "ignored", or why it was not asked."""

    ending: str
    fate: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class RefusesSmuggling(OverTheWire):
    """None of ten malformed endings ends a message; should one, the test mail is removed."""

    recipient: str
    login: str = ""
    id: ClassVar[str] = "SMTP-16"
    title: ClassVar[str] = "No second message hides in a first (SMTP smuggling)"
    deadline: ClassVar[float] = 30.0
    slow: ClassVar[bool] = True

    @property
    def by_hand(self) -> str:
        where = self.server or '"$(postconf -h myhostname)"'
        start = f"EHLO {STRANGER}", "MAIL FROM:<>", f"RCPT TO:<{self.recipient}>", "DATA"
        said = "; ".join(f"sleep 1; printf '%s\\r\\n' '{line}'" for line in start)
        return f"({said}; sleep 1; printf 'test\\n.\\n'; sleep 3) | nc {where} {self.port}"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        mark = f"mailwizard-{secrets.token_hex(12)}@{STRANGER}"
        with self._open(place, place.addresses[0], clock, transcript) as heard:
            reply = envelope(heard, "", self.recipient)
            heard.talk.quit()
        if not reply.ok:
            return unknown(
                f"{self.recipient} is not accepted: {reply.text}",
                "a user to whom the test may be addressed",
                "The administrator: first make this address work, then check again.",
            )
        with ThreadPoolExecutor(max_workers=len(ENDINGS)) as pool:
            parts = pool.map(lambda one: self._try(place, one, mark, clock), ENDINGS)
            ended = []
            for one, part in parts:
                transcript.extend(part)
                ended.append(one)
        if self.login and any(one.fate == "taken" for one in ended):
            take_out(host, self.login, mark, wait=3, transcript=transcript, every=True)
            with suppress(CannotAsk):
                taken_back(host, mark, transcript)
        return _verdict(ended)

    def _try(
        self, place: Seat, ending: str, mark: str, clock: Deadline
    ) -> tuple[Ended, Transcript]:
        part = Transcript()
        part.note(f"ending {ending}")
        try:
            with self._open(place, place.addresses[0], clock, part) as heard:
                return self._end(heard, ending, mark), part
        except KeptOut:
            raise
        except CannotAsk as trouble:
            part.note(trouble.sentence)
            return Ended(ending, trouble.sentence), part

    def _end(self, heard: Greeted, ending: str, mark: str) -> Ended:
        begun = time.monotonic()
        for command in ("MAIL FROM:<>", f"RCPT TO:<{self.recipient}>", "DATA"):
            reply = heard.talk.command(command)
            if reply.code >= 400:
                return Ended(ending, f"{command} refused: {reply.text}")
        patience = max(_SILENCE, 4 * (time.monotonic() - begun))
        head = f"Message-ID: <{mark}>\r\nSubject: mailwizard smuggling test\r\n\r\ntest"
        heard.talk.send_raw(head.encode() + ENDINGS[ending])
        try:
            answer = heard.talk.silent_for(patience)
        except CannotAsk as trouble:
            if trouble.kind in {Trouble.CLOSED, Trouble.RESET}:
                return Ended(ending, "refused", "hung up")
            raise
        if answer is None:
            return Ended(ending, "ignored")  # hanging up inside DATA discards the message
        return Ended(ending, "taken" if answer.ok else "refused", answer.text)


def _verdict(ended: list[Ended]) -> Result:
    taken = [one.ending for one in ended if one.fate == "taken"]
    unasked = [one for one in ended if one.fate not in {"taken", "refused", "ignored"}]
    expected = "only CR LF . CR LF ends a message"
    if taken:
        return failed(
            f"a message also ends with {', '.join(taken)}",
            expected,
            "The administrator: smtpd_forbid_bare_newline = normalize and "
            "smtpd_forbid_unauth_pipelining = yes (Postfix 3.7 and 3.8 ship `no`), then reload.",
        )
    if unasked:
        return unknown(
            f"{len(unasked)} of {len(ended)} endings could not be tried: {unasked[0].fate}",
            expected,
            "See the transcript, then check again.",
        )
    return passed(f"{len(ended)} malformed endings tried, none ends a message")
