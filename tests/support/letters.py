"""Letters that a stranger brings to a host, what became of them, and daemons that are away."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.host import Host
from lab.internet import Internet
from lab.mailhosts import Sent
from support.applied import DOMAIN
from support.program import Program, arrives

ALICE, STRANGER = f"alice@{DOMAIN}", "stranger@foreign.test"
# in parts: a scanner that looks through this file must not find them
EICAR = "".join(("X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*"))
GTUBE = "".join(("XJS*C4JDBQADN1.NSBN3*2IDNEN*", "GTUBE-STANDARD-", "ANTI-UBE-TEST-EMAIL*C.34X"))
# a signature of the test virus alone; the folders are what the units wait for (clamav-daemon(8))
DEFINITIONS = (
    "cd /var/lib/clamav && printf 'Eicar-Body:0:*:58354f2150254041505b345c505a58353428505e293743432"
    "9377d2445494341522d5354414e444152442d414e544956495255532d544553542d46494c452124482b482a\\n' "
    ">local.ndb && mkdir -p daily.inc main.inc"
)
SCANS = """
import socket, time
for _ in range(600):
    time.sleep(0.1)
    try:
        with socket.socket(socket.AF_UNIX) as clamd:
            clamd.connect("/run/clamav/clamd.ctl")
            clamd.sendall(b"zPING\\0")
            if clamd.recv(9).startswith(b"PONG"):
                break
    except OSError:
        pass
else:
    raise SystemExit("clamd does not answer")
"""


def mark(subject: str) -> str:
    """Give the message's id: while nothing can be scanned, subjects are marked."""
    return f"<{subject.replace(' ', '-')}@lab.test>"


def letter(subject: str, author: str, body: str = "hello", head: str = "X-Test: x") -> str:
    """Write a letter to alice."""
    date = "Date: Sat, 21 Nov 2026 12:00:00 +0000"
    names = (f"From: <{author}>", f"To: <{ALICE}>", f"Subject: {subject}")
    lines = (*names, date, f"Message-ID: {mark(subject)}", head)
    return "\r\n".join((*lines, "", body, ""))


def bring(internet: Internet, host: Host, message: str, sender: str = "", **how: str) -> Sent:
    """Hand a letter over from the foreign host."""
    return internet.foreign.send(sender, ALICE, message, to=host, **how)  # type: ignore[arg-type]


def got(host: Host, subject: str) -> str:
    """Give the message as it lies in alice's mailbox."""
    return arrives(host, "alice", f"Message-ID: {mark(subject)}")


def python(host: Host, script: str, **asked: str) -> str:
    """Run a script by the host's own Python."""
    return host.run(["/usr/bin/python3", "-c", script], input=json.dumps(asked)).stdout


def verdicts(host: Host, *steps: str) -> dict[str, tuple[str, str]]:
    """Give what each check of the steps says."""
    found = json.loads(Program(host)("check", "--json", *steps).stdout)["checks"]
    return {check["id"]: (check["outcome"], check["said"]) for check in found}


@contextmanager
def stopped(host: Host, *units: str) -> Iterator[None]:
    """Be without these daemons for a while."""
    names = " ".join(units)
    host.run(f"systemctl stop {names}")
    try:
        yield
    finally:
        host.run(f"systemctl start {names}")


def drained(host: Host) -> None:
    """Have the queue flushed, and see that nothing stays in it."""
    for _ in range(180):
        host.run("postqueue -f")
        if "empty" in host.run("postqueue -p").stdout:
            return
        time.sleep(0.5)
    raise AssertionError(host.run("postqueue -p").stdout)
