"""What Postfix is told where the answers or the host are out of the ordinary."""

from __future__ import annotations

from typing import Any

import pytest
from support import programs
from support.recorded import RecordedHost, Written

from mailwizard.fields import Listing, Network
from mailwizard.model import Completed, Context
from mailwizard.steps import postfix

ROUTE6 = "ip -j -6 route get 2001:db8::1"
SEEN6 = Completed((), 0, '[{"prefsrc": "2a01:4f8:1:2::3"}]')


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
        ("mail.org.example", "org.example"),
        ("mail.beer.de", "beer.de"),
        ("mx.co.example.de", "co.example.de"),
    ],
)
def test_the_domain_that_is_proposed_is_ones_own(
    host: RecordedHost, fqdn: str, domain: str
) -> None:
    assert postfix.default_domains(context(host, fqdn)) == [domain]


@pytest.mark.parametrize(
    ("addresses", "routed", "sending"),
    [
        ({}, SEEN6, "ipv4"),
        # told to the world, or nothing to tell
        ({"address6": "2a01:4f8:1:2::3"}, SEEN6, "unset"),
        ({}, Completed((), 0, "[]"), "unset"),
        ({}, Completed((), 0, '[{"prefsrc": "fd00:1::3"}]'), "unset"),
        # else no mail would leave at all
        ({"address": None}, SEEN6, "unset"),
    ],
)
def test_mail_leaves_from_addresses_that_the_world_is_told_of(
    host: RecordedHost, addresses: dict[str, Any], routed: Completed, sending: str
) -> None:
    host.answers[ROUTE6] = routed
    given = context(host, **addresses)
    assert postfix.services(given).get(postfix.SENDING, "unset") == sending


def test_this_host_itself_is_always_trusted() -> None:
    (asked,) = [each for each in postfix.STEP.questions if each.name == "networks"]
    assert asked.kind.check(["192.168.1.0/24"]) == ["192.168.1.0/24", "127.0.0.0/8", "::1/128"]
    assert asked.kind.parse("::1, 10.0.0.0/8") == ["::1/128", "10.0.0.0/8", "127.0.0.0/8"]
    assert asked.kind.check([]) == list(postfix.LOOPBACK) == asked.kind.check(postfix.LOOPBACK)
    assert Listing(Network()).check(["10.0.0.0/8"]) == ["10.0.0.0/8"]
