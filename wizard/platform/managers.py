"""Package managers: which command to run, and what its output says; nothing is started here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from mailwizard.errors import CommandFailed, WizardError
from mailwizard.model import Host, Look, Platform
from mailwizard.platform.apt import Apt
from mailwizard.platform.rpm import Dnf, Zypper
from mailwizard.sanitise import lines

Argv = tuple[str, ...]


class Manager(Protocol):
    """One package manager: argv out, output in."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What keeps it from asking anybody anything."""
        ...

    @property
    def no_start(self) -> Mapping[str, tuple[str, int]]:
        """Files (text, mode) that keep new services from being started; to be removed again."""
        ...

    @property
    def lock_files(self) -> tuple[str, ...]: ...
    @property
    def pid_files(self) -> tuple[str, ...]: ...
    def query(self) -> Argv: ...
    def installed(self, out: str) -> frozenset[str]:
        """What is ready for use, out of what `query` printed."""
        ...

    def present(self, out: str) -> frozenset[str]:
        """The same, and what was unpacked and never got ready."""
        ...

    def unpacked(self, log: str) -> frozenset[str]:
        """What came to the host, out of what runs of ours printed; none where that is not told."""
        ...

    def update(self) -> Argv: ...
    def download(self, names: Sequence[str]) -> Argv: ...
    def install(self, names: Sequence[str]) -> Argv: ...
    def purge(self, names: Sequence[str]) -> Argv: ...
    def purge_tried(self, names: Sequence[str]) -> Argv: ...
    def purges(self, out: str) -> frozenset[str]:
        """What would go with them, or keeps them here, out of what `purge_tried` printed."""
        ...

    def audit(self) -> Argv: ...
    def broken(self, out: str) -> tuple[str, ...]:
        """What an interrupted run left half done, out of what `audit` printed."""
        ...

    def damage(self) -> Argv: ...
    def damaged(self, out: str) -> tuple[str, ...]:
        """What has to be brought again before anything else, out of what `damage` printed."""
        ...

    def repair(self, again: Sequence[str] = ()) -> tuple[Argv, ...]:
        """Commands that finish an interrupted run; the packages `again` are brought anew."""
        ...

    def verify(self, names: Sequence[str]) -> Argv: ...
    def spoiled(self, out: str) -> bool:
        """Whether a file differs from what its package brought, out of what `verify` printed."""
        ...

    def settle(self) -> Argv:
        """What was written is on disk afterwards."""
        ...


_MANAGERS: Mapping[str, Manager] = {"debian": Apt(), "suse": Zypper(), "el": Dnf()}


def manager_of(platform: Platform) -> Manager:
    """The package manager of the platform's family."""
    return _MANAGERS[platform.family]


def installed(look: Look) -> frozenset[str]:
    """The names of all installed packages; raises CommandFailed."""
    return manager_of(look.platform).installed(_listed(look))


def present(look: Look) -> frozenset[str]:
    """The names of all packages whose files are here, ready or not; raises CommandFailed."""
    return manager_of(look.platform).present(_listed(look))


def listed(look: Look) -> tuple[frozenset[str], frozenset[str]]:
    """What is installed, and what is here and never got ready; raises CommandFailed."""
    manager, said = manager_of(look.platform), _listed(look)
    ready = manager.installed(said)
    return ready, manager.present(said) - ready


def unready(look: Look) -> frozenset[str]:
    """Packages whose files are here and that never got ready; raises CommandFailed."""
    return listed(look)[1]


def akin(names: Iterable[str], to: Iterable[str]) -> tuple[str, ...]:
    """Those that begin as one of the others: dovecot-core is a part of what dovecot-imapd is."""
    stems = {name.partition("-")[0] for name in to}
    return tuple(sorted(name for name in names if name.partition("-")[0] in stems))


def _listed(look: Look) -> str:
    """Never an empty list for want of an answer: all that there is would seem to be ours."""
    asked = look.ask(manager_of(look.platform).query(), timeout=60)
    if not asked.ok:
        hint = "The package manager must be able to list what is installed. Mend it, and try again."
        raise CommandFailed(asked.argv, asked.code, lines(asked.err, limit=25), hint=hint)
    return asked.out


def purge(host: Host, names: Sequence[str]) -> None:
    """Remove these packages with their configuration; raises where one not named would go too."""
    manager = manager_of(host.platform)
    tried = host.ask(manager.purge_tried(names), timeout=60, env=manager.environment)
    if others := sorted(manager.purges(tried.out + tried.err) - set(names)):
        raise WizardError(
            f"the packages stay: without them {', '.join(others)} would have to go, which others "
            "installed"
        )
    host.run(manager.purge(names), timeout=600, env=manager.environment)


def lock_holder(look: Look) -> tuple[int, str] | None:
    """Who holds the package manager's lock: process number and program; none when it is free."""
    manager = manager_of(look.platform)
    for path in manager.pid_files:
        pid = look.read(path).decode("ascii", "replace").strip()
        if pid.isdigit() and look.state(f"/proc/{pid}").kind == "dir":
            return int(pid), _program(look, int(pid))
    inodes = look.ask(["stat", "-c", "%i", "--", *manager.lock_files]).out.split()
    held = holder(look.read("/proc/locks").decode("ascii", "replace"), inodes)
    return (held, _program(look, held)) if held else None


def holder(locks: str, inodes: Sequence[str]) -> int:
    """The process that holds a lock on one of the inodes, out of /proc/locks; 0 when none does."""
    for line in locks.splitlines():
        words = line.split()
        # "1: POSIX ADVISORY WRITE 812 fe:01:1311 0 EOF"; a waiter has "->" in second place.
        # The device is not compared: on overlayfs and btrfs it differs from what stat says.
        if len(words) >= 6 and words[1] != "->" and words[5].rpartition(":")[2] in inodes:
            return int(words[4]) if words[4].isdigit() else 0
    return 0


def _program(look: Look, pid: int) -> str:
    return look.read(f"/proc/{pid}/comm").decode("utf-8", "replace").strip() or "an unknown program"
