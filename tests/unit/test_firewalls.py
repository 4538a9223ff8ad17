"""Rules of firewalls read as text, ports found, and what is written."""

from __future__ import annotations

import os

import pytest
from support import walls
from support.recorded import RecordedHost, Written

from mailwizard import firewalld, nftables, ufw
from mailwizard.errors import HostRefused
from mailwizard.fields import ClientNetwork, ServiceField
from mailwizard.fields.ports import port_of
from mailwizard.model import Completed
from mailwizard.platform import firewalls
from mailwizard.platform.el import EL_10
from mailwizard.platform.firewalls import Opening
from mailwizard.subjects import UfwRules

CLOSED = """\
table inet filter {
	set bad {
		type ipv4_addr
		elements = { 192.0.2.1, 192.0.2.2 }
	}

	chain input {
		type filter hook input priority filter; policy accept;
		ct state established,related accept
		ip saddr @bad drop
		tcp dport { 22, 80 } accept
		counter log prefix "in: " drop
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
"""
BANS = """\
table inet f2b-table {
	chain f2b-chain {
		type filter hook input priority filter - 1; policy accept;
		tcp dport 22 ip saddr 192.0.2.9 reject with icmp port-unreachable
	}
}
"""
OURS_THERE = """\
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
		tcp dport 22 accept
		jump mailwizard comment "mailwizard"
	}

	chain mailwizard {
		tcp dport 25 accept
	}
}
"""
OWN = """\
table inet mailwizard {
	set administrator4 {
		type ipv4_addr
		flags timeout
		elements = { 192.0.2.1 timeout 1h expires 59m,
			192.0.2.2 timeout 1h expires 58m }
	}

	chain input {
		type filter hook input priority filter; policy drop;
	}
}
"""
SSH, SMTP = Opening(2222, ssh=True), Opening(25, service="smtp")
LAN = Opening(143, sources=("192.168.1.0/24", "fd00:1::/64"))


def test_a_chain_closes_by_its_policy_or_its_last_rule() -> None:
    found = nftables.closing(CLOSED + BANS + OURS_THERE + OWN)
    assert [(each.table, each.name) for each in found] == [
        ("inet filter", "input"),
        ("ip filter", "INPUT"),
    ]
    assert [each.last for each in found] == [3, None]
    assert nftables.closing(BANS) == ()
    insert, add = (each.jump for each in found)
    assert insert == 'insert rule inet filter input index 3 jump mailwizard comment "mailwizard"'
    assert add == 'add rule ip filter INPUT jump mailwizard comment "mailwizard"'


@pytest.mark.parametrize(
    ("rule", "ends"),
    [
        ("drop", True),
        ("counter drop", True),
        ('counter packets 3 bytes 180 log prefix "x y" level info reject', True),
        ("reject with icmpx admin-prohibited", True),
        ('drop comment "the rest"', True),
        ("tcp dport 25 drop", False),
        ("ct state invalid drop", False),
        ("limit rate 3/minute log", False),
        ("accept", False),
    ],
)
def test_the_rule_that_ends_a_chain(rule: str, ends: bool) -> None:
    text = CLOSED.replace('counter log prefix "in: " drop', rule)
    assert bool(nftables.closing(text)) is ends


def test_rules_that_only_root_may_read_are_not_believed_to_be_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    listing = "nft -s list ruleset"
    said = "Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed"
    host = RecordedHost(answers={listing: Completed((), 1, "", said)})
    with pytest.raises(HostRefused, match="the rules of nftables can be read by root alone"):
        nftables.listing(host)
    assert nftables.listing(RecordedHost()) == "", "nft is not there"


def test_what_is_ours_in_the_tables_of_others() -> None:
    assert nftables.ours(CLOSED + BANS) == ""
    ours = nftables.ours(OURS_THERE).splitlines()
    assert 'ip filter: jump mailwizard comment "mailwizard"' in ours
    assert "ip filter: tcp dport 25 accept" in ours
    assert not any("dport 22" in line for line in ours)
    theirs = nftables.without_ours(OURS_THERE)
    assert "mailwizard" not in theirs
    assert theirs.count("{") == theirs.count("}")
    # who is let in for an hour is no part of the rules
    assert "192.0.2" not in nftables.ours(OWN)
    assert nftables.ours(OWN).startswith("table inet mailwizard {")


def test_the_script_for_a_closed_host_and_for_an_open_one() -> None:
    openings = (SSH, SMTP, LAN, Opening(51820, "udp"))
    added = nftables.script(OURS_THERE, openings)
    assert "tcp dport { 25, 2222 } accept" in added
    assert "ip saddr { 192.168.1.0/24 } tcp dport { 143 } accept" in added
    assert "ip6 saddr" not in added, "a table of IPv4 knows no other addresses"
    own = nftables.script(BANS, openings)
    assert "policy drop" in own
    assert "ip6 saddr { fd00:1::/64 } tcp dport { 143 } accept" in own
    assert "udp dport { 51820 } accept" in own


