"""Files of the administrator's own: each thing that can be wrong is told before they are used."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.fake_mail import NAME, Pki, make_pki
from support.recorded import RecordedHost, Written

from mailwizard import probes
from mailwizard.model import Completed, Context
from mailwizard.steps import certificates

CHAIN, KEY = "/etc/tls/chain.pem", "/etc/tls/key.pem"
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl(1)")


def openssl(*words: str, stdin: bytes = b"") -> bytes:
    argv = ["openssl", *words]
    return subprocess.run(argv, input=stdin, capture_output=True, check=True, timeout=30).stdout


@dataclass
class Files(RecordedHost):
    """A host with real openssl(1), whose key lies in a folder of the test's."""

    folder: Path = Path("/nowhere")
    unreadable: set[str] = field(default_factory=set)
    installed: bool = True

    def read(self, path: str) -> bytes:
        if path in self.unreadable:
            raise PermissionError(13, "Permission denied", path)
        return super().read(path)

    def ask(self, argv: Sequence[str], *, stdin: str = "", **options: object) -> Completed:
        if argv[0] != "openssl":
            return super().ask(argv)
        if not self.installed:
            return Completed(tuple(argv), 127)
        (self.folder / "key").write_bytes(self.read(KEY))
        real = [str(self.folder / "key") if word == KEY else word for word in argv]
        done = subprocess.run(
            real, input=stdin, capture_output=True, text=True, check=False, timeout=20
        )
        return Completed(tuple(argv), done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("others"), key="rsa:2048", name="other.example.test")


@pytest.fixture
def host(pki: Pki, tmp_path: Path) -> Files:
    """Give a host on which both files are as they should be."""
    look = Files(folder=tmp_path)
    look.files[CHAIN] = Written(Path(pki.chain).read_bytes() + Path(pki.ca).read_bytes())
    look.files[KEY] = Written(Path(pki.key).read_bytes(), 0o600)
    return look


def complaints(look: Files, names: Sequence[str] = (NAME,)) -> list[tuple[str, str]]:
    return list(probes.given(look, CHAIN, KEY, names))


def one(look: Files, names: Sequence[str] = (NAME,)) -> tuple[str, str]:
    found = complaints(look, names)
    assert len(found) == 1, found
    return found[0]


def test_good_files_are_good(host: Files, pki: Pki) -> None:
    assert complaints(host) == []
    host.files[CHAIN] = Written(Path(pki.chain).read_bytes())
    host.files[KEY].mode = 0o640
    assert complaints(host) == []


def data(look: Files, path: str, content: bytes) -> None:
    look.files[path].data = content


PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
DH = b"-----BEGIN DH PARAMETERS-----\nMAYCAQUCAQI=\n-----END DH PARAMETERS-----\n"
ALONE: dict[str, tuple[Callable[[Files], object], str, str]] = {
    "no chain": (lambda look: look.files.pop(CHAIN), "chain", "is not there; the full path"),
    "no key": (lambda look: look.files.pop(KEY), "key", "is not there; the full path"),
    "a folder": (
        lambda look: look.folders.update([CHAIN] if look.files.pop(CHAIN) else []),
        "chain",
        "is no file",
    ),
    "a chain of no certificates": (
        lambda look: data(look, CHAIN, b"hello\n"),
        "chain",
        "holds no certificate; a PEM file with the chain is needed",
    ),
    "a key instead of a chain": (
        lambda look: data(look, CHAIN, look.files[KEY].data),
        "chain",
        "holds a private key and no certificate; are chain and key exchanged?",
    ),
    "a chain instead of a key": (
        lambda look: data(look, KEY, look.files[CHAIN].data),
        "key",
        "holds no private key; are chain and key exchanged?",
    ),
    "no key in it": (lambda look: data(look, KEY, b"x"), "key", "no private key; a PEM file is"),
    "another form": (
        lambda look: data(
            look, CHAIN, openssl("x509", "-outform", "der", stdin=look.files[CHAIN].data)
        ),
        "chain",
        f"is in DER form; PEM is needed: openssl x509 -inform der -in {CHAIN}",
    ),
    "a password": (
        lambda look: data(
            look,
            KEY,
            openssl("pkey", "-aes256", "-passout", "pass:secret", stdin=look.files[KEY].data),
        ),
        "key",
        f"is encrypted, .* take it off: openssl pkey -in {KEY}",
    ),
    "everybody reads it": (
        lambda look: setattr(look.files[KEY], "mode", 0o644),
        "key",
        "has mode 0644 .* chmod 0600",
    ),
    "somebody owns it": (
        lambda look: setattr(look.files[KEY], "owner", (1000, 0)),
        "key",
        "belongs to user 1000.* chown root",
    ),
    "root may not read it": (
        lambda look: look.unreadable.add(KEY),
        "key",
        r"cannot be read \(Permission denied\); root must be able to",
    ),
    "a damaged key": (
        lambda look: data(look, KEY, look.files[KEY].data[:90] + b"\n-----END PRIVATE KEY-----\n"),
        "key",
        "is damaged: openssl cannot read it",
    ),
    "parameters before the key": (
        lambda look: data(look, KEY, PARAMETERS + look.files[KEY].data),
        "key",
        f"holds EC PARAMETERS, PRIVATE KEY and not one .*: openssl pkey -in {KEY} -out NEW",
    ),
    "two keys": (
        lambda look: data(look, KEY, look.files[KEY].data * 2),
        "key",
        "holds PRIVATE KEY, PRIVATE KEY and not one private key alone",
    ),
    "parameters after the chain": (
        lambda look: data(look, CHAIN, look.files[CHAIN].data + DH),
        "chain",
        f"holds DH PARAMETERS and not certificates alone.*: sed -n .* {CHAIN} >NEW",
    ),
    "a damaged certificate": (
        lambda look: data(
            look, CHAIN, b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
        ),
        "chain",
        f"openssl cannot read {CHAIN}",
    ),
}


