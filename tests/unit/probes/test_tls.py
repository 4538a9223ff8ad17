"""Each probe of TLS against ports that are right, wrong and neither; the hand-made handshake."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import fake_servers
from support.fake_mail import NAME, FakeSubmission, Pki, make_pki
from support.fake_servers import FakeServer
from support.recorded import RecordedHost, Written

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Probe
from mailwizard.probes import suites, tls
from mailwizard.probes.connect import connect
from mailwizard.probes.deadline import Deadline
from mailwizard.probes.vantage import Seat

PASS, WARN, FAIL, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN
HERE = "127.0.0.1"
MODERN = "ECDHE+AESGCM:ECDHE+CHACHA20"
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl(1)")


def speaks(
    pki: Pki,
    lowest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ciphers: str = MODERN,
    strict: bool = False,
    curve: str = "",
) -> FakeServer:
    """A port that speaks these versions and suites."""

    def refuse(_: object, name: str | None, __: object) -> int | None:
        return None if name == NAME else ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE

    def talk(connection: socket.socket) -> None:
        context = pki.context()
        context.set_ciphers(ciphers)
        context.minimum_version, context.maximum_version = lowest, highest
        if curve:
            context.set_ecdh_curve(curve)
        if strict:
            context.sni_callback = refuse
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    return FakeServer(talk)


V = ssl.TLSVersion
OLD = "ALL:@SECLEVEL=0"


@pytest.mark.parametrize(
    ("lowest", "highest", "ciphers", "outcome"),
    [
        (V.TLSv1_2, V.TLSv1_3, MODERN, PASS),
        (V.TLSv1_2, V.TLSv1_2, MODERN, WARN),
        (V.TLSv1, V.TLSv1_3, OLD, FAIL),
        (V.TLSv1, V.TLSv1_1, OLD, FAIL),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_versions(pki: Pki, lowest: Any, highest: Any, ciphers: str, outcome: Outcome) -> None:
    with speaks(pki, lowest, highest, ciphers) as server:
        result = probes.TlsVersions(server.port, "", server=HERE).ask(RecordedHost())
    assert result.outcome is outcome, result
    assert any("ClientHello" in line for line in result.transcript)


@pytest.mark.parametrize(
    ("ciphers", "outcome"),
    [(MODERN, PASS), ("ECDHE+AES", WARN), ("AECDH:ECDHE+AESGCM:@SECLEVEL=0", FAIL)],
)
def test_suites(pki: Pki, ciphers: str, outcome: Outcome) -> None:
    with speaks(pki, ciphers=ciphers) as server:
        result = probes.TlsSuites(server.port, "", server=HERE).ask(RecordedHost())
    assert result.outcome is outcome, result


def test_every_suite_that_the_server_has_is_found(pki: Pki) -> None:
    context = pki.context()
    context.set_ciphers(MODERN)
    # of TLS 1.2 those that fit our key, of 1.3 all
    has = [one["name"] for one in context.get_ciphers()]
    fit = {name for name in has if "ECDSA" in name or name.startswith("TLS_")}
    with speaks(pki) as server:
        result = probes.TlsSuites(server.port, "", server=HERE).ask(RecordedHost())
    assert {line for line in result.transcript if line in has} == fit


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("TLS_AES_128_GCM_SHA256", PASS),
        ("ECDHE-RSA-CHACHA20-POLY1305", PASS),
        ("ECDHE-RSA-AES128-SHA256", WARN),
        ("ECDHE-ECDSA-AES128-CCM8", WARN),
        ("DHE-RSA-AES256-GCM-SHA384", WARN),
        ("AES256-GCM-SHA384", FAIL),
        ("AECDH-AES256-SHA", FAIL),
        ("ECDHE-RSA-NULL-SHA", FAIL),
        ("RC4-SHA", FAIL),
        ("EXP-DES-CBC-SHA", FAIL),
        ("ECDHE-RSA-DES-CBC3-SHA", FAIL),
    ],
)
def test_grades(name: str, outcome: Outcome) -> None:
    code = next(code for code, known in suites.NAMES.items() if known == name)
    assert suites.grade(code) is outcome


def renegotiation(port: int, said: str) -> RecordedHost:
    look = RecordedHost()
    look.programs["sh"] = lambda *_: Completed((), 0, said)
    return look


@pytest.mark.parametrize(
    ("said", "outcome", "words"),
    [
        ("New, Cipher is X\nRENEGOTIATING\n40:error:no renegotiation", PASS, "not by the client"),
        ("New, Cipher is X\nRENEGOTIATING\ndepth=0 CN = x\nverify return:1", FAIL, "renegotiate"),
        ("connect: refused", UNKNOWN, "could not be seen"),
    ],
)
def test_extras(pki: Pki, said: str, outcome: Outcome, words: str) -> None:
    with speaks(pki) as server:
        probe = probes.TlsExtras(server.port, "", server=HERE)
        result = probe.ask(renegotiation(server.port, said))
    assert result.outcome is outcome, result
    assert words in result.said


def test_sha1_signatures_are_seen(pki: Pki) -> None:
    with speaks(pki, ciphers=f"{MODERN}:@SECLEVEL=0") as server:
        result = probes.TlsExtras(server.port, "", server=HERE).ask(renegotiation(0, ""))
    assert result.outcome is WARN, result
    assert "SHA-1" in result.said


@pytest.mark.parametrize(
    ("curve", "port", "outcome", "words"),
    [
        ("", 0, PASS, "X25519, P-256, P-384"),
        ("prime256v1", 0, PASS, "taken: P-256, nothing weaker"),
        ("secp521r1", 0, FAIL, "only P-521"),
        ("secp224r1", 0, FAIL, "weak curves are taken: P-224"),
        ("secp224r1", 25, WARN, "weak curves are taken: P-224"),
    ],
)
def test_curves(
    pki: Pki,
    curve: str,
    port: int,
    outcome: Outcome,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with speaks(pki, curve=curve) as server:
        if port:

            def there(address: str, _port: int, clock: Deadline, *_: object) -> socket.socket:
                return connect(address, server.port, clock)

            monkeypatch.setattr("mailwizard.probes.vantage.connect", there)
        result = probes.TlsGroups(port or server.port, "", server=HERE).ask(RecordedHost())
    assert result.outcome is outcome, result
    assert words in result.said


def chain(pki: Pki, name: str = NAME, trust: str = "") -> Callable[[int], Probe]:
    return lambda port: probes.ServedChain(port, "", name, trust or pki.ca, server=HERE)


def test_chains(pki: Pki, tmp_path: Path) -> None:
    other = make_pki(tmp_path)
    for make, outcome in (
        (chain(pki), PASS),
        (chain(pki, "other.example.test"), FAIL),
        (chain(pki, trust=other.ca), FAIL),
        (chain(pki, trust=str(tmp_path / "none.pem")), UNKNOWN),
        (lambda port: probes.ServedChain(port, "", NAME, server=HERE), FAIL),
    ):
        with speaks(pki) as server:
            result = make(server.port).ask(RecordedHost())
        assert result.outcome is outcome, result


def test_served_is_on_disk(pki: Pki, tmp_path: Path) -> None:
    look = RecordedHost()
    with speaks(pki) as server:
        probe = probes.ServedIsOnDisk(server.port, "", NAME, "/etc/chain.pem", server=HERE)
        assert probe.ask(look).outcome is UNKNOWN
        look.files["/etc/chain.pem"] = Written(Path(pki.chain).read_bytes())
        assert probe.ask(look).outcome is PASS
        look.files["/etc/chain.pem"] = Written(Path(make_pki(tmp_path).chain).read_bytes())
        assert probe.ask(look).outcome is FAIL


def test_both_families_serve_the_same(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: dict[str, int] = {}

    def there(address: str, _port: int, clock: Deadline, *_: object) -> socket.socket:
        return connect(HERE, places[address], clock)

    @contextmanager
    def both(*_: object) -> Iterator[Seat]:
        yield Seat((HERE, "::1"), ())

    monkeypatch.setattr("mailwizard.probes.vantage.connect", there)
    monkeypatch.setattr("mailwizard.probes.conversation.seat", both)
    look = RecordedHost(files={"/etc/chain.pem": Written(Path(pki.chain).read_bytes())})
    on_disk = probes.ServedIsOnDisk(993, "", NAME, "/etc/chain.pem")
    proved = probes.ServedChain(993, "", NAME, pki.ca)
    with speaks(pki) as four, speaks(pki) as six, speaks(make_pki(tmp_path)) as stale:
        for port, outcome in ((six.port, PASS), (stale.port, FAIL), (closed(), PASS)):
            places.update({HERE: four.port, "::1": port})
            for probe in (on_disk, proved):
                assert probe.ask(look).outcome is outcome
        places[HERE] = closed()
        assert on_disk.ask(look).outcome is UNKNOWN


def closed() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind((HERE, 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize(("strict", "outcome"), [(False, PASS), (True, FAIL)])
def test_any_name_may_be_asked_for(pki: Pki, strict: bool, outcome: Outcome) -> None:
    with speaks(pki, strict=strict) as server:
        result = probes.AnySni(server.port, "", NAME, server=HERE).ask(RecordedHost())
    assert result.outcome is outcome, result


EVERY: list[Callable[..., Probe]] = [
    probes.TlsVersions,
    probes.TlsSuites,
    probes.TlsGroups,
    probes.TlsExtras,
    lambda port, how, **o: probes.ServedChain(port, how, NAME, **o),
    lambda port, how, **o: probes.AnySni(port, how, NAME, **o),
]


@pytest.mark.parametrize("kind", EVERY)
def test_over_starttls(pki: Pki, kind: Callable[..., Probe]) -> None:
    with FakeSubmission(pki).server() as server:
        said = "Cipher is X\nRENEGOTIATING\nerror"
        result = kind(server.port, "smtp", server=HERE).ask(renegotiation(0, said))
    assert result.outcome is not UNKNOWN, result
    with FakeSubmission(pki, starttls=False).server() as server:
        result = kind(server.port, "smtp", server=HERE).ask(RecordedHost())
    assert result.outcome is UNKNOWN, result


@pytest.mark.parametrize(("how", "hello"), [("imap", "* OK"), ("pop3", "+OK"), ("sieve", "OK")])
def test_tls_begins_as_the_protocol_has_it(pki: Pki, how: str, hello: str) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(f"{hello} ready\r\n".encode())
        connection.recv(100)
        connection.sendall(b"a OK\r\n" if how == "imap" else f"{hello}\r\n".encode())
        with pki.context().wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    with FakeServer(talk) as server:
        result = probes.ServedChain(server.port, how, NAME, pki.ca, server=HERE).ask(RecordedHost())
    assert result.outcome is PASS, result


@pytest.mark.parametrize("kind", EVERY)
def test_silence_and_no_vantage_are_unknown(
    kind: Callable[..., Probe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls.OverTls, "deadline", 2.0)
    with FakeServer(fake_servers.silent) as server:
        assert kind(server.port, "smtp", server=HERE).ask(RecordedHost()).outcome is UNKNOWN
    assert kind(25, "smtp").ask(RecordedHost()).outcome is UNKNOWN


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x16\x03\x03\x00\x06\x02\x00\x00\x02\x03\x03",  # a ServerHello cut short
        b"\x16\x03\x03\x00\x04\x02\x00\x00\x00",  # an empty one
        b"\x16\x03\x03\xff\xff",
    ],
)
def test_hostile_answers_to_a_hello_are_unknown(said: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(said)
        connection.recv(4096)

    with FakeServer(talk) as server:
        result = probes.TlsVersions(server.port, "", server=HERE).ask(RecordedHost())
    assert result.outcome is UNKNOWN, result