@pytest.mark.parametrize(
    ("conf", "there"),
    [
        ('include "/etc/nftables.d/*.nft"\n', True),
        ('  include "/etc/nftables.d/mailwizard.nft"\n', True),
        ('include "/etc/nftables/*.nft"\n', False),
        ('# include "/etc/nftables.d/*.nft"\n', False),
        (f"{nftables.INCLUDE}\n", False),
    ],
)
def test_a_file_that_loads_our_rules_already(conf: str, there: bool) -> None:
    assert nftables.included(conf) is there


def test_every_port_of_ssh_is_found() -> None:
    host = RecordedHost()
    rows = [
        'LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))',
        'LISTEN 0 128 [::]:2200 [::]:* users:(("sshd",pid=1,fd=4))',
        'LISTEN 0 128 127.0.0.1:6010 0.0.0.0:* users:(("sshd-session",pid=2,fd=4))',
        'LISTEN 0 128 *:2244 *:* users:(("systemd",pid=1,fd=4))',
        'LISTEN 0 100 0.0.0.0:25 0.0.0.0:* users:(("master",pid=3,fd=4))',
    ]
    socket = "ActiveState=active\nListen=[::]:2244 (Stream)\n"
    host.answers = {
        "ss -Hltnp": Completed((), 0, "\n".join(rows)),
        "systemctl show -p ActiveState,Listen ssh.socket": Completed((), 0, socket),
        "sshd -T": Completed((), 0, "port 2211\nlistenaddress 0.0.0.0:2211\n"),
    }
    # sudo took SSH_CONNECTION away; the login shell above it has it
    host.files = {
        "/proc/self/environ": Written(b"HOME=/root\0"),
        "/proc/self/status": Written(b"Name:\tpython\nPPid:\t77\n"),
        "/proc/77/environ": Written(b"A=b\0SSH_CONNECTION=192.0.2.7 40000 198.18.0.10 2255\0"),
    }
    assert firewalls.client(host) == (("192.0.2.7", 2255),)
    assert firewalls.sshd_listening(host) == (22, 2200, 2244, 2255)
    assert firewalls.sshd_ports(host) == (22, 2200, 2211, 2244, 2255)


def test_which_firewall_is_at_work() -> None:
    shown = "systemctl show -p UnitFileState,ActiveState firewalld.service"
    assert firewalls.firewall_of(RecordedHost()) == "nftables"
    assert firewalls.firewall_of(RecordedHost(EL_10)) == "firewalld"
    host = RecordedHost(files={firewalls.UFW_CONF: Written(b"# x\nENABLED=yes\n")})
    assert firewalls.firewall_of(host) == "ufw"
    host.answers = {shown: Completed((), 0, "ActiveState=active\nUnitFileState=disabled\n")}
    assert firewalls.firewall_of(host) == "firewalld"


@pytest.mark.parametrize(
    ("table", "saved", "said"),
    [
        (
            "ip filter",
            "/etc/iptables/rules.v4",
            "rules of iptables, kept in /etc/iptables/rules.v4",
        ),
        (
            "ip6 filter",
            "/etc/iptables/rules.v6",
            "-j ACCEPT && ip6tables-save >/etc/iptables/rules",
        ),
        ("ip filter", "", "loads them at boot, not in /etc/iptables/rules.v4"),
    ],
)
def test_rules_of_iptables_are_opened_where_they_are_kept(
    table: str, saved: str, said: str
) -> None:
    host = RecordedHost(files={saved: Written(b"x")} if saved else {})
    told = firewalls.kept_by_iptables(host, table, (25, 993))
    assert said in told
    assert "tables -I INPUT -p tcp -m multiport --dports 25,993 -j ACCEPT && " in told
    assert firewalls.kept_by_iptables(host, "inet own", (25,)) == ""


def test_what_ufw_holds_and_who_decided_it() -> None:
    mark = ufw.MARK.encode().hex()
    tuples = (
        "### tuple ### limit tcp 22 0.0.0.0/0 any 192.168.1.0/24 in\n"
        "### tuple ### allow any 8000:8010,9000 0.0.0.0/0 any 0.0.0.0/0 in comment=61\n"
        f"### tuple ### allow tcp 2222 0.0.0.0/0 any 0.0.0.0/0 in comment={mark}\n"
    )
    host = RecordedHost(files={ufw.FILES[0]: Written(tuples.encode())})
    assert [ufw.speaks_of(host, port) for port in (22, 8005, 9000, 2222, 23)] == [
        *(True, True, True),
        *(False, False),
    ]
    commands = [" ".join(argv) for argv in ufw.commands(host, (SSH, LAN))]
    # over IPv6 the rule is missing
    assert commands == [
        "ufw allow proto tcp from any to any port 2222 comment mailwizard",
        "ufw allow proto tcp from 192.168.1.0/24 to any port 143 comment mailwizard",
        "ufw allow proto tcp from fd00:1::/64 to any port 143 comment mailwizard",
    ]
    rule = "allow tcp 143 0.0.0.0/0 any 192.168.1.0/24 in"
    assert " ".join(ufw.deleting(rule)).endswith("proto tcp from 192.168.1.0/24 to any port 143")


