"""Hosts with odd files and odd firewalls: what is mended, what is refused and in which words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from lab.host import Host
from lab.internet import Internet
from support import suites
from support.applied import ANSWERS, DOMAIN, FQDN, SECRET, UNFILTERED, Prepared, answers
from support.program import Program, helps, untouched

suite = suites.one_host_each("odd")


@pytest.fixture(scope="module")
def host(prepared: Prepared, internet: Internet, suite: str) -> Iterator[Host]:
    """Give a host on which the program has never run."""
    with prepared.ready_host(suite) as made:
        made.put(answers(made, UNFILTERED), ANSWERS)
        yield made


def test_a_name_in_capitals_is_ours_in_the_hosts_file(host: Host) -> None:
    host.put("127.0.0.1 localhost\n127.0.1.1 Mail.Example.Test Mail\n", "/etc/hosts")
    assert host.run(f"getent ahostsv4 {FQDN}").stdout.split()[0] == "127.0.1.1"
    done = Program(host).apply("hostname")
    assert done.status == 0, done.stdout[-3000:]
    assert b"127.0.1.1" not in host.get("/etc/hosts")
    assert host.run("hostname -f").stdout == f"{FQDN}\n"
    assert "127.0.1.1" not in host.run("getent ahosts MAIL.example.TEST").stdout


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("\ufeffa Sound-Password", "a byte-order mark (U+FEFF) before the secret"),
        ("a Sound\u00a0Password", "a blank that is none as its character 8: U+00A0"),
        ("a Sound-Password ", "a blank at its end"),
    ],
)
def test_a_password_that_nobody_could_type_is_refused(host: Host, secret: str, said: str) -> None:
    kept = host.get(SECRET)
    host.put(f"{secret}\n", SECRET, mode=0o600)
    with untouched(host, "/etc", "/home"):
        helps(Program(host).apply("dovecot"), 2, "dovecot.users", said)
    host.put(kept, SECRET, mode=0o600)


REDIRECT = f"v=spf1 redirect=_spf.{DOMAIN}"
MACRO = f"v=spf1 exists:%{{i}}.ok.{DOMAIN} -all"


def test_spf_in_other_words_is_judged_alike_by_the_desk_and_the_check(
    host: Host, internet: Internet
) -> None:
    program, dns = Program(host), internet.dns
    # the answers are known from then on
    assert program.apply("hostname").status == 0
    allowed = f"v=spf1 ip4:{host.address} ip6:{host.address6} -all"
    dns.set(f"_spf.{DOMAIN}", "TXT", allowed)
    # RFC 7208 7.3: an address of IPv6 as its 32 digits
    digits = ip_address(host.address6).exploded.replace(":", "")
    for name in (host.address, ".".join(digits)):
        dns.set(f"{name}.ok.{DOMAIN}", "A", "127.0.0.2")
    try:
        for text, desk, passes in (
            (REDIRECT, "right", True),
            (MACRO, "right", True),
            (REDIRECT.replace("_spf", "_other"), "wrong", False),
            (MACRO.replace(".ok.", ".no."), "wrong", False),
        ):
            dns.set(DOMAIN, "TXT", text)
            told = program("dns", "--json")
            assert told.stdout, told.stderr
            rows = json.loads(told.stdout)["records"]
            (spf,) = (one for one in rows if (one["owner"], one["type"]) == (DOMAIN, "TXT"))
            found = json.loads(program("check", "--json", "authentication").stdout)["checks"]
            (asked,) = (one for one in found if one["id"] == f"SPF-05:{DOMAIN}")
            found = (spf["outcome"], asked["outcome"] == "pass")
            assert found == (desk, passes), (text, spf, asked)
    finally:
        dns.remove(DOMAIN, "TXT")


# as Oracle's images come
ORACLE = """
*filter
:INPUT ACCEPT [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
COMMIT
"""


def test_rules_of_iptables_that_reject_the_rest_are_named_with_file_and_command(
    host: Host,
) -> None:
    host.run("apt-get -q -y install --no-install-recommends iptables nftables", timeout=120)
    host.put(ORACLE, "/etc/iptables/rules.v4")
    host.run("iptables-restore </etc/iptables/rules.v4")
    host.put(answers(host, UNFILTERED) + "\n[firewall]\nenabled = true\n", ANSWERS)
    done = Program(host).apply("firewall")
    told = " ".join(done.stdout.split())
    assert done.status == 1, told[-2000:]
    assert "Those are rules of iptables, kept in /etc/iptables/rules.v4." in told
    assert "`iptables -I INPUT -p tcp -m multiport --dports 25,465,587,993 -j ACCEPT && " in told
    host.run("iptables -F INPUT")
