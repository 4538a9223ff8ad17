"""What may be answered about the firewall, and what a stranger must then find."""

from __future__ import annotations

from typing import Any

import pytest
from support.recorded import RecordedHost, Written

from mailwizard import ufw
from mailwizard.model import Context
from mailwizard.platform.firewalls import Opening
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


def test_a_stranger_must_find_shut_what_was_open_before() -> None:
    mark = ufw.MARK.encode().hex()
    rows = {8443: f" comment={mark}", 25: f" comment={mark}", 9000: f" comment={mark}"}
    text = "".join(
        f"### tuple ### allow tcp {port} 0.0.0.0/0 any 0.0.0.0/0 in{comment}\n"
        for port, comment in rows.items()
    )
    # somebody else opened it as well
    text += "### tuple ### allow tcp 9000 0.0.0.0/0 any 0.0.0.0/0 in\n"
    host = RecordedHost(files={ufw.FILES[0]: Written(text.encode())})
    host.files["/etc/ufw/ufw.conf"] = Written(b"ENABLED=yes\n")
    answers: dict[str, dict[str, Any]]
    answers = {"hostname": {"address6": None}, "firewall": {"lan": []}}
    context = Context("firewall", answers, host)
    assert firewall.reached(context, (Opening(25),)).closed == (143, 110, 8443)
    host.files["/etc/ufw/ufw.conf"] = Written(b"ENABLED=no\n")
    assert firewall.reached(context, (Opening(25),)).closed == (143, 110)
