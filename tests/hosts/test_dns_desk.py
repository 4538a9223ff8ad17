"""The desk and the checks of zones against real name servers: each way of going wrong, named.

The table of all cases is printed after the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from lab.dns import NOBODYS_KEY, SERVERS, Dns
from lab.host import Host
from lab.internet import Internet

from mailwizard import dnsdesk
from mailwizard.dnsdesk import Finding, How, Verdict, Where
from mailwizard.host import LocalHost
from mailwizard.model import Outcome, Probe, Record
from mailwizard.platform.debian import TRIXIE
from mailwizard.probes import KeysVouchedFor, SignaturesHold, ZoneServers

ZONE, HIDDEN, SPLIT, BOGUS = "desk.test", "hidden.test", "split.test", "bogus.test"
LAGS, LAME, SIGNED, NEVER = "lags.test", "lame.test", "signed.test", "never.test"
NAME, ADDRESS = f"mail.{ZONE}", "192.0.2.10"
NS3 = "ns3.lab.test"
KEY_TEXT = "v=DKIM1; k=rsa; p=" + "MIIBIjANBgkqhki/" * 20
# Beside the lab's server: what a zone's second server, a resolver and an office's view can be.
OWN_ZONES = """\
zone {hidden} {{ type primary; file "hidden.zone"; }};
zone {split} {{ type primary; file "split.zone"; }};
zone {lags} {{ type primary; file "lags.zone"; }};
"""
OTHER_ZONE = """\
$TTL 300
@ SOA {server}. hostmaster.lab.test. 9 3600 600 86400 60
@ NS ns.lab.test.
{inside}
"""
Note = Callable[[str, object], None]


@dataclass
class Table:
    """The lab's server with some zones, and a second one with other ideas."""

    dns: Dns
    second: Host
    host: LocalHost
    note: Note = lambda _name, _value: None

    def look(self, record: Record, *, own: str = "", public: str = "") -> Finding:
        first = self.dns.address
        where = Where((own or first,), ((public or first,),), seconds=4.0)
        (finding,) = dnsdesk.look(self.host, [record], where)
        return finding

    def finds(
        self,
        case: str,
        published: str,
        record: Record,
        outcome: Verdict,
        how: How = How.NOTHING,
        *,
        own: str = "",
        public: str = "",
    ) -> Finding:
        """Look at one record, say what the case is, and what was made of it."""
        found = self.look(record, own=own, public=public)
        parts = [str(found.outcome), str(found.how), found.note]
        unknown = [one for one in found.views if one.outcome is Verdict.UNKNOWN]
        parts += [f"not known: {one.server}: {one.note}" for one in unknown]
        said = "; ".join(filter(None, dict.fromkeys(parts)))
        self.note("dns", (f"{record.owner} {record.type}: {case}", published, said))
        assert (found.outcome, found.how) == (outcome, how), found
        return found

    def check(self, case: str, probe: Probe, outcome: Outcome, said: str) -> None:
        """Ask a probe likewise."""
        result = probe.ask(self.host)
        self.note("dns", (f"{probe.id}: {case}", "", f"{result.outcome}: {result.said}"))
        assert (result.outcome, said in result.said) == (outcome, True), result


