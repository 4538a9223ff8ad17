"""What is written into mail that arrives: by whom it was sent, and nothing that others made up."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.carrying import Carries, stuffed
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.dialogue import Reply, Transcript
from mailwizard.probes.dkimcheck import public_half, sign, tags
from mailwizard.probes.filtering import unfolded
from mailwizard.probes.signing import KeyInUse, published_key
from mailwizard.probes.taken import Taken
from mailwizard.probes.verdict import failed, passed, unknown, warned
from mailwizard.probes.wire import STRANGER, Greeted

_BANK = "bank.invalid"
GENUINE = "signed mail"
# the resolver in OpenDKIM knows that nobody has these (unbound.conf(5), local-zone)
_OF_NO_WORLD = ("test", "invalid", "localhost")
_APPLY = "The administrator: apply this step again, then look at `journalctl -u opendkim -n 20`."


def results(head: tuple[str, ...], authserv: str) -> list[str]:
    """The Authentication-Results of this server (RFC 8601), without the others'."""
    found = []
    for line in unfolded(head):
        name, _, value = line.partition(":")
        if name.strip().lower() == "authentication-results":
            identity = value.strip().split(";")[0].split()
            if identity and identity[0].lower() == authserv.lower():
                found.append(value.strip())
    return found


@dataclass(frozen=True, slots=True)
class Arrives(Carries):
    """What these probes share: a message with a head of their own."""

    def _letter(self, author: str, extra: tuple[str, ...] = ()) -> tuple[str, bytes]:
        """A message, and the mark by which it is found."""
        mark = f"mailwizard-{secrets.token_hex(12)}@{STRANGER}"
        lines = (
            *extra,
            f"Message-ID: <{mark}>",
            f"Date: {formatdate(localtime=False)}",
            f"From: mailwizard test <{author}>",
            f"To: <{self.recipient}>",
            "Subject: mailwizard test message, removed when found",
            "Auto-Submitted: auto-generated",
            "",
            "mailwizard sent this and removes it by itself.",
        )
        return mark, "\r\n".join(lines).encode() + b"\r\n"

    def _bring(self, heard: Greeted, text: bytes, shown: str) -> Reply:
        """Hand a message over; the first refusal, or the receipt."""
        for command in ("MAIL FROM:<>", f"RCPT TO:<{self.recipient}>", "DATA"):
            reply = heard.talk.command(command)
            if reply.code >= 400:
                heard.talk.command("RSET")
                return reply
        heard.talk.send_raw(stuffed(text), shown=shown)
        return heard.talk.reply()

    def _message(self, heard: Greeted, author: str, extra: tuple[str, ...]) -> tuple[str, Reply]:
        mark, text = self._letter(author, extra)
        return mark, self._bring(heard, text, f"(test message {mark} from {author})")


@dataclass(frozen=True, slots=True)
class WithKey(Arrives):
    """What these probes share: messages signed by the domain's own key, as one that others know."""

    authserv: str = ""
    domain: str = ""
    selector: str = ""
    path: str = ""
    nameservers: tuple[str, ...] = field(default=(), kw_only=True)
    dns_port: int = field(default=53, kw_only=True)

    def _unpublished(self, host: Host) -> str:
        """Why the verifier can find no key of ours; empty when it is published."""
        top = self.domain.rpartition(".")[2]
        if top in _OF_NO_WORLD:
            return f"OpenDKIM's resolver answers for .{top} by itself (RFC 6761)"
        key = KeyInUse(self.domain, self.selector, self.path)
        try:
            own = public_half(host, self.path)
            answers = published_key(host, key, self.nameservers, self.dns_port)
        except CannotAsk as trouble:
            return trouble.sentence
        there = any(tags(answer).get("p") == own for answer in answers)
        return "" if there else f"{key.name} does not hold the key of this host"

    def _signed(
        self, host: Host, heard: Greeted, selector: str, *, altered: bool = False
    ) -> tuple[str, Reply]:
        """Bring a message with a signature by the domain's key under that selector."""
        mark, text = self._letter(f"mailwizard@{self.domain}")
        text = sign(host, text, self.domain, selector, self.path)
        if altered:
            text += b"One line more.\r\n"
        shown = f"(test message {mark}, signed {selector}{', then altered' if altered else ''})"
        return mark, self._bring(heard, text, shown)


