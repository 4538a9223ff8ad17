"""Certificates from an ACME authority: got, renewed, refused, and given up, on real hosts.

The tests of a release share one host and follow each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

import pytest
from lab import tree
from lab.host import Host
from lab.internet import Internet
from support import suites
from support.applied import ANSWERS, DOMAIN, FQDN, PASSWORD, UNFILTERED, Prepared, answers
from support.faults import Bench, Fault
from support.faults.renewal import ACME_AWAY, ELSEWHERE, RENEWAL
from support.program import NOT_OURS, Program, helps, started
from support.tls import PORTS, on_disk, served, serves

LIVE = "/etc/letsencrypt/live/mailwizard"
CHAIN = f"{LIVE}/fullchain.pem"
IMAP = f"imap.{DOMAIN}"
RENEW = "certbot renew --cert-name mailwizard --force-renewal --no-random-sleep-on-renew"
# what the package brings
PACKAGES = (
    *("/etc/letsencrypt", "/etc/letsencrypt/cli.ini", "/etc/cron.d", "/etc/*/certbot"),
    *("/etc/systemd/*/certbot.timer", "/etc/python3*"),
)
WEB = "/srv/web"
suite = suites.one_host_each("acme")
Tree = dict[str, tree.TreeEntry]


@dataclass(frozen=True)
class Acme:
    """A host whose step is to get its certificate from the lab's authority."""

    host: Host
    internet: Internet
    before: Tree

    @property
    def program(self) -> Program:
        return Program(self.host)

    def answer(self, **given: Any) -> None:
        """Answer the step's questions."""
        directory = self.internet.acme.directory
        found = {"source": "acme", "directory": directory, "staging": directory, "names": [FQDN]}
        lines = "".join(f"{key} = {value!r}\n" for key, value in (found | given).items())
        self.host.put(f"{answers(self.host, UNFILTERED)}\n[certificates]\n{lines}", ANSWERS)

    def tree(self) -> Tree:
        return self.host.tree(("/etc",), NOT_OURS)

    def refused(self, *said: str) -> None:
        """Apply what cannot come to be: it is told why, and everything is as it was."""
        before = self.tree()
        done = self.program.apply("certificates", timeout=200)
        told = " ".join((done.stdout + done.stderr).split())
        assert done.status == 1, told[-3000:]
        for words in said:
            assert words in told, told[-3000:]
        assert "The previous configuration was put back." in told
        changed = tree.diff(before, self.tree(), times=False)
        assert not_of_the_package(changed) == []

    def verdicts(self, *steps: str) -> dict[str, str]:
        found = self.program("check", "--json", *steps, timeout=200).stdout
        return {check["id"]: check["outcome"] for check in json.loads(found)["checks"]}


def reloads(host: Host) -> tuple[int, int]:
    """Tell how often Postfix and Dovecot have read their files again."""
    postfix = host.run("journalctl -q -t postfix/master").stdout
    dovecot = host.run("journalctl -q -t dovecot").stdout
    return postfix.count("reload -- version"), dovecot.count("SIGHUP received")


def not_of_the_package(changed: Iterable[str]) -> list[str]:
    """Give the paths that the program, or certbot for it, has to answer for."""
    return [name for name in changed if not any(fnmatch(name, one) for one in PACKAGES)]


@pytest.fixture(scope="module")
def fresh(prepared: Prepared, internet: Internet, suite: str) -> Iterator[Acme]:
    """Give a host that had no certificate yet, and trusts the lab's authority."""
    with prepared.applied_host(suite, UNFILTERED) as host:
        trust(internet, host)
        undone = Program(host)("undo", "certificates", "--yes")
        assert undone.status == 0, undone.stderr
        yield Acme(host, internet, host.tree(("/etc",), NOT_OURS))
    internet.dns.remove(IMAP)


@pytest.fixture(scope="module")
def acme(fresh: Acme) -> Acme:
    """Give the host when it has got its certificate."""
    fresh.answer()
    done = fresh.program.apply("certificates", "submission", timeout=300)
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    return fresh


@pytest.fixture(scope="module")
def bench(acme: Acme, suite: str) -> Iterator[Bench]:
    bench = Bench(suite, acme.host, acme.internet)
    try:
        yield bench
    finally:
        bench.close()


def trust(internet: Internet, host: Host) -> None:
    """Make the host trust the authority's server, and those whom it certifies."""
    host.put(internet.acme.root(), "/usr/local/share/ca-certificates/acme.crt")
    internet.trust(host)


def test_an_authority_that_is_away(fresh: Acme) -> None:
    fresh.answer(directory=ACME_AWAY, staging=ACME_AWAY)
    fresh.refused(f"{ACME_AWAY} cannot be reached: connection refused")
    assert fresh.program.states()["certificates"] in ("pending", "failed")


