"""The lab keeps its promises: what it calls a fresh host is one, and nothing is left behind."""

import subprocess
import sys
from pathlib import Path

import pytest
from lab import cgroups, tree
from lab.errors import CommandFailed, LabError
from lab.fixtures import FreshHost
from lab.network import Network
from lab.shell import alive
from support import suites

NAMESPACE = """
set -e
ip netns add probe
ip link add outer type veth peer name inner netns probe
ip addr add 10.9.9.1/30 dev outer
ip link set outer up
ip -n probe addr add 10.9.9.2/30 dev inner
ip -n probe link set inner up
echo 1 >/proc/sys/net/ipv4/ip_forward
ip netns exec probe bash -c '</dev/tcp/10.9.9.1/9' 2>&1 | grep -q refused
ip netns del probe
mount -t tmpfs none /mnt
umount /mnt
"""


@suites.both_releases
def test_a_fresh_host_is_a_plain_one(fresh_host: FreshHost, suite: str) -> None:
    host = fresh_host(suite)
    assert host.state() == "running"
    assert host.run("hostname").stdout == "debian\n"
    assert "127.0.0.1\tlocalhost" in host.get("/etc/hosts").decode()
    assert suite in host.get("/etc/os-release").decode()
    for absent in ("/usr/sbin/policy-rc.d", "/usr/bin/python3", "/etc/apt/apt.conf.d/99mmdebstrap"):
        assert not host.exists(absent)
    assert host.exists("/etc/services")
    addresses = host.run("ip -o addr show dev eth0").stdout
    assert f"inet {host.address}/20" in addresses
    assert f"inet6 {host.address6}/64" in addresses


@suites.both_releases
def test_packages_can_be_installed_in_a_host(fresh_host: FreshHost, suite: str) -> None:
    host = fresh_host(suite)
    host.run("apt-get update", timeout=120)
    host.run("apt-get install -y --no-install-recommends python3-venv", timeout=300)
    host.run("python3 -m venv /opt/v && /opt/v/bin/pip install -q tomli-w==1.2.0", timeout=120)
    assert host.run("/opt/v/bin/python -c 'import tomli_w'").ok


@suites.both_releases
def test_a_host_can_do_what_the_program_needs(fresh_host: FreshHost, suite: str) -> None:
    host = fresh_host(suite)
    host.run(NAMESPACE)
    unit = ["systemd-run", "--wait", "--pipe", "-pPrivateTmp=yes", "-pProtectSystem=strict"]
    assert host.run([*unit, "sh", "-c", "touch /tmp/x && ! touch /etc/x"]).ok
    assert not host.exists("/tmp/x")
    assert host.run(["hostnamectl", "set-hostname", "other"]).ok
    assert host.get("/etc/hostname") == b"other\n"


def test_nobody_in_a_host_sets_the_build_machines_clock(fresh_host: FreshHost) -> None:
    host = fresh_host()
    assert not host.run("date -s 2020-01-01", check=False).ok
    assert not host.run("systemd-run --wait --pipe date -s 2020-01-01", check=False).ok


def test_files_go_in_and_out(fresh_host: FreshHost) -> None:
    host = fresh_host()
    host.put(b"a\x00b\xff", "/run/deep/down", mode=0o640, owner="root:mail")
    assert host.get("/run/deep/down") == b"a\x00b\xff"
    assert host.run(["stat", "-c%a %G", "/run/deep/down"]).stdout == "640 mail\n"
    with pytest.raises(FileNotFoundError):
        host.get("/run/nothing")
    host.run(["ln", "-s", "/etc/passwd", "/root/link"])
    host.stop()
    assert not Path("/run/deep").exists()
    assert host.get("/root/link").startswith(b"root:")


def test_commands_fail_loudly_and_in_time(fresh_host: FreshHost) -> None:
    host = fresh_host()
    with pytest.raises(CommandFailed, match="status 3\nout\nwhy"):
        host.run("echo out; echo why >&2; exit 3")
    with pytest.raises(CommandFailed, match="in time"):
        host.run("sleep 4321", timeout=0.5)
    assert host.run(["pgrep", "-f", "sleep 432[1]"], check=False).stdout == ""
    assert host.run("id -un", user="nobody").stdout == "nobody\n"
    assert host.run("cat", input="in").stdout == "in"


