"""What Postfix is told where the answers or the host are out of the ordinary."""

from __future__ import annotations

from typing import Any

import pytest
from support import programs
from support.recorded import RecordedHost, Written

from mailwizard.fields import Listing, Network
from mailwizard.model import Completed, Context
from mailwizard.steps import postfix

ROUTE4 = "ip -j -4 route get 192.0.2.1"
ROUTE6 = "ip -j -6 route get 2001:db8::1"


def context(host: RecordedHost, fqdn: str = "mail.example.org", **addresses: Any) -> Context:
    names = {"fqdn": fqdn, "address": "198.18.0.10", "address6": None, **addresses}
    own = {"domains": ["example.org"], "networks": ["127.0.0.0/8"], "message_size": 2**20}
    return Context("postfix", {"hostname": names, "postfix": own}, host)


@pytest.fixture
def host() -> RecordedHost:
    made = RecordedHost(programs={**programs.EVERYWHERE, **programs.POSTFIX})
    made.files["/etc/postfix/main.cf"] = Written(b"")
    made.files["/etc/postfix/master.cf"] = Written(b"smtp unix - - y - - smtp\n")
    return made


def test_a_kernel_without_ipv6_is_not_asked_for_it(host: RecordedHost) -> None:
    assert postfix.parameters(context(host))["inet_protocols"] == "ipv4"
    host.files["/proc/net/if_inet6"] = Written(b"")
    assert postfix.parameters(context(host))["inet_protocols"] == "all"


@pytest.mark.parametrize(
    ("fqdn", "domain"),
    [
        ("mail.example.org", "example.org"),
        ("mail.example.co.uk", "example.co.uk"),
        ("example.co.uk", "example.co.uk"),
        ("example.com.au", "example.com.au"),
        ("example.or.at", "example.or.at"),
        ("example.org", "example.org"),
        ("mail.amt.gv.at", "amt.gv.at"),
        ("amt.gv.at", "amt.gv.at"),
        ("someone.nom.br", "someone.nom.br"),
        ("project.github.io", "project.github.io"),
        ("mail.project.github.io", "project.github.io"),
        ("mail.example.test", "example.test"),
        ("mail.test", "mail.test"),
        ("mail.org.example", "org.example"),
        ("mail.beer.de", "beer.de"),
        ("mx.co.example.de", "co.example.de"),
    ],
)
def test_the_domain_that_is_proposed_is_ones_own(
    host: RecordedHost, fqdn: str, domain: str
) -> None:
    assert postfix.default_domains(context(host, fqdn)) == [domain]


LINKS = """[{"ifname": "eth0", "addr_info": [
  {"local": "10.77.0.5"}, {"local": "198.18.0.10"}, {"local": "198.18.0.11"},
  {"local": "2a01:4f8:1:2::3"}, {"local": "2a01:4f8:1:2::4"}]}]"""
SECOND = {"address": "198.18.0.11"}
SIX = {"address6": "2a01:4f8:1:2::3"}


def routed(host: RecordedHost, four: str = "198.18.0.10", six: str = "") -> None:
    for route, source in ((ROUTE4, four), (ROUTE6, six)):
        found = f'[{{"prefsrc": "{source}"}}]' if source else "[]"
        host.answers[route] = Completed((), 0, found)
    host.answers["ip -j addr show scope global"] = Completed((), 0, LINKS)


@pytest.mark.parametrize(
    ("addresses", "routes", "options"),
    [
        ({}, {}, {}),
        # told to the world, or nothing to tell
        (SIX, {"six": SIX["address6"]}, {}),
        ({}, {"six": "fd00:1::3"}, {}),
        # a family that nobody was told of
        ({}, {"six": "2a01:4f8:1:2::3"}, {"inet_protocols": "ipv4"}),
        ({"address": None, **SIX}, {"six": SIX["address6"]}, {"inet_protocols": "ipv6"}),
        # else no mail would leave at all
        ({"address": None, **SIX}, {"four": "", "six": SIX["address6"]}, {}),
        ({"address": None}, {"six": "2a01:4f8:1:2::3"}, {}),
        ({}, {"four": "", "six": "2a01:4f8:1:2::3"}, {}),
        # the kernel would choose another of this host's addresses
        (SECOND, {}, {"smtp_bind_address": "198.18.0.11"}),
        ({}, {"four": "10.77.0.5"}, {"smtp_bind_address": "198.18.0.10"}),
        (SIX, {"six": "2a01:4f8:1:2::4"}, {"smtp_bind_address6": "2a01:4f8:1:2::3"}),
        # a router's, which nothing here can be bound to
        ({"address": "198.18.0.99"}, {"four": "10.77.0.5"}, {}),
    ],
)
def test_mail_leaves_from_addresses_that_the_world_is_told_of(
    host: RecordedHost,
    addresses: dict[str, Any],
    routes: dict[str, str],
    options: dict[str, str],
) -> None:
    routed(host, **routes)
    assert postfix.leaving(context(host, **addresses)) == options
    wanted = {f"smtp/unix/{name}": value for name, value in options.items()}
    no_login = {"smtp/inet/smtpd_sasl_auth_enable": "no"}
    assert postfix.services(context(host, **addresses)) == no_login | wanted