@pytest.mark.parametrize("what", ALONE)
def test_a_file_that_is_wrong_in_itself(host: Files, what: str) -> None:
    spoil, key, pattern = ALONE[what]
    spoil(host)
    found, said = one(host)
    assert found == key
    assert re.search(pattern, said), said


def test_chain_and_key_in_one_file(host: Files) -> None:
    both = host.files[CHAIN].data + host.files[KEY].data
    data(host, CHAIN, both)
    data(host, KEY, both)
    found = dict(complaints(host))
    assert list(found) == ["chain", "key"]
    assert "also holds PRIVATE KEY" in found["chain"]
    assert "holds CERTIFICATE, CERTIFICATE, PRIVATE KEY and not one" in found["key"]


def test_the_cure_for_a_chain_cures_it(host: Files) -> None:
    good = host.files[CHAIN].data
    data(host, CHAIN, host.files[KEY].data + good + DH)
    words = re.search(r"sed -n '([^']+)'", one(host)[1])
    assert words is not None
    argv = ["sed", "-n", words[1]]
    done = subprocess.run(argv, input=host.files[CHAIN].data, capture_output=True, check=True)
    assert done.stdout == good


def test_both_files_are_told_at_once(host: Files) -> None:
    host.files.clear()
    assert [key for key, _ in complaints(host)] == ["chain", "key"]


def test_a_key_of_another_certificate(host: Files, other: Pki) -> None:
    data(host, KEY, Path(other.key).read_bytes())
    key, said = one(host)
    assert key == "key"
    assert f"does not belong to the certificate in {CHAIN} (CN=x)" in said


def test_the_order_of_the_chain(host: Files, pki: Pki, other: Pki) -> None:
    leaf, authority = Path(pki.chain).read_bytes(), Path(pki.ca).read_bytes()
    data(host, CHAIN, authority + leaf)
    key, said = one(host)
    assert (key, "is number 2 in" in said) == ("chain", True), said
    data(host, CHAIN, leaf + Path(other.chain).read_bytes())
    key, said = one(host)
    assert (key, "which did not issue it; right is:" in said) == ("chain", True), said


@pytest.mark.parametrize(("later", "words"), [(120, "expired on"), (-2, "is not valid before")])
def test_the_dates(
    host: Files, pki: Pki, monkeypatch: pytest.MonkeyPatch, later: int, words: str
) -> None:
    data(host, CHAIN, Path(pki.chain).read_bytes())
    now = time.time() + later * 86400
    monkeypatch.setattr("mailwizard.probes.ownfiles.time.time", lambda: now)
    key, said = one(host)
    assert (key, words in said) == ("chain", True), said


def test_the_names(host: Files) -> None:
    key, said = one(host, (NAME, "imap.example.test"))
    assert key == "names"
    assert said.startswith(f"imap.example.test is not in the certificate of {CHAIN}")
    assert f"which holds: {NAME}" in said


def test_without_openssl_the_rest_is_left_to_the_proof_before_the_reload(host: Files) -> None:
    host.installed = False
    assert complaints(host, ("other.example.test",)) == []
    host.files[KEY].mode = 0o644
    assert one(host)[0] == "key"


def review(look: Files, **given: str | None) -> list[str]:
    answers = {"source": "files", "names": [NAME], "chain": CHAIN, "key": KEY, "webroot": None}
    context = Context("certificates", {"certificates": answers | given}, look)
    return [key for key, _ in certificates.review(context)]


def test_the_step_asks_before_the_files_are_in_use_and_the_checks_later(host: Files) -> None:
    assert review(host) == []
    assert review(host, chain=None, key=None) == ["chain", "key"]
    host.files[KEY].mode = 0o644
    assert review(host) == ["key"]
    asked = ("postconf", "-h", "smtpd_tls_chain_files")
    host.answers[" ".join(asked)] = Completed(asked, 0, f"{KEY}, {CHAIN}\n")
    assert review(host) == []


def test_the_web_servers_folder_must_be_there(host: Files) -> None:
    assert review(host, source="acme", webroot="/srv/web") == ["webroot"]
    host.folders.add("/srv/web")
    assert review(host, source="acme", webroot="/srv/web") == []
    assert review(host, source="private-ca", webroot="/nowhere") == []
