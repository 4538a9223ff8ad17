"""What several tests of probes stand on."""

from __future__ import annotations

import pytest
from support.fake_mail import Pki, make_pki


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))
