"""Greylisting: who comes for the first time is asked to come back, and then is let in.

The policy server is asked as Postfix asks it (SMTPD_POLICY_README), in the name of a client that
cannot exist; postgrey lets a question say what time it is (its own policy-test does so).
"""

from __future__ import annotations

import ipaddress
import random
import secrets
import string
import time
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.connect import connect
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Dialogue, Transcript
from mailwizard.probes.postconf import Postconf, words
from mailwizard.probes.verdict import could_not_ask, failed, passed, unknown
from mailwizard.probes.wire import STRANGER

POLICY = "inet:127.0.0.1:10023"
# RFC 3849: nobody's; random in it, since postgrey remembers clients that came back
_NOBODY = ipaddress.IPv6Network("2001:db8::/32")
_LIST = "smtpd_recipient_restrictions"
_WAITING = ("DEFER", "450", "451", "4")


@dataclass(frozen=True, slots=True)
class Greylisted:
    """Postfix asks the policy server last; it puts a stranger off, and after the delay no more."""

    recipient: str
    delay: int = 300
    server: str = "127.0.0.1"
    port: int = 10023
    id: ClassVar[str] = "SMTP-31"
    title: ClassVar[str] = "Strangers are asked to come back, and then let in"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        lines = "\\n".join((*self._question("friend", _NOBODY[1], None), "", ""))
        return f"printf '{lines}' | nc -q 2 {self.server} {self.port}"

    def ask(self, host: Host) -> Result:
        transcript = Transcript()
        clock = Deadline(self.deadline - 1)
        try:
            asked_last = self._asked_last(host, transcript)
            if not asked_last:
                return failed(
                    "Postfix does not ask the greylisting server after everything else",
                    f"check_policy_service {POLICY} at the end of {_LIST}",
                    f"The administrator: put it at the end of {_LIST}, and reload Postfix.",
                    transcript.lines(),
                )
            with connect(self.server, self.port, clock) as sock:
                first, later = self._twice(Dialogue(sock, clock, transcript))
        except CannotAsk as trouble:
            transcript.note(trouble.sentence)
            if trouble.kind is Trouble.REFUSED:
                return failed(
                    f"{trouble.sentence}: nobody is greylisted",
                    f"postgrey on {self.server} port {self.port}",
                    "The administrator: `systemctl status postgrey` says why it does not run.",
                    transcript.lines(),
                )
            return could_not_ask(trouble, transcript.lines())
        return self._verdict(first, later, transcript.lines())

    def _asked_last(self, host: Host, transcript: Transcript) -> bool:
        value = Postconf(host).values(_LIST).get(_LIST, "")
        transcript.note(f"{_LIST} = {value}")
        last = [word.strip("{} ") for word in words(value)][-2:]
        return len(last) == 2 and last[0] == "check_policy_service" and POLICY in last[1]

    def _twice(self, talk: Dialogue) -> tuple[str, str]:
        # letters only: postgrey takes all numbers in a sender for the same
        sender = "".join(secrets.choice(string.ascii_lowercase) for _ in range(20))
        client = _NOBODY[random.getrandbits(96)]
        later = int(time.time()) + self.delay + 1
        return (
            _action(talk, self._question(sender, client, None)),
            _action(talk, self._question(sender, client, later)),
        )

    def _question(
        self, sender: str, client: ipaddress.IPv6Address, now: int | None
    ) -> tuple[str, ...]:
        return (
            "request=smtpd_access_policy",
            "protocol_state=RCPT",
            "protocol_name=ESMTP",
            "client_name=unknown",
            f"client_address={client}",
            f"helo_name={STRANGER}",
            f"sender={sender}@{STRANGER}",
            f"recipient={self.recipient}",
            f"instance={secrets.token_hex(6)}",
            *((f"policy_test_time={now}",) if now is not None else ()),
        )

    def _verdict(self, first: str, later: str, lines: tuple[str, ...]) -> Result:
        expected = f"put off at first, let in after {self.delay} s"
        if not first.startswith(_WAITING):
            return failed(
                f"a stranger is let in at once: {first or '(no answer)'}",
                expected,
                "The administrator: the recipient or everybody is on postgrey's list of exceptions "
                "(/etc/postgrey).",
                lines,
            )
        if later.startswith(_WAITING):
            return unknown(
                f"a stranger is put off ({first}); that he is let in later was not seen",
                expected,
                "Send a message from another provider and look at when it arrives.",
                lines,
            )
        return passed(f"a stranger is put off at first, and let in after {self.delay} s", lines)


def _action(talk: Dialogue, question: tuple[str, ...]) -> str:
    talk.send_raw("".join(f"{line}\n" for line in (*question, "")).encode(), shown=str(question))
    said = ""
    while line := talk.read_line():
        name, _, value = line.decode("utf-8", "replace").partition("=")
        said = value if name == "action" else said
    return said
