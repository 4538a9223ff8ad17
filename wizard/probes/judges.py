"""DMARC's judge asked about each proof by itself, about none, and about authors who are not one."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble, from_os_error
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.milterwire import CLIENT, Judged, Put, judged
from mailwizard.probes.verdict import could_not_ask, failed, passed, unknown
from mailwizard.probes.wire import STRANGER

_RESULTS = "Authentication-Results"
_BANK = "bank.invalid"
_MEND = (
    "AuthservID and TrustedAuthservIDs in opendmarc.conf, AuthservID in opendkim.conf and "
    "Authserv_Id of policyd-spf must be one and the same; apply this step again."
)


class _Broken(Exception):
    """The verdict over the first message that was judged wrongly."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.said)
        self.result = result


@dataclass(frozen=True, slots=True)
class ProofsCount:
    """OpenDMARC believes DKIM alone and SPF alone as its own verifiers note them, and nothing else.

    The verifiers' names are those that they really write. Nothing is sent: all of them are asked in
    their own protocols, as a stranger's message would come to them.
    """

    domain: str
    authserv: str
    verifier: int
    judge: int
    policy: str
    reject: bool = False
    id: ClassVar[str] = "DMARC-07"
    title: ClassVar[str] = "Each proof counts by itself, and who has none or is not one does not"
    deadline: ClassVar[float] = 60.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return (
            "grep -i authserv /etc/opendmarc.conf /etc/opendkim.conf "
            "/etc/postfix-policyd-spf-python/policyd-spf.conf"
        )

    def ask(self, host: Host) -> Result:
        del host
        transcript, clock = Transcript(), Deadline(self.deadline - 1)
        try:
            authors = self._authors(clock, transcript)
            proofs = self._proofs(clock, transcript)
        except CannotAsk as trouble:
            return could_not_ask(trouble, transcript.lines())
        except _Broken as broken:
            found = broken.result
            return failed(found.said, found.expected, found.fix, transcript.lines())
        if not proofs:
            return unknown(
                f"{authors}; {self.domain} has no policy (dmarc=none): no proof can be measured",
                "a record _dmarc, by which messages are measured",
                "Whoever runs the zone: publish the record that `mailwizard dns` shows.",
                transcript.lines(),
            )
        return passed(f"{proofs}; {authors}", transcript.lines())

    def _proofs(self, clock: Deadline, transcript: Transcript) -> str:
        """What was proved; empty where the domain has no policy."""
        name = self._verifiers_name(clock, transcript)
        ours, theirs = f"mailwizard@{self.domain}", f"mailwizard@{STRANGER}"
        spf = noted_by_spf(self.policy, clock, transcript)
        signed, sent = f"dkim=pass header.d={self.domain}", f"spf=pass smtp.mailfrom={self.domain}"
        foreign = f"dkim=pass header.d={_BANK}"
        cases = (
            ("a message that DKIM alone proves", (name, signed), theirs, True),
            *([("a message that SPF alone proves", (spf, sent), ours, True)] if spf else []),
            ("a message that only another domain signed", (name, foreign), theirs, False),
            ("a message that only somebody else calls proved", (STRANGER, signed), theirs, False),
            ("a message that nothing proves", (name, "dkim=none"), theirs, False),
        )
        for what, (by, result), sender, genuine in cases:
            head = ((_RESULTS, f"{by}; {result}"), *_head(ours))
            heard = judged(self.judge, Put(head, sender), clock)
            verdict = _verdict(heard, self.authserv)
            transcript.note(f"{what} ({by}; {result}): {heard.refusal or f'dmarc={verdict}'}")
            if verdict == "none":
                return ""
            self._compare(what, by, heard, verdict, genuine=genuine)
        by = "DKIM alone and SPF alone count" if spf else "DKIM alone counts"
        return f"{by}, another domain's signature does not"

    def _compare(self, what: str, by: str, heard: Judged, verdict: str, *, genuine: bool) -> None:
        told = f"counts as dmarc={verdict}" if verdict else "gets no result"
        told = f"is refused: {heard.refusal}" if heard.refusal else told
        if verdict in ("temperror", "permerror"):
            raise CannotAsk(Trouble.DNS, f"{what} {told}")
        if genuine and verdict != "pass":
            said = f"{what}, as {by} notes it, {told}"
            raise _Broken(failed(said, "dmarc=pass", f"The administrator: {_MEND}"))
        if not genuine and verdict == "pass":
            raise _Broken(failed(f"{what} {told}", "dmarc=fail", f"The administrator: {_MEND}"))

    def _verifiers_name(self, clock: Deadline, transcript: Transcript) -> str:
        """The name under which OpenDKIM writes what it found."""
        heard = judged(self.verifier, Put(_head(f"mailwizard@{STRANGER}")), clock)
        found = [value for name, value in heard.added if name.lower() == _RESULTS.lower()]
        name = found[0].split(";")[0].split()[0] if found else ""
        transcript.note(f"the verifier writes {_RESULTS}: {found[0] if found else '(nothing)'}")
        if not name:
            said = "OpenDKIM notes no result in a message without a signature"
            fix = (
                "The administrator: AlwaysAddARHeader yes in opendkim.conf; apply this step again."
            )
            raise _Broken(failed(said, f"{_RESULTS}: {self.authserv}; dkim=none", fix))
        return name

    def _authors(self, clock: Deadline, transcript: Transcript) -> str:
        """Messages whose author is not exactly one; RFC 7489 6.6.1, RFC 9989."""
        for what, authors in _not_one(self.domain):
            head = tuple(each for each in _head("") if each[0] != "From")
            head += tuple(("From", author) for author in authors)
            heard = judged(self.judge, Put(head, f"mailwizard@{STRANGER}"), clock)
            verdict = _verdict(heard, self.authserv)
            transcript.note(f"{what}: {heard.refusal or f'dmarc={verdict}'}")
            if (self.reject and not heard.refusal) or verdict == "pass":
                told = f"counts as dmarc={verdict}" if verdict == "pass" else "is taken"
                raise _Broken(failed(f"{what} {told}", _WANTED[self.reject], _AUTHORS))
        return f"authors who are not exactly one are {'refused' if self.reject else 'not believed'}"


