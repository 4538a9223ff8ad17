"""STARTTLS on port 25, what nobody may slip in before it, and who may log in there (nobody)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.dialogue import Reply
from mailwizard.probes.postconf import Postconf, spelled
from mailwizard.probes.trust import anybody
from mailwizard.probes.verdict import could_not_ask, failed, passed, unknown, warned
from mailwizard.probes.wire import STRANGER, Greeted, OverTheWire

_ADMIN = "The administrator, in /etc/postfix/main.cf: "
_NO_STARTTLS = (
    f"{_ADMIN}smtpd_tls_security_level = may and smtpd_tls_chain_files = key, chain; a certificate "
    "that cannot be read is said in `journalctl -t postfix/smtpd -n 20` only."
)


def secured(heard: Greeted) -> Reply:
    """The EHLO inside TLS; raises CannotAsk when there is no TLS to be had."""
    if heard.ehlo.keyword("STARTTLS") is None:
        raise CannotAsk(Trouble.GARBLED, "the server does not offer STARTTLS")
    go = heard.talk.command("STARTTLS")
    if go.code != 220:
        raise CannotAsk(Trouble.GARBLED, f"STARTTLS: {go.text}")
    heard.talk.start_tls(anybody(), None)
    return heard.talk.command(f"EHLO {STRANGER}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AtPort25(OverTheWire):
    """Asked by hand with openssl(1)."""

    @property
    def by_hand(self) -> str:
        where = self.server or '"$(postconf -h myhostname)"'
        return f"openssl s_client -connect {where}:{self.port} -starttls smtp -crlf"


@dataclass(frozen=True, slots=True)
class OffersStartTls(AtPort25):
    """Other servers can go on encrypted."""

    id: ClassVar[str] = "SMTP-03"
    title: ClassVar[str] = "Other servers can send encrypted"

    def _judge(self, heard: Greeted) -> Result:
        expected = "250-STARTTLS, 220, a handshake, and EHLO answered inside it"
        if heard.ehlo.keyword("STARTTLS") is None:
            return failed("STARTTLS is not offered", expected, _NO_STARTTLS)
        go = heard.talk.command("STARTTLS")
        if go.code != 220:
            return failed(f"STARTTLS: {go.text}", expected, _NO_STARTTLS)
        try:
            heard.talk.start_tls(anybody(), None)
            again = heard.talk.command(f"EHLO {STRANGER}")
        except CannotAsk as trouble:
            if trouble.kind is Trouble.TIMED_OUT:
                raise
            return failed(f"after STARTTLS: {trouble.sentence}", expected, _NO_STARTTLS)
        if not again.ok or again.keyword("STARTTLS") is not None:
            return failed(f"EHLO inside TLS: {again.text}", expected, _NO_STARTTLS)
        return passed("STARTTLS, a handshake, and EHLO answered inside it")


@dataclass(frozen=True, slots=True)
class NoAuthOnPort25(AtPort25):
    """Nobody logs in on port 25, before TLS or in it: there are other ports for that."""

    id: ClassVar[str] = "SMTP-04"
    title: ClassVar[str] = "Nobody logs in on port 25"

    def _judge(self, heard: Greeted) -> Result:
        fix = (
            f"{_ADMIN}smtpd_sasl_auth_enable = no (its default); it belongs to the services "
            "submission and submissions in master.cf, with -o."
        )
        expected = "no AUTH on port 25"
        if (offered := heard.ehlo.keyword("AUTH")) is not None:
            return failed(f"before TLS AUTH {offered} is offered", expected, fix)
        if heard.ehlo.keyword("STARTTLS") is None:
            return passed("AUTH is not offered (nor is STARTTLS)")
        if (offered := secured(heard).keyword("AUTH")) is not None:
            return warned(f"inside TLS AUTH {offered} is offered", expected, fix)
        return passed("AUTH is offered neither before TLS nor in it")


@dataclass(frozen=True, slots=True)
class NoSmtpInjection(AtPort25):
    """What comes after STARTTLS in clear is thrown away, not obeyed inside TLS (CVE-2011-0411)."""

    id: ClassVar[str] = "SMTP-19"
    title: ClassVar[str] = "Nothing can be slipped in before TLS (SMTP)"

    @property
    def by_hand(self) -> str:
        where = self.server or '"$(postconf -h myhostname)"'
        said = f"EHLO {STRANGER}\\r\\n' 'STARTTLS\\r\\nRSET\\r\\n"
        return f"(for s in '{said}'; do sleep 1; printf \"$s\"; done; sleep 1) | nc {where} 25"

    def _judge(self, heard: Greeted) -> Result:
        if heard.ehlo.keyword("STARTTLS") is None:
            return unknown("STARTTLS is not offered", "STARTTLS", _NO_STARTTLS)
        heard.talk.send_raw(b"STARTTLS\r\nRSET\r\n")
        go = heard.talk.reply()
        if go.code != 220:
            return passed(f"two commands at once: {go.text}")
        heard.talk.start_tls(anybody(), None)
        answer = heard.talk.command(f"EHLO {STRANGER}")
        extra = heard.talk.silent_for(0.3)
        if extra is not None or len(answer.lines) < 2:
            return failed(
                "a command sent in clear before TLS was obeyed inside it",
                "one answer, to EHLO",
                "The administrator: install the security updates of Postfix, restart it.",
            )
        return passed("what came with STARTTLS in clear is thrown away")


@dataclass(frozen=True, slots=True)
class WrapperModeScoped:
    """smtp_tls_wrappermode suits a relay host on port 465 only: no other server can be reached."""

    config_dir: str = ""
    id: ClassVar[str] = "TLS-23"
    title: ClassVar[str] = "Mail to other servers does not begin with TLS"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return spelled(self.config_dir, "-x", "smtp_tls_wrappermode", "relayhost")

    def ask(self, host: Host) -> Result:
        try:
            values = Postconf(host, self.config_dir).values("smtp_tls_wrappermode", "relayhost")
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        rows = tuple(f"{name} = {value}" for name, value in values.items())
        relay = values.get("relayhost", "")
        if "smtp_tls_wrappermode" not in values:
            return unknown("postconf does not tell smtp_tls_wrappermode", "no", "", rows)
        if values["smtp_tls_wrappermode"] == "yes" and not re.search(r":(465|smtps)$", relay):
            return failed(
                f"smtp_tls_wrappermode = yes, and relayhost = {relay or '(none)'}",
                "no, unless all mail goes to a relay host on port 465",
                "The administrator: postconf -X smtp_tls_wrappermode; a relay on port 465 gets a "
                "transport of its own in master.cf.",
                rows,
            )
        return passed("mail to port 25 begins in clear, and goes on with STARTTLS", rows)
