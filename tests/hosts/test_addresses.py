"""Hosts whose addresses are not simply the answered ones: NAT, a second address, IPv6 alone.

Set-up holds on each, others see mail come from an answered address, and each check can fail.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from lab import network, shell
from lab.host import Host
from lab.internet import Internet
from support import suites
from support.applied import ANSWERS, DOMAIN, FQDN, Prepared
from support.program import PROVIDERS, Program, stand_in_for_providers

INNER, GATE = "10.77.0.5", "10.77.0.1"
STEPS = ("hostname", "postfix", "protection")
ROUTER = """
table ip router {{
    chain inwards {{
        type nat hook prerouting priority -100; policy accept;
        ip daddr {public} dnat to {inner}
    }}
    chain outwards {{
        type nat hook postrouting priority 90; policy accept;
        ip saddr {inner} oifname "{bridge}" snat to {public}
    }}
}}
"""
suite = suites.one_host_each("addresses")


@pytest.fixture
def host(prepared: Prepared, internet: Internet, suite: str) -> Iterator[Host]:
    """Give a host that mail goes through the filter of, and whose addresses are to be changed."""
    stand_in_for_providers(internet)
    with prepared.applied_host(suite) as made:
        yield made
        internet.register(made, FQDN, mx=DOMAIN)


@pytest.fixture
def spare(host: Host) -> Iterator[tuple[str, str]]:
    """Give addresses of the lab that nobody has."""
    place = host.network.take()
    yield host.network.address(place), host.network.address6(place)
    host.network.give_back(place)


def neighbours_forget(internet: Internet) -> None:
    """Who had an address a moment ago does not have it now."""
    for one in (internet.foreign.host, internet.dns.host):
        one.run("ip neigh flush all")


@contextmanager
def router(public: str) -> Iterator[None]:
    """Have an address of the lab, and pass on what comes there."""
    lines = (f"{GATE}/24", f"{public}/32")
    with ExitStack() as stack:
        for line in lines:
            shell.run(["ip", "addr", "add", line, "dev", network.BRIDGE])
            stack.callback(shell.run, ["ip", "addr", "del", line, "dev", network.BRIDGE])
        rules = ROUTER.format(public=public, inner=INNER, bridge=network.BRIDGE)
        shell.run(["nft", "-f", "-"], stdin=rules)
        stack.callback(shell.run, ["nft", "delete", "table", "ip", "router"])
        yield


def answered(host: Host, internet: Internet, address: str, address6: str) -> None:
    """Apply the steps that depend on addresses with these, which DNS has too."""
    text = host.get(ANSWERS).decode()
    for name, old, new in (
        ("address", host.address, address),
        ("address6", host.address6, address6),
    ):
        assert f'{name} = "{old}"' in text
        text = text.replace(f'{name} = "{old}"', f'{name} = "{new}"')
    host.put(text, ANSWERS)
    for kind in ("A", "AAAA"):
        internet.dns.remove(FQDN, kind)
    internet.dns.point(FQDN, *(one for one in (address, address6) if one))
    neighbours_forget(internet)
    done = Program(host).apply(*STEPS, timeout=300)
    assert done.status == 0, done.stdout[-6000:] + done.stderr


def holds(host: Host) -> dict[str, Any]:
    """Give what each check of the host said; none of them failed."""
    found = {one["id"]: one for one in Program(host).check()["checks"]}
    failed = {name: one["said"] for name, one in found.items() if one["outcome"] == "fail"}
    assert not failed
    return found


def verdict(host: Host, check: str, *steps: str) -> tuple[str, str]:
    """Give what one check says."""
    told = json.loads(Program(host)("check", "--json", *steps).stdout)["checks"]
    (one,) = (each for each in told if each["id"] == check)
    return one["outcome"], one["said"]


def seen(host: Host, internet: Internet, subject: str) -> str:
    """Send a message to a foreign mail host, and give how that saw it come."""
    message = f"Subject: {subject}\nTo: somebody@foreign.test\n\nhello\n"
    host.run(["sendmail", "-i", "--", "somebody@foreign.test"], input=message, user="alice")
    got = internet.foreign.wait_for(lambda one: one["Subject"] == subject)
    return str(got.get_all("Received", [])[0])


@contextmanager
def edited(host: Host, path: str, command: str) -> Iterator[None]:
    """Let a file of Postfix be otherwise for a while."""
    kept = host.get(path)
    host.run(f"{command}; postfix reload")
    try:
        yield
    finally:
        host.put(kept, path)
        host.run("postfix reload")


def test_mail_leaves_from_the_answered_one_of_two_addresses(
    host: Host, internet: Internet, spare: tuple[str, str]
) -> None:
    second, second6 = spare
    host.run(f"ip addr add {second}/20 dev eth0; ip addr add {second6}/64 dev eth0 nodad")
    routed = host.run("ip -j -6 route get 2001:db8::1").stdout
    usual6 = json.loads(routed)[0]["prefsrc"]
    other6 = second6 if usual6 == host.address6 else host.address6
    answered(host, internet, second, other6)
    assert holds(host)["OUT-02"]["outcome"] == "pass"
    for family, source in (("ipv6", f"[IPv6:{other6}]"), ("ipv4", f"[{second}]")):
        host.run(f"postconf -e smtp_address_preference={family}; postfix reload")
        assert source in seen(host, internet, f"from the answered one over {family}")
    unbound = "postconf -PX smtp/unix/smtp_bind_address"
    with edited(host, "/etc/postfix/master.cf", unbound):
        assert f"[{host.address}]" in seen(host, internet, "from the first")
        outcome, said = verdict(host, "OUT-02", "postfix")
        assert (outcome, f"from {host.address}, which is not" in said) == ("fail", True), said
    left_out = "sed -i '/IPv6/d' /etc/postfix/helo_access"
    with edited(host, "/etc/postfix/helo_access", left_out):
        outcome, said = verdict(host, "HELO", "protection")
        assert (outcome, "[IPv6:" in said) == ("fail", True), said


def test_behind_a_router_that_has_the_address(host: Host, internet: Internet) -> None:
    public = host.address
    host.run(
        "ip addr flush dev eth0 scope global; ip -6 route del default; "
        f"ip addr add {INNER}/24 dev eth0; ip route replace default via {GATE}"
    )
    with router(public):
        answered(host, internet, public, "")
        said = holds(host)
        assert said["HOST-NAT"]["outcome"] == "pass", said["HOST-NAT"]
        assert host.run("postconf -h proxy_interfaces").stdout.strip() == public
        assert f"[{public}]" in seen(host, internet, "from behind the router")
        for name in (f"[{public}]", f"[{INNER}]"):
            sent = internet.foreign.send(
                *("x@foreign.test", f"alice@{DOMAIN}", "Subject: x\n\nx\n"), to=host, helo=name
            )
            assert sent.code == 554, (name, sent.answers)
        left_out = "sed -i '/10.*77/d' /etc/postfix/helo_access"
        with edited(host, "/etc/postfix/helo_access", left_out):
            told = verdict(host, "HELO", "protection")
            assert told == ("fail", f"a stranger who greets with [{INNER}] is let in")
        with edited(host, "/etc/postfix/main.cf", "postconf -X proxy_interfaces"):
            assert verdict(host, "HOST-NAT", "hostname")[0] == "warn"
            assert verdict(host, "HOST-07", "postfix")[0] == "fail"
    # the router goes, and its address comes to this host
    host.run(
        f"ip addr add {public}/20 dev eth0; ip route replace default via {host.network.gateway}"
    )
    neighbours_forget(internet)
    done = Program(host).apply("postfix")
    assert done.status == 0, done.stdout[-4000:]
    assert host.run("postconf -h proxy_interfaces").stdout.strip() == ""


def test_with_ipv6_alone(host: Host, internet: Internet) -> None:
    host.run(
        f"ip -4 addr flush dev eth0; echo nameserver {internet.dns.host.address6} >/etc/resolv.conf"
    )
    internet.dns.set(PROVIDERS[0], "AAAA", internet.foreign.address6)
    answered(host, internet, "", host.address6)
    said = holds(host)
    internet.dns.remove(PROVIDERS[0], "AAAA")
    assert said["OUT-02"]["outcome"] == "pass", said["OUT-02"]
    assert said["OUT-01"]["outcome"] != "unknown", said["OUT-01"]
    assert f"[IPv6:{host.address6}]" in seen(host, internet, "over IPv6 alone")
    assert "None" not in host.get("/etc/postfix/helo_access").decode()


def test_an_ipv4_address_that_was_not_answered_is_not_used(host: Host, internet: Internet) -> None:
    answered(host, internet, "", host.address6)
    assert holds(host)["OUT-02"]["outcome"] == "pass"
    assert f"[IPv6:{host.address6}]" in seen(host, internet, "not over IPv4")
    with edited(host, "/etc/postfix/master.cf", "postconf -PX smtp/unix/inet_protocols"):
        outcome, said = verdict(host, "OUT-02", "postfix")
        assert (outcome, f"from {host.address}," in said) == ("fail", True), said
    text = host.get(ANSWERS).decode().replace('address = ""', f'address = "{host.address}"')
    host.put(text, ANSWERS)
    done = Program(host).apply("postfix")
    assert done.status == 0, done.stdout[-4000:]
    host.run("postconf -e smtp_address_preference=ipv4; postfix reload")
    assert f"[{host.address}]" in seen(host, internet, "over IPv4 again")