def test_it_is_got_and_served_on_every_port(acme: Acme) -> None:
    assert serves(acme.host, CHAIN)
    found = acme.verdicts("certificates", "submission")
    odd = {name: outcome for name, outcome in found.items() if outcome != "pass"}
    assert odd == {}, odd
    assert {"TLS-13", *(f"TLS-12:{port}" for port in PORTS)} <= found.keys()
    assert acme.host.run("systemctl is-active certbot.timer").stdout == "active\n"


def test_a_second_run_changes_nothing(acme: Acme) -> None:
    units = ("postfix", "postfix@-", "dovecot", "certbot.timer")
    before, serial = started(acme.host, units), on_disk(acme.host, CHAIN)
    assert acme.program("plan", "-a", ANSWERS, "certificates").status == 0
    done = acme.program.apply("certificates", timeout=200)
    assert done.status == 0, done.stdout[-3000:]
    assert (started(acme.host, units), on_disk(acme.host, CHAIN)) == (before, serial)


def test_after_a_renewal_both_daemons_serve_the_new_one(acme: Acme) -> None:
    old, pids, told = on_disk(acme.host, CHAIN), started(acme.host), reloads(acme.host)
    acme.host.run(RENEW, timeout=200)
    assert on_disk(acme.host, CHAIN) != old
    assert serves(acme.host, CHAIN)
    assert started(acme.host) == pids, "a reload is enough"
    # a process that begins later reads the files by itself: what is served proves no reload
    for before, after in zip(told, reloads(acme.host), strict=True):
        assert after > before
    found = acme.verdicts("certificates", "submission")
    assert {found[f"TLS-12:{port}"] for port in PORTS} == {"pass"}
    assert acme.program.states()["certificates"] == "verified"


