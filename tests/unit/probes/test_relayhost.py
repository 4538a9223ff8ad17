"""The relay is judged as Postfix meets it, and hears no password before it has proved its name."""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.fake_servers import FakeServer
from support.recorded import RecordedHost

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Result

PASSWORD = "c0rrect: horse\\ ü"
TOKEN = base64.b64encode(f"\0customer\0{PASSWORD}".encode()).decode()
WORD = base64.b64encode(PASSWORD.encode()).decode()


class RelayHost(RecordedHost):
    """A host whose Postfix has these tables."""

    table: dict[str, str]
    policy = ""

    def ask(self, argv: Sequence[str], *, stdin: str = "", **options: Any) -> Completed:
        if argv[0] == "postconf":
            maps = {"smtp_sasl_password_maps": "hash:/p", "smtp_tls_policy_maps": "hash:/t"}
            out = "".join(f"{name} = {value}\n" for name, value in maps.items())
            return Completed(tuple(argv), 0, f"{out}smtp_tls_security_level = may\n")
        if argv[0] == "postmap":
            found = self.table.get(argv[2], "") if argv[3] == "hash:/p" else self.policy
            return Completed(tuple(argv), 0 if found else 1, f"{found}\n" if found else "")
        return super().ask(argv, stdin=stdin, **options)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an authority, a certificate for 127.0.0.1, and one for another name."""
    folder = tmp_path_factory.mktemp("authority")
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9"
    commands = [
        f"{new} -x509 -subj /CN=authority -keyout ca.key -out ca.pem",
        *(
            f"{new} -x509 -CA ca.pem -CAkey ca.key -subj /CN=relay -addext subjectAltName={name} "
            f"-addext basicConstraints=CA:FALSE -keyout {file}.key -out {file}.crt"
            for file, name in (("right", "IP:127.0.0.1"), ("wrong", "DNS:elsewhere.example"))
        ),
        "cat right.crt right.key >right.pem; cat wrong.crt wrong.key >wrong.pem",
    ]
    for command in commands:
        subprocess.run(["sh", "-ec", command], cwd=folder, check=True, capture_output=True)
    return folder


class Talk:
    """A relay that offers and answers as it is told, and keeps what it heard."""

    def __init__(self, chain: Path, wrapped: bool = False, /, **said: str) -> None:
        self.chain, self.wrapped, self.heard = chain, wrapped, list[str]()
        self.said = {
            "offer": "AUTH PLAIN LOGIN",
            "auth": "235 welcome",
            "mail": "250 ok",
            "starttls": "STARTTLS",
        } | said

    def __call__(self, connection: socket.socket) -> None:
        sock = self._secure(connection) if self.wrapped else connection
        sock.sendall(b"220 relay ESMTP\r\n")
        buffer = b""
        while data := sock.recv(4096):
            buffer += data
            while b"\r\n" in buffer:
                line, _, buffer = buffer.partition(b"\r\n")
                self.heard.append(line.decode())
                verb = line.decode().split()[0].upper()
                sock.sendall((self._answer(verb, sock) + "\r\n").encode())
                if verb == "STARTTLS":
                    sock = self._secure(sock)

    def _secure(self, sock: socket.socket) -> socket.socket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        return context.wrap_socket(sock, server_side=True)

    def _answer(self, verb: str, sock: socket.socket) -> str:
        secure = isinstance(sock, ssl.SSLSocket)
        answers = {
            "EHLO": f"250-relay\r\n250 {self.said['offer' if secure else 'starttls']}",
            "STARTTLS": "220 go on",
            "AUTH": "334 VXNlcm5hbWU6" if self.heard[-1] == "AUTH LOGIN" else self.said["auth"],
            "MAIL": self.said["mail"],
            "RSET": "250 ok",
            "QUIT": "221 bye",
            base64.b64encode(b"customer").decode().upper(): "334 UGFzc3dvcmQ6",
        }
        return answers.get(verb, self.said["auth"])


def asked(talk: Talk, authority: Path, value: str = f"customer:{PASSWORD}") -> Result:
    """Ask with what Postfix finds for the relay."""
    with FakeServer(talk) as server:
        hop = f"[127.0.0.1]:{server.port}"
        host = RelayHost()
        host.table = {hop: value} if value else {}
        probe = probes.RelayTakesUs(
            hop,
            wrapped=talk.wrapped,
            key=hop,
            helo="mail.example.test",
            sender="alice@example.test",
            authority=str(authority / "ca.pem"),
        )
        assert probe.id == "OUT-03"
        result = probe.ask(host)
    shown = "\n".join((result.said, result.fix, *result.transcript))
    assert PASSWORD not in shown
    assert TOKEN not in shown
    assert WORD not in shown
    return result


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("offer", ["AUTH PLAIN LOGIN", "AUTH LOGIN XOAUTH2"])
def test_a_login_over_verified_tls(authority: Path, wrapped: bool, offer: str) -> None:
    talk = Talk(authority / "right.pem", wrapped, offer=offer)
    result = asked(talk, authority)
    assert result.outcome is Outcome.PASS, result
    assert f"AUTH PLAIN {TOKEN}" in talk.heard or WORD in talk.heard
    assert "MAIL FROM:<alice@example.test>" in talk.heard
    assert not any(line.startswith(("RCPT", "DATA")) for line in talk.heard)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_certificate_for_another_name(authority: Path, wrapped: bool) -> None:
    talk = Talk(authority / "wrong.pem", wrapped)
    result = asked(talk, authority)
    assert result.outcome is Outcome.FAIL
    assert "does not prove 127.0.0.1" in result.said
    assert "no password was sent" in result.said
    assert not any("AUTH" in line for line in talk.heard)


def test_an_authority_that_nobody_trusts(authority: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes((authority / "wrong.crt").read_bytes())
    talk = Talk(authority / "right.pem")
    result = asked(talk, tmp_path)
    assert result.outcome is Outcome.FAIL
    assert not any("AUTH" in line for line in talk.heard)


Case = tuple[dict[str, str], Outcome, str]
CASES: list[Case] = [
    ({"starttls": "AUTH PLAIN"}, Outcome.FAIL, "offers no encryption"),
    ({"offer": "AUTH XOAUTH2"}, Outcome.FAIL, "no login that can be used: XOAUTH2"),
    ({"offer": "SIZE"}, Outcome.FAIL, "no login that can be used: none"),
    ({"auth": "535 5.7.8 wrong"}, Outcome.FAIL, "refuses the login of customer: 535 5.7.8 wrong"),
    ({"auth": "454 4.7.0 later"}, Outcome.UNKNOWN, "puts the login off"),
    ({"mail": "550 not you"}, Outcome.WARN, "takes no mail from alice@example.test"),
    ({"auth": f"535 no {PASSWORD} {TOKEN} {WORD}"}, Outcome.FAIL, "refuses the login"),
]


@pytest.mark.parametrize(("said", "outcome", "words"), CASES)
def test_what_a_relay_may_answer(
    authority: Path, said: dict[str, str], outcome: Outcome, words: str
) -> None:
    result = asked(Talk(authority / "right.pem", **said), authority)
    assert result.outcome is outcome, result
    assert words in result.said


def test_no_entry_under_the_words_of_relayhost(authority: Path) -> None:
    talk = Talk(authority / "right.pem")
    result = asked(talk, authority, value="")
    assert result.outcome is Outcome.FAIL
    assert "finds no password" in result.said
    assert talk.heard == []


def test_nobody_listens(authority: Path) -> None:
    host = RelayHost()
    host.table = {}
    result = probes.RelayTakesUs("[127.0.0.1]:1").ask(host)
    assert result.outcome is Outcome.FAIL
    assert "nobody listens" in result.said


def test_without_a_login_any_certificate_will_do(authority: Path) -> None:
    talk = Talk(authority / "wrong.pem")
    with FakeServer(talk) as server:
        host = RelayHost()
        host.table = {}
        result = probes.RelayTakesUs(f"[127.0.0.1]:{server.port}").ask(host)
    assert result.outcome is Outcome.PASS
    assert "STARTTLS" in talk.heard


FINGER: list[tuple[str, Outcome]] = [
    ("Verified TLS connection established to smtp.example.net[192.0.2.1]:587", Outcome.PASS),
    ("Trusted TLS connection established to smtp.example.net[192.0.2.1]:587", Outcome.FAIL),
    ("Untrusted TLS connection established to smtp.example.net[192.0.2.1]:587", Outcome.FAIL),
    ("Failed to establish session: connect timed out", Outcome.PASS),
]


@pytest.mark.parametrize(("line", "outcome"), FINGER)
def test_postfix_itself_is_asked(line: str, outcome: Outcome) -> None:
    host = RelayHost()
    host.policy = "secure match=smtp.example.net"
    host.programs = {"posttls-finger": lambda look, argv, stdin: Completed(tuple(argv), 0, line)}
    result = probes.RelayTlsEnforced("[smtp.example.net]:587").ask(host)
    assert result.outcome is outcome, result
    assert any(line in row for row in result.transcript)


POLICIES: list[tuple[str, bool, Outcome]] = [
    ("secure match=smtp.example.net protocols=>=TLSv1.2", True, Outcome.PASS),
    ("secure", True, Outcome.PASS),
    ("secure match=nexthop:dot-nexthop", True, Outcome.PASS),
    ("fingerprint match=AA:BB", True, Outcome.PASS),
    ("secure match=.example.com", True, Outcome.FAIL),
    ("encrypt", True, Outcome.FAIL),
    ("may", True, Outcome.FAIL),
    ("none", True, Outcome.FAIL),
    ("", True, Outcome.FAIL),
    ("", False, Outcome.PASS),
    ("encrypt", False, Outcome.PASS),
]


@pytest.mark.parametrize(("policy", "login", "outcome"), POLICIES)
def test_only_a_proved_name_is_shown_a_password(policy: str, login: bool, outcome: Outcome) -> None:
    host = RelayHost()
    host.policy = policy
    result = probes.RelayTlsEnforced("[smtp.example.net]:587", login=login).ask(host)
    assert result.outcome is outcome, result
