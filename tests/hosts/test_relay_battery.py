"""After every single step of the run a stranger on another host relays nothing (SMTP-06)."""

from __future__ import annotations

from lab.fixtures import FreshHost
from lab.host import Host
from lab.internet import Internet
from support.applied import ANSWERS, DOMAIN, FQDN, LAUNCHER, Prepared, answers
from support.program import stand_in_for_providers
from support.relaying import taken

from mailwizard.steps import STEPS

# the step firewall forbids what the others opened; it is proved where it is tested
WALK = [step.id for step in STEPS if not step.optional or step.proposed or step.id == "relay"]
SECRET = "/root/relay-password"


def through_the_relay(internet: Internet) -> str:
    """Answers for the relay, so that this step is walked too."""
    relay = internet.relay
    return f"""
[relay]
host = "{relay.name}:587"
username = "{relay.user}"
password = {{ file = "{SECRET}" }}
"""


def listening(host: Host) -> tuple[int, ...]:
    """Those of Postfix's ports that are open to the world and speak in the clear at first."""
    shown = host.run("ss -Hltn '! src 127.0.0.0/8'").stdout
    ports = {int(line.split()[3].rpartition(":")[2]) for line in shown.splitlines()}
    return tuple(sorted(ports & {25, 587}))


def test_no_step_of_the_run_opens_a_relay(
    prepared: Prepared, fresh_host: FreshHost, internet: Internet, suite: str
) -> None:
    host = fresh_host(prepared.ready(suite))
    internet.register(host, FQDN, mx=DOMAIN)
    internet.trust(host)
    stand_in_for_providers(internet)
    host.put(internet.relay.password, SECRET, mode=0o600)
    host.put(answers(host) + through_the_relay(internet), ANSWERS)
    # as the package transaction leaves it
    host.run("systemctl stop postfix 'postfix@*' dovecot")
    internet.other.clear()
    seen: dict[str, tuple[int, ...]] = {}
    for step in WALK:
        done = host.run([LAUNCHER, "apply", "-a", ANSWERS, "--yes", step], check=False, timeout=300)
        assert done.status == 0, done.stdout[-3000:] + done.stderr
        seen[step] = listening(host)
        assert taken(internet, host, seen[step]) == [], step
    assert seen["hostname"] == ()
    assert seen["postfix"] == (25,)
    assert seen[WALK[-1]] == (25, 587)
    assert internet.other.received() == []
