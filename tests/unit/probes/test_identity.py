"""Under which name and from which addresses others see mail, and which addresses a host has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest
from support.recorded import RecordedHost
from support.verdicts import FAIL, PASS, UNKNOWN, WARN

from mailwizard import probes
from mailwizard.model import Completed, Outcome
from mailwizard.probes import addresses

FQDN = "mail.example.org"
# 198.51.100.9 is a second address
HERE = ("198.51.100.7", "198.51.100.9", "10.0.0.5", "2001:db8::7", "2a01:4f8:1:2::3")
ANSWERED = ("198.51.100.7", "2001:db8::7")
LINKS: list[dict[str, Any]] = [
    {"ifname": "eth0", "addr_info": [{"local": one} for one in HERE]},
    {"ifname": "eth0", "addr_info": [{"local": "2001:db8::f00", "temporary": True}]},
    {"ifname": "mws77", "addr_info": [{"local": "198.19.200.1"}, {"local": "fd6d:7769:7a00::1"}]},
]


class Sending(RecordedHost):
    """A host whose Postfix and network say these things."""

    conf: Mapping[str, str] = MappingProxyType({})
    routed = "198.51.100.7"
    routed6 = ""
    links: Sequence[Mapping[str, Any]] = LINKS

    def ask(self, argv: Sequence[str], *, stdin: str = "", **options: Any) -> Completed:
        words = tuple(argv)
        if argv[0] == "postconf":
            conf = {"smtp_helo_name": FQDN, "default_transport": "smtp", **self.conf}
            wanted = {k: v for k, v in conf.items() if ("/" in k) == ("-Px" in argv)}
            return Completed(words, 0, "".join(f"{k} = {v}\n" for k, v in wanted.items()))
        if argv[:2] == ["ip", "-j"] and "route" in argv:
            routed = self.routed if argv[2] == "-4" else self.routed6
            return Completed(words, 0, json.dumps([{"prefsrc": routed}] if routed else []))
        if argv[:2] == ["ip", "-j"]:
            return Completed(words, 0, json.dumps(self.links))
        return Completed(words, 127)


def identity(
    conf: Mapping[str, str],
    routed: str = "198.51.100.7",
    routed6: str = "",
    answered: Sequence[str] = ANSWERED,
) -> tuple[Outcome, str]:
    host = Sending()
    host.conf, host.routed, host.routed6 = conf, routed, routed6
    result = probes.OutgoingIdentity(FQDN, tuple(answered)).ask(host)
    return result.outcome, result.said


NAMES: list[tuple[dict[str, str], Outcome, str]] = [
    ({}, PASS, f"{FQDN} from 198.51.100.7"),
    ({"smtp_helo_name": "localhost"}, FAIL, "the name localhost"),
    ({"smtp_bind_address": "127.0.0.1"}, FAIL, "does not have"),
    ({"smtp_bind_address6": "2001:db8::9"}, FAIL, "does not have"),
    ({"relay/unix/smtp_bind_address": "192.0.2.9", "relay_transport": "relay"}, FAIL, "not have"),
    ({"relay/unix/smtp_bind_address": "192.0.2.9"}, PASS, "from 198.51.100.7"),
    (
        {"relay-smtps/unix/smtp_bind_address": "192.0.2.9", "default_transport": "relay-smtps"},
        FAIL,
        "not have",
    ),
]


@pytest.mark.parametrize(("conf", "outcome", "words"), NAMES)
def test_the_name_and_a_bound_address(conf: dict[str, str], outcome: Outcome, words: str) -> None:
    found, said = identity(conf)
    assert (found, words in said) == (outcome, True), said


BOUND = {"smtp/unix/smtp_bind_address": "198.51.100.7"}
SOURCES: list[tuple[dict[str, str], str, str, Sequence[str], Outcome, str]] = [
    # another of this host's addresses: SPF and PTR name the answered one
    ({}, "198.51.100.9", "", ANSWERED, FAIL, "from 198.51.100.9, which is not"),
    (BOUND, "198.51.100.9", "", ANSWERED, PASS, "from 198.51.100.7"),
    ({"relayhost": "[smtp.example.net]:587"}, "198.51.100.9", "", ANSWERED, WARN, "which is not"),
    # behind a router mail leaves from its address, but not where the answered one is at hand
    ({}, "10.0.0.5", "", ["198.51.100.44"], UNKNOWN, "only others can see"),
    ({}, "10.0.0.5", "", ANSWERED, FAIL, "from 10.0.0.5, which is not"),
    ({}, "198.51.100.9", "", ["198.51.100.44"], FAIL, "from 198.51.100.9"),
    # over a family that was not answered
    ({}, "198.51.100.7", "2a01:4f8:1:2::3", ANSWERED[:1], FAIL, "from 2a01:4f8:1:2::3"),
    ({"smtp/unix/inet_protocols": "ipv4"}, "198.51.100.7", "2a01::3", ANSWERED[:1], PASS, "from"),
    ({"inet_protocols": "ipv4"}, "198.51.100.7", "2a01::3", ANSWERED[:1], PASS, "from 198"),
    ({"inet_protocols": "ipv6, ipv4"}, "198.51.100.7", "2a01::3", ANSWERED[:1], FAIL, "2a01::3"),
    ({"smtp/unix/inet_protocols": "ipv6"}, "198.51.100.7", "2001:db8::7", ANSWERED, PASS, "from 2"),
    ({}, "", "2001:db8::7", ANSWERED[1:], PASS, "from 2001:db8::7"),
    ({}, "", "", ANSWERED, UNKNOWN, "no way out"),
]


@pytest.mark.parametrize(("conf", "routed", "routed6", "answered", "outcome", "words"), SOURCES)
def test_the_address_that_mail_leaves_from(
    conf: dict[str, str],
    routed: str,
    routed6: str,
    answered: Sequence[str],
    outcome: Outcome,
    words: str,
) -> None:
    found, said = identity(conf, routed, routed6, answered)
    assert (found, words in said) == (outcome, True), said


def test_one_set_of_addresses() -> None:
    host = Sending()
    host.conf = {"proxy_interfaces": "203.0.113.4, [2001:db8::4] mail.example.org"}
    assert addresses.on_interfaces(host) == HERE
    assert addresses.of_host(host, ["203.0.113.4", None, HERE[0]]) == (
        *("203.0.113.4", HERE[0]),
        *HERE[1:],
    )
    assert addresses.of_routers(host, ["203.0.113.4", None, HERE[0]]) == ("203.0.113.4",)
    assert addresses.proxied(host) == ("203.0.113.4", "2001:db8::4")
    host.links = []
    assert addresses.of_routers(host, ["203.0.113.4"]) == (), "nothing is known of a router"


def test_no_address_is_proposed_that_goes_away() -> None:
    host = Sending()
    host.routed, host.routed6 = "", "2001:db8::f00"
    assert addresses.proposed(host, 6) == "2a01:4f8:1:2::3"
    host.links = LINKS[1:]
    assert [addresses.proposed(host, family) for family in (4, 6)] == [None, None]
    assert addresses.inner(host, ["203.0.113.4"]) == ("127.0.1.1",)
