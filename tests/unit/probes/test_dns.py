"""The DNS probes against a name server that is right, wrong, hostile, slow and absent (R24)."""

import dns.rcode
import pytest
from support.fake_servers import FakeServer, silent
from support.nameserver import Server, fails, serving
from support.nameserver import silent as mute
from support.recorded import RecordedHost, Written

from mailwizard import probes
from mailwizard.model import Outcome, Probe
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.dns import Resolver, resolver_of, upstream_of
from mailwizard.probes.zones import Desk, Where

NAME = "mail.example.test"
FOUR, SIX = "198.51.100.25", "2001:db8::25"
REVERSE = "25.100.51.198.in-addr.arpa"
PASS, WARN, FAIL, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN


def server(*records: tuple[str, str, list[str]]) -> Server:
    made = Server("127.0.0.1", recursive=True, zones=("example.test", "in-addr.arpa", "ip6.arpa"))
    for name, kind, values in records:
        made.set(name, kind, *values)
    return made


def ask(made: Server, kind: type, *args: object) -> Outcome:
    with serving(made) as port:
        probe: Probe = kind(*args, nameservers=("127.0.0.1",), dns_port=port)
        result = probe.ask(RecordedHost())
    if result.outcome not in (PASS, Outcome.SKIPPED):
        assert result.expected
        assert result.fix
    assert all(name.endswith((".", "arpa")) or "." in name for name, _ in made.asked)
    return result.outcome


A, AAAA = (NAME, "A", [FOUR]), (NAME, "AAAA", [SIX])
PTR = (REVERSE, "PTR", [f"{NAME}."])


@pytest.mark.parametrize(
    ("records", "addresses", "outcome"),
    [
        ([A, AAAA], (FOUR, SIX), PASS),
        ([A], (FOUR, ""), PASS),
        (
            [(NAME, "CNAME", ["www.example.test."]), ("www.example.test", "A", [FOUR])],
            (FOUR,),
            PASS,
        ),
        ([], (FOUR,), FAIL),
        ([A], (FOUR, SIX), FAIL),
        ([A, AAAA], (FOUR,), FAIL),
        ([(NAME, "A", ["127.0.0.1"])], (FOUR,), FAIL),
        ([A], ("", ""), Outcome.SKIPPED),
        ([A], ("not an address",), UNKNOWN),
    ],
)
def test_name_resolves(
    records: list[tuple[str, str, list[str]]], addresses: tuple[str, ...], outcome: Outcome
) -> None:
    assert ask(server(*records), probes.NameResolves, NAME, addresses) is outcome


@pytest.mark.parametrize(
    ("records", "exists", "matches"),
    [
        ([A, PTR], PASS, PASS),
        ([], FAIL, UNKNOWN),
        ([PTR], PASS, FAIL),
        ([(NAME, "A", ["198.51.100.99"]), PTR], PASS, FAIL),
        (
            [
                (REVERSE, "PTR", ["host25.isp.example.test."]),
                ("host25.isp.example.test", "A", [FOUR]),
            ],
            PASS,
            WARN,
        ),
    ],
)
def test_reverse(
    records: list[tuple[str, str, list[str]]], exists: Outcome, matches: Outcome
) -> None:
    assert ask(server(*records), probes.ReverseExists, NAME, (FOUR, "")) is exists
    assert ask(server(*records), probes.ReverseMatches, NAME, (FOUR,)) is matches


def test_a_private_address_needs_no_reverse_name() -> None:
    assert ask(server(), probes.ReverseExists, NAME, ("192.168.1.5", "fd00::5")) is Outcome.SKIPPED


ALL = [
    (probes.NameResolves, (NAME, (FOUR,))),
    (probes.ReverseExists, (NAME, (FOUR,))),
    (probes.ReverseMatches, (NAME, (FOUR,))),
]


@pytest.mark.parametrize(("kind", "args"), ALL)
@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_an_error_of_the_resolver_is_unknown(
    kind: type, args: tuple[object, ...], code: dns.rcode.Rcode
) -> None:
    made = server()
    made.faults[""] = fails(code)
    assert ask(made, kind, *args) is UNKNOWN


def test_a_silent_resolver_is_left_in_time() -> None:
    made = server()
    made.faults[""] = mute
    with (
        serving(made) as port,
        pytest.raises(CannotAsk, match=r"no complete answer within 1 s"),
    ):
        Resolver(("127.0.0.1",), port, seconds=1).ask(NAME, "A")
    # with more time it would be asked once more
    assert len(made.asked) == 1


def test_without_a_resolver_nothing_can_be_asked() -> None:
    assert probes.NameResolves(NAME, (FOUR,)).ask(RecordedHost()).outcome is UNKNOWN
    host = RecordedHost()
    host.files["/etc/resolv.conf"] = Written(b"search corp.example\nnameserver 192.0.2.53\n")
    assert resolver_of(host).nameservers == ("192.0.2.53",)


