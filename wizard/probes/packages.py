"""What the package manager has left half done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.errors import CommandFailed
from mailwizard.model import Host, Result
from mailwizard.platform import managers
from mailwizard.probes.verdict import failed, passed, unknown, warned

_READY = "every package that is here is ready for use"


@dataclass(frozen=True, slots=True)
class PackagesReady:
    """No upgrade or installation ended half-way; of what mail needs, that is a failure."""

    roles: Sequence[str]
    id: ClassVar[str] = "HOST-PKG"
    title: ClassVar[str] = "No package is half done"
    deadline: ClassVar[float] = 60.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = "dpkg --audit"

    def ask(self, host: Host) -> Result:
        try:
            half = sorted(managers.unready(host))
        except CommandFailed as silent:
            return unknown(silent.message, _READY, silent.hint)
        if not half:
            return passed("nothing is half done")
        needed = [name for role in self.roles for name in host.platform.packages(role)]
        mail = managers.akin(half, needed)
        named = mail or half
        verb = "is" if len(named) == 1 else "are"
        return (failed if mail else warned)(
            f"{', '.join(named)} {verb} here and not ready: an upgrade or an installation "
            "did not get to its end",
            _READY,
            "The administrator: `mailwizard apply` mends what mail needs; by hand: `dpkg "
            "--configure -a`, then `apt-get --fix-broken install`.",
            half,
        )
