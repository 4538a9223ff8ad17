"""Mail and SSH come through the host's own firewall, nothing else does; nobody is locked out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from lab import tree
from lab.host import Host
from lab.internet import Internet
from support import firewalls, suites
from support.applied import ANSWERS, CHECKOUT, DOMAIN, FQDN, PYTHON, UNFILTERED, Prepared
from support.clocks import until
from support.faults import Bench, Fault
from support.faults.firewall import FIREWALLD, NFTABLES, UFW
from support.firewalls import NONE, OWN, UNITS, WALLS, rules
from support.lockout import ELSEWHERE, GO
from support.program import NOT_OURS, Program, arrives, helps, replay

MAIL = (25, 465, 587, 993)
SSH = (22, 2222)
TABLE = "inet mailwizard"
suite = suites.one_host_each("firewall")
HALF, OTHER_HALF = (suites.chosen("firewall", half) for half in (suites.HALF, suites.OTHER_HALF))
# firewalld starts in another way on each release
EVERY_WALL = [
    pytest.param(wall, marks=suites.both_releases if wall == firewalls.FIREWALLD else ())
    for wall in WALLS
]
EVERY_FAULT = [
    pytest.param(wall, fault, id=f"{wall}: {fault.title}")
    for wall, faults in ((NONE, NFTABLES), (firewalls.UFW, UFW), (firewalls.FIREWALLD, FIREWALLD))
    for fault in faults
]


@pytest.fixture(scope="module")
def behind(internet: Internet) -> Prepared:
    """Give hosts on which every firewall is installed, and what carries mail is applied."""
    return Prepared(internet, firewalls.with_firewalls)


@pytest.fixture(params=WALLS)
def wall(request: pytest.FixtureRequest) -> str:
    """Name the firewall that is at work before the step comes."""
    return str(request.param)


@pytest.fixture
def host(behind: Prepared, suite: str, wall: str, benches: dict[str, Bench]) -> Iterator[Host]:
    """Give a host behind this firewall that asks for the step."""
    close(benches)
    with behind.applied_host(suite, UNFILTERED) as host:
        firewalls.wall_up(host, wall)
        firewalls.answer(host)
        # the hosts of this file have the same addresses one after the other
        behind.internet.foreign.host.run(["ip", "neigh", "flush", "all"])
        yield host


@pytest.fixture(scope="module")
def benches(behind: Prepared, suite: str) -> Iterator[dict[str, Bench]]:
    """Give what keeps the host that is being broken."""
    made: dict[str, Bench] = {}
    yield made
    close(made)


def close(benches: dict[str, Bench]) -> None:
    """Take the broken host away: the next one can have its address, which the steps know."""
    while benches:
        _, bench = benches.popitem()
        bench.close()
        bench.host.close()


def greeting(internet: Internet, address: str, port: int, *, patience: float = 20) -> str:
    """Tell what somebody far away hears first at a port; empty when he does not come in."""
    tls = port in (465, 993)
    heard = internet.foreign.dialogue(address, port, [], tls=tls, protocol="line", timeout=patience)
    return heard[0] if heard and not heard[0].startswith("!") else ""


Whole = tuple[dict[str, tree.TreeEntry], str]


def everything(host: Host) -> Whole:
    return host.tree(("/etc",), NOT_OURS), rules(host)


def assert_as(host: Host, before: Whole) -> None:
    assert tree.diff(before[0], host.tree(("/etc",), NOT_OURS), times=False) == {}
    assert rules(host) == before[1]


def deliver(internet: Internet, host: Host, address: str) -> None:
    subject = f"through the firewall to {address}"
    message = f"Subject: {subject}\r\n\r\nhello\r\n"
    sent = internet.foreign.send("x@foreign.test", f"alice@{DOMAIN}", message, to=address)
    assert sent.ok, sent.answers
    arrives(host, "alice", subject)


@pytest.mark.parametrize("wall", EVERY_WALL, indirect=True)
def test_what_should_comes_in_and_the_rest_does_not(
    host: Host, internet: Internet, wall: str
) -> None:
    program, before = Program(host), everything(host)
    done = program.apply("firewall")
    assert done.status == 0, done.stdout[-4000:] + done.stderr
    for address in (host.address, host.address6):
        deliver(internet, host, address)
        for port in MAIL[1:]:
            assert greeting(internet, address, port), (address, port)
        for port in SSH:
            assert greeting(internet, address, port).startswith("SSH-"), (address, port)
    # the own network is of IPv6 alone
    assert "OK" in greeting(internet, host.address6, 143)
    assert not greeting(internet, host.address, 143, patience=2)
    assert host.run(["ping", "-c1", "-W2", internet.foreign.address], check=False).status in (
        0,
        127,
    )
    # once more: nothing to do
    after = everything(host)
    assert program("plan", "-a", ANSWERS, "firewall").status == 0
    again = program.apply("firewall")
    assert again.status == 0, again.stdout
    assert everything(host) == after
    lasts(host, wall, after[1])
    checked = program("check", "firewall")
    assert checked.status == 0, checked.stdout
    undone = program("undo", "firewall", "--yes")
    assert undone.status == 0, undone
    assert tree.diff(before[0], host.tree(("/etc",), NOT_OURS), times=False) == {}
    left = rules(host)
    assert TABLE not in left
    assert left == before[1] or wall == NONE  # Debian's file holds chains that do nothing


def lasts(host: Host, wall: str, now: str) -> None:
    """The unit alone makes the same rules, as at a boot."""
    host.run(["systemctl", "restart", UNITS[wall]])
    again = rules(host)
    if wall == NONE:
        ours = again[again.index(f"table {TABLE}") :]
        assert ours == now
        assert "policy drop" not in again.replace(ours, "")
        return
    # Debian 12's firewalld is started before it has loaded its rules
    until(lambda: rules(host) == now, every=0.2)


@pytest.mark.parametrize("wall", [NONE], indirect=True)
def test_an_ordinary_user_is_told_that_the_rules_are_not_his_to_read(host: Host) -> None:
    readable = "/tmp/answers.toml"
    host.put(host.get(ANSWERS), readable)
    done = Program(host)("plan", "-a", readable, "firewall", user="alice")
    helps(done, 3, "can be read by root alone", "sudo")


def test_a_boot_finds_the_same_rules(behind: Prepared, suite: str, internet: Internet) -> None:
    with behind.applied_host(suite, UNFILTERED) as host:
        firewalls.wall_up(host, NONE)
        host.run("systemctl enable ssh")
        firewalls.answer(host)
        assert Program(host).apply("firewall").status == 0
        host.reboot()
        assert f"table {TABLE}" in rules(host)
        # a host is up before its sshd is
        host.run("until ss -Hltn 'sport = :2222' | grep -q .; do sleep 0.1; done", timeout=60)
        heard = [greeting(internet, host.address6, 2222) for _ in range(3)]
        assert heard[-1].startswith("SSH-"), heard
        assert not greeting(internet, host.address, 143, patience=2)
        done = Program(host)("check", "firewall")
        assert done.status == 0, done.stdout
        assert Program(host)("plan", "-a", ANSWERS, "firewall").status == 0


def test_rules_that_shut_out_go_back_at_once(host: Host, wall: str) -> None:
    host.run(
        "nft 'add table inet early; add chain inet early in { type filter hook input priority -9; }"
        "; add rule inet early in tcp dport { 22, 993 } drop'"
    )
    if wall == OWN:
        host.run("nft -s list table inet early >>/etc/nftables.conf")
    before = everything(host)
    done = Program(host).apply("firewall")
    assert done.status == 1, done.stdout
    assert "not confirmed: strangers are not let in to port" in " ".join(done.stdout.split())
    assert_as(host, before)
    assert no_clock(host)


def no_clock(host: Host) -> bool:
    """Tell whether nothing waits to bring back rules."""
    units = host.run("systemctl list-units --all --no-legend 'mailwizard-firewall*'").stdout
    return not units.strip() and not host.exists("/run/mailwizard/firewall")


@pytest.mark.parametrize("wall", [NONE], indirect=True)
def test_ssh_where_nobody_looked_for_it_stays_open(host: Host, internet: Internet) -> None:
    before = everything(host)
    done = lockout(host, "astray")
    assert f"nobody answers at port {ELSEWHERE}" in " ".join(done.split()), done
    assert_as(host, before)
    for port in SSH:
        assert greeting(internet, host.address, port).startswith("SSH-")
    assert no_clock(host)


@pytest.mark.parametrize(("suite", "wall"), HALF, indirect=True)
def test_rules_of_a_killed_run_go_back_by_themselves(host: Host, internet: Internet) -> None:
    before = everything(host)
    killed = lockout(host, "killed")
    assert "Killed" in killed, killed
    assert rules(host) != before[1]
    host.put("", GO)
    until(lambda: no_clock(host), every=0.2)
    assert_as(host, before)
    assert greeting(internet, host.address, 22).startswith("SSH-")
    # a second one that is killed, and the next run does not wait for the clock
    host.run(["rm", GO])
    lockout(host, "killed")
    done = Program(host).apply("firewall")
    assert done.status == 0, done.stdout[-3000:]
    assert no_clock(host)
    host.put("", GO)
    assert Program(host)("plan", "-a", ANSWERS, "firewall").status == 0


def lockout(host: Host, how: str) -> str:
    """Run the program gone wrong on purpose; what it said."""
    host.put(CHECKOUT / "tests/support/lockout.py", "/root/lockout.py")
    words = f"/root/lockout.py {how} apply -a {ANSWERS} --yes firewall"
    done = host.run(f"{PYTHON} {words}; true", timeout=120)
    return done.stdout + done.stderr


@pytest.mark.parametrize("wall", [OWN], indirect=True)
def test_rules_that_the_next_boot_would_not_load_are_refused(host: Host) -> None:
    host.run("nft 'add table ip more; add chain ip more in { type filter hook input priority 5; "
             "policy drop; }'")  # fmt: skip
    before = everything(host)
    done = Program(host).apply("firewall")
    assert done.status == 1
    assert "table ip more closes this host, and is not from" in " ".join(done.stdout.split())
    host.run("nft flush ruleset")
    done = Program(host).apply("firewall")
    assert done.status == 1
    assert "not in force but will be after the next boot" in " ".join(done.stdout.split())
    assert_as(host, (before[0], ""))


@pytest.mark.parametrize("wall", [NONE], indirect=True)
def test_other_answers_other_rules(host: Host, internet: Internet) -> None:
    program = Program(host)
    assert program.apply("firewall").status == 0
    host.put(host.get(ANSWERS) + b'services = ["smtp", "imaps", 8443]\n', ANSWERS)
    done = program.apply("firewall")
    assert done.status == 0, done.stdout[-3000:]
    assert "tcp dport { 22, 25, 993, 2222, 8443 } accept" in rules(host)
    assert not greeting(internet, host.address, 465, patience=2)
    # edits by hand are the administrator's
    host.run("nft insert rule inet mailwizard input tcp dport 465 accept")
    drifted = program.apply("firewall")
    assert drifted.status == 1
    assert "edited by hand" in drifted.stdout
    assert "tcp dport 465 accept" in rules(host)
    assert program.states()["firewall"] == "drifted"


@pytest.mark.parametrize("wall", [firewalls.UFW], indirect=True)
def test_what_is_taken_out_of_the_answers_is_shut_again_in_ufw(
    host: Host, internet: Internet
) -> None:
    program, before = Program(host), everything(host)
    wide = re.sub(
        rb"lan = .*", b'lan = []\nservices = ["smtp", "imap", "imaps"]', host.get(ANSWERS)
    )
    host.put(wide, ANSWERS)
    done = program.apply("firewall")
    assert done.status == 0, done.stdout[-3000:]
    for port in (143, 993):
        assert greeting(internet, host.address, port), port
    host.put(wide.replace(b', "imap", "imaps"', b""), ANSWERS)
    done = program.apply("firewall")
    assert done.status == 0, done.stdout[-3000:]
    for address in (host.address, host.address6):
        for port in (143, 993):
            assert not greeting(internet, address, port, patience=2), (address, port)
        for port in SSH:
            assert greeting(internet, address, port).startswith("SSH-"), (address, port)
    assert program("plan", "-a", ANSWERS, "firewall").status == 0
    now = rules(host)
    host.run(["systemctl", "restart", "ufw"])
    assert rules(host) == now
    assert program("undo", "firewall", "--yes").status == 0
    assert_as(host, before)


@pytest.mark.parametrize(("suite", "wall"), OTHER_HALF, indirect=True)
def test_the_script_does_the_same(host: Host, internet: Internet, wall: str) -> None:
    program = Program(host)
    assert program.apply("firewall").status == 0
    after = rules(host)
    exported = program("export", "--format", "sh")
    assert exported.status == 0, exported.stderr
    assert program("undo", "firewall", "--yes").status == 0
    assert rules(host) != after
    done = replay(host, exported.stdout, password="")
    assert done.ok, done.stdout[-3000:] + done.stderr
    assert "strangers come in at port 22 2222" in done.stdout
    assert rules(host) == after
    checked = program("check", "firewall")
    assert checked.status == 0, checked.stdout
    assert no_clock(host)
    again = replay(host, exported.stdout, password="")
    assert again.ok, again.stderr
    assert rules(host) == after


@pytest.mark.parametrize("wall", [NONE], indirect=True)
def test_the_script_is_clean_and_locks_nobody_out(host: Host, internet: Internet) -> None:
    program = Program(host)
    assert program.apply("firewall").status == 0
    script = program("export", "--format", "sh").stdout
    assert program("undo", "firewall", "--yes").status == 0
    before = everything(host)
    # the host that it comes to has SSH elsewhere
    host.run("sed -i s/2222/2299/ /etc/ssh/sshd_config.d/ports.conf && systemctl restart ssh")
    done = replay(host, script, password="")
    assert done.status == 1
    assert "the old ones are back" in done.stderr
    assert rules(host) == before[1]
    assert greeting(internet, host.address, 2299).startswith("SSH-")
    assert no_clock(host)


@pytest.mark.parametrize(("wall_of_fault", "fault"), EVERY_FAULT)
def test_a_fault_of_the_firewall_is_seen(
    behind: Prepared, suite: str, benches: dict[str, Bench], wall_of_fault: str, fault: Fault
) -> None:
    bench = bench_behind(behind, suite, benches, wall_of_fault)
    with bench.broken(fault):
        broken = bench.ask(fault.turns, fault.options)
    assert fault.unmet(broken) == []
    after = bench.ask(fault.turns)
    assert {one["outcome"] for one in after.values()} == {"pass"}, after


def bench_behind(behind: Prepared, suite: str, benches: dict[str, Bench], wall: str) -> Bench:
    """The host behind this firewall, to be broken; one at a time, for they share an address."""
    if wall not in benches:
        close(benches)
        host = Host(behind.applied(suite, UNFILTERED), net=behind.internet.network)
        behind.internet.register(host, FQDN, mx=DOMAIN)
        firewalls.wall_up(host, wall)
        firewalls.answer(host)
        done = Program(host).apply("firewall")
        assert done.status == 0, done.stdout[-3000:]
        benches[wall] = Bench(suite, host, behind.internet)
    return benches[wall]
