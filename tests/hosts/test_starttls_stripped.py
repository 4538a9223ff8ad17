"""Somebody between takes STARTTLS out of what port 587 offers: nobody's password is said (TLS-24).

He is a fake (support/fake_stripper.py); the server behind him and those who ask him are real.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from lab import shell
from lab.host import ENVIRONMENT, Host
from support import fake_stripper, suites
from support.applied import UNFILTERED, Prepared
from support.program import Program

TABLE = f"""
table inet between {{
    chain taken {{
        type nat hook prerouting priority dstnat; policy accept;
        iif != lo tcp dport 587 redirect to :{fake_stripper.PORT}
    }}
}}
"""
WITH_PASSWORD = ("SUB-04", "SUB-08", "SUB-09", "SUB-11", "SUB-14")


@pytest.fixture(params=suites.grouped("clients"))
def host(prepared: Prepared, request: pytest.FixtureRequest) -> Iterator[Host]:
    """Give a host with every step applied."""
    with prepared.applied_host(request.param, UNFILTERED) as made:
        yield made


@pytest.fixture
def between(host: Host) -> Iterator[subprocess.Popen[bytes]]:
    """Put him between the host's port 587 and everybody outside."""
    within = ["nsenter", f"--net=/run/netns/{host.name}"]
    # only the network is the host's: he is no program of that host
    argv = [*within, sys.executable, fake_stripper.__file__]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdout=pipe, stderr=pipe, env=ENVIRONMENT) as fake:
        assert fake.stderr is not None
        assert fake.stderr.readline() == b"ready\n"
        shell.run([*within, "nft", "-f", "-"], stdin=TABLE)
        yield fake
        fake.kill()


def test_the_checks_say_no_password_to_him(host: Host, between: subprocess.Popen[bytes]) -> None:
    done = Program(host)("check", "--json", "submission")
    checks = {one["id"]: one for one in json.loads(done.stdout)["checks"]}
    between.kill()
    assert between.stdout is not None
    heard = between.stdout.read().decode().splitlines()
    assert sum(line.startswith("EHLO") for line in heard) > len(WITH_PASSWORD)
    assert [line for line in heard if "AUTH" in line.upper()] == []
    for name in WITH_PASSWORD:
        check = checks[name]
        assert check["outcome"] == "unknown", check
        assert check["said"].endswith("the server does not offer STARTTLS"), check
    # and it is not taken for a port that works
    assert checks["SUB-01"]["outcome"] == checks["SUB-03"]["outcome"] == "fail"
