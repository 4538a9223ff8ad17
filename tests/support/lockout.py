"""Runs inside a host under test: `lockout.py HOW ARGUMENT...`, the program gone wrong on purpose.

killed: by SIGKILL between the change of the firewall and its confirmation; the clock goes off at
once, and what it brings back waits for the file GO.
astray: SSH is looked for at a port where it is not.
replaced=PATH: killed by SIGKILL when a new file has just taken this place.
"""

from __future__ import annotations

import os
import signal
import sys

from mailwizard import cli, host
from mailwizard.changes import guard
from mailwizard.model import Host, Look, Result
from mailwizard.platform import firewalls
from mailwizard.probes import PublicPortsReached

ELSEWHERE = 2299
GO = "/run/go"
HELD = f"--property=ExecStartPre=/bin/sh -c 'until [ -e {GO} ]; do sleep 0.1; done'"


def _killed(self: PublicPortsReached, host: Host) -> Result:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def _held(arming: list[str]) -> list[str]:
    program, *words = arming
    return [program, HELD, "--property=TimeoutStartSec=infinity", *words]


def _killed_at(wanted: str) -> None:
    replace = host._replace

    def replaced(temporary: str, path: str) -> None:
        replace(temporary, path)
        if path == wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    host._replace = replaced


def _elsewhere(look: Look) -> tuple[int, ...]:
    return (ELSEWHERE,)


def main() -> int:
    """Break one thing, then be the program."""
    how, *arguments = sys.argv[1:]
    if how == "killed":
        guard.SECONDS = 1
        arming = guard.arming
        guard.arming = lambda: _held(arming())
        PublicPortsReached.ask = _killed  # type: ignore[method-assign]
    if how == "astray":
        firewalls.sshd_listening = firewalls.sshd_ports = _elsewhere
    if how.startswith("replaced="):
        _killed_at(how.partition("=")[2])
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
