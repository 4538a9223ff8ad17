"""What a daemon's main process runs, which may be older than what is installed."""

from __future__ import annotations

import contextlib
import re

from mailwizard import sanitise
from mailwizard.errors import HostRefused
from mailwizard.model import Look

GONE = " (deleted)"
_UNIT = re.compile(r"/([^/\n]+\.service)(?:/|$)", re.MULTILINE)


def number_in(look: Look, pid_file: str) -> int:
    """The running process that wrote its number there; 0 for none, or where root alone may see.

    systemd may know another: a unit of an earlier release can outlive its name.
    """
    said = b""
    with contextlib.suppress(HostRefused):
        said = look.read(pid_file).strip() if pid_file else b""
    # the file stays when its daemon ends, and the number may be somebody else's by now
    program = pid_file.rpartition("/")[2].removesuffix(".pid")
    runs = look.read(f"/proc/{int(said)}/comm").strip() if said.isdigit() else b""
    return int(said) if runs and runs == program.encode() else 0


def replaced(look: Look, pid: int) -> str:
    """The program that the process was started from, where another stands there now; or ""."""
    target = look.state(f"/proc/{pid}/exe").target if pid else ""
    return target.removesuffix(GONE) if target.endswith(GONE) else ""


def unit_of(look: Look, pid: int) -> str:
    """The service that the process belongs to; empty when it belongs to none."""
    found = _UNIT.search(look.read(f"/proc/{pid}/cgroup").decode("utf-8", "replace"))
    return sanitise.clean(found[1], limit=1) if found else ""
