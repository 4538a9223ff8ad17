"""Hosts on which the launcher has made its environment, and not one mail package is installed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from lab import images
from lab.host import Host
from lab.internet import Internet
from lab.layers import Layer
from support.applied import (
    ANSWERS,
    CHECKOUT,
    FOR_SPAM,
    LAUNCHER,
    LEFT_OUT,
    PASSWORD,
    PLACE,
    SECRET,
    UNSCANNED,
    answers,
)

# What the launcher's environment is made from.
MADE_FROM = ("mailwizard", "requirements.txt", "pyproject.toml", "wizard/platform/apt.py")
# Every package of a run on such a host is downloaded before, and none by the run itself.
DOWNLOAD = """
import subprocess, sys
from mailwizard import platform
from mailwizard.answers import Answers
from mailwizard.engine import Engine
from mailwizard.host import LocalHost
from mailwizard.journal import Journal
from mailwizard.platform import managers
from mailwizard.steps import STEPS

host = LocalHost(platform.here(), sys.argv[1])
journal = Journal(f"{host.state_dir}/journal.db", platform.machine_id())
engine = Engine(STEPS, Answers.load("/root/answers.toml", STEPS), host, journal)
names = engine.missing_packages(step.id for step in engine.wanted())
subprocess.run(managers.manager_of(host.platform).download(names), check=True)
"""
WORKERS = (
    *("support/killing.py", "support/sweeping.py", "support/drifting.py", "support/undone.py"),
    "lab/tree.py",
)
PYTHON = "$(echo /usr/local/lib/mailwizard/env-*/bin/python)"

# Steps that may be left out, for runs without probes: nobody is asked whether the relay is there.
OPTIONAL = f"""
[relay]
host = "[smtp.relay.test]:465"
username = "customer"
password = {{ file = "{SECRET}" }}
"""


def launched(suite: str, internet: Internet) -> Layer:
    """A minimal Debian with two logins, apt's lists and archives, the launcher's environment."""
    digest = hashlib.sha256(b"".join((CHECKOUT / name).read_bytes() for name in MADE_FROM))
    key = f"{digest.hexdigest()} {PLACE} {DOWNLOAD}"
    parent, net = images.base(suite), internet.network
    return replace(images.layer(parent, f"launched-{suite}", key, _launch, net), identity=None)


def _launch(host: Host) -> None:
    host.run("useradd -m -s /bin/bash alice && useradd -m -s /bin/bash bob")
    put_checkout(host, filtering=FOR_SPAM)
    host.run([LAUNCHER, "answers"], timeout=600)
    host.run("apt-get clean && apt-get update", timeout=300)
    host.run(f"{PYTHON} - $(mktemp -d) <<'END'\n{DOWNLOAD}\nEND", timeout=600)


def put_checkout(host: Host, more: str = OPTIONAL, filtering: str = UNSCANNED) -> None:
    """Give the host today's checkout, the answers, and what runs inside it for the tests."""
    host.run(["rm", "-rf", PLACE])
    host.put_tree(CHECKOUT, PLACE, exclude=LEFT_OUT)
    host.put(PASSWORD, SECRET, mode=0o600)
    host.put(answers(host, filtering) + more, ANSWERS)
    for name in WORKERS:
        host.put(CHECKOUT / "tests" / name, f"/root/tests/{name}")


def inside(script: str, *arguments: str) -> str:
    """The command line that runs one of the workers in the host."""
    words = " ".join(arguments)
    return f"PYTHONPATH=/root/tests exec {PYTHON} /root/tests/support/{script} {words}"
