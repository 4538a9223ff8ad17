"""Where the lab keeps things on the build machine, and whose they are."""

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from lab import cgroups, leavings, namespace, shell
from lab.errors import LabError

SLOTS = 32
NEEDED = ("systemd-nspawn", "mmdebstrap", "nft", "ip", "nsenter", "setpriv", "mount")


def cache() -> Path:
    """Give the folder for base systems, layers and running hosts."""
    return Path(os.environ.get("MAILWIZARD_LAB", "/var/tmp/mailwizard-lab"))


def require() -> None:
    """Say in one message all that keeps the lab from working on this machine."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    problems = [f"not installed: {', '.join(missing)}"] if missing else []
    if os.geteuid() != 0:
        problems.append("not root")
    if problems:
        hint = "tests/run as root on a Debian machine installs what is needed"
        raise LabError(f"the lab cannot run here: {'; '.join(problems)} ({hint})")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that other processes and a crash both respect."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def taking() -> AbstractContextManager[None]:
    """Be the only one who tries places: each try takes a place for a moment."""
    return locked(cache() / "run" / "taking.lock")


class Slot:
    """One of the numbered places for a process that runs hosts, its own for as long as it lives."""

    def __init__(self, number: int, lock: int) -> None:
        self.number = number
        self._lock = lock
        self.folder = cache() / "run" / str(number)

    @classmethod
    def take(cls) -> "Slot":
        """Take the first free place, after removing what dead processes left in free ones."""
        with taking():
            free = [slot for number in range(SLOTS) if (slot := cls.try_number(number))]
            if not free:
                raise LabError(f"all {SLOTS} places of the lab are in use")
            clean = [slot for slot in free if slot.swept()]
            for slot in free:
                if slot not in clean[:1]:
                    slot.release()
        if not clean:
            raise LabError(f"no place of the lab can be cleaned: see {cache() / 'run'}")
        clean[0].folder.mkdir(parents=True)
        return clean[0]

    @classmethod
    def try_number(cls, number: int) -> "Slot | None":
        """Take a certain place unless a living process has it."""
        path = cache() / "run" / f"{number}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return cls(number, lock)

    @property
    def prefix(self) -> str:
        """Give what the names of this slot's machines and their namespaces begin with."""
        return f"mw{self.number}h"

    @property
    def network(self) -> str:
        """Name the namespace that the process lives in, its way out, and the nft table for it."""
        return f"mwlab{self.number}"

    def release(self) -> None:
        """Give the place back."""
        os.close(self._lock)

    def swept(self) -> bool:
        """Sweep this place and tell whether nothing stood in the way."""
        try:
            self.sweep()
        except (LabError, OSError) as error:
            print(f"place {self.number} of the lab is left out: {error}", file=sys.stderr)
            return False
        return True

    def sweep(self) -> None:
        """Remove machines, mounts, namespaces, the way out and the files of this place."""
        for group in cgroups.named(self.prefix):
            cgroups.remove(group)
        unmount_below(self.folder)
        with namespace.outside():
            self._sweep_network()
        leavings.remove(f"{self.prefix}*")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _sweep_network(self) -> None:
        there = namespace.named()
        for name in there:
            if name.startswith(self.prefix):
                shell.run(["ip", "netns", "del", name], check=False)
        if self.network in (*there, *cards()):
            shell.run(["nft", "delete", "table", "inet", self.network], check=False)
            shell.run(["ip", "link", "del", self.network], check=False)
            shell.run(["ip", "netns", "del", self.network], check=False)


def cards() -> list[str]:
    """Name the network interfaces that this process sees."""
    rows = shell.run(["ip", "-brief", "link"]).stdout.splitlines()
    return [row.split()[0].partition("@")[0] for row in rows]


def unmount_below(folder: Path) -> None:
    """Unmount all that is mounted in a folder, the deepest first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((p for p in points if Path(p).is_relative_to(folder)), reverse=True):
        shell.run(["umount", "--lazy", point], check=False)


def others_running(mine: Slot) -> bool:
    """Tell whether another process uses the lab now."""
    with taking():
        for number in range(SLOTS):
            slot = Slot.try_number(number) if number != mine.number else mine
            if slot is None:
                return True
            if slot is not mine:
                slot.release()
    return False
