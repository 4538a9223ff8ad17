"""A certificate of the private authority ends with it, and is not made again and again for that."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mailwizard.changes import PrivateAuthority, PrivateCertificate, certificates
from mailwizard.host import LocalHost
from mailwizard.platform.debian import TRIXIE
from mailwizard.probes.certificate import inspect

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl(1)")


@pytest.mark.parametrize(("authority", "days"), [(3650, 825), (400, 400), (100, 100), (1, 1)])
def test_it_is_valid_no_longer_than_its_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: int, days: int
) -> None:
    host, folder = LocalHost(TRIXIE, str(tmp_path)), str(tmp_path / "tls")
    monkeypatch.setattr(certificates, "AUTHORITY_DAYS", authority)
    PrivateAuthority(folder, "example.org").apply(host)
    change = PrivateCertificate(folder, ("mail.example.org",))
    change.apply(host)
    ends = inspect(host, f"{folder}/ca.pem").ends
    leaf = inspect(host, f"{folder}/fullchain.pem")
    assert days - 1 <= leaf.days <= days
    assert leaf.ends <= ends or authority == 1
    assert not change.needed(host)
