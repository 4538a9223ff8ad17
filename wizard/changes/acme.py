"""Certificates from an ACME authority by certbot: rehearsed first, renewed and deployed by itself."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.changes import previews
from mailwizard.changes.certificates import names_in
from mailwizard.errors import CommandFailed, ProofFailed
from mailwizard.model import Completed, Host, Look, Preview, Subject
from mailwizard.subjects import AcmeLineage

NAME = "mailwizard"
LIVE = f"/etc/letsencrypt/live/{NAME}"
SECONDS = 300
LEAST_SECONDS = 7 * 86400
PORT_80 = (
    "Port 80 must be free for a moment, or name the web server's folder as `webroot`. "
    "To see who holds it: ss -ltnp 'sport = :80'"
)


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
        chain = f"{LIVE}/fullchain.pem"
        if look.state(chain).kind == "absent" or names_in(look, chain) != set(self.names):
            return True
        lasts = ["openssl", "x509", "-in", chain, "-noout", "-checkend", str(LEAST_SECONDS)]
        return not look.ask(lasts).ok

    def preview(self, look: Look) -> Preview:
        rehearsal = [self._certbot(self.staging, "--dry-run")] if self.staging else []
        return previews.commands(*rehearsal, self._certbot(self.directory))

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (AcmeLineage(NAME),)

    def apply(self, host: Host) -> None:
        if self.staging:
            self._ask(host, self._certbot(self.staging, "--dry-run"), "the rehearsal authority")
        self._ask(host, self._certbot(self.directory, "--force-renewal"), "the authority")

    def shell(self, look: Look) -> str:
        return shlex.join(["acme_certificate", *self.names, "--", *self._certbot(self.directory)])

    def _ask(self, host: Host, argv: Sequence[str], whom: str) -> None:
        try:
            host.run(argv, timeout=SECONDS)
        except CommandFailed as failed:
            raise ProofFailed(f"{whom} gave no certificate", failed.tail, hint=PORT_80) from failed

    def _certbot(self, directory: str, *more: str) -> list[str]:
        how = ["--webroot", "--webroot-path", self.webroot] if self.webroot else ["--standalone"]
        who = ["--email", self.email, "--no-eff-email"] if self.email else []
        names = [word for name in self.names for word in ("--domain", name)]
        return [
            *("certbot", "certonly", "--non-interactive", "--agree-tos"),
            *("--cert-name", NAME, "--server", directory, "--key-type", "ecdsa"),
            *(who or ["--register-unsafely-without-email"]),
            *how,
            *names,
            *more,
        ]


def renewal(look: Look) -> Completed:
    """A renewal tried without keeping its result."""
    argv = ["certbot", "renew", "--cert-name", NAME, "--dry-run", "--no-random-sleep-on-renew"]
    return look.ask(argv, timeout=SECONDS)