@dataclass(frozen=True, slots=True)
class ForgedNotSigned(Arrives):
    """Mail that a stranger brings in the name of this domain does not get its signature."""

    id: ClassVar[str] = "DKIM-FORGED"
    title: ClassVar[str] = "Forged mail in our name is not signed"

    def _results(self, host: Host, heard: Greeted, transcript: Transcript) -> Iterator[Result]:
        domain = self.recipient.rpartition("@")[2]
        mark, reply = self._message(heard, self.recipient, ())
        if reply.code >= 500:
            yield passed(f"refused at the door: {reply.text}")
            return
        what = f"mail in the name of {domain}"
        taken = self._arrived(host, transcript, what, mark, reply)
        if isinstance(taken, Result):
            yield taken
            return
        signed = [
            line for line in unfolded(taken.head) if line.lower().startswith("dkim-signature:")
        ]
        if signed:
            yield failed(
                f"a stranger's message in the name of {domain} was signed for him",
                "no DKIM-Signature in what comes in by port 25",
                "The administrator: smtp/inet/content_filter must lead to port 10024, and "
                "@mynetworks of amavis, or InternalHosts of OpenDKIM, must hold no strangers.",
            )
        else:
            yield passed(f"a stranger's message in the name of {domain} stays unsigned")


@dataclass(frozen=True, slots=True)
class ForgedResultsRemoved(Arrives):
    """A result that a stranger wrote under this server's name is taken out (RFC 8601 5)."""

    authserv: str = ""
    id: ClassVar[str] = "SMTP-26"
    title: ClassVar[str] = "Made-up results are taken out"

    def _results(self, host: Host, heard: Greeted, transcript: Transcript) -> Iterator[Result]:
        lie = f"Authentication-Results: {self.authserv}; dkim=pass header.d={_BANK}"
        mark, reply = self._message(heard, f"mailwizard@{STRANGER}", (lie,))
        taken = self._arrived(host, transcript, "a message with a made-up result", mark, reply)
        if isinstance(taken, Result):
            yield taken
            return
        ours = results(taken.head, self.authserv)
        believed = [line for line in ours if _BANK in line]
        if believed:
            yield failed(
                f"the made-up result stays: {believed[0]}", f"no {_BANK} under our name", _APPLY
            )
        elif not any(re.search(r"\bdkim=\w+", line) for line in ours):
            fix = f"{_APPLY} smtp/inet/smtpd_milters must name inet:127.0.0.1:8891."
            yield failed(
                "no result of a DKIM check is in the message", "dkim=none of this server", fix
            )
        else:
            yield passed("the made-up result is gone, this server's own is there")


@dataclass(frozen=True, slots=True)
class SignaturesJudged(WithKey):
    """Signed mail is told from altered mail, and from what no key can prove (RFC 8601 2.7.1)."""

    id: ClassVar[str] = "SMTP-24"
    title: ClassVar[str] = "Signatures of incoming mail are judged rightly"

    def _results(self, host: Host, heard: Greeted, transcript: Transcript) -> Iterator[Result]:
        legs = [("mail without a key", f"none-{secrets.token_hex(4)}", False)]
        if why := self._unpublished(host):
            # nor is the verifier asked: it would remember for hours that there is no key
            transcript.note(f"signed mail is not tried: {why}")
        else:
            legs.insert(0, ("mail that was altered", self.selector, True))
            legs.insert(0, (GENUINE, self.selector, False))
        for what, selector, altered in legs:
            mark, reply = self._signed(host, heard, selector, altered=altered)
            if not reply.ok:
                # where that is chosen, what proves nothing is refused
                refused = _disowned(reply) and what != GENUINE
                yield passed(f"{what} is refused") if refused else self._not_taken(what, reply)
                continue
            taken = self._taken(host, mark, transcript)
            if taken is None:
                yield self._lost(host, mark, transcript, what, reply)
                return
            found = re.findall(r"\bdkim=(\w+)", " ".join(results(taken.head, self.authserv)))
            yield _judged(what, found, genuine=what == GENUINE)