@pytest.mark.parametrize("fault", RENEWAL, ids=lambda fault: str(fault.title))
def test_what_would_stop_a_renewal_is_seen(
    bench: Bench, fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    with bench.broken(fault):
        broken = bench.ask(fault.turns)
    after = bench.ask(fault.turns)
    outcomes = (broken["TLS-13"]["outcome"], after["TLS-13"]["outcome"])
    record_property("fault", (bench.suite, "TLS-13", fault.title, "pass", *outcomes))
    assert fault.unmet(broken) == []
    assert outcomes[1] == "pass", after


def test_what_it_refuses_leaves_the_old_one_at_work(acme: Acme, bench: Bench) -> None:
    acme.answer(names=[FQDN, IMAP])
    # what this host alone believes is not what the authority will find
    acme.host.run(f"echo '{acme.host.address} {IMAP}' >>/etc/hosts")
    acme.refused(f"no certificate: no address in the DNS for {IMAP}", "Create an A record")
    acme.host.run(f"sed -i '/ {IMAP}$/d' /etc/hosts")
    acme.internet.dns.set(IMAP, "A", acme.internet.dns.address)
    acme.refused(f"the authority could not reach {IMAP} on port 80", acme.internet.dns.address)
    with bench.broken(ELSEWHERE):
        acme.refused(f"could not reach {FQDN} on port 80", f"could not reach {IMAP}")
    acme.answer(directory=ACME_AWAY, staging=ACME_AWAY)
    acme.refused("cannot be reached: connection refused")
    assert serves(acme.host, CHAIN)


def test_another_server_holds_port_80(acme: Acme, bench: Bench) -> None:
    acme.internet.dns.set(IMAP, "A", acme.host.address)
    serve = ["systemd-run", "--unit=web", "--property=WorkingDirectory=" + WEB]
    acme.host.run(["mkdir", WEB])
    acme.host.run([*serve, "python3", "-m", "http.server", "--bind", "::", "80"])
    acme.host.run(
        "for _ in $(seq 600); do ss -Hltn 'sport = :80' | grep -q . && break; sleep 0.1; done"
    )
    acme.answer(names=[FQDN, IMAP])
    taken = "port 80 is held by python3"
    planned = acme.program("plan", "-a", ANSWERS, "certificates")
    for refused in (planned, acme.program.apply("certificates")):
        helps(refused, 2, "certificates.webroot", taken, "as `webroot`")
    assert serves(acme.host, CHAIN)
    acme.answer(names=[FQDN, IMAP], webroot="/srv/nothing")
    helps(acme.program.apply("certificates"), 2, "certificates.webroot", "is not a folder here")
    acme.answer(names=[FQDN, IMAP], webroot=WEB)
    done = acme.program.apply("certificates", timeout=200)
    assert done.status == 0, done.stdout[-3000:]
    assert serves(acme.host, CHAIN)
    text = acme.host.run(["openssl", "x509", "-in", CHAIN, "-noout", "-ext", "subjectAltName"])
    assert f"DNS:{IMAP}" in text.stdout
    assert acme.verdicts("certificates")["TLS-13"] == "pass"
    acme.host.run(["systemctl", "stop", "web"])


# as many guides have it
NGINX = f"""
server {{
    listen 80 default_server;
    listen [::]:80 default_server;
    root {WEB};
    location ~ /\\. {{
        deny all;
    }}
}}
"""


def test_a_web_server_of_this_host_that_denies_dot_files_is_named(acme: Acme) -> None:
    install = "apt-get -q -y install --no-install-recommends nginx-light"
    acme.host.run(f"mkdir -p {WEB}; {install}", env={"DEBIAN_FRONTEND": "noninteractive"})
    acme.host.put(NGINX, "/etc/nginx/sites-enabled/default")
    acme.host.run("systemctl restart nginx")
    acme.answer(webroot=WEB, staging=ACME_AWAY)
    own = "403 from this host's own nginx (package nginx"
    acme.refused(own, "`location ^~ /.well-known/acme-challenge/ { allow all; }`")
    acme.host.run("apt-get -q -y purge 'nginx*'")


def test_the_exported_script_gets_one_too(
    acme: Acme, prepared: Prepared, internet: Internet, suite: str
) -> None:
    acme.answer()
    done = acme.program.apply("certificates", timeout=200)
    assert done.status == 0, done.stdout[-3000:]
    script = acme.program("export", "--format", "sh").stdout
    with Host(prepared.ready(suite), net=internet.network) as other:
        trust(internet, other)
        internet.register(other, FQDN, mx=DOMAIN)
        other.put(script, "/root/replay.sh")
        run = ["bash", "/root/replay.sh"]
        env = {"PASSWORD_carol": PASSWORD}
        done = other.run(run, env=env, check=False, timeout=300)
        assert done.status == 0, done.stdout[-3000:] + done.stderr
        assert serves(other, CHAIN)
        assert served(other, 993) != served(acme.host, 993)
        assert other.run("systemctl is-enabled certbot.timer").stdout == "enabled\n"
        again = other.run(run, env=env, timeout=300).stdout
        assert re.findall(r"^(?:wrote|set|compiled|made) .*", again, re.MULTILINE) == []
        old = on_disk(other, CHAIN)
        other.run(RENEW, timeout=200)
        assert on_disk(other, CHAIN) != old
        assert serves(other, CHAIN)
    internet.register(acme.host, FQDN, mx=DOMAIN)


def test_undo_gives_back_the_host(acme: Acme, bench: Bench) -> None:
    bench.shell("patient")
    undone = acme.program("undo", "certificates", "--yes")
    assert undone.status == 0, undone.stdout + undone.stderr
    changed = tree.diff(acme.before, acme.tree(), times=False)
    assert not_of_the_package(changed) == []
    assert acme.host.run(["find", "/etc/letsencrypt"]).stdout.split() == [
        "/etc/letsencrypt",
        "/etc/letsencrypt/cli.ini",
    ]
    assert acme.host.run("systemctl is-active certbot.timer", check=False).stdout == "inactive\n"


OWN = "/etc/letsencrypt/live/own"


def test_what_somebody_s_own_certbot_renews_is_taken_up(acme: Acme) -> None:
    directory, host = acme.internet.acme.directory, acme.host
    hook = "/etc/letsencrypt/renewal-hooks/deploy/mailwizard"
    acme.program("undo", "certificates", "--yes")
    host.run(
        f"certbot certonly -n --agree-tos --register-unsafely-without-email --standalone "
        f"--cert-name own --server {directory} -d {FQDN}",
        timeout=200,
    )
    assert not host.exists(hook)
    acme.answer(source="files", chain=f"{OWN}/fullchain.pem", key=f"{OWN}/privkey.pem")
    done = acme.program.apply("certificates", timeout=200)
    assert done.status == 0, done.stdout[-3000:]
    assert serves(host, f"{OWN}/fullchain.pem", (25, 993))
    old = on_disk(host, f"{OWN}/fullchain.pem")
    host.run("certbot renew --cert-name own --force-renewal --no-random-sleep-on-renew")
    assert on_disk(host, f"{OWN}/fullchain.pem") != old
    assert serves(host, f"{OWN}/fullchain.pem", (25, 993))
    assert acme.verdicts("certificates")["TLS-13"] == "pass"
    host.run(["chmod", "-x", hook])
    assert acme.verdicts("certificates")["TLS-13"] == "fail"
    host.run(["chmod", "+x", hook])
    assert acme.program("undo", "certificates", "--yes").status == 0
    assert not host.exists(hook)