def noted_by_spf(path: str, clock: Deadline, transcript: Transcript) -> str:
    """The name under which the SPF service writes what it found; empty where it writes no result.

    SMTPD_POLICY_README: one question of attributes, one answer.
    """
    asked = {
        "request": "smtpd_access_policy",
        "protocol_state": "RCPT",
        "protocol_name": "ESMTP",
        "client_address": CLIENT,
        "client_name": "unknown",
        "helo_name": STRANGER,
        "sender": f"mailwizard@{STRANGER}",
        "recipient": "postmaster",
        "instance": "mailwizard",
    }
    text = "".join(f"{name}={value}\n" for name, value in asked.items())
    doing = f"asking {path}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(clock.left(doing))
            sock.connect(path)
            sock.sendall(f"{text}\n".encode())
            said = sock.recv(4096).decode("utf-8", "replace")
    except OSError as error:
        raise from_os_error(error, doing) from error
    answer = sanitise.clean(said, width=300, limit=1)
    transcript.note(f"the SPF service answers {answer}")
    found = re.search(rf"{_RESULTS}: *([^\s;]+)", answer)
    return found[1] if found else ""


_WANTED = {True: "refused", False: "anything but dmarc=pass"}
_AUTHORS = (
    "The administrator: RequiredHeaders true and RejectMultiValueFrom true in opendmarc.conf; "
    "apply this step again."
)


def _not_one(domain: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    ours = f"mailwizard@{domain}"
    yield "a message without an author", ()
    yield "a message with two From lines", (ours, f"mailwizard@{_BANK}")
    yield "a message of two authors in one line", (f"{ours}, mailwizard@{_BANK}",)
    yield "a message whose author has no domain", ("mailwizard",)
    yield "a message of a group", ("undisclosed:;",)


def _head(author: str) -> tuple[tuple[str, str], ...]:
    return (
        ("From", author),
        ("Date", formatdate(localtime=False)),
        ("Subject", "mailwizard asks, and sends nothing"),
        ("Message-ID", f"<mailwizard@{STRANGER}>"),
    )


def _verdict(heard: Judged, authserv: str) -> str:
    """The result that was noted under our name, "fail" for a refusal, "" for nothing."""
    if heard.refusal:
        return "fail"
    ours = [
        value
        for name, value in heard.added
        if name.lower() == _RESULTS.lower() and value.split(";")[0].strip() == authserv
    ]
    found = re.search(r"\bdmarc=(\w+)", " ".join(ours))
    return found[1] if found else ""
