"""Another host name on a finished host: what was made from the old one is made anew."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lab import images
from lab.host import Host
from support.applied import DOMAIN, FQDN, PYTHON, UNFILTERED, Prepared

NAME = f"mx.{DOMAIN}"
BEGIN = """
import json
from mailwizard import platform, remembered
from mailwizard.engine import Engine
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.steps import STEPS

host = LocalHost(platform.here(), "/var/lib/mailwizard")
journal = Journal(f"{host.state_dir}/journal.db", platform.machine_id())
engine = Engine(STEPS, remembered.load(host, STEPS), host, journal)
wanted = [step.id for step in engine.wanted()]

def make(*steps):
    for step in steps:
        for event in (*engine.apply(step), *engine.probe(step)):
            assert not getattr(event, "message", ""), event

def tell():
    states = {status.id: status.state for status in engine.states()}
    names = engine.defaults("certificates")["names"]
    print(json.dumps({"states": states, "names": names, "next": engine.next_step()}))
"""
# as somebody does who accepts what is proposed, changes the name, and starts the program again
RENAMED = f"""
engine.set_answer("certificates", "names", engine.defaults("certificates")["names"])
engine.set_answer("hostname", "fqdn", "{NAME}")
make("hostname", "postfix", "aliases")
list(engine.probe(*wanted))
tell()
"""
MENDED = """
make(*wanted[wanted.index("dovecot"):])
list(engine.probe(*wanted))
tell()
"""


def drive(host: Host, script: str) -> dict[str, Any]:
    """Drive the engine as a face does; give what it says at the end."""
    shown = host.run(f"{PYTHON} - <<'END'\n{BEGIN}{script}\nEND", timeout=200).stdout
    found: dict[str, Any] = json.loads(shown.splitlines()[-1])
    return found


@pytest.mark.parametrize("suite", images.SUITES)
def test_a_new_name_is_carried_through(prepared: Prepared, suite: str) -> None:
    with prepared.applied_host(suite, UNFILTERED) as host:
        prepared.internet.register(host, NAME, mx=DOMAIN)
        told = drive(host, RENAMED)
        assert told["names"] == [NAME]
        # its checks ask for what the answers want by now, or they pass: it is not done either way
        assert told["states"]["certificates"] != "verified"
        assert told["states"]["postfix"] == "verified"
        assert told["next"] in ("dovecot", "certificates")
        hosts = host.get("/etc/hosts").decode().splitlines()
        assert f"{host.address} {NAME} mx" in hosts
        assert not [line for line in hosts if FQDN in line]
        mended = drive(host, MENDED)
        assert mended["next"] is None, mended
        names = host.run(
            ["openssl", "x509", "-in", "/etc/ssl/mailwizard/fullchain.pem", "-noout", "-ext",
             "subjectAltName"],
        ).stdout  # fmt: skip
        assert f"DNS:{NAME}" in names
        assert FQDN not in names
