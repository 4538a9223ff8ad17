"""Certificate files that are right, wrong and neither, as openssl(1) reads them."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.fake_mail import NAME, Pki, make_pki
from support.recorded import RecordedHost, Written

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Probe

PASS, WARN, FAIL, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN
CHAIN, KEY = "/etc/tls/chain.pem", "/etc/tls/key.pem"
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl(1)")
Pkis = Callable[..., Pki]


@pytest.fixture(scope="module")
def pkis(tmp_path_factory: pytest.TempPathFactory) -> Pkis:
    made: dict[str, Pki] = {}

    def make(**options: Any) -> Pki:
        key = repr(options)
        if key not in made:
            made[key] = make_pki(tmp_path_factory.mktemp("pki"), **options)
        return made[key]

    return make


class CertificateHost(RecordedHost):
    """A host with real openssl(1), over files that are on its own disk."""

    def __init__(self, pki: Pki) -> None:
        super().__init__()
        self.files[CHAIN] = Written(Path(pki.chain).read_bytes())
        self.files[KEY] = Written(Path(pki.key).read_bytes(), 0o600)
        self.places = {KEY: pki.key}

    def ask(self, argv: Sequence[str], *, stdin: str = "", **options: Any) -> Completed:
        real = [self.places.get(word, word) for word in argv]
        done = subprocess.run(
            real, input=stdin, capture_output=True, text=True, check=False, timeout=20
        )
        return Completed(tuple(argv), done.returncode, done.stdout, done.stderr)


CASES: list[tuple[str, Callable[[], Probe], dict[str, Any], Outcome]] = [
    ("names", lambda: probes.CertificateNames(CHAIN, (NAME,)), {}, PASS),
    ("star", lambda: probes.CertificateNames(CHAIN, (NAME,)), {"name": "*.example.test"}, PASS),
    ("other", lambda: probes.CertificateNames(CHAIN, (NAME, "imap.example.test")), {}, FAIL),
    ("dates", lambda: probes.CertificateDates(CHAIN), {}, PASS),
    ("soon", lambda: probes.CertificateDates(CHAIN), {"days": 5}, FAIL),
    ("short-lived", lambda: probes.CertificateDates(CHAIN, renewed=True), {"days": 5}, PASS),
    ("curve", lambda: probes.CertificateKey(CHAIN), {}, PASS),
    ("2048", lambda: probes.CertificateKey(CHAIN), {"key": "rsa:2048"}, WARN),
    ("1024", lambda: probes.CertificateKey(CHAIN), {"key": "rsa:1024"}, FAIL),
    ("sha256", lambda: probes.CertificateSigned(CHAIN), {}, PASS),
    ("sha1", lambda: probes.CertificateSigned(CHAIN), {"digest": "sha1"}, FAIL),
    ("kind", lambda: probes.CertificateKind(CHAIN), {}, PASS),
    ("ten years", lambda: probes.CertificateKind(CHAIN), {"days": 3650}, FAIL),
    ("no usage", lambda: probes.CertificateKind(CHAIN), {"extra": ""}, FAIL),
    ("no names", lambda: probes.CertificateKind(CHAIN), {"name": ""}, FAIL),
    ("files", lambda: probes.CertificateFiles(CHAIN, KEY), {}, PASS),
]


@pytest.mark.parametrize(
    ("make", "options", "outcome"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_verdicts(
    pkis: Pkis, make: Callable[[], Probe], options: dict[str, Any], outcome: Outcome
) -> None:
    result = make().ask(CertificateHost(pkis(**options)))
    assert result.outcome is outcome, result
    assert result.transcript
    assert outcome is PASS or (result.expected and result.fix)


@pytest.mark.parametrize(
    ("later", "outcome"), [(0, PASS), (65, WARN), (85, FAIL), (95, FAIL), (-2, FAIL)]
)
def test_time_goes_by(
    pkis: Pkis, monkeypatch: pytest.MonkeyPatch, later: int, outcome: Outcome
) -> None:
    now = time.time() + later * 86400
    monkeypatch.setattr("mailwizard.probes.certificate.time.time", lambda: now)
    assert probes.CertificateDates(CHAIN).ask(CertificateHost(pkis())).outcome is outcome


@pytest.mark.parametrize(
    ("later", "outcome", "said"),
    [
        (0, WARN, "in its chain the certificate of CN=Authority expires in 99 of its 99 days"),
        (95, FAIL, "in its chain the certificate of CN=Authority expires in 4 days"),
        (105, FAIL, "in its chain the certificate of CN=Authority expired 6 days ago"),
        (-2, FAIL, "it is not valid yet"),
    ],
)
def test_a_chain_is_valid_for_as_long_as_each_of_its_certificates(
    pkis: Pkis, monkeypatch: pytest.MonkeyPatch, later: int, outcome: Outcome, said: str
) -> None:
    pki = pkis(days=365)
    host = CertificateHost(pki)
    host.files[CHAIN].data += Path(pki.ca).read_bytes()
    now = time.time() + later * 86400
    monkeypatch.setattr("mailwizard.probes.certificate.time.time", lambda: now)
    result = probes.CertificateDates(CHAIN).ask(host)
    assert (result.outcome, said in result.said) == (outcome, True), result
    assert any("s:CN=Authority" in row for row in result.transcript) is (later >= 0)


@pytest.mark.parametrize(
    "make", [case[1] for case in CASES if case[0] != "files"], ids=lambda make: make().id
)
def test_no_certificate_and_no_openssl_are_unknown(pkis: Pkis, make: Callable[[], Probe]) -> None:
    host = CertificateHost(pkis())
    host.files[CHAIN] = Written(b"nothing of the kind")
    assert make().ask(host).outcome is UNKNOWN
    bare = RecordedHost(files={CHAIN: Written(Path(pkis().chain).read_bytes())})
    result = make().ask(bare)
    assert result.outcome is UNKNOWN
    assert "openssl" in result.said


def test_key_of_another_or_for_everybody(pkis: Pkis) -> None:
    probe = probes.CertificateFiles(CHAIN, KEY)
    host = CertificateHost(pkis())
    for mode, owner, outcome in (
        (0o640, (0, 110), PASS),
        (0o644, (0, 0), FAIL),
        (0o600, (1000, 0), FAIL),
    ):
        host.files[KEY].mode, host.files[KEY].owner = mode, owner
        assert probe.ask(host).outcome is outcome
    host.files[KEY] = Written(b"", 0o600)
    host.places[KEY] = pkis(key="rsa:2048").key
    result = probe.ask(host)
    assert result.outcome is FAIL
    assert "does not belong" in result.said
    host.places[KEY] = "/nowhere"
    assert "without a password" in probe.ask(host).said
    del host.files[KEY]
    assert "not there" in probe.ask(host).said
    host = CertificateHost(pkis())
    host.files[CHAIN] = Written(b"x")
    assert probe.ask(host).outcome is FAIL


@pytest.mark.parametrize(
    ("path", "before", "after", "said"),
    [
        (KEY, b"-----BEGIN EC PARAMETERS-----\n", b"", "EC PARAMETERS, PRIVATE KEY and not one"),
        (CHAIN, b"", b"-----BEGIN DH PARAMETERS-----\n", "also holds DH PARAMETERS"),
    ],
)
def test_what_postfix_would_switch_tls_off_for(
    pkis: Pkis, path: str, before: bytes, after: bytes, said: str
) -> None:
    host = CertificateHost(pkis())
    host.files[KEY].data = Path(pkis().key).read_bytes()
    host.files[path].data = before + host.files[path].data + after
    result = probes.CertificateFiles(CHAIN, KEY).ask(host)
    assert (result.outcome, said in result.said) == (FAIL, True), result
    assert ">NEW" in result.fix or "-out NEW" in result.fix
