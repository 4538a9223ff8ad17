"""The machine's own state, from recorded answers of its tools."""

import pytest
from support.recorded import RecordedHost, Written

from mailwizard import probes
from mailwizard.model import Completed, Outcome, Probe
from mailwizard.probes.listening import in_the_way, listeners

FQDN = "mail.example.test"
ADDRESSES = (
    '[{"ifname":"eth0","addr_info":[{"local":"192.0.2.25"},{"local":"2001:db8::25"}]},'
    '{"ifname":"mws77","addr_info":[{"local":"198.18.4.1"}]}]'
)
PASS, WARN, FAIL, UNKNOWN = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN
MASTER = 'users:(("smtpd",pid=9,fd=6),("master",pid=7,fd=13))'


def host(**answers: str | int) -> RecordedHost:
    made = RecordedHost()
    made.answers["ip -j addr show scope global"] = Completed((), 0, ADDRESSES)
    for command, out in answers.items():
        code, text = (out, "") if isinstance(out, int) else (0, out)
        made.answers[command] = Completed((), code, text)
    return made


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        (FQDN, PASS),
        ("MAIL.example.TEST", PASS),
        ("mail", FAIL),
        ("localhost.localdomain", FAIL),
        ("mail.local", FAIL),
        ("mail.example.org", FAIL),
        ("-mail.example.test", FAIL),
        ("\x1b[2J.example.test", FAIL),
        ("", FAIL),
    ],
)
def test_full_host_name(name: str, outcome: Outcome) -> None:
    result = probes.FullHostName(FQDN).ask(host(**{"hostname -f": f"{name}\n"}))
    assert result.outcome is outcome
    assert "\x1b" not in result.said
    assert probes.FullHostName(FQDN).ask(host()).outcome is UNKNOWN


def test_postfix_has_its_own_idea_of_the_name() -> None:
    probe = probes.FullHostName(FQDN, postfix=True)
    good = {"hostname -f": FQDN, "postconf -x myhostname": f"myhostname = {FQDN}\n"}
    assert probe.ask(host(**good)).outcome is PASS
    assert probe.ask(
        host(**good | {"postconf -x myhostname": "myhostname = debian\n"})
    ).outcome is (FAIL)
    assert probe.ask(host(**{"hostname -f": FQDN})).outcome is UNKNOWN


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        ("192.0.2.25 STREAM mail\n2001:db8::25 STREAM\n", PASS),
        ("127.0.1.1 STREAM mail\n192.0.2.25 STREAM\n", PASS),
        ("127.0.1.1 STREAM mail\n", WARN),
        ("198.51.100.1 STREAM mail\n", FAIL),
        ("192.0.2.25 STREAM\n198.51.100.1 STREAM\n", FAIL),
        (2, FAIL),
        (124, UNKNOWN),
    ],
)
def test_name_is_here(found: str | int, outcome: Outcome) -> None:
    probe = probes.NameIsHere(FQDN)
    assert probe.ask(host(**{f"getent ahosts {FQDN}": found})).outcome is outcome


def test_clock() -> None:
    asked = "timedatectl show -p NTPSynchronized -p NTP"
    probe = probes.ClockRight()
    assert probe.ask(host(**{asked: "NTPSynchronized=yes\nNTP=yes\n"})).outcome is PASS
    off = {asked: "NTPSynchronized=no\nNTP=no\n"}
    assert probe.ask(host(**off)).outcome is WARN
    inside = off | {"systemd-detect-virt --container": "lxc\n"}
    assert probe.ask(host(**inside)).outcome is Outcome.SKIPPED
    assert probe.ask(host()).outcome is UNKNOWN


GIB = 1 << 30


@pytest.mark.parametrize(
    ("size", "free", "message", "outcome"),
    [
        (20 * GIB, 10 * GIB, 50 << 20, PASS),
        (20 * GIB, 5 * GIB, 0, WARN),
        (20 * GIB, 2 * GIB, 0, FAIL),
        (900 * GIB, 90 * GIB, 0, PASS),
        (20 * GIB, 10 * GIB, 8 * GIB, FAIL),
    ],
)
def test_disk(size: int, free: int, message: int, outcome: Outcome) -> None:
    asked = "df -B1 --output=size,avail,target /var/spool /home"
    made = host(**{asked: f"1B-blocks Avail Mounted on\n{size} {free} /\n{size} {free} /\n"})
    made.folders |= {"/var/spool", "/home"}
    assert probes.DiskRoom(message_size=message).ask(made).outcome is outcome
    assert probes.DiskRoom().ask(host()).outcome is UNKNOWN


@pytest.mark.parametrize(
    ("free", "needed", "outcome"),
    [(500, 0, PASS), (150, 0, WARN), (50, 0, FAIL), (500, 900 << 10, WARN)],
)
def test_memory(free: int, needed: int, outcome: Outcome) -> None:
    made = host()
    made.files["/proc/meminfo"] = Written(b"MemTotal: 1000 kB\nMemAvailable: %d kB\n" % free)
    assert probes.MemoryRoom(needed).ask(made).outcome is outcome
    assert probes.MemoryRoom().ask(host()).outcome is UNKNOWN


