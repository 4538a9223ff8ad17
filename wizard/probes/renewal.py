"""Whether the certificate will be renewed by itself, and whether the daemons will hear of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard import certbot, sanitise
from mailwizard.model import Host, Outcome, Result
from mailwizard.probes.certificate import resolved
from mailwizard.probes.verdict import failed, passed, unknown, warned

_DAEMONS = "Postfix and Dovecot take up each new certificate"


@dataclass(frozen=True, slots=True)
class RenewalFollowed:
    """What certbot runs after a renewal tells both daemons; the renewal is somebody else's."""

    hook: str
    text: str
    id: ClassVar[str] = "TLS-13"
    title: ClassVar[str] = "A renewed certificate is taken up"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return f"ls -l {self.hook}"

    def ask(self, host: Host) -> Result:
        wrong = self.silent(host) or self.edited(host)
        return wrong or passed("certbot tells both daemons after each renewal")

    def silent(self, host: Host) -> Result | None:
        """That nobody would be told."""
        state = resolved(host, self.hook)
        if state.kind != "file":
            said, fix = f"{self.hook} is not there", "mailwizard apply certificates"
        elif not state.mode & 0o100:
            said, fix = f"{self.hook} is not executable", f"chmod 0755 {self.hook}"
        else:
            return None
        said = f"{said}: after a renewal the daemons would go on with the old certificate"
        return failed(said, _DAEMONS, f"The administrator: {fix}")

    def edited(self, host: Host) -> Result | None:
        """That somebody changed what is run."""
        if host.read(self.hook).decode("utf-8", "replace") == self.text:
            return None
        return warned(
            f"{self.hook} was edited by hand: whether it still tells both daemons is not known",
            _DAEMONS,
            "The administrator: read it once more; `mailwizard plan certificates` shows the edit.",
        )


@dataclass(frozen=True, slots=True)
class RenewalRehearsed:
    """A renewal is rehearsed with the authority; what starts it and what follows it is in place.

    hook, text: the program that makes the daemons take the new certificate up, and what it should
    say; timer: the unit that starts renewals; directory: of the authority to rehearse with;
    webroot: empty for a server of certbot's own. Where the authority cannot be asked the verdict
    is unknown: it may be away for an hour, renewals are tried twice a day for weeks, and TLS-07
    warns long before the certificate ends. What this host or its names have wrong is a fail: no
    renewal will ever succeed.
    """

    hook: str
    text: str
    timer: str
    directory: str
    webroot: str = ""
    id: ClassVar[str] = "TLS-13"
    title: ClassVar[str] = "The certificate renews itself"
    deadline: ClassVar[float] = 120.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return f"{' '.join(certbot.rehearsal(self.directory))}; systemctl list-timers {self.timer}"

    def ask(self, host: Host) -> Result:
        checks: tuple[Callable[[Host], Result | None], ...]
        checks = (self._no_timer, RenewalFollowed(self.hook, self.text).silent, self._port_taken)
        for check in checks:
            if wrong := check(host):
                return wrong
        heard = self._rehearse(host)
        if heard.outcome is not Outcome.PASS:
            return heard
        return RenewalFollowed(self.hook, self.text).edited(host) or heard

    def _no_timer(self, host: Host) -> Result | None:
        asked = host.ask(["systemctl", "show", "-p", "ActiveState,UnitFileState", self.timer])
        rows = sanitise.lines(asked.out, limit=5)
        if not asked.ok:
            return unknown(
                f"systemd does not answer about {self.timer}", "an answer", "Is it running?"
            )
        if {"ActiveState=active", "UnitFileState=enabled"} <= set(rows):
            return None
        return failed(
            f"nothing starts the renewal: {self.timer} is not enabled and running",
            f"{self.timer} enabled and active",
            f"The administrator: systemctl enable --now {self.timer}",
            rows,
        )

    def _port_taken(self, host: Host) -> Result | None:
        holder = "" if self.webroot else certbot.who_holds_port_80(host)
        if not holder:
            return None
        return failed(
            f"port 80 is held by {holder}, so that certbot cannot answer the authority there",
            "port 80 free when a renewal is due, or the web server's folder as `webroot`",
            f"The administrator: {certbot.PORT_80}",
        )

    def _rehearse(self, host: Host) -> Result:
        asked = host.ask(certbot.rehearsal(self.directory), timeout=self.deadline - 10)
        rows = sanitise.lines(asked.out + asked.err, width=500, limit=60)
        expected = f"{self.directory} would renew the certificate"
        if asked.code == 127:
            fix = "The administrator: mailwizard apply -a ANSWERS certificates"
            return failed("certbot, which renews it, is not installed", expected, fix)
        if asked.ok:
            return passed("the rehearsal succeeded, and the daemons will be told", rows)
        refusal = certbot.refusal(host, asked.out + asked.err, self.directory)
        verdict = failed if refusal.judged else unknown
        result = verdict(f"no renewal: {refusal.said}", expected, refusal.fix)
        return replace(result, transcript=rows)
