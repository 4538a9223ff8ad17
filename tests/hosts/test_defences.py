"""A host that bans whoever is refused too often: our strangers are refused for a living."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from lab.host import Host
from support import suites
from support.applied import LAUNCHER, UNFILTERED, Prepared

# As strict as a log watcher may be: two refusals, whatever they are for, and for an hour.
JAILS = """\
[DEFAULT]
backend = systemd
banaction = nftables-multiport
banaction_allports = nftables-allports
maxretry = 2
findtime = 1h
bantime = 1h
[sshd]
enabled = false
[postfix]
enabled = true
mode = aggressive
[dovecot]
enabled = true
mode = aggressive
"""


@pytest.fixture(scope="module", params=suites.grouped("defences"))
def host(request: pytest.FixtureRequest, prepared: Prepared) -> Iterator[Host]:
    """Give a finished host of each release, with fail2ban on it."""
    with prepared.applied_host(str(request.param), UNFILTERED) as made:
        made.run("apt-get -q update && apt-get -q -y install fail2ban nftables", timeout=200)
        made.run("systemctl stop fail2ban")
        yield made


def verdicts(host: Host) -> dict[str, tuple[str, str]]:
    checks = json.loads(host.run([LAUNCHER, "check", "--json"], check=False, timeout=200).stdout)
    return {one["id"]: (one["outcome"], one["said"]) for one in checks["checks"]}


def test_a_check_says_the_same_where_strangers_are_banned(host: Host) -> None:
    before = {name: outcome for name, (outcome, _) in verdicts(host).items()}
    host.put(JAILS, "/etc/fail2ban/jail.local")
    host.run("systemctl restart fail2ban && until fail2ban-client ping; do sleep 0.2; done")
    for _ in range(2):
        after = verdicts(host)
        worse = {
            name: said
            for name, said in after.items()
            if said[0] in ("fail", "unknown") and said[0] != before.get(name)
        }
        assert worse == {}
    # it was at work, or this would prove nothing
    banned = host.run("fail2ban-client banned").stdout
    assert "198.19." in banned, banned
