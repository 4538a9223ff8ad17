"""What a mail program meets on a host's ports: the certificate that is really served."""

from __future__ import annotations

import smtplib
import ssl
import time
from collections.abc import Sequence
from hashlib import sha256

from lab.host import Host

PORTS = (25, 465, 587, 993)


def served(host: Host, port: int) -> str:
    """Give the fingerprint of the certificate on a port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if port in (25, 587):
        with smtplib.SMTP(host.address, port, "laptop.example.test", timeout=20) as talk:
            talk.starttls(context=context)
            assert isinstance(talk.sock, ssl.SSLSocket)
            return sha256(talk.sock.getpeercert(True) or b"").hexdigest()
    pem = ssl.get_server_certificate((host.address, port), timeout=20)
    return sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def on_disk(host: Host, chain: str) -> str:
    """Give the fingerprint of the first certificate in a file."""
    first, end, _ = host.get(chain).decode().partition("-----END CERTIFICATE-----")
    return sha256(ssl.PEM_cert_to_DER_cert(first + end)).hexdigest()


def serves(host: Host, chain: str, ports: Sequence[int] = PORTS, timeout: float = 60) -> bool:
    """Tell whether the ports serve what is on disk, as soon as a reload is over."""
    deadline, wanted = time.monotonic() + timeout, {on_disk(host, chain)}
    while {served(host, port) for port in ports} != wanted:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
