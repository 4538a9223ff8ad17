"""Runs inside a host under test: `lockout.py HOW ARGUMENT...`, the program gone wrong on purpose.

killed: by SIGKILL between the change of the firewall and its confirmation; the clock is short.
astray: SSH is looked for at a port where it is not.
"""

from __future__ import annotations

import os
import signal
import sys

from mailwizard import cli
from mailwizard.changes import guard
from mailwizard.model import Host, Look, Result
from mailwizard.platform import firewalls
from mailwizard.probes import PublicPortsReached

SECONDS = 10
ELSEWHERE = 2299


def _killed(self: PublicPortsReached, host: Host) -> Result:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def _elsewhere(look: Look) -> tuple[int, ...]:
    return (ELSEWHERE,)


def main() -> int:
    """Break one thing, then be the program."""
    how, *arguments = sys.argv[1:]
    if how == "killed":
        guard.SECONDS = SECONDS
        PublicPortsReached.ask = _killed  # type: ignore[method-assign]
    if how == "astray":
        firewalls.sshd_listening = firewalls.sshd_ports = _elsewhere
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
