"""`mailwizard dns` on a host with every step: what is asked for, published, and taken back."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest
from lab.dns import Dns
from lab.internet import Internet
from support import suites
from support.applied import DOMAIN, FQDN, Prepared, records
from support.applied import publish as published
from support.program import Program, helps

KEY = "/root/dns-key"


@pytest.fixture(scope="module", params=suites.grouped("publish"))
def program(request: pytest.FixtureRequest, prepared: Prepared) -> Iterator[Program]:
    """Give the program on a host with every step, and a key for its domain's zone."""
    dns = prepared.internet.dns
    with prepared.applied_host(request.param) as host:
        key = dns.allow_updates(DOMAIN, f"desk-{request.param}")
        host.put(key, KEY, mode=0o600)
        yield Program(host)
        prepared.internet.register(host, FQDN, mx=DOMAIN)
        published(prepared.internet, host)


def publish(
    program: Program, dns: Dns, *words: str, key: str = KEY, resolver: str = ""
) -> tuple[int, str]:
    asked = resolver or dns.address
    done = program("dns", "--publish", "--key", key, "--resolver", asked, "--yes", *words)
    return done.status, done.stdout + done.stderr


def outcomes(program: Program, dns: Dns) -> dict[str, str]:
    done = program("dns", "--json", "--resolver", dns.address)
    found = json.loads(done.stdout)["records"]
    return {f"{one['owner']} {one['type']}": one["outcome"] for one in found}


def test_what_is_missing_is_published_and_taken_back(program: Program, internet: Internet) -> None:
    """Every record of every step, a key of 2048 bits among them."""
    dns, texts = internet.dns, records(program.host)
    (key,) = [owner for owner in texts if "._domainkey." in owner]
    for owner in texts:
        dns.remove(owner, "TXT")
    for name, kind in ((FQDN, "A"), (DOMAIN, "MX"), (f"_imaps._tcp.{DOMAIN}", "SRV")):
        dns.remove(name, kind)
    before = outcomes(program, dns)
    names = {f"{FQDN} A", f"{DOMAIN} MX", *(f"{owner} TXT" for owner in texts)}
    assert {before[name] for name in names} == {"absent"}
    code, said = publish(program, dns)
    assert code == 0, said
    assert f"+{DOMAIN}. 3600 MX 10 {FQDN}." in said
    assert set(outcomes(program, dns).values()) == {"right"}
    assert dns.ask(f"_imaps._tcp.{DOMAIN}", "SRV") == [f"0 1 993 {FQDN}."]
    first, second = dns.ask(key, "TXT")[0].split('" "')
    assert (len(first), f"{first}{second}") == (256, f'"{texts[key]}"')
    checks = json.loads(program("check", "--json", "authentication").stdout)["checks"]
    found = {check["id"]: check["outcome"] for check in checks}
    told = [f"{each}:{DOMAIN}" for each in ("DKIM-02", "SPF-01", "SPF-05", "DMARC-01", "DNS-13")]
    assert {found[each] for each in (*told, "DNS-12", "DNS-16:authentication")} == {"pass"}, found
    # a second time there is nothing to do
    code, said = publish(program, dns)
    assert (code, "Nothing to publish" in said) == (0, True)
    # what somebody else put beside it meanwhile stays
    dns.host.run(
        ["nsupdate", "-l"], input=f"update add {DOMAIN}. 300 MX 50 mx.foreign.test.\nsend\n"
    )
    undone = program("undo", "dns", "--yes")
    assert undone.status == 0, undone
    assert dns.ask(DOMAIN, "MX") == ["50 mx.foreign.test."]
    after = outcomes(program, dns)
    assert {after[name] for name in names - {f"{DOMAIN} MX"}} == {"absent"}
    internet.register(program.host, FQDN, mx=DOMAIN)
    published(internet, program.host)


def test_what_others_own_is_left_unless_a_person_says_yes(
    program: Program, internet: Internet
) -> None:
    dns, theirs = internet.dns, ['"owner=1"', '"v=spf1 include:other.test ~all"']
    dns.set(FQDN, "A", "192.0.2.99")
    dns.set(DOMAIN, "TXT", *theirs)
    dns.remove(DOMAIN, "MX")
    code, said = publish(program, dns)
    assert code == 1, said
    assert "not mailwizard's" in said
    assert f"left as others made it: {FQDN} A, {DOMAIN} TXT" in said
    assert dns.ask(FQDN, "A") == ["192.0.2.99"]
    assert sorted(dns.ask(DOMAIN, "TXT")) == theirs
    assert dns.ask(DOMAIN, "MX") == [f"10 {FQDN}."]
    internet.register(program.host, FQDN, mx=DOMAIN)
    published(internet, program.host)