@suites.both_releases
def test_a_host_survives_reboot_and_power_cut(fresh_host: FreshHost, suite: str) -> None:
    host = fresh_host(suite)
    host.put(b"kept", "/etc/kept")
    host.reboot()
    pid = host.pid
    host.kill()
    assert not alive(pid)
    assert host.get("/etc/kept") == b"kept"
    host.boot()
    assert host.state() == "running"


def test_hosts_forked_from_one_layer_are_alike_and_apart(fresh_host: FreshHost) -> None:
    parent = fresh_host(hostname="mail", fqdn="mail.example.test")
    parent.put(b"common", "/etc/common")
    place = parent.address
    layer = parent.fork()
    first, second = fresh_host(layer), fresh_host(layer)
    assert first.address == place != second.address
    assert (first.hostname, first.fqdn) == ("mail", "mail.example.test")
    first.run("mv /etc/systemd /etc/moved")
    assert second.get("/etc/common") == b"common"
    assert second.exists("/etc/systemd")
    grandchild = fresh_host(first.fork())
    assert grandchild.exists("/etc/moved/system")


def test_services_of_two_hosts_do_not_share_a_group(fresh_host: FreshHost) -> None:
    first, second = fresh_host(), fresh_host()
    for host in (first, second):
        host.run("systemd-run --unit=same sleep 1000")
    first.run("systemctl stop same", timeout=5)
    assert second.run("systemctl is-active same").stdout == "active\n"


def test_a_tree_tells_what_changed(fresh_host: FreshHost) -> None:
    host = fresh_host()
    host.put(b"1", "/etc/changed")
    host.put(b"1", "/etc/touched")
    host.put(b"1", "/etc/removed")
    before = host.tree(exclude=["/etc/.updated"])
    host.run("echo 2 >/etc/changed; chmod 600 /etc/changed; touch /etc/touched; rm /etc/removed")
    host.run("ln -s nowhere /etc/added")
    after = host.tree(exclude=["/etc/.updated"])
    assert tree.diff(before, after, times=False) == {
        "/etc/added": "added",
        "/etc/removed": "removed",
        "/etc/changed": "changed: mode, content",
    }
    assert tree.diff(before, after)["/etc/touched"] == "changed: mtime_ns"


@suites.both_releases
def test_a_password_is_proved_at_little_cost(fresh_host: FreshHost, suite: str) -> None:
    host = fresh_host(suite)
    host.run("useradd somebody && echo somebody:sound | chpasswd")
    assert host.run("getent shadow somebody").stdout.startswith("somebody:$y$j7T$")


@pytest.mark.parametrize("place", ["198.51.100.1/25", "198.51.100.1/587", "2001:db8::1/443"])
def test_nothing_in_a_host_reaches_strangers_or_waits_for_them(
    fresh_host: FreshHost, place: str
) -> None:
    host = fresh_host()
    assert not host.run(["bash", "-c", f"</dev/tcp/{place}"], check=False, timeout=5).ok


def test_a_machine_without_what_the_lab_needs_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("lab.place.NEEDED", ("ip", "warp-drive"))
    with pytest.raises(LabError, match="not installed: warp-drive; not root"):
        Network()


def test_a_boot_that_fails_shows_the_console(fresh_host: FreshHost) -> None:
    host = fresh_host()
    host.stop()
    host.put("#!/bin/sh\necho out of order\n", "/usr/lib/systemd/systemd", mode=0o755)
    with pytest.raises(LabError, match=r"ended while booting:\n.*out of order"):
        host.boot()
    assert not host.running


SKIPPED = """
import pytest

def test_one() -> None:
    pytest.skip("no time")
"""


def test_a_test_on_real_hosts_that_is_skipped_fails(tmp_path: Path) -> None:
    here = Path(__file__).parent
    (tmp_path / "conftest.py").write_bytes((here / "conftest.py").read_bytes())
    (tmp_path / "test_skipped.py").write_text(SKIPPED)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nmarkers = lab\npythonpath = {here.parent}\n")
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "1 failed" in done.stdout
    assert "no time" in done.stdout


def test_what_a_host_has_used_stays_counted(fresh_host: FreshHost) -> None:
    before = cgroups.spent()
    host = fresh_host()
    used = cgroups.seconds(host.name)
    host.run("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done")
    assert cgroups.seconds(host.name) > used > 0
    with_it = cgroups.spent()
    assert with_it >= before + used
    host.close()
    assert cgroups.spent() >= with_it