@pytest.mark.parametrize(
    ("addresses", "outcome"),
    [
        (("192.0.2.25", "2001:DB8::25"), PASS),
        (("192.0.2.25", ""), PASS),
        (("198.51.100.9",), WARN),
        (("198.18.4.1",), WARN),
    ],
)
def test_nat(addresses: tuple[str, ...], outcome: Outcome) -> None:
    assert probes.BehindNat(addresses).ask(host()).outcome is outcome
    assert probes.BehindNat(addresses).ask(RecordedHost()).outcome is UNKNOWN


@pytest.mark.parametrize(
    ("known", "outcome"),
    [("198.51.100.9", PASS), ("[2001:db8::9], 198.51.100.9", PASS), ("198.51.100.8", WARN)],
)
def test_a_router_that_postfix_knows_of(known: str, outcome: Outcome) -> None:
    behind = host(**{"postconf -x": f"proxy_interfaces = {known}\n"})
    result = probes.BehindNat(("198.51.100.9", "2001:db8::25")).ask(behind)
    assert result.outcome is outcome, result


@pytest.mark.parametrize(
    ("files", "outcome"),
    [
        ({}, WARN),
        ({"cloud.cfg": "preserve_hostname: true\nmanage_etc_hosts: true\n"}, WARN),
        ({"cloud.cfg": "preserve_hostname: false\n"}, WARN),
        (
            {
                "cloud.cfg": "preserve_hostname: false\nmanage_etc_hosts: localhost\n",
                "cloud.cfg.d/99-x.cfg": "preserve_hostname: true\nmanage_etc_hosts: false\n",
            },
            PASS,
        ),
        ({"cloud-init.disabled": ""}, PASS),
    ],
)
def test_cloud_init(files: dict[str, str], outcome: Outcome) -> None:
    made = host()
    assert probes.CloudHosts(FQDN).ask(made).outcome is PASS
    made.answers["cloud-init --version"] = Completed((), 0)
    made.files |= {f"/etc/cloud/{name}": Written(text.encode()) for name, text in files.items()}
    assert probes.CloudHosts(FQDN).ask(made).outcome is outcome


SS = "ss -Hltnp"


def socket_line(where: str, who: str = "") -> str:
    return f"LISTEN 0 100 {where} 0.0.0.0:* {who}\n"


def test_listening_sockets_as_ss_shows_them() -> None:
    out = socket_line("0.0.0.0:25", MASTER) + socket_line("[::1]:25") + socket_line("*:80")
    out += socket_line("127.0.0.53%lo:53") + "garbage\n"
    found = listeners(host(**{SS: out}))
    assert [(one.address, one.port, one.on_loopback) for one in found] == [
        ("0.0.0.0", 25, False),
        ("::1", 25, True),
        ("0.0.0.0", 80, False),
        ("127.0.0.53", 53, True),
    ]
    assert found[0].holders == (("smtpd", 9), ("master", 7))


@pytest.mark.parametrize(
    ("out", "outcome", "word"),
    [
        ("", PASS, "free"),
        (socket_line("*:25", MASTER), PASS, "ours"),
        (socket_line("*:8080", 'users:(("x",pid=1,fd=1))'), PASS, "free"),
        (socket_line("127.0.0.1:25", 'users:(("exim4",pid=5,fd=1))'), WARN, "exim4"),
        (socket_line("*:25", 'users:(("exim4",pid=6,fd=1))'), FAIL, "exim4"),
        (socket_line("*:80", 'users:(("caddy",pid=5,fd=1))'), WARN, "caddy"),
        (socket_line("*:25", 'users:(("mailpit",pid=5,fd=1))'), FAIL, "package mailpit"),
        (socket_line("*:143"), FAIL, "unknown program"),
    ],
)
def test_ports(out: str, outcome: Outcome, word: str) -> None:
    owner = {
        "readlink /proc/5/exe": "/usr/bin/mailpit\n",
        "dpkg -S /bin/mailpit": "mailpit: /bin\n",
        # its package has been removed
        "readlink /proc/6/exe": "/usr/sbin/exim4 (deleted)\n",
    }
    made = host(**{SS: out}, **owner)
    result = probes.PortsFree().ask(made)
    assert result.outcome is outcome
    assert word in result.said
    assert probes.PortsFree().ask(host()).outcome is UNKNOWN