@pytest.mark.parametrize(
    ("bound", "address", "value"),
    [
        ("198.18.0.11", "198.18.0.10", ""),
        ("198.18.0.10", "198.18.0.10", "left"),
        ("10.77.0.5", "198.18.0.10", "left"),
        ("198.18.0.10", "198.18.0.11", "198.18.0.11"),
        ("", "198.18.0.10", "left"),
    ],
)
def test_mail_is_no_longer_bound_to_what_was_answered_before(
    host: RecordedHost, bound: str, address: str, value: str
) -> None:
    routed(host)
    host.files["/etc/postfix/master.cf"] = Written(
        f"smtp unix - - y - - smtp\n    -o smtp_bind_address={bound}\n".encode()
    )
    found = postfix.services(context(host, address=address))
    assert found.get("smtp/unix/smtp_bind_address", "left") == value


@pytest.mark.parametrize(
    ("spoken", "address", "value"),
    [
        ("ipv6", "198.18.0.10", "all"),
        ("ipv6", None, "ipv6"),
        ("ipv4", "198.18.0.10", "left"),
    ],
)
def test_ipv6_alone_ends_with_an_ipv4_address(
    host: RecordedHost, spoken: str, address: str | None, value: str
) -> None:
    routed(host, six=SIX["address6"])
    host.files["/etc/postfix/master.cf"] = Written(
        f"smtp unix - - y - - smtp\n    -o inet_protocols={spoken}\n".encode()
    )
    found = postfix.services(context(host, address=address, **SIX))
    assert found.get("smtp/unix/inet_protocols", "left") == value


@pytest.mark.parametrize(
    ("there", "address", "value"),
    [
        ("", "198.18.0.10", "left"),
        ("", "198.18.0.99", "198.18.0.99"),
        ("198.18.0.98", "198.18.0.99", "198.18.0.99"),
        ("198.18.0.98", "198.18.0.10", ""),
        # a list is somebody's own
        ("192.0.2.1, 192.0.2.2", "198.18.0.10", "left"),
        ("192.0.2.1,\n 192.0.2.2", "198.18.0.99", "192.0.2.1 192.0.2.2 198.18.0.99"),
        ("192.0.2.1, 198.18.0.99", "198.18.0.99", "left"),
    ],
)
def test_postfix_knows_of_the_router(
    host: RecordedHost, there: str, address: str, value: str
) -> None:
    routed(host)
    if there:
        host.files["/etc/postfix/main.cf"] = Written(f"proxy_interfaces = {there}\n".encode())
    found = postfix.parameters(context(host, address=address))
    assert found.get("proxy_interfaces", "left") == value


def test_a_router_of_a_family_that_the_kernel_does_not_know_is_not_named(
    host: RecordedHost,
) -> None:
    routed(host)
    given = context(host, address6="2a01:4f8:1:2::99")
    assert "proxy_interfaces" not in postfix.parameters(given)
    host.files["/proc/net/if_inet6"] = Written(b"")
    assert postfix.parameters(given)["proxy_interfaces"] == "[2a01:4f8:1:2::99]"


def test_this_host_itself_is_always_trusted() -> None:
    (asked,) = [each for each in postfix.STEP.questions if each.name == "networks"]
    assert asked.kind.check(["192.168.1.0/24"]) == ["192.168.1.0/24", "127.0.0.0/8", "::1/128"]
    assert asked.kind.parse("::1, 10.0.0.0/8") == ["::1/128", "10.0.0.0/8", "127.0.0.0/8"]
    assert asked.kind.check([]) == list(postfix.LOOPBACK) == asked.kind.check(postfix.LOOPBACK)
    assert Listing(Network()).check(["10.0.0.0/8"]) == ["10.0.0.0/8"]
