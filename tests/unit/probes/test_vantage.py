"""The stranger: where he gets his addresses, who shares him, and that nothing of him stays."""

import ipaddress
import os
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from support.clocks import HUNG
from support.recorded import RecordedHost, Written

from mailwizard.errors import CommandFailed
from mailwizard.model import Completed
from mailwizard.probes.vantage import NoVantage, release, seat

POOL4, POOL6 = ipaddress.ip_network("198.18.0.0/15"), ipaddress.ip_network("fd00::/8")


class StrangersHost(RecordedHost):
    """A host where `ip` works, with these routes and these trusted networks."""

    def __init__(self, routes: str = "[]", mynetworks: str = "127.0.0.0/8", ipv6: bool = True):
        super().__init__()
        self.refuse = False
        self.answers = {
            "ip -j -4 route show table all": Completed((), 0, routes),
            "ip -j -6 route show table all": Completed((), 0, '[{"dst":"default"},{"dst":"::/0"}]'),
            "ip -j addr show scope global": Completed(
                (), 0, '[{"ifname":"eth0","addr_info":[{"local":"192.0.2.25"}]}]'
            ),
            "postconf -x mynetworks": Completed((), 0, f"mynetworks = {mynetworks}\n"),
            "postconf -Px": Completed((), 0),
            "postconf -M": Completed((), 0),
        }
        disabled = b"0\n" if ipv6 else b"1\n"
        self.files["/proc/sys/net/ipv6/conf/default/disable_ipv6"] = Written(disabled)

    def run(self, argv: Sequence[str], *, stdin: str = "", **options: Any) -> Completed:
        self.ran.append(tuple(argv))
        self.stdin.append(stdin)
        if self.refuse and "-batch" in argv:
            raise CommandFailed(tuple(argv), 1, ("RTNETLINK answers: Operation not permitted",))
        return Completed(tuple(argv), 0)

    def verbs(self) -> list[str]:
        return [" ".join(argv[1:3]) for argv in self.ran]


@pytest.fixture(autouse=True)
def forget_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailwizard.probes.vantage._REMEMBERED", 0.0)


def test_made_in_two_commands_and_removed_link_first() -> None:
    host = StrangersHost()
    with seat(host) as place:
        four, six = place.addresses
        assert ipaddress.ip_address(four) in POOL4
        assert ipaddress.ip_address(six) in POOL6
        assert host.verbs() == ["-batch -", "-n mailwizard-stranger-" + str(os.getpid())]
        assert "nodad" in host.stdin[0]
        assert place.literal(four) == "[192.0.2.25]"
        # never an address of the link, which this host has for a moment
        assert place.literal(six) == "[192.0.2.25]"
        assert f"route replace 192.0.2.25 via {four} dev " in host.stdin[1]
    assert host.verbs()[2:] == ["link del", "netns del"]


def test_he_calls_from_more_addresses_than_a_check_has_connections() -> None:
    host = StrangersHost()
    with seat(host) as place:
        far = ipaddress.ip_address(place.own)
        blocks = [row.split()[3] for row in host.stdin[1].splitlines() if "route add local" in row]
    four, six = map(ipaddress.ip_network, blocks)
    assert (four.num_addresses, six.num_addresses) == (512, 512)
    assert four.subnet_of(POOL4)  # type: ignore[arg-type]
    assert far not in four
    for block in blocks:
        assert f"route add {block} via " in host.stdin[0]


def test_nobody_sits_there_before_both_ends_are_up() -> None:
    states = ["DOWN", "DOWN", "UP", "DOWN", "UP"]

    class SlowLink(StrangersHost):
        def ask(self, argv: Sequence[str], **options: Any) -> Completed:
            if "link" not in argv:
                return super().ask(argv, **options)
            return Completed(tuple(argv), 0, f"2: far: <BROADCAST> state {states.pop(0)} mode \n")

    with seat(SlowLink()):
        assert states == []


def test_the_address_is_off_all_routes_and_outside_mynetworks() -> None:
    routes = '[{"dst":"default"},{"dst":"198.18.0.0/16"},{"dst":"198.19.0.0/17"}]'
    host = StrangersHost(routes, "127.0.0.0/8, 198.19.128.0/18")
    for _ in range(20):
        with seat(host) as place:
            assert ipaddress.ip_address(place.addresses[0]) in ipaddress.ip_network(
                "198.19.192.0/18"
            )


def test_where_everybody_is_trusted_the_stranger_is_as_well() -> None:
    with seat(StrangersHost(mynetworks="0.0.0.0/0 [::]/0")) as place:
        assert len(place.addresses) == 2


def test_without_ipv6_there_is_one_address() -> None:
    with seat(StrangersHost(ipv6=False)) as place:
        assert len(place.addresses) == 1


def test_a_full_space_is_no_vantage() -> None:
    with pytest.raises(NoVantage, match="in use"), seat(StrangersHost('[{"dst":"198.18.0.0/15"}]')):
        pass


def test_a_refusal_is_said_in_its_own_words_and_cleaned_up() -> None:
    host = StrangersHost()
    host.refuse = True
    with pytest.raises(NoVantage, match="Operation not permitted"), seat(host):
        pass
    assert host.verbs()[-2:] == ["link del", "netns del"]
    host.refuse = False
    with seat(host) as place:
        assert place.addresses


def test_a_refusal_is_remembered_for_those_who_ask_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mailwizard.probes.vantage._REMEMBERED", 60.0)
    monkeypatch.setattr("mailwizard.probes.vantage._pool._refused_at", -1e9)
    host = StrangersHost()
    host.refuse = True
    for _ in range(5):
        with pytest.raises(NoVantage, match="Operation not permitted"), seat(host):
            pass
    assert host.verbs().count("-batch -") == 1
    monkeypatch.setattr("mailwizard.probes.vantage._pool._refused_at", -1e9)


def test_without_the_program_ip() -> None:
    with pytest.raises(NoVantage, match="iproute2"), seat(RecordedHost()):
        pass


def test_leftovers_of_the_dead_go_and_the_living_stay() -> None:
    host = StrangersHost()
    dead, alive = "mailwizard-stranger-4194305", f"mailwizard-stranger-{os.getppid()}"
    host.folders |= {
        f"/run/netns/{name}" for name in (dead, alive, "blue", "mailwizard-stranger-x")
    }
    with seat(host):
        pass
    removed = [argv[-1] for argv in host.ran if argv[1:3] == ("netns", "del")]
    assert removed == [dead, f"mailwizard-stranger-{os.getpid()}"]


def test_those_who_ask_together_share_one_stranger() -> None:
    host = StrangersHost()
    together, seen = threading.Barrier(8, timeout=HUNG), []

    def look() -> None:
        with seat(host) as place:
            together.wait()
            seen.append(place.addresses)
            together.wait()

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert host.verbs().count("-batch -") == 1
    assert host.verbs().count("netns del") == 1


def test_a_run_that_is_stopped_leaves_no_stranger_behind() -> None:
    host = StrangersHost()
    release(host)
    assert host.ran == []
    with seat(host):
        release(host)
        assert host.verbs()[2:] == ["link del", "netns del"]
    assert host.verbs().count("netns del") == 1
    with seat(host):
        assert host.verbs().count("-batch -") == 2
    assert host.verbs().count("netns del") == 2


def test_a_given_server_needs_no_stranger() -> None:
    host = RecordedHost()
    with seat(host, "127.0.0.1") as place:
        assert place.addresses == ("127.0.0.1",)
    assert host.ran == []
