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
_GOES = ("Purg", "Remv")
# what dpkg says before it writes the first byte of a new package, and as it unpacks it
_CAME = re.compile(
    r"^(?:Selecting previously \w+ package|Unpacking) ([a-z0-9][a-z0-9+.-]*[a-z0-9+])",
    re.MULTILINE,
)
# invoke-rc.d(8): 101 forbids the action, and dpkg goes on. A stop is allowed where a package goes:
# its daemon would run on without it. On an upgrade it is not: nobody would start the daemon again.
_POLICY = r"""#!/bin/sh
# Placed by mailwizard while packages are installed.
case " $* " in *" stop "*) ;; *) exit 101 ;; esac
pid=$PPID
while [ "${pid:-1}" -gt 1 ]; do
  caller=$(tr '\0' ' ' <"/proc/$pid/cmdline")
  case $caller in *".prerm remove "* | *".postrm remove "*) exit 0 ;; esac
  pid=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$pid/status")
done
exit 101
"""


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

    def purge(self, names: Sequence[str]) -> tuple[str, ...]:
        return (*self._apt(), "purge", "--", *names)

    def purge_tried(self, names: Sequence[str]) -> tuple[str, ...]:
        return (*self._apt(), "--simulate", "purge", "--", *names)

    def purges(self, out: str) -> frozenset[str]:
        # "Purg postfix [3.10.5-1]", "Remv" where its configuration would stay
        words = (line.split() for line in out.splitlines())
        return frozenset(each[1] for each in words if len(each) > 1 and each[0] in _GOES)

    def audit(self) -> tuple[str, ...]:
        return ("dpkg", "--audit")

    def broken(self, out: str) -> tuple[str, ...]:
        return tuple(
            line.split()[0] for line in out.splitlines() if line.startswith(" ") and line.split()
        )

    def damage(self) -> tuple[str, ...]:
        return ("dpkg-query", "-W", "-f", "${db:Status-Eflag} ${Package}\\n")

    def damaged(self, out: str) -> tuple[str, ...]:
        # dpkg(1), "reinst-required": such a package can be neither configured nor removed
        return tuple(name for flag, name in _states(out) if flag == "reinstreq")

    def repair(self, again: Sequence[str] = ()) -> tuple[tuple[str, ...], ...]:
        keep = ("--force-confdef", "--force-confold")
        mend = (*self._apt(), "--fix-broken")
        afresh = (*mend, "--reinstall", *self._install(again))
        configure = ("dpkg", *keep, "--configure", "-a")
        return (*((afresh,) if again else ()), configure, (*mend, "install"))

    def verify(self, names: Sequence[str]) -> tuple[str, ...]:
        return ("dpkg", "--verify", "--verify-format", "rpm", "--", *names)

    def spoiled(self, out: str) -> bool:
        # a conffile ("c") may be anybody's
        return any(line[10:12] != "c " for line in out.splitlines() if line.strip())

    def settle(self) -> tuple[str, ...]:
        return ("sync", "--file-system", "/", "/usr", "/var")

    def _install(self, names: Sequence[str]) -> tuple[str, ...]:
        return ("--no-install-recommends", "install", "--", *names)

    def _apt(self) -> tuple[str, ...]:
        options = (
            f"DPkg::Lock::Timeout={self.patience}",
            "Dpkg::Use-Pty=0",
            "Dpkg::Options::=--force-confdef",
            "Dpkg::Options::=--force-confold",
            # No fsync for each file: all is synced at the end, and a run cut short is verified.
            "Dpkg::Options::=--force-unsafe-io",
            "Acquire::Languages=none",
            "Acquire::Retries=3",
        )
        return ("apt-get", "-q", "-y", *(word for option in options for word in ("-o", option)))


def _states(out: str) -> Iterator[list[str]]:
    """What dpkg says of each package: its state, its name."""
    rows = (line.split() for line in out.splitlines())
    return (row for row in rows if len(row) == 2)
