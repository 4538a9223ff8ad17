"""apt and dpkg: the fast, silent and safe way to call them (reference host, section 17)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_QUIET = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_SUSPEND": "1",
    "UCF_FORCE_CONFFOLD": "1",
    "LC_ALL": "C.UTF-8",
}
_GONE = ("not-installed", "config-files")
# what dpkg says before it writes the first byte of a new package, and as it unpacks it
_CAME = re.compile(
    r"^(?:Selecting previously \w+ package|Unpacking) ([a-z0-9][a-z0-9+.-]*[a-z0-9+])",
    re.MULTILINE,
)
# invoke-rc.d(8): 101 forbids the action, and dpkg goes on.
_POLICY = "#!/bin/sh\n# Placed by mailwizard while packages are installed.\nexit 101\n"


@dataclass(frozen=True, slots=True)
class Apt:
    """Debian's package manager; waits `patience` seconds for somebody else's lock."""

    patience: int = 300
    environment: Mapping[str, str] = field(default_factory=lambda: dict(_QUIET))
    no_start: Mapping[str, tuple[str, int]] = field(
        default_factory=lambda: {"/usr/sbin/policy-rc.d": (_POLICY, 0o755)}
    )
    lock_files: tuple[str, ...] = (
        "/var/lib/dpkg/lock-frontend",
        "/var/lib/dpkg/lock",
        "/var/lib/apt/lists/lock",
        "/var/cache/apt/archives/lock",
    )
    pid_files: tuple[str, ...] = ()

    def query(self) -> tuple[str, ...]:
        return ("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\\n")

    def installed(self, out: str) -> frozenset[str]:
        return frozenset(name for state, name in _states(out) if state == "installed")

    def present(self, out: str) -> frozenset[str]:
        return frozenset(name for state, name in _states(out) if state not in _GONE)

    def unpacked(self, log: str) -> frozenset[str]:
        # not "Setting up": a repair also finishes what somebody else began
        return frozenset(_CAME.findall(log))

    def update(self) -> tuple[str, ...]:
        # Without the error mode a mirror that does not answer is a warning and code 0.
        return (*self._apt(), "-o", "APT::Update::Error-Mode=any", "update")

    def download(self, names: Sequence[str]) -> tuple[str, ...]:
        return (*self._apt(), "--download-only", *self._install(names))

    def install(self, names: Sequence[str]) -> tuple[str, ...]:
        return (*self._apt(), *self._install(names))

    def simulate(self, names: Sequence[str]) -> tuple[str, ...]:
        return (*self._apt(), "--simulate", *self._install(names))

    def would_install(self, out: str) -> tuple[str, ...]:
        """The packages that a simulated run would bring, dependencies included."""
        return tuple(line.split()[1] for line in out.splitlines() if line.startswith("Inst "))

    def purge(self, names: Sequence[str]) -> tuple[str, ...]:
        return (*self._apt(), "purge", "--", *names)

    def audit(self) -> tuple[str, ...]:
        return ("dpkg", "--audit")

    def broken(self, out: str) -> tuple[str, ...]:
        return tuple(
            line.split()[0] for line in out.splitlines() if line.startswith(" ") and line.split()
        )

    def repair(self) -> tuple[tuple[str, ...], ...]:
        keep = ("--force-confdef", "--force-confold")
        return (("dpkg", *keep, "--configure", "-a"), (*self._apt(), "--fix-broken", "install"))

    def _install(self, names: Sequence[str]) -> tuple[str, ...]:
        return ("--no-install-recommends", "install", "--", *names)

    def _apt(self) -> tuple[str, ...]:
        options = (
            f"DPkg::Lock::Timeout={self.patience}",
            "Dpkg::Use-Pty=0",
            "Dpkg::Options::=--force-confdef",
            "Dpkg::Options::=--force-confold",
            # No fsync per file: a power cut during a package run is repaired by running it again.
            "Dpkg::Options::=--force-unsafe-io",
            "Acquire::Languages=none",
            "Acquire::Retries=3",
        )
        return ("apt-get", "-q", "-y", *(word for option in options for word in ("-o", option)))


def _states(out: str) -> Iterator[list[str]]:
    """What dpkg says of each package: its state, its name."""
    rows = (line.split() for line in out.splitlines())
    return (row for row in rows if len(row) == 2)
