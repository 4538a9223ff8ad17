"""Dovecot's own files and words, right, wrong and neither."""

from __future__ import annotations

from typing import Any

import pytest
from support.recorded import RecordedHost, Written

from mailwizard import probes
from mailwizard.model import Completed, FileState, Outcome, SecretRef

PASS, FAIL, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN
NEW = b"# comment\ndovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\nx = y\n"
OLD = b"!include_try x\nprotocols = imap\n"


@pytest.mark.parametrize(
    ("wanted", "version", "conf", "errors", "outcome"),
    [
        ("2.4", "2.4.1-4 (7d8c0e5759)", NEW, "", PASS),
        ("2.3", "2.3.19.1 (9b53102964)", OLD, "", PASS),
        ("2.4", "2.3.19.1 (9b53102964)", OLD, "", FAIL),
        ("2.4", "2.4.1-4 (7d8c0e5759)", OLD, "", FAIL),
        ("2.3", "2.3.19.1 (9b53102964)", NEW, "", FAIL),
        ("2.4", "2.4.1-4 (7d8c0e5759)", NEW, "doveconf: Warning: obsolete setting", FAIL),
        ("2.4", "", NEW, "", UNKNOWN),
    ],
)
def test_syntax(wanted: str, version: str, conf: bytes, errors: str, outcome: Outcome) -> None:
    host = RecordedHost(files={"/etc/dovecot/dovecot.conf": Written(conf)})
    host.answers["dovecot --version"] = Completed((), 0, f"{version}\n")
    host.answers["doveconf -n"] = Completed((), 0, "", errors)
    assert probes.DovecotSyntax(wanted).ask(host).outcome is outcome


@pytest.mark.parametrize(
    ("version", "text", "told"),
    [
        ("2.4.1-4 (7d8c0e5759)", "ssl_cert = <x\n", True),
        ("2.3.19.1 (9b53102964)", "ssl_server_cert_file = x\n", True),
        ("2.4.1-4 (7d8c0e5759)", "ssl_server_cert_file = x\n", False),
    ],
)
def test_files_of_before_an_upgrade_are_the_cause(version: str, text: str, told: bool) -> None:
    ours = "/etc/dovecot/conf.d/99-mailwizard-tls.conf"
    host = RecordedHost(files={ours: Written(text.encode())})
    host.answers["dovecot --version"] = Completed((), 0, f"{version}\n")
    host.answers["doveconf -n"] = Completed((), 89, "", "doveconf: Fatal: Unknown setting")
    result = probes.DovecotSyntax(version[:3]).ask(host)
    assert result.outcome is FAIL
    assert ("99-mailwizard-tls.conf is written for another one" in result.said) is told


def test_without_doveconf_nothing_is_known_of_the_syntax() -> None:
    host = RecordedHost(files={"/etc/dovecot/dovecot.conf": Written(NEW)})
    host.answers["dovecot --version"] = Completed((), 0, "2.4.1-4 (7d8c0e5759)\n")
    host.answers["doveconf -n"] = Completed((), 127)
    result = probes.DovecotSyntax("2.4").ask(host)
    assert result.outcome is UNKNOWN
    assert "missing" in result.said


class SocketHost(RecordedHost):
    """A host with a socket of that mode and owner."""

    def __init__(self, about: FileState) -> None:
        super().__init__()
        self.about = about

    def state(self, path: str) -> FileState:
        return self.about


@pytest.mark.parametrize(
    ("about", "outcome"),
    [
        (FileState("other", 0o660, 101, 103), PASS),
        (FileState("other", 0o600, 101, 103), PASS),
        (FileState("other", 0o600, 101, 100), PASS),
        (FileState("other", 0o660, 101, 100), FAIL),
        (FileState("other", 0o666, 101, 103), FAIL),
        (FileState("other", 0o660, 0, 0), FAIL),
        (FileState("file", 0o660, 101, 103), FAIL),
        (FileState("absent"), FAIL),
    ],
)
def test_socket(about: FileState, outcome: Outcome) -> None:
    host = SocketHost(about)
    probe = probes.AuthSocket("/var/spool/postfix/private/auth")
    assert probe.ask(host).outcome is UNKNOWN
    passwd = "postfix:x:101:103::/var/spool/postfix:/bin/false\n"
    host.answers["getent passwd postfix"] = Completed((), 0, passwd)
    result = probe.ask(host)
    assert result.outcome is outcome
    assert outcome is PASS or "0660" in result.expected


class Passwords(RecordedHost):
    """doveadm(1) that knows these logins."""

    def __init__(self, known: dict[str, str], broken: str = "") -> None:
        super().__init__(secrets={"PW": "s3cr3t"})
        self.known, self.broken = known, broken

    def ask(self, argv: Any, *, stdin: str = "", **options: Any) -> Completed:
        self.asked.append(tuple(argv))
        self.stdin.append(stdin)
        if self.broken:
            return Completed(tuple(argv), 75, "", self.broken)
        ok = self.known.get(argv[-1]) in (stdin.strip(), "*")
        said = f"passdb: {argv[-1]} auth {'succeeded' if ok else 'failed'}\n"
        return Completed(tuple(argv), 0 if ok else 77, said if ok else "", "" if ok else said)


BOTH = {"alice": "s3cr3t", "alice@example.test": "s3cr3t"}


@pytest.mark.parametrize(
    ("known", "broken", "outcome"),
    [
        (BOTH, "", PASS),
        ({"alice": "s3cr3t"}, "", FAIL),
        ({"alice": "other", "alice@example.test": "other"}, "", FAIL),
        ({"alice": "*", "alice@example.test": "*"}, "", FAIL),
        (BOTH, "Error: Couldn't connect to auth socket", UNKNOWN),
    ],
)
def test_passwords(known: dict[str, str], broken: str, outcome: Outcome) -> None:
    host = Passwords(known, broken)
    result = probes.AuthTest((("alice", SecretRef(env="PW")),), "example.test").ask(host)
    assert result.outcome is outcome, result
    # nobody on the host can read it from the process list, nor anybody from what is shown
    assert "s3cr3t" not in repr(host.asked)
    assert "s3cr3t" not in repr(result)
    assert "s3cr3t\n" in host.stdin
