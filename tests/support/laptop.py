"""Somebody's computer: mail programs and scanners, and the private authority imported."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from lab import images
from lab.host import Host
from lab.internet import Internet
from lab.layers import Layer
from support import mail_program
from support.applied import LOGIN, PASSWORD

# socat and hexdump are what testssl.sh asks with, Net::SSLeay is what swaks does
PACKAGES = (
    "python3 swaks libnet-ssleay-perl curl isync testssl.sh openssl socat bsdextrautils procps"
)
AUTHORITY = "/etc/ssl/mailwizard/ca.pem"
IMPORTED = "/usr/local/share/ca-certificates/mail.crt"
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
PROGRAM = "/opt/mail_program.py"


def layer(internet: Internet) -> Layer:
    """Give a current desktop's Debian with all those programs."""
    base = images.base("trixie")
    return images.layer(base, "laptop", PACKAGES, _install, internet.network)


def _install(host: Host) -> None:
    install = f"apt-get install -y --no-install-recommends {PACKAGES}"
    host.run("apt-get update", timeout=300)
    host.run(install, env={"DEBIAN_FRONTEND": "noninteractive"}, timeout=600)
    host.run("apt-get clean")


class Laptop:
    """The computer of somebody who has an account on the mail server, and knows its password."""

    def __init__(self, host: Host) -> None:
        self.host = host
        host.put(Path(mail_program.__file__), PROGRAM)

    def trust(self, server: Host) -> None:
        """Import the server's authority, as its administrator is told to."""
        self.host.put(server.get(AUTHORITY), IMPORTED)
        self.host.run(["update-ca-certificates"])

    def submit(
        self,
        sender: str,
        to: str,
        message: bytes,
        *,
        port: int = 465,
        user: str = LOGIN,
    ) -> tuple[int, str]:
        """Hand in a message with Python's smtplib; 250, or how the server refused."""
        wish = {"port": port, "user": user, "sender": sender, "to": to}
        done = self._ask("submit", **wish, message=base64.b64encode(message).decode())
        return done["code"], done["said"]

    def fetch(self, subject: str, user: str = LOGIN) -> bytes:
        """Wait for a message in the INBOX with Python's imaplib; empty when it does not come."""
        return base64.b64decode(self._ask("fetch", user=user, subject=subject)["message"])

    def pop(self, user: str = LOGIN) -> list[bytes]:
        """Give the mailbox as Python's poplib reads it."""
        return [base64.b64decode(data) for data in self._ask("pop", user=user)["messages"]]

    def _ask(self, what: str, **wish: Any) -> dict[str, Any]:
        asked = json.dumps({"what": what, "password": PASSWORD, **wish})
        done = self.host.run(["python3", PROGRAM], input=asked)
        heard: dict[str, Any] = json.loads(done.stdout)
        return heard