def test_what_ufw_no_longer_needs_goes_but_not_ssh_and_nothing_of_others() -> None:
    mark = ufw.MARK.encode().hex()
    rows = [
        f"allow tcp {port} 0.0.0.0/0 any 0.0.0.0/0 in comment={mark}" for port in (25, 2222, 8443)
    ]
    rows += [
        f"allow tcp 143 0.0.0.0/0 any 192.168.1.0/24 in comment={mark}",
        f"allow tcp 8000:8010 0.0.0.0/0 any 0.0.0.0/0 in comment={mark}",
        "allow tcp 9000 0.0.0.0/0 any 0.0.0.0/0 in comment=61",
        "allow tcp 9001 0.0.0.0/0 any 0.0.0.0/0 in",
    ]
    text = "".join(f"### tuple ### {row}\n" for row in rows)
    host = RecordedHost(files={ufw.FILES[0]: Written(text.encode())})
    row = 'LISTEN 0 128 0.0.0.0:2222 0.0.0.0:* users:(("sshd",pid=1,fd=3))\n'
    host.answers["ss -Hltnp"] = Completed((), 0, row)
    assert [ufw.port_of(rule) for rule in ufw.spent(host, (SMTP,))] == [8443, 143]
    assert [" ".join(argv) for argv in ufw.commands(host, (SMTP,))] == [
        "ufw allow proto tcp from any to any port 25 comment mailwizard",
        "ufw --force delete allow proto tcp from any to any port 8443",
        "ufw --force delete allow proto tcp from 192.168.1.0/24 to any port 143",
    ]
    # with IPv6 switched off its rules stay: the command would take those of IPv4 along
    host.files["/etc/default/ufw"] = Written(b"IPV6=no\n")
    six = f"### tuple ### allow tcp 25 ::/0 any ::/0 in comment={mark}\n"
    host.files[ufw.FILES[1]] = Written(six.encode())
    assert [ufw.port_of(rule) for rule in ufw.spent(host, (SMTP,))] == [8443, 143]


def test_rules_of_ours_come_back_beside_those_that_others_added_since() -> None:
    mark = f"comment={ufw.MARK.encode().hex()}"
    old, new = (f"allow tcp {port} 0.0.0.0/0 any 0.0.0.0/0 in" for port in (8443, 25))
    host = RecordedHost(programs={**walls.WALLS})
    host.files = {path: Written(b"") for path in ufw.FILES}

    def rules(*rows: str) -> None:
        host.files[ufw.FILES[0]] = Written("".join(f"### tuple ### {r}\n" for r in rows).encode())

    rules(f"{old} {mark}")
    subject = UfwRules.of([old, new])
    before = subject.capture(host)
    rules(f"{new} {mark}")
    after = subject.capture(host)
    rules(f"{new} {mark}", "allow tcp 9000 0.0.0.0/0 any 0.0.0.0/0 in")
    subject.restore(host, before, after)
    found = [ufw.port_of(rule) for rule in ufw.tuples(host.read(ufw.FILES[0]).decode())]
    assert found == [9000, 8443]


def test_who_decided_about_ssh() -> None:
    assert [nftables.speaks_of(CLOSED, port) for port in (22, 80, 2222)] == [True, True, False]
    assert not nftables.speaks_of(BANS, 22), "a ban opens nothing"
    # an item that is there already is wanted still: else the exported script would lack it
    items = ("service=ssh", "port=2200/tcp", 'rich-rule=rule port port="2222" protocol="tcp" drop')
    found = [firewalld.speaks_of(items, port) for port in (22, 2200, 2222, 222)]
    assert found == [False, False, True, False]


def test_firewalld_is_told_one_kind_at_a_time() -> None:
    items = firewalld.wanted((SSH, SMTP, LAN))
    assert items[:2] == ("service=smtp", "port=2222/tcp")
    kinds = [argv[-1].partition("=")[0] for argv in firewalld.commands("add", "public", "", items)]
    assert kinds == ["--add-service", "--add-port", "--add-rich-rule"]


@pytest.mark.parametrize(
    ("given", "kept", "port"),
    [
        ("SMTP", "smtp", (25, "tcp")),
        (993, "imaps", (993, "tcp")),
        ("8443/tcp", "8443", (8443, "tcp")),
        ("51820/udp", "51820/udp", (51820, "udp")),
    ],
)
def test_a_service_is_a_name_or_a_port(given: object, kept: str, port: tuple[int, str]) -> None:
    assert ServiceField().check(given) == kept
    assert port_of(kept) == port


@pytest.mark.parametrize("given", ["smpt", 0, 65536, "25/sctp", True, 2.5, "", "25; reboot", -1])
def test_what_is_no_service_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match=r"right|mean|numbers|needed"):
        ServiceField().check(given)


def test_the_own_networks_may_have_any_address_but_not_all() -> None:
    assert ClientNetwork().check("198.51.100.0/24") == "198.51.100.0/24"
    for everybody in ("0.0.0.0/0", "::/0"):
        with pytest.raises(ValueError, match="`services`"):
            ClientNetwork().check(everybody)