def _judged(what: str, found: list[str], *, genuine: bool) -> Result:
    expected = "dkim=pass" if genuine else "dkim=fail or permerror"
    fix = f"{_APPLY} smtp/inet/smtpd_milters must name inet:127.0.0.1:8891."
    if not found:
        return failed(f"{what}: no result of a DKIM check is in it", expected, fix)
    if found[0] == "temperror":
        fix = "See whether this host, and OpenDKIM by its Nameservers, can resolve names."
        return unknown(f"{what} could not be judged (dkim=temperror)", expected, fix)
    if (found[0] == "pass") is not genuine:
        return failed(f"{what} counts as dkim={found[0]}", expected, fix)
    return passed(f"{what}: dkim={found[0]}")


def _disowned(reply: Reply) -> bool:
    """Whether OpenDMARC refused it."""
    return reply.code >= 500 and "DMARC" in reply.text


@dataclass(frozen=True, slots=True)
class DmarcMeasured(WithKey):
    """Mail in this domain's name counts as genuine by its signature, and forged without a proof.

    What SPF alone proves can only be tried from an address that the domain sends from: not from
    this host itself, whose own mail is not measured.
    """

    reject: bool = False
    id: ClassVar[str] = "SMTP-25"
    title: ClassVar[str] = "Incoming mail is measured by DMARC"

    def _results(self, host: Host, heard: Greeted, transcript: Transcript) -> Iterator[Result]:
        yield self._forged(host, heard, transcript)
        if not self._unpublished(host):
            yield self._genuine(host, heard, transcript)

    def _forged(self, host: Host, heard: Greeted, transcript: Transcript) -> Result:
        what = "a message that proves nothing"
        mark, reply = self._message(heard, f"mailwizard@{self.domain}", ())
        if _disowned(reply):
            return _refused(reply, reject=self.reject)
        taken = self._arrived(host, transcript, what, mark, reply)
        if isinstance(taken, Result):
            return taken
        return _measured(_dmarc(taken, self.authserv), self.authserv, self.domain)

    def _genuine(self, host: Host, heard: Greeted, transcript: Transcript) -> Result:
        what = f"mail that {self.domain} has signed"
        mark, reply = self._signed(host, heard, self.selector)
        taken = self._arrived(host, transcript, what, mark, reply)
        if isinstance(taken, Result):
            return taken
        verdict = next(iter(_dmarc(taken, self.authserv)), "no result")
        if verdict in ("pass", "none"):
            return passed(f"{what}: dmarc={verdict}")
        return failed(
            f"{what} is not taken for genuine (dmarc={verdict})",
            "dmarc=pass",
            "The administrator: the verifier stands before OpenDMARC in smtp/inet/smtpd_milters, "
            "and AuthservID and TrustedAuthservIDs are this host's name; apply the step again.",
        )


def _dmarc(taken: Taken, authserv: str) -> list[str]:
    return re.findall(r"\bdmarc=(\w+)", " ".join(results(taken.head, authserv)))


def _refused(reply: Reply, *, reject: bool) -> Result:
    if reject:
        return passed(f"a message that proves nothing is refused: {reply.text}")
    return failed(
        f"a message that proves nothing is refused, although reject is off: {reply.text}",
        "taken, with its result",
        "The administrator: RejectFailures false in opendmarc.conf; apply this step again.",
    )


def _measured(verdicts: list[str], authserv: str, domain: str) -> Result:
    if not verdicts:
        return failed(
            "no result of DMARC is in the message",
            f"dmarc=… under {authserv}",
            "The administrator: smtp/inet/smtpd_milters must name inet:127.0.0.1:8891 and, after "
            "it, inet:127.0.0.1:8893; `journalctl -u opendmarc -n 20`.",
        )
    if verdicts[0] == "pass":
        return failed(
            f"a stranger's message in the name of {domain} counts as genuine (dmarc=pass)",
            "fail, or none where the domain publishes no policy",
            "The administrator: SPF of the domain must not allow everybody; AuthservID and "
            "TrustedAuthservIDs must be this host's name.",
        )
    if verdicts[0] in ("temperror", "permerror"):
        fix = "See whether this host can resolve _dmarc of the domain."
        return unknown(f"DMARC could not be measured: {verdicts[0]}", "fail or none", fix)
    if verdicts[0] == "none":
        return warned(
            f"measured, but {domain} has no policy (dmarc=none)",
            "fail, by the domain's own policy",
            "Whoever runs the zone: publish the record _dmarc that `mailwizard dns` shows.",
        )
    return passed(f"a stranger's message in the name of {domain}: dmarc={verdicts[0]}")