def test_a_wrong_key_changes_nothing_and_is_named(program: Program, internet: Internet) -> None:
    dns, host = internet.dns, program.host
    dns.remove(DOMAIN, "MX")
    right = host.get(KEY).decode()
    secret = right.partition('secret "')[2].partition('"')[0]
    wrong = {
        "secret": (right.replace(secret, secret[::-1].replace("=", "") + "="), "another secret"),
        "name": (right.replace("desk-", "nobody-"), "does not know the key nobody-"),
    }
    for kind, (text, said) in wrong.items():
        host.put(text, f"/root/{kind}", mode=0o600)
        code, heard = publish(program, dns, key=f"/root/{kind}")
        assert (code, said in heard) == (1, True), heard
    host.put(right, "/root/open", mode=0o644)
    host.put(right, "/root/theirs", mode=0o600, owner="alice:alice")
    for name, said in (("open", "others can read"), ("theirs", "belongs to user")):
        done = program("dns", "--publish", "--key", f"/root/{name}", "--yes")
        helps(done, 2, said)
        assert secret not in done.stdout + done.stderr
    assert dns.ask(DOMAIN, "MX") == []
    internet.register(host, FQDN, mx=DOMAIN)


def test_a_server_that_takes_no_connection_is_named(program: Program, internet: Internet) -> None:
    dns = internet.dns
    dns.remove(DOMAIN, "MX")
    with dns.shut("tcp dport 53 reject with tcp reset"):
        code, said = publish(program, dns)
    assert (code, "did not answer the update" in said) == (1, True), said
    assert "Updates go over TCP port 53" in said
    assert dns.ask(DOMAIN, "MX") == []
    internet.register(program.host, FQDN, mx=DOMAIN)


def test_a_zone_that_the_key_may_not_change_is_named(program: Program, internet: Internet) -> None:
    dns = internet.dns
    pointer = ".".join(reversed(program.host.address.split("."))) + ".in-addr.arpa"
    dns.remove(pointer, "PTR")
    code, said = publish(program, dns)
    assert code == 1
    assert "does not let the key desk-" in said
    internet.register(program.host, FQDN, mx=DOMAIN)


def test_waiting_is_cancelled_by_a_key_and_ends_when_all_is_there(
    program: Program, internet: Internet
) -> None:
    dns = internet.dns
    dns.remove(DOMAIN, "MX")
    pid = "/tmp/waiting"
    words = f"echo $$ >{pid}; exec {program.launcher} dns --wait --resolver {dns.address}"
    for ended_by, code in ((signal.SIGINT, 130), (None, 0)):
        with program.host.popen(words) as waiting:
            assert waiting.stderr is not None
            assert waiting.stderr.readline().startswith(f"waiting for {DOMAIN} MX".encode())
            if ended_by:
                program.host.run(f"kill -INT $(cat {pid})")
            else:
                dns.set(DOMAIN, "MX", f"10 {FQDN}")
            assert waiting.wait(30) == code


def test_the_zone_file_is_one_that_bind_accepts(program: Program, internet: Internet) -> None:
    text, dns = program("dns", "--zone").stdout, internet.dns
    zones = text.split("; zone ")[1:]
    assert "_dmarc 3600 IN TXT" in text
    for zone in zones:
        name = zone.split()[0]
        dns.host.put(f"; {zone}", "/root/zone")
        done = dns.host.run(["named-checkzone", name, "/root/zone"], check=False)
        assert (done.status, done.stdout.rstrip().endswith("OK")) == (0, True), done
    assert len(zones) == 3


def test_a_dead_resolver_is_unknown_and_nothing_is_published(
    program: Program, internet: Internet
) -> None:
    dns, host = internet.dns, program.host
    publish(program, dns)
    before = host.get("/etc/resolv.conf")
    host.run("echo nameserver 127.0.0.9 >/etc/resolv.conf")
    try:
        # others are asked instead
        found = outcomes(program, dns)
        assert set(found.values()) == {"right"}, found
        nobody = program("dns", "--resolver", "127.0.0.9")
        code, said = publish(program, dns, resolver="127.0.0.9")
    finally:
        host.put(before, "/etc/resolv.conf")
    assert (nobody.status, "nobody listens there" in nobody.stdout) == (0, True), nobody
    assert "absent" not in nobody.stdout
    assert (code, "could not be asked for" in said) == (1, True), said