RESOLVED = {
    "/etc/resolv.conf": Written(b"nameserver 127.0.0.53\noptions edns0 trust-ad\n"),
    "/run/systemd/resolve/resolv.conf": Written(b"nameserver 127.0.0.1\nnameserver 192.0.2.2\n"),
}


def test_what_systemd_resolved_has_from_the_hosts_file_is_not_the_dns() -> None:
    stub, upstream = server(A, PTR), server()
    stub.address = "127.0.0.53"
    host = RecordedHost(files=dict(RESOLVED))
    with serving(stub, upstream) as port:
        for kind in (probes.NameResolves, probes.ReverseExists):
            result = kind(NAME, (FOUR,), dns_port=port).ask(host)
            assert result.outcome is FAIL
            assert result.transcript[0] == "resolver: 127.0.0.1, 192.0.2.2"
    assert not stub.asked


@pytest.mark.parametrize(
    ("listed", "upstream", "asked"),
    [
        (["127.0.0.53"], ["192.0.2.2", "2001:db8::2"], ("192.0.2.2", "2001:db8::2")),
        (["127.0.0.54", "192.0.2.1"], ["192.0.2.2"], ("192.0.2.2", "192.0.2.1")),
        (["127.0.0.53"], [], ("127.0.0.53",)),
        (["127.0.0.1"], ["192.0.2.2"], ("127.0.0.1",)),
    ],
)
def test_whom_systemd_resolved_asks(
    listed: list[str], upstream: list[str], asked: tuple[str, ...]
) -> None:
    names = dict(zip(RESOLVED, (listed, upstream), strict=True))
    host = RecordedHost()
    for path, each in names.items():
        host.files[path] = Written("".join(f"nameserver {one}\n" for one in each).encode())
    assert upstream_of(host).nameservers == asked
    assert Desk(host, Where()).own.addresses == asked
    # programs here go on asking it
    assert resolver_of(host).nameservers == tuple(listed)
    assert upstream_of(host, ("192.0.2.9",)).nameservers == ("192.0.2.9",)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ('"v=DKIM1; p=ab" "cd"', "v=DKIM1; p=abcd"),
        ('"\\"v=spf1 -all\\""', '"v=spf1 -all"'),
        ('"a\\027b"', "a^[b"),
        ('""', ""),
    ],
)
def test_a_text_is_its_strings_in_one(written: str, text: str) -> None:
    with serving(server((NAME, "TXT", [written]))) as port:
        assert Resolver(("127.0.0.1",), port).texts(NAME) == (text,)


@pytest.mark.parametrize("name", ["a..example.test", "x" * 64 + ".test", "x." * 130 + "test"])
def test_what_is_no_name_cannot_be_asked_for(name: str) -> None:
    with pytest.raises(CannotAsk, match="no name that the DNS can hold"):
        Resolver(("127.0.0.1",), 1).ask(name, "A")


def test_too_many_records_and_endless_chains_are_contained() -> None:
    many = server((NAME, "A", [f"198.51.100.{n}" for n in range(1, 200)]))
    assert ask(many, probes.NameResolves, NAME, (FOUR,)) is UNKNOWN
    chain = server(
        *((f"c{n}.example.test", "CNAME", [f"c{n + 1}.example.test."]) for n in range(14))
    )
    chain.set("c14.example.test", "A", FOUR)
    assert ask(chain, probes.NameResolves, "c0.example.test", (FOUR,)) is UNKNOWN


def test_records_cannot_drive_the_terminal() -> None:
    made = server((NAME, "TXT", ['"\\027]52;c;ZXZpbA==\\007"']))
    with serving(made) as port:
        found = Resolver(("127.0.0.1",), port).ask(NAME, "TXT")
    assert found
    assert all(char.isprintable() for char in found[0])


def port25(records: list[tuple[str, str, list[str]]], port: int) -> Outcome:
    names = tuple(dict.fromkeys(name for name, _, _ in records)) or ("mx.example.test",)
    with serving(server(*records)) as dns_port:
        return probes.Port25Open(
            names, port=port, nameservers=("127.0.0.1",), dns_port=dns_port
        ).ask(RecordedHost()).outcome  # fmt: skip


def test_the_way_out() -> None:
    here = [("mx.example.test", "A", ["127.0.0.1"])]
    with FakeServer(silent) as other:
        assert port25(here, other.port) is PASS
        both = [*here, ("mx2.example.test", "A", ["127.0.0.2"])]
        assert port25(both, other.port) is PASS
    assert port25(here, other.port) is WARN
    assert port25([], 25) is UNKNOWN
