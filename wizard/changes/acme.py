"""Certificates from an ACME authority by certbot: rehearsed, got, renewed and deployed."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailwizard import certbot
from mailwizard.certbot import HOOK, LIVE, looks_after
from mailwizard.changes import previews
from mailwizard.errors import CommandFailed, HostRefused, ProofFailed
from mailwizard.model import Host, Look, Preview, Subject
from mailwizard.probes.deadline import CannotAsk
from mailwizard.subjects import AcmeLineage

__all__ = ["HOOK", "LIVE", "AcmeCertificate", "looks_after"]

SECONDS = 300
LEAST_SECONDS = 7 * 86400


@dataclass(frozen=True, slots=True)
class AcmeCertificate:
    """certbot holds a certificate for exactly these names, and knows how to renew it.

    directory: the authority's ACME directory; staging: another one where the same is tried first,
    so that a mistake does not use up the real one's limits; webroot: empty for a server of
    certbot's own on port 80.
    """

    names: tuple[str, ...]
    directory: str
    email: str
    staging: str = ""
    webroot: str = ""

    @property
    def title(self) -> str:
        return f"get a certificate for {', '.join(self.names)}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        from mailwizard.probes.certificate import inspect

        try:
            held = inspect(look, f"{LIVE}/fullchain.pem")
        except CannotAsk:
            return True
        if set(held.names) != set(self.names) or not self._renewed_so(look):
            return True
        # some authorities give them for days or hours only
        least = min(LEAST_SECONDS, (held.ends - held.begins) / 4)
        return held.ends - time.time() < least

    def preview(self, look: Look) -> Preview:
        return previews.commands(*(argv for argv, _, _ in self._tries()))

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (AcmeLineage(certbot.NAME),)

    def barred(self, look: Look) -> str:
        """Why it cannot be got as things stand, and the way out; empty where it need not be."""
        taken = self._port_taken(look)
        with contextlib.suppress(HostRefused):  # root alone sees what certbot has
            if taken and self.needed(look):
                return f"{taken}. {certbot.PORT_80}"
        return ""

    def _port_taken(self, look: Look) -> str:
        holder = "" if self.webroot else certbot.who_holds_port_80(look)
        return holder and f"port 80 is held by {holder}, and the authority wants an answer there"

    def apply(self, host: Host) -> None:
        if taken := self._port_taken(host):
            raise ProofFailed(taken, hint=certbot.PORT_80)
        # before an authority is asked, which counts its refusals
        if missing := certbot.nameless(host, self.names):
            said = f"no certificate: no address in the DNS for {', '.join(missing)}"
            raise ProofFailed(said, hint=certbot.NO_ADDRESS)
        for name in self.names if self.webroot else ():
            if denied := certbot.denied_here(host, name):
                raise ProofFailed(denied.said, hint=denied.fix)
        for argv, directory, failure in self._tries():
            try:
                host.run(argv, timeout=SECONDS)
            except CommandFailed as failed:
                found = certbot.refusal(host, "\n".join(failed.tail), directory)
                said = f"{failure}: {found.said}"
                raise ProofFailed(said, failed.tail, hint=found.fix) from failed

    def shell(self, look: Look) -> str:
        return shlex.join(["acme_certificate", *self.names, "--", *self._certbot(self.directory)])

    def _renewed_so(self, look: Look) -> bool:
        """Whether a renewal asks the same authority in the same way."""
        noted = certbot.settings(look)
        way = ("webroot", self.webroot) if self.webroot else ("standalone", "")
        how = (noted.get("authenticator"), noted.get("webroot_path", ""))
        return noted.get("server") == self.directory and how == way

    def _tries(self) -> Iterator[tuple[list[str], str, str]]:
        """Each command, whom it asks, and what it means when it fails."""
        if self.staging:
            rehearsal = self._certbot(self.staging, "--dry-run")
            yield rehearsal, self.staging, "no certificate in the rehearsal"
        real = self._certbot(self.directory, "--force-renewal")
        yield real, self.directory, "no certificate"

    def _certbot(self, directory: str, *more: str) -> list[str]:
        # whoever takes a name out or adds one means it
        options = ("--renew-with-new-domains", *more)
        return certbot.certonly(self.names, directory, self.email, self.webroot, *options)
