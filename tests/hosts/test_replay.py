"""The exported script does on another fresh host what was done here, and proves it (R29)."""

from __future__ import annotations

import fcntl
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from lab import images, tree
from lab.fixtures import FreshHost
from lab.host import Host
from lab.shell import Completed
from support import suites
from support.applied import ANSWERS, AS_SHIPPED, DOMAIN, FQDN, LOGIN, PASSWORD, Prepared, answers
from support.program import Program, replay, started, untouched

# Of the two hosts' own: keys made by a package, times, what came with the Python that the launcher
# needs, compiled tables (their entries are compared), ldconfig's cache, and the accounts, since
# each password has a salt of its own and packages make theirs in their own order: names count, not
# numbers.
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
        *("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"),
    ),
)
# Each host has an authority and signing keys of its own: only the rights are the same.
OWN = ("/etc/ssl/mailwizard/", "/etc/mailwizard/dkim/")
LOGS_IN = f"doveadm auth test {LOGIN}"
REST = """
hostname
hostname -f
debconf-show postfix | sort
systemctl is-active postfix dovecot amavis opendkim opendmarc
systemctl is-enabled postfix dovecot amavis opendkim opendmarc
getent passwd carol
id carol
cut -d: -f1,4 /etc/group | sort
cut -d: -f1 /etc/passwd | sort
postconf -n
postconf -M
"""
# the hosts made ready for tests have all packages, those of the scanner too
SCANNED = "[amavis]\nvirus = true\n"
TABLES = ("/etc/aliases", "/etc/postfix/sender_canonical", "/etc/postfix/sender_login")


@dataclass(frozen=True)
class Original:
    """A host with every step applied: what it exports, and what it was like."""

    script: bytes
    files: dict[str, tree.TreeEntry]
    rest: str
    tables: dict[str, list[str]]
    offset: int
    key: str


suite = suites.one_host_each("replay")


@pytest.fixture(scope="module")
def original(prepared: Prepared, suite: str) -> Original:
    with prepared.applied_host(suite) as host:
        host.run(AS_SHIPPED)
        host.put(answers(host, SCANNED), ANSWERS)
        done = Program(host).apply("amavis", timeout=300)
        assert done.status == 0, done.stdout[-4000:] + done.stderr
        done = Program(host)("export", "--format", "sh")
        assert done.status == 0, done
        files = configured(host)
        script, rest = done.stdout.encode(), host.run(REST).stdout
        return Original(script, files, rest, entries(host), host.offsets[0], key=public_key(host))


@pytest.fixture
def script(original: Original) -> bytes:
    return original.script


@pytest.fixture
def fresh(prepared: Prepared, fresh_host: FreshHost, original: Original, suite: str) -> Host:
    """A bare host of the same release in the same place: no Python, no Postfix, the same people."""
    host = bare(fresh_host, suite, offset=original.offset)
    prepared.internet.register(host, FQDN, mx=DOMAIN)
    return host


@pytest.fixture
def packed(prepared: Prepared, fresh_host: FreshHost, original: Original, suite: str) -> Host:
    """A host in the same place that has the packages already: quicker, where they do not count."""
    host = fresh_host(prepared.ready(suite), offset=original.offset)
    prepared.internet.register(host, FQDN, mx=DOMAIN)
    return host


def bare(fresh_host: FreshHost, suite: str, offset: int | None = None) -> Host:
    host = fresh_host(images.base(suite), offset=offset)
    host.run("useradd -m -s /bin/bash alice && useradd -m -s /bin/bash bob")
    assert not host.exists("/usr/bin/python3")
    return host


def configured(host: Host) -> dict[str, tree.TreeEntry]:
    """All of /etc that two hosts must have in common."""
    files, users, groups = (
        host.tree(exclude=OTHERWISE),
        places(host, "passwd"),
        places(host, "group"),
    )
    owned = {k: replace(v, uid=users[v.uid], gid=groups[v.gid]) for k, v in files.items()}
    return {k: replace(v, content="") if k.startswith(OWN) else v for k, v in owned.items()}


def places(host: Host, table: str) -> dict[int, int]:
    """Each account's number, and its place among all names, which are the same on both hosts."""
    rows = [line.split(":") for line in host.get(f"/etc/{table}").decode().splitlines()]
    return {int(row[2]): place for place, row in enumerate(sorted(rows))}


def public_key(host: Host) -> str:
    """The public half of the key that signs mail."""
    shown = host.run("openssl rsa -in /etc/mailwizard/dkim/*.pem -pubout -outform DER | base64 -w0")
    return shown.stdout


def entries(host: Host) -> dict[str, list[str]]:
    """What the compiled tables say; postalias also notes the moment."""
    lines = {t: host.run(["postmap", "-s", f"hash:{t}"]).stdout.splitlines() for t in TABLES}
    return {t: sorted(li for li in lines[t] if "YP_LAST_MODIFIED" not in li) for t in lines}


def replay_beside_another(host: Host, script: bytes) -> Completed:
    """Run the script while apt's lists are in use, as they are when a fresh host boots.

    They are free again as soon as the script has said so.
    """
    host.put(script, "/root/replay.sh", mode=0o700)
    with (host.root / "var/lib/apt/lists/lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        started = host.popen(["/root/replay.sh"], env={f"PASSWORD_{LOGIN}": PASSWORD})
        assert started.stdout
        said = b""
        for line in started.stdout:
            said += line
            if b"somebody else renews the package lists" in line:
                break
    out, err = started.communicate(timeout=300)
    return Completed([], started.returncode, (said + out).decode(), err.decode())


@suites.both_releases
def test_the_script_makes_the_same_host(fresh: Host, original: Original) -> None:
    done = replay_beside_another(fresh, original.script)
    assert done.ok, done.stdout[-2000:] + done.stderr
    assert "somebody else renews the package lists" in done.stdout
    assert "All of it holds." in done.stdout
    key = public_key(fresh)
    assert f'TXT "v=DKIM1; k=rsa; p={key}"' in done.stdout, "the key that was made is shown"
    assert key != original.key
    different = tree.diff(original.files, configured(fresh), times=False)
    assert different == {}, different
    assert PASSWORD not in done.stdout + done.stderr
    assert "auth succeeded" in fresh.run(LOGS_IN, input=f"{PASSWORD}\n").stdout
    assert entries(fresh) == original.tables
    assert fresh.run(REST).stdout == original.rest
    before = started(fresh)
    with untouched(fresh):
        again = replay(fresh, original.script, password="")
    assert again.ok, again.stderr
    assert started(fresh) == before
    assert not re.search(r"^(wrote|set|compiled|made) ", again.stdout, re.MULTILINE)


def test_without_a_password_no_account_is_made(packed: Host, script: bytes) -> None:
    done = replay(packed, script, password="")
    assert done.status == 3
    assert f"set PASSWORD_{LOGIN} in the environment" in done.stderr
    assert not packed.run(["getent", "passwd", LOGIN], check=False).stdout
    assert "All of it holds." not in done.stdout


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
def test_a_proof_that_fails_is_a_script_that_fails(packed: Host, script: bytes, what: str) -> None:
    pattern, instead, said = BROKEN[what]
    broken, count = re.subn(pattern, instead.replace("\\", r"\\"), script.decode())
    assert count
    done = replay(packed, broken.encode())
    assert done.status == 1, done
    assert said in done.stderr
    assert "All of it holds." not in done.stdout
