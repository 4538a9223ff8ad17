"""What may be answered about the firewall, and what a stranger must then find."""

from __future__ import annotations

import pytest
from support.recorded import RecordedHost

from mailwizard.model import Context
from mailwizard.steps import firewall


@pytest.mark.parametrize(
    ("source", "services", "complaints"),
    [
        ("acme", ["smtp", "imaps"], ["services"]),
        ("acme", ["smtp", "imaps", "http"], []),
        ("private-ca", ["smtp", "imaps"], []),
    ],
)
def test_the_authority_comes_in_by_port_80(
    source: str, services: list[str], complaints: list[str]
) -> None:
    own = {"services": services, "lan": []}
    context = Context(
        "firewall", {"certificates": {"source": source}, "firewall": own}, RecordedHost()
    )
    found = list(firewall.review(context))
    assert [name for name, _ in found] == complaints
    assert all("add http" in said for _, said in found)
