"""zypper and dnf: how they are called without a person; not yet proven on a live host."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# name-version-release.arch
_NEEDS = re.compile(r"is needed by \(installed\) (\S+)-[^-\s]+-[^-\s]+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Rpm:
    """What both share: rpm's own database, and services that start only when told to."""

    environment: Mapping[str, str] = field(default_factory=lambda: {"LC_ALL": "C.UTF-8"})
    no_start: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    lock_files: tuple[str, ...] = ("/usr/lib/sysimage/rpm/.rpm.lock", "/var/lib/rpm/.rpm.lock")
    pid_files: tuple[str, ...] = ()

    def query(self) -> tuple[str, ...]:
        return ("rpm", "-qa", "--qf", "%{NAME}\\n")

    def installed(self, out: str) -> frozenset[str]:
        return frozenset(out.split()) - {"gpg-pubkey"}

    def present(self, out: str) -> frozenset[str]:
        return self.installed(out)

    def unpacked(self, log: str) -> frozenset[str]:
        return frozenset()

    def purge_tried(self, names: Sequence[str]) -> tuple[str, ...]:
        return ("rpm", "--erase", "--test", "--", *names)

    def purges(self, out: str) -> frozenset[str]:
        # "postfix is needed by (installed) mailman3-3.3.9-1.noarch"
        return frozenset(_NEEDS.findall(out))

    def audit(self) -> tuple[str, ...]:
        return ("rpm", "--verifydb")

    def broken(self, out: str) -> tuple[str, ...]:
        return tuple(line for line in out.splitlines() if "error" in line.lower())

    def damage(self) -> tuple[str, ...]:
        # its package managers ask for no package to be brought again
        return ("true",)

    def damaged(self, out: str) -> tuple[str, ...]:
        return ()

    def repair(self, again: Sequence[str] = ()) -> tuple[tuple[str, ...], ...]:
        return (("rpm", "--rebuilddb"),)

    def verify(self, names: Sequence[str]) -> tuple[str, ...]:
        return ("rpm", "--verify", "--nodeps", "--noscripts", "--", *names)

    def spoiled(self, out: str) -> bool:
        # rpm writes each file to disk by itself
        return False

    def settle(self) -> tuple[str, ...]:
        return ("sync", "--file-system", "/", "/usr", "/var")


@dataclass(frozen=True, slots=True)
class Zypper(_Rpm):
    """openSUSE's package manager."""

    # It waits this many seconds for somebody else's lock (zypper(8)).
    environment: Mapping[str, str] = field(
        default_factory=lambda: {"LC_ALL": "C.UTF-8", "ZYPP_LOCK_TIMEOUT": "300"}
    )
    pid_files: tuple[str, ...] = ("/run/zypp.pid",)

    def update(self) -> tuple[str, ...]:
        return ("zypper", "--non-interactive", "--quiet", "refresh")

    def download(self, names: Sequence[str]) -> tuple[str, ...]:
        return (*self._install(), "--download-only", "--", *names)

    def install(self, names: Sequence[str]) -> tuple[str, ...]:
        return (*self._install(), "--", *names)

    def purge(self, names: Sequence[str]) -> tuple[str, ...]:
        return ("zypper", "--non-interactive", "remove", "--", *names)

    def _install(self) -> tuple[str, ...]:
        return ("zypper", "--non-interactive", "install", "--no-recommends")


@dataclass(frozen=True, slots=True)
class Dnf(_Rpm):
    """Enterprise Linux's package manager; it waits for the lock by itself."""

    pid_files: tuple[str, ...] = ("/var/cache/dnf/metadata_lock.pid", "/var/lib/dnf/rpmdb_lock.pid")

    def update(self) -> tuple[str, ...]:
        return ("dnf", "--assumeyes", "--quiet", "makecache")

    def download(self, names: Sequence[str]) -> tuple[str, ...]:
        return (*self._install(), "--downloadonly", "install", "--", *names)

    def install(self, names: Sequence[str]) -> tuple[str, ...]:
        return (*self._install(), "install", "--", *names)

    def purge(self, names: Sequence[str]) -> tuple[str, ...]:
        return ("dnf", "--assumeyes", "remove", "--", *names)

    def _install(self) -> tuple[str, ...]:
        return ("dnf", "--assumeyes", "--setopt=install_weak_deps=False")