def test_every_port_that_is_held_is_named_once() -> None:
    held = 'users:(("couriertcpd",pid={},fd=3))'
    lines = [socket_line("*:993", held.format(7)), socket_line("*:143", held.format(8))]
    made = host(**{SS: "".join([*lines, socket_line("[::]:143", held.format(8))])})
    for pid, unit in ((7, "courier-imap-ssl"), (8, "courier-imap")):
        made.files[f"/proc/{pid}/cgroup"] = Written(f"0::/system.slice/{unit}.service\n".encode())
    result = probes.PortsFree().ask(made)
    assert result.said == "port 143 is held by couriertcpd; port 993 is held by couriertcpd"
    units = "courier-imap.service` and `systemctl disable --now courier-imap-ssl.service` if"
    assert f"`systemctl disable --now {units}" in result.fix


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (
            "Nov 21 15:28:48 mail dovecot[4]: Error: listen(*, 993) failed: Address already in use",
            1,
        ),
        ("postfix/master[1]: fatal: bind 0.0.0.0 port 993: Address already in use", 1),
        ("OSError: [::]:993: Address already in use", 1),
        ("Nov 21 15:28:48 mail x[993]: listen(*, 143) failed: Address already in use", 0),
        ("Nov 21 15:28:48 mail dovecot[993]: Fatal: Failed to start listeners", 0),
    ],
)
def test_who_is_in_the_way(line: str, named: int) -> None:
    made = host(**{SS: socket_line("*:993", 'users:(("couriertls",pid=5,fd=1))')})
    group = b"0::/system.slice/courier-imap-ssl.service\n"
    made.files |= {"/proc/5/cgroup": Written(group)}
    said, hint = in_the_way(made, ["first", line])
    held = "port 993 is held by couriertls (pid 5) of courier-imap-ssl.service"
    assert said == held * named
    assert ("`systemctl disable --now courier-imap-ssl.service`" in hint) == bool(named)
    assert in_the_way(host(), [line]) == ("", "")


@pytest.mark.parametrize(
    ("out", "outcome"),
    [
        (socket_line("*:25", MASTER) + socket_line("127.0.0.1:10025", MASTER), PASS),
        (socket_line("127.0.0.1:25", MASTER), FAIL),
        (socket_line("*:25", MASTER) + socket_line("*:10025", MASTER), FAIL),
        (socket_line("*:25", 'users:(("exim4",pid=5,fd=1))'), FAIL),
        ("", FAIL),
    ],
)
def test_listeners(out: str, outcome: Outcome) -> None:
    probe = probes.Listeners((25,), private=(10025,), programs={25: ("master",)})
    assert probe.ask(host(**{SS: out})).outcome is outcome
    assert probe.ask(host()).outcome is UNKNOWN


STATE_CHANGE = "StateChangeTimestampMonotonic"
SHOW = (
    "systemctl show -p LoadState,ActiveState,SubState,Result,NRestarts,MainPID,UnitFileState,"
    f"{STATE_CHANGE} -- postfix"
)


def unit(**changed: str) -> str:
    values = {
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "Result": "success",
        "NRestarts": "0",
        "UnitFileState": "enabled",
        **changed,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (unit(), PASS),
        (unit(UnitFileState="enabled-runtime"), PASS),
        (unit(ActiveState="failed"), FAIL),
        (unit(LoadState="not-found", ActiveState="inactive"), FAIL),
        (unit(UnitFileState="disabled"), FAIL),
        (unit(NRestarts="3"), WARN),
        (unit(SubState="exited"), UNKNOWN),
    ],
)
def test_unit(state: str, outcome: Outcome) -> None:
    probe: Probe = probes.UnitRuns("postfix", window=0.01)
    assert probe.ask(host(**{SHOW: state})).outcome is outcome
    assert probe.ask(host()).outcome is UNKNOWN


@pytest.mark.parametrize(("age", "waited"), [(3600.0, False), (0.1, True), (None, True)])
def test_a_unit_that_has_long_been_up_is_not_waited_for(
    age: float | None, waited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 5000.0  # this machine may have been up for less than an hour itself
    since = {} if age is None else {STATE_CHANGE: str(round((now - age) * 1e6))}
    slept: list[float] = []
    monkeypatch.setattr("mailwizard.probes.listening.time.monotonic", lambda: now)
    monkeypatch.setattr("mailwizard.probes.listening.time.sleep", slept.append)
    assert probes.UnitRuns("postfix").ask(host(**{SHOW: unit(**since)})).outcome is PASS
    assert [seconds > 0 for seconds in slept] == [waited]


def test_a_unit_that_dies_within_the_window_fails() -> None:
    class Crashing(RecordedHost):
        def ask(self, *args: object, **kwargs: object) -> Completed:
            self.asked.append(())
            return Completed((), 0, unit(NRestarts=str(len(self.asked))))

    result = probes.UnitRuns("postfix", window=0.01).ask(Crashing())
    assert result.outcome is FAIL
    assert "does not stay up" in result.said


STATES = "dpkg-query -W -f '${db:Status-Status} ${Package}\\n'"


@pytest.mark.parametrize(
    ("states", "outcome", "said"),
    [
        ("installed postfix\nconfig-files old\n", PASS, "nothing is half done"),
        ("installed postfix\nhalf-configured dovecot-core\n", FAIL, "dovecot-core is here and"),
        ("unpacked dovecot-core\nunpacked procps\n", FAIL, "dovecot-core is here and not ready"),
        ("unpacked libx\nunpacked procps\n", WARN, "libx, procps are here and not ready"),
    ],
)
def test_packages_that_are_half_done(states: str, outcome: Outcome, said: str) -> None:
    probe = probes.PackagesReady(("postfix", "dovecot"))
    result = probe.ask(host(**{STATES: states}))
    assert result.outcome is outcome
    assert said in result.said
    assert probe.ask(host()).outcome is UNKNOWN
