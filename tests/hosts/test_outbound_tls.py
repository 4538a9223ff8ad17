"""Mail to others is encrypted where they can, sent where they cannot, and kept where it must be.

What `smtp_tls_security_level = may` does with each kind of server (RFC 7435), and what a policy of
the administrator's own adds. DANE and MTA-STS are not offered. And from which address mail leaves.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lab.host import Host
from lab.internet import Internet
from lab.mailhosts import MailHost
from support import suites
from support.applied import ANSWERS, UNFILTERED, Prepared
from support.program import Program

SELF_SIGNED = """
openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=somebody.invalid \
  -keyout /etc/lab/self.key -out /etc/lab/self.pem
"""
suite = suites.one_host_each("clients")


@pytest.fixture(scope="module")
def host(prepared: Prepared, internet: Internet, suite: str) -> Iterator[Host]:
    """Give a host that sends directly, and trusts the lab's authority."""
    with prepared.applied_host(suite, UNFILTERED) as made:
        internet.trust(made)
        made.run("systemctl restart postfix")
        internet.foreign.clear()
        internet.other.clear()
        yield made


@contextmanager
def settings(server: MailHost, **wanted: str) -> Iterator[None]:
    """Let another's Postfix be set otherwise for a while."""
    kept = server.host.get("/etc/postfix/main.cf")
    server.host.run(["postconf", "-e", *(f"{name}={value}" for name, value in wanted.items())])
    server.host.run("postfix reload")
    try:
        yield
    finally:
        server.host.put(kept, "/etc/postfix/main.cf")
        server.host.run("postfix reload")


def send(host: Host, to: str, subject: str) -> None:
    message = f"Subject: {subject}\nTo: {to}\n\nhello\n"
    host.run(["sendmail", "-i", "--", to], input=message, user="alice")


def sent(host: Host, to: MailHost, subject: str) -> str:
    """Send a message, wait until it is there, and give how it came (its Received header)."""
    send(host, f"somebody@{to.domain}", subject)
    got = to.wait_for(lambda message: message["Subject"] == subject)
    return str(got.get_all("Received", [])[0])


def tls_lines(host: Host, server: str) -> list[str]:
    """Give how far Postfix trusted that server, the oldest connection first."""
    log = host.run("journalctl -q -o cat -t postfix/smtp").stdout
    return re.findall(rf"(\w+) TLS connection established to {re.escape(server)}\[", log)


def waits(host: Host, to: str, timeout: float = 60) -> str:
    """Give why a message is kept back."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for line in host.run(["postqueue", "-j"]).stdout.splitlines():
            if to in line and (reason := re.search(r'"delay_reason": "([^"]*)"', line)):
                return reason[1]
        time.sleep(0.1)
    raise AssertionError(f"nothing to {to} was put off")


def test_a_server_with_a_good_certificate_is_trusted(host: Host, internet: Internet) -> None:
    assert "with ESMTPS" in sent(host, internet.other, "good")
    assert tls_lines(host, internet.other.name)[-1] == "Trusted"


def test_a_self_signed_server_gets_its_mail_encrypted(host: Host, internet: Internet) -> None:
    internet.foreign.host.run(SELF_SIGNED)
    own = {"smtpd_tls_cert_file": "/etc/lab/self.pem", "smtpd_tls_key_file": "/etc/lab/self.key"}
    with settings(internet.foreign, **own):
        assert "with ESMTPS" in sent(host, internet.foreign, "self-signed")
    assert tls_lines(host, internet.foreign.name)[-1] == "Untrusted"


def test_a_server_without_encryption_gets_its_mail(host: Host, internet: Internet) -> None:
    before = len(tls_lines(host, internet.foreign.name))
    with settings(internet.foreign, smtpd_tls_security_level="none"):
        assert re.search(r"with ESMTP\b", sent(host, internet.foreign, "in clear"))
    assert len(tls_lines(host, internet.foreign.name)) == before


def test_a_policy_keeps_mail_from_a_server_with_the_wrong_name(
    host: Host, internet: Internet
) -> None:
    # the MX of strict.test is mx.other.test, whose certificate does not name strict.test
    policy = "smtp_tls_policy_maps=inline:{ other.test=secure, strict.test=secure }"
    kept = host.get("/etc/postfix/main.cf")
    host.run(["postconf", "-e", policy])
    host.run("postfix reload")
    try:
        assert "with ESMTPS" in sent(host, internet.other, "by policy")
        assert tls_lines(host, internet.other.name)[-1] == "Verified"
        send(host, "somebody@strict.test", "to the wrong server")
        assert "not verified" in waits(host, "somebody@strict.test")
        assert all(one["Subject"] != "to the wrong server" for one in internet.other.received())
    finally:
        host.put(kept, "/etc/postfix/main.cf")
        host.run("postfix reload; postsuper -d ALL")


def test_mail_leaves_over_ipv6_only_from_an_address_that_was_answered(
    host: Host, internet: Internet
) -> None:
    given = host.get(ANSWERS).decode()
    host.run("postconf -e smtp_address_preference=ipv6; postfix reload")
    # the lab's own addresses are not global
    host.run("ip addr add 2a01:4f8:1:2::3/128 dev eth0 nodad")
    hidden = given.replace(f'address6 = "{host.address6}"', 'address6 = ""')
    for answered, option, source in (
        (given, f"smtp_bind_address6 = {host.address6}", f"[IPv6:{host.address6}]"),
        (hidden, "inet_protocols = ipv4", f"[{host.address}]"),
    ):
        host.put(answered, ANSWERS)
        done = Program(host).apply("postfix")
        assert done.status == 0, done.stdout[-4000:] + done.stderr
        assert f"smtp/unix/{option}\n" in host.run("postconf -P").stdout
        assert source in sent(host, internet.foreign, f"from {source}")
