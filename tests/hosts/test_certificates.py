"""Certificates of the host's own authority and of the administrator's files, on real hosts."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from lab.host import Host
from lab.internet import Internet
from support import suites
from support.applied import ANSWERS, FQDN, UNFILTERED, Prepared, answers
from support.program import Program, helps, started, untouched
from support.tls import PORTS, on_disk, serves

FOLDER = "/etc/ssl/mailwizard"
CHAIN = f"{FOLDER}/fullchain.pem"
OWN = "/etc/ssl/own"
suite = suites.one_host_each("certificates")
# 700 of its 825 days are over
AGED = f"""
cd {FOLDER} && mkdir /root/ca && : >/root/ca/index.txt
cat >/root/ca/settings <<'END'
[ca]
default_ca = it
[it]
database = /root/ca/index.txt
new_certs_dir = /root/ca
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
[names]
subjectAltName = DNS:{FQDN}
extendedKeyUsage = serverAuth
END
openssl req -new -key mail.key -subj /CN={FQDN} -out /root/ca/request
day() {{ date -u -d "$1 days" +%Y%m%d%H%M%SZ; }}
openssl ca -batch -notext -config /root/ca/settings -cert ca.pem -keyfile ca.key \
    -in /root/ca/request -extensions names -startdate "$(day -700)" -enddate "$(day +125)" \
    -out /root/ca/leaf
cat /root/ca/leaf ca.pem >fullchain.pem
systemctl reload postfix dovecot
"""
OWN_FILES = f"""
mkdir -p {OWN} && cd {OWN}
new="openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
$new -x509 -days 3650 -subj "/CN=Our CA" -keyout ca.key -out ca.pem
$new -subj /CN={FQDN} -keyout own.key -out request
printf 'subjectAltName=DNS:{FQDN}\\nextendedKeyUsage=serverAuth\\n' >extensions
openssl x509 -req -days 397 -in request -CA ca.pem -CAkey ca.key -extfile extensions -out leaf
cat leaf ca.pem >chain.pem
cat ca.pem leaf >turned.pem
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.key
chmod 0600 *.key
cp ca.pem /usr/local/share/ca-certificates/own.crt && update-ca-certificates
"""


@pytest.fixture(scope="module")
def host(prepared: Prepared, internet: Internet, suite: str) -> Iterator[Host]:
    """Give a host with a certificate of its own authority."""
    with prepared.applied_host(suite, UNFILTERED) as host:
        yield host


def verdicts(host: Host) -> dict[str, str]:
    done = Program(host)("check", "--json", "certificates", "submission")
    return {check["id"]: check["outcome"] for check in json.loads(done.stdout)["checks"]}


def test_an_aged_certificate_is_seen_and_made_anew_by_the_same_authority(host: Host) -> None:
    program = Program(host)
    host.run(AGED)
    found = verdicts(host)
    odd = {name: outcome for name, outcome in found.items() if outcome != "pass"}
    assert odd == {"TLS-07": "warn"}
    # it has grown old by itself; nobody has edited it
    host.run("rm /var/lib/mailwizard/journal.db*")
    old, authority = on_disk(host, CHAIN), host.get(f"{FOLDER}/ca.pem")
    done = program.apply("certificates")
    assert done.status == 0, done.stdout[-3000:]
    assert on_disk(host, CHAIN) != old
    assert serves(host, CHAIN)
    assert host.get(f"{FOLDER}/ca.pem") == authority
    assert set(verdicts(host).values()) == {"pass"}
    # it says where the file is that mail programs import
    told = program("check", "certificates").stdout
    assert f"{FOLDER}/ca.pem, to be imported" in " ".join(told.split())
    pids = started(host, ("postfix", "dovecot"))
    assert program.apply("certificates").status == 0
    assert started(host, ("postfix", "dovecot")) == pids


def test_files_are_looked_into_and_then_served(host: Host) -> None:
    program = Program(host)
    host.run(OWN_FILES)
    served = on_disk(host, CHAIN)
    for chain, key, key_name, said in (
        ("chain.pem", "other.key", "certificates.key", "does not belong to the certificate in"),
        ("turned.pem", "own.key", "certificates.chain", "is number 2 in"),
    ):
        answer(host, f"{OWN}/{chain}", f"{OWN}/{key}")
        with untouched(host, "/etc", "/var/lib/mailwizard"):
            refused = program.apply("certificates")
        helps(refused, 2, key_name, said)
    answer(host, f"{OWN}/chain.pem", f"{OWN}/own.key")
    done = program.apply("certificates")
    assert done.status == 0, done.stdout[-3000:]
    assert serves(host, f"{OWN}/chain.pem")
    assert on_disk(host, CHAIN) == served, "the private authority's is kept"
    found = verdicts(host)
    assert {outcome for name, outcome in found.items()} == {"pass"}, found
    assert {f"TLS-12:{port}" for port in PORTS} <= found.keys()
    assert program("plan", "-a", ANSWERS, "certificates").status == 0


def answer(host: Host, chain: str, key: str) -> None:
    """Answer with files."""
    files = f'source = "files"\nchain = "{chain}"\nkey = "{key}"\nnames = ["{FQDN}"]\n'
    host.put(f"{answers(host, UNFILTERED)}\n[certificates]\n{files}", ANSWERS)
