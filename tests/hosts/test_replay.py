"""The exported script does on another fresh host what was done here, and proves it (R29)."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab import images, tree
from lab.fixtures import FreshHost
from lab.host import Host
from lab.shell import Completed
from support.applied import DOMAIN, FQDN, Prepared
from support.program import Program, started, untouched

SCRIPT = "/root/replay.sh"
# Of the two hosts' own: keys made by a package, times, what came with the Python that the launcher
# needs, compiled tables (their entries are compared), ldconfig's cache.
OTHERWISE = (
    *("/etc/machine-id", "/etc/.updated", "/etc/.pwd.lock", "/etc/ld.so.cache", "/etc/resolv.conf"),
    *("/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/ssl/private/ssl-cert-snakeoil.key"),
    *(
        "*.db",
        "/etc/*-",
        "/etc/python3*",
        "/etc/inputrc",
        "/etc/mime.types",
        "/etc/hosts",
        "/etc/passwd",
        "/etc/shadow",
    ),
)
REST = """
hostname
hostname -f
debconf-show postfix | sort
systemctl is-active postfix
systemctl is-enabled postfix
"""
TABLES = ("/etc/aliases", "/etc/postfix/sender_canonical")


@dataclass(frozen=True)
class Original:
    """A host with every step applied: what it exports, and what it was like."""

    script: bytes
    files: dict[str, tree.TreeEntry]
    rest: str
    tables: dict[str, list[str]]
    offset: int


@pytest.fixture
def original(prepared: Prepared, suite: str) -> Original:
    with prepared.applied_host(suite) as host:
        done = Program(host)("export", "--format", "sh")
        assert done.status == 0, done
        files = host.tree(exclude=OTHERWISE)
        rest, offset = host.run(REST).stdout, host.offsets[0]
        return Original(done.stdout.encode(), files, rest, entries(host), offset)


@pytest.fixture
def script(original: Original) -> bytes:
    return original.script


@pytest.fixture
def fresh(prepared: Prepared, fresh_host: FreshHost, original: Original, suite: str) -> Host:
    """A bare host of the same release in the same place: no Python, no Postfix, the same people."""
    host = bare(fresh_host, suite, offset=original.offset)
    prepared.internet.register(host, FQDN, mx=DOMAIN)
    return host


def bare(fresh_host: FreshHost, suite: str, offset: int | None = None) -> Host:
    host = fresh_host(images.base(suite), offset=offset)
    host.run("useradd -m -s /bin/bash alice && useradd -m -s /bin/bash bob")
    assert not host.exists("/usr/bin/python3")
    return host


def replay(host: Host, script: bytes) -> Completed:
    host.put(script, SCRIPT, mode=0o700)
    return host.run([SCRIPT], check=False, timeout=300)


def entries(host: Host) -> dict[str, list[str]]:
    """What the compiled tables say; postalias also notes the moment."""
    lines = {t: host.run(["postmap", "-s", f"hash:{t}"]).stdout.splitlines() for t in TABLES}
    return {t: sorted(li for li in lines[t] if "YP_LAST_MODIFIED" not in li) for t in lines}


def test_the_script_makes_the_same_host(fresh: Host, original: Original) -> None:
    done = replay(fresh, original.script)
    assert done.ok, done.stdout[-2000:] + done.stderr
    assert "All of it holds." in done.stdout
    assert tree.diff(original.files, fresh.tree(exclude=OTHERWISE), times=False) == {}
    assert entries(fresh) == original.tables
    assert fresh.run(REST).stdout == original.rest
    before = started(fresh)
    with untouched(fresh):
        again = replay(fresh, original.script)
    assert again.ok, again.stderr
    assert started(fresh) == before
    assert not fresh.exists("/usr/bin/python3")
    assert not re.search(r"^(wrote|set|compiled) ", again.stdout, re.MULTILINE)


def test_another_release_is_refused_untouched(
    fresh_host: FreshHost, script: bytes, suite: str
) -> None:
    other = next(name for name in images.SUITES if name != suite)
    host = bare(fresh_host, other)
    with untouched(host, "/etc", "/usr", "/var/lib"):
        done = replay(host, script)
    assert done.status == 3
    assert "refused" in done.stderr
    assert "Debian" in done.stderr or "debian" in done.stderr


def test_only_root_may(fresh_host: FreshHost, script: bytes) -> None:
    host = fresh_host()
    host.put(script, "/tmp/replay.sh", mode=0o755)
    done = host.run(["/tmp/replay.sh"], user="nobody", check=False)
    assert done.status == 3
    assert "root" in done.stderr


def test_the_script_is_clean(script: bytes, tmp_path: Path) -> None:
    path = tmp_path / "replay.sh"
    path.write_bytes(script)
    for argv in (["bash", "-n"], ["shellcheck"]):
        done = subprocess.run([*argv, str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    text = script.decode()
    assert text.startswith("#!/bin/bash\n")
    assert "set -euo pipefail" in text
    for junk in ("/opt/mailwizard", "/root/", "/var/lib/mailwizard"):
        assert junk not in text


BROKEN: dict[str, tuple[str, str, str]] = {
    "everybody may relay": (
        r"mynetworks = 127\.0\.0\.0/8 \[::1\]/128",
        "mynetworks = 0.0.0.0/0 [::]/0",
        "a stranger may relay",
    ),
    "another greeting": (r"\$myhostname ESMTP", "mine ESMTP", "port 25 says"),
    "an alias that goes nowhere": (r"(?m)^put_entry .* security .*$", "", "security"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_proof_that_fails_is_a_script_that_fails(fresh: Host, script: bytes, what: str) -> None:
    pattern, instead, said = BROKEN[what]
    broken, count = re.subn(pattern, instead.replace("\\", r"\\"), script.decode())
    assert count
    done = replay(fresh, broken.encode())
    assert done.status == 1, done
    assert said in done.stderr
    assert "All of it holds." not in done.stdout