@pytest.fixture(scope="module")
def servers(internet: Internet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    dns = internet.dns
    for zone in (ZONE, HIDDEN, SPLIT, BOGUS, LAGS, LAME, SIGNED, NEVER):
        dns.add_zone(zone)
    anchors = {BOGUS: NOBODYS_KEY, SIGNED: dns.sign(SIGNED)}
    with Host(internet.layer, hostname="ns3", fqdn=NS3, net=internet.network) as second:
        options = OWN_ZONES.format(hidden=HIDDEN, split=SPLIT, lags=LAGS)
        second.put(dns.validating(anchors) + options, "/etc/bind/named.conf")
        for zone, inside in (
            ("hidden", f"mail A {ADDRESS}"),
            ("split", "mail A 10.0.0.5"),
            ("lags", "mail A 192.0.2.99"),
        ):
            text = OTHER_ZONE.format(server=NS3, inside=inside)
            second.put(text, f"/var/cache/bind/{zone}.zone")
        second.run("systemctl start named")
        dns.set(NS3, "A", second.address)
        dns.set(HIDDEN, "SOA", f"{NS3}. hostmaster.lab.test. 8 3600 600 86400 60")
        host = LocalHost(TRIXIE, str(tmp_path_factory.mktemp("state")))
        # BIND takes no MX that leads nowhere in its own zone
        dns.set(f"{NAME}.{ZONE}", "A", "192.0.2.77")
        yield Table(dns, second, host)


@pytest.fixture
def table(servers: Table, record_property: Note) -> Table:
    """Give the servers, and a row of the table for each look."""
    return replace(servers, note=record_property)


A = Record(NAME, "A", ADDRESS, "the address")
MX = Record(ZONE, "MX", f"10 {NAME}.", "the mail")
SPF = Record(ZONE, "TXT", "v=spf1 mx -all", "the senders")
DKIM = Record(f"mw._domainkey.{ZONE}", "TXT", KEY_TEXT, "the key")
DMARC = Record(f"_dmarc.{ZONE}", "TXT", "v=DMARC1; p=none", "the policy")
STRICT = replace(DMARC, value="v=DMARC1; p=quarantine")
SRV = Record(f"_imaps._tcp.{ZONE}", "SRV", f"0 1 993 {NAME}.", "the port", required=False)
CAA = Record(ZONE, "CAA", '0 issue "ca.example"', "the authority")
PTR = Record(f"10.{ZONE}", "PTR", f"{NAME}.", "the name")


@pytest.mark.parametrize(
    ("case", "record", "there", "outcome", "how"),
    [
        ("not there", A, [], Verdict.ABSENT, How.NOTHING),
        ("right", A, [ADDRESS], Verdict.RIGHT, How.NOTHING),
        ("another address", A, ["192.0.2.99"], Verdict.WRONG, How.OTHER),
        ("an address too many", A, [ADDRESS, "192.0.2.99"], Verdict.WRONG, How.SEVERAL),
        ("final dot forgotten", MX, [f"10 {NAME}.{ZONE}."], Verdict.WRONG, How.DOUBLED),
        ("final dot forgotten", SRV, [f"0 1 993 {NAME}.{ZONE}."], Verdict.WRONG, How.DOUBLED),
        ("another port", SRV, [f"0 1 143 {NAME}."], Verdict.WRONG, How.OTHER),
        ("the provider's name", PTR, ["static-10.provider.test."], Verdict.WRONG, How.OTHER),
        ("another authority", CAA, ['0 issue "other.example"'], Verdict.WRONG, How.OTHER),
        ("with parameters", CAA, ['0 issue "ca.example; a=b"'], Verdict.RIGHT, How.NOTHING),
        (
            "two records",
            SPF,
            ['"v=spf1 mx -all"', '"v=spf1 a -all"'],
            Verdict.WRONG,
            How.SEVERAL,
        ),
        ("beside other texts", SPF, ['"v=spf1 mx -all"', '"owner=1"'], Verdict.RIGHT, How.NOTHING),
        ("quotes kept", SPF, ['"\\"v=spf1 mx -all\\""'], Verdict.WRONG, How.QUOTED),
        ("a blank inside", SPF, ['"v=spf1 m x -all"'], Verdict.WRONG, How.BLANKS),
        ("a blank in front", SPF, ['" v=spf1 mx -all"'], Verdict.WRONG, How.BLANKS),
        (
            "two policies",
            DMARC,
            ['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'],
            Verdict.WRONG,
            How.SEVERAL,
        ),
        ("semicolons escaped", DMARC, ['"v=DMARC1\\\\; p=none"'], Verdict.WRONG, How.QUOTED),
        ("a stricter policy", DMARC, ['"v=DMARC1; p=reject"'], Verdict.RIGHT, How.NOTHING),
        ("a weaker policy", STRICT, ['"v=DMARC1; p=none"'], Verdict.WRONG, How.OTHER),
        ("cut at 255", DKIM, [f'"{KEY_TEXT[:255]}"'], Verdict.WRONG, How.CUT),
        (
            "a blank where it was split",
            DKIM,
            [f'"{KEY_TEXT[:150]}" " {KEY_TEXT[150:]}"'],
            # base64 may hold white space (RFC 6376, 3.6.1)
            Verdict.RIGHT,
            How.NOTHING,
        ),
        (
            "quotes where it was split",
            DKIM,
            [f'"{KEY_TEXT[:150]}\\" \\"" "{KEY_TEXT[150:]}"'],
            Verdict.WRONG,
            How.QUOTED,
        ),
        (
            "in two strings",
            DKIM,
            [f'"{KEY_TEXT[:255]}" "{KEY_TEXT[255:]}"'],
            Verdict.RIGHT,
            How.NOTHING,
        ),
        (
            "in other strings",
            DKIM,
            [f'"{KEY_TEXT[:9]}" "{KEY_TEXT[9:200]}" "{KEY_TEXT[200:]}"'],
            Verdict.RIGHT,
            How.NOTHING,
        ),
    ],
)
def test_the_table_of_records(
    table: Table, case: str, record: Record, there: list[str], outcome: Verdict, how: How
) -> None:
    table.dns.remove(record.owner, record.type)
    if there:
        table.dns.set(record.owner, record.type, *there)
    table.finds(case, " + ".join(there) or "nothing", record, outcome, how)


def test_an_alias_that_leads_nowhere(table: Table) -> None:
    table.dns.remove(NAME)
    table.dns.set(NAME, "CNAME", f"gone.{ZONE}")
    table.finds("an alias to nowhere", f"CNAME gone.{ZONE}.", A, Verdict.WRONG, How.ALIAS)
    table.dns.remove(NAME)


def test_a_suffix_that_was_doubled_is_found_where_it_went(table: Table) -> None:
    table.dns.remove(NAME, "A")
    twice = f"{NAME}.{ZONE}"
    table.dns.set(twice, "A", ADDRESS)
    table.finds("final dot forgotten", f"{twice}. A", A, Verdict.WRONG, How.DOUBLED)


def test_an_old_answer_is_counted_down(table: Table) -> None:
    table.dns.set(NAME, "A", "192.0.2.99", ttl=120)
    cache = table.second.address
    table.second.run(["dig", f"@{cache}", NAME, "A"])
    table.dns.set(NAME, "A", ADDRESS)
    said = "192.0.2.99 with a TTL of 120, then the right one"
    found = table.finds("changed just now", said, A, Verdict.LATE, How.CACHED, public=cache)
    assert 0 < (found.views[-1].ttl or 0) <= 120


def test_a_hidden_primary_and_a_split_horizon(table: Table) -> None:
    record = replace(A, owner=f"mail.{HIDDEN}")
    said = f"at {NS3} alone, which the SOA names and no NS"
    found = table.finds("a hidden primary", said, record, Verdict.ABSENT, How.PRIMARY)
    assert "has 9" in found.note
    table.dns.set(f"mail.{SPLIT}", "A", ADDRESS)
    record, own = replace(A, owner=f"mail.{SPLIT}"), table.second.address
    said = f"{ADDRESS} for the world, 10.0.0.5 inside"
    table.finds("a split horizon", said, record, Verdict.RIGHT, How.SPLIT, own=own)


def test_servers_that_lag_and_such_that_do_not_have_the_zone(table: Table) -> None:
    own = (table.dns.address,)
    table.dns.serve(LAGS, SERVERS[0], NS3)
    table.dns.set(f"mail.{LAGS}", "A", ADDRESS)
    record = replace(A, owner=f"mail.{LAGS}")
    said = f"at {SERVERS[0]} alone; {NS3} has the zone of yesterday"
    found = table.finds("servers disagree", said, record, Verdict.WRONG, How.DISAGREE)
    assert "Right on 1 of the zone's 2 servers only. Serials: " in found.note
    probe = ZoneServers(LAGS, nameservers=own)
    table.check("servers disagree", probe, Outcome.WARN, "serial numbers differ: ")
    table.dns.serve(LAME, SERVERS[0], NS3)
    table.dns.set(f"mail.{LAME}", "A", ADDRESS)
    record = replace(A, owner=f"mail.{LAME}")
    said = f"at {SERVERS[0]}; {NS3} is named, and knows nothing of it"
    found = table.finds("a lame server", said, record, Verdict.RIGHT)
    assert [view.outcome for view in found.views[:2]] == [Verdict.RIGHT, Verdict.UNKNOWN]
    probe = ZoneServers(LAME, nameservers=own)
    table.check("a lame server", probe, Outcome.FAIL, f"{NS3}, a server of {LAME}: is named as")
    # none has it: nobody can say what is in it
    table.dns.serve(LAME, NS3)
    table.finds("no server has the zone", f"NS {NS3}. alone", record, Verdict.RIGHT)
    probe = ZoneServers(LAME, nameservers=own)
    table.check("no server has the zone", probe, Outcome.UNKNOWN, "no server of lame.test answers")


def test_a_chain_of_signatures_and_what_breaks_it(table: Table) -> None:
    own = (table.second.address,)
    anchored = SignaturesHold(SIGNED, nameservers=own)
    vouched = KeysVouchedFor(SIGNED, nameservers=(table.dns.address,))
    table.check("signed", anchored, Outcome.PASS, "the signatures hold")
    table.check("signed, no DS above", vouched, Outcome.PASS, "nobody checks")
    keys = table.dns.host.run(f"dig +short @localhost {SIGNED} DNSKEY").stdout.splitlines()
    made = f"{SIGNED}. 300 IN DNSKEY {keys[0]}"
    signers = {
        digest: table.dns.host.run(
            ["dnssec-dsfromkey", "-a", digest, "-f", "-", SIGNED], input=f"{made}\n"
        )
        .stdout.partition(" DS ")[2]
        .strip()
        for digest in ("SHA-256", "SHA-1")
    }
    table.dns.vouch(SIGNED, signers["SHA-256"])
    table.check("DS above", vouched, Outcome.PASS, "the zone above names its key")
    table.dns.vouch(SIGNED, signers["SHA-1"])
    table.check("DS with SHA-1", vouched, Outcome.WARN, "are old")
    table.dns.vouch(SIGNED, f"1234 13 2 {'00' * 32}")
    table.check("DS of another key", vouched, Outcome.FAIL, f"which {SIGNED} lacks")
    table.dns.vouch(NEVER, signers["SHA-256"])
    unsigned = KeysVouchedFor(NEVER, nameservers=(table.dns.address,))
    table.check("DS, and no key", unsigned, Outcome.FAIL, "has no key")
    broken = SignaturesHold(BOGUS, nameservers=own)
    table.check("bogus", broken, Outcome.FAIL, "answers SERVFAIL: the zone's signatures")


def test_bad_weather_is_unknown(table: Table) -> None:
    table.dns.set(f"mail.{BOGUS}", "A", ADDRESS)
    record = replace(A, owner=f"mail.{BOGUS}")
    said, public = "right, but signed by nobody", table.second.address
    found = table.finds("signatures that do not fit", said, record, Verdict.RIGHT, public=public)
    assert found.views[-1].outcome is Verdict.UNKNOWN
    assert "DNSSEC" in found.views[-1].note
    # a resolver that is not there, and servers that do not have the zone they are named for
    nobody = table.second.network.address(250)
    table.finds("the resolver is dead", "right", record, Verdict.RIGHT, own=nobody)
    found = table.finds(
        "every resolver is dead", "right", record, Verdict.UNKNOWN, own=nobody, public=nobody
    )
    assert not found.failed
    table.dns.servfail(ZONE)
    try:
        found = table.finds("the zone answers SERVFAIL", "right", A, Verdict.UNKNOWN)
    finally:
        table.dns.heal()
    assert not found.failed


def test_a_long_text_where_tcp_is_blocked_is_unknown(table: Table) -> None:
    long = Record(ZONE, "TXT", "v=long " + "y" * 3000, "why")
    table.dns.set(ZONE, "TXT", long.value)
    table.finds("3000 octets", "right", long, Verdict.RIGHT)
    with table.dns.shut("tcp dport 53 drop"):
        found = table.finds("3000 octets, no TCP", "right", long, Verdict.UNKNOWN)
    assert "over TCP" in found.views[0].note
