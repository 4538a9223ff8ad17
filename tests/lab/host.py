"""A booted Debian machine with systemd as its process 1 and a network of its own."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from lab import cgroups, leavings, network, shell, surroundings, tree
from lab.errors import CommandFailed, LabError
from lab.layers import Identity, Layer
from lab.shell import Completed

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
# nsenter comes in with all of the build machine's power: without these a test could set its clock.
DROPPED = "-sys_time,-sys_module,-sys_rawio,-syslog,-wake_alarm,-block_suspend,-mac_admin,-bpf"
NSPAWN = [
    "--quiet",
    "--boot",
    "--console=pipe",
    "--register=no",
    "--keep-unit",
    "--settings=no",
    "--resolv-conf=off",
    "--link-journal=no",
    "--timezone=off",
    "--capability=CAP_NET_ADMIN",
]
JOIN = 'for group in $GROUPS_OF_LAB; do echo 0 >"$group/cgroup.procs" || exit 125; done; exec "$@"'


class Host:
    """One machine, from its boot to its removal."""

    def __init__(
        self,
        layer: Layer,
        *,
        hostname: str | None = None,
        fqdn: str | None = None,
        addresses: int = 1,
        offset: int | None = None,
        memory: bool = True,
        net: network.Network | None = None,
        boot: bool = True,
    ) -> None:
        """Make a machine on a layer; `offset` is its place in the subnet."""
        self.layer = layer
        self.network = net or network.shared()
        self.name = self.network.next_name()
        known = layer.identity
        self._settled = known is not None and hostname is None
        self.hostname = hostname or (known.hostname if known else "debian")
        self.fqdn = fqdn or (known.fqdn if known else f"{self.hostname}.test")
        wanted = offset if offset is not None else (known.offset if known else None)
        self.offsets = [self.network.take(wanted)]
        for number in range(1, addresses):
            self.offsets.append(self.network.take(self.offsets[0] + number))
        self.folder = self.network.folder / ("memory" if memory else "disk") / self.name
        self.root = self.network.folder / "roots" / self.name
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader: int | None = None
        self._closed = False
        self._create()
        if boot:
            self.boot()

    @property
    def address(self) -> str:
        """Give the machine's first IPv4 address."""
        return self.network.address(self.offsets[0])

    @property
    def address6(self) -> str:
        """Give the machine's first IPv6 address."""
        return self.network.address6(self.offsets[0])

    @property
    def pid(self) -> int:
        """Give the number that the machine's process 1 has on the build machine."""
        if self._leader is None:
            raise LabError(f"{self.name} is not running")
        return self._leader

    @property
    def running(self) -> bool:
        """Tell whether the machine is up."""
        return self._nspawn is not None and self._nspawn.poll() is None

    @property
    def console(self) -> str:
        """Give what the machine wrote to its console since it last booted."""
        log = self.folder / "console"
        return log.read_text(errors="replace") if log.exists() else ""

    def _create(self) -> None:
        upper, work = self.folder / "upper", self.folder / "work"
        for folder in (upper, work, self.root):
            folder.mkdir(parents=True)
        self.layer.mount(upper, work, self.root)
        self.network.plug(self.name, self.offsets)
        for path, data in surroundings.files().items():
            self._write(path, data)
        servers = self.network.name_servers or surroundings.resolvers()
        resolv = "".join(f"nameserver {server}\n" for server in servers)
        self._write("/etc/resolv.conf", resolv.encode())
        if not self._settled:
            self._write("/etc/hostname", f"{self.hostname}\n".encode())
            self._write("/etc/hosts", HOSTS.encode())

    def _write(self, path: str, data: bytes) -> None:
        target = self.root / path.lstrip("/")
        if target.is_symlink() or (target.exists() and target.read_bytes() == data):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o644)

    def boot(self, timeout: float = 60) -> None:
        """Start the machine and wait until systemd has nothing left to start."""
        groups = cgroups.create(self.name)
        argv = [
            *["sh", "-c", JOIN, "sh", "systemd-nspawn", *NSPAWN, f"--machine={self.name}"],
            *[f"--directory={self.root}", f"--network-namespace-path=/run/netns/{self.name}"],
        ]
        # Without this /proc/sys/net would be read-only: nspawn did not make the namespace itself.
        env = os.environ | {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}
        env["GROUPS_OF_LAB"] = " ".join(map(str, groups))
        with (self.folder / "console").open("wb") as log:
            self._nspawn = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd="/",
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        try:
            self._await_boot(deadline)
        except BaseException:
            self.kill()
            raise

    def _await_boot(self, deadline: float) -> None:
        state = "not started"
        while time.monotonic() < deadline:
            if not self.running:
                raise LabError(f"{self.name} ended while booting:\n{self.console[-4000:]}")
            self._leader = self._leader or cgroups.leader(self.name)
            if self._leader:
                state = self.state()
                if state in ("running", "degraded"):
                    self._own_group()
                    return
            time.sleep(0.05)
        raise LabError(f"{self.name} is still '{state}' at its deadline:\n{self.console[-4000:]}")

    def _own_group(self) -> None:
        for root in cgroups.roots():
            (root / self.name / "payload" / "lab").mkdir(exist_ok=True)

    def state(self) -> str:
        """Give what systemd says of the machine as a whole: running, degraded, starting..."""
        argv = ["nsenter", "-t", str(self.pid), "-a", "systemctl", "is-system-running"]
        return shell.run(argv, env=ENVIRONMENT, check=False, timeout=20).stdout.strip()

    def command(self, argv: Sequence[str] | str, user: str | None = None) -> list[str]:
        """Give the command by which the build machine runs another one in here (for pexpect)."""
        words = ["sh", "-c", argv] if isinstance(argv, str) else list(argv)
        if user is not None:
            words = ["runuser", "-u", user, "--", *words]
        if not self.running:
            return ["chroot", str(self.root), *words]
        # An own group in the machine, as a login has: else its systemd could not place the process.
        groups = [str(root / self.name / "payload" / "lab") for root in cgroups.roots()]
        join = JOIN.replace("$GROUPS_OF_LAB", " ".join(groups))
        enter = ["setpriv", "--bounding-set", DROPPED, "nsenter", "-t", str(self.pid), "-a"]
        return ["sh", "-c", join, "sh", *enter, *words]

    def run(
        self,
        argv: Sequence[str] | str,
        *,
        input: str | bytes | None = None,  # noqa: A002  # as subprocess calls it
        env: Mapping[str, str] | None = None,
        check: bool = True,
        timeout: float = 120,
        user: str | None = None,
    ) -> Completed:
        """Run a command, or a line for the shell, as root or as another user."""
        words = self.command(argv, user)
        merged = ENVIRONMENT | dict(env or {})
        try:
            return shell.run(words, stdin=input, env=merged, check=check, timeout=timeout)
        except CommandFailed as error:
            shown = [f"on {self.fqdn} ({self.name}):", *words[-len(argv) :]]
            line = [shown[0], argv] if isinstance(argv, str) else shown
            raise CommandFailed(line, error.status, error.stdout, error.stderr) from None

    def popen(
        self,
        argv: Sequence[str] | str,
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command with pipes for its three streams; the caller ends it."""
        pipe = subprocess.PIPE
        merged = ENVIRONMENT | dict(env or {})
        words = self.command(argv, user)
        return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, env=merged, cwd="/")

    def put(
        self, source: Path | bytes | str, dest: str, *, mode: int = 0o644, owner: str = "root:root"
    ) -> None:
        """Write a file: `source` is a path on the build machine, or the content itself."""
        data = source.read_bytes() if isinstance(source, Path) else source
        script = (
            'mkdir -p "$(dirname "$1")"; umask 077; cat >"$1"; chown "$2" "$1"; chmod "$3" "$1"'
        )
        self.run(["sh", "-ec", script, "sh", dest, owner, f"{mode:o}"], input=data)

    def put_tree(self, source: Path, dest: str, exclude: Sequence[str] = (".git",)) -> None:
        """Copy a folder into the machine, as root's, without the names that fit `exclude`."""
        left_out = [f"--exclude={pattern}" for pattern in exclude]
        tar = ["tar", "-C", str(source), *left_out, "--owner=root", "--group=root", "-c", "."]
        with subprocess.Popen(tar, stdout=subprocess.PIPE) as packed:
            data = packed.communicate()[0]
        self.run(["sh", "-ec", 'mkdir -p "$1"; tar -C "$1" -x', "sh", dest], input=data)

    def get(self, path: str) -> bytes:
        """Read a file."""
        words = self.command(["cat", "--", path])
        done = subprocess.run(words, capture_output=True, env=ENVIRONMENT, timeout=60, check=False)
        if done.returncode != 0:
            raise FileNotFoundError(f"{self.fqdn}:{path}: {shell.text(done.stderr).strip()}")
        return done.stdout

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at a path, be it only a link that points nowhere."""
        script = 'test -e "$1" || test -L "$1"'
        return self.run(["sh", "-c", script, "sh", path], check=False).ok

    def tree(
        self, paths: Sequence[str] = ("/etc",), exclude: Sequence[str] = ()
    ) -> dict[str, tree.TreeEntry]:
        """Record all that is below some paths, as the disk has it."""
        return tree.read(self.root, paths, exclude)

    def stop(self, timeout: float = 60) -> None:
        """Shut the machine down in good order; its disk can still be read and booted."""
        if self._nspawn is None:
            return
        if self.running and self._leader:
            with suppress(ProcessLookupError):
                os.kill(self._leader, signal.SIGRTMIN + 4)  # systemd(1): start poweroff.target
        with suppress(subprocess.TimeoutExpired):
            self._nspawn.wait(timeout)
        late = self._nspawn.poll() is None
        self.kill()
        if late:
            raise LabError(f"{self.fqdn} did not shut down in time:\n{self.console[-4000:]}")

    def kill(self) -> None:
        """Cut the power: every process of the machine is gone at once, nothing is told before."""
        cgroups.remove(self.name)
        if self._nspawn is not None:
            self._nspawn.wait(20)
            leavings.remove(self.name)
        self._nspawn = self._leader = None

    def reboot(self) -> None:
        """Shut the machine down in good order and boot it again."""
        self.stop()
        self.boot()

    def fork(self, name: str | None = None) -> Layer:
        """Shut the machine down for good and give its disk as a layer to boot others from."""
        self.stop()
        self._detach()
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        identity = Identity(self.hostname, self.fqdn, self.offsets[0])
        return self.layer.above(self.folder / "upper", name or self.name, identity)

    def close(self) -> None:
        """Remove the machine and its disk."""
        if not self._closed:
            self._detach()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _detach(self) -> None:
        self._closed = True
        self.kill()
        shell.run(["umount", str(self.root)], check=False)
        shell.run(["umount", "--lazy", str(self.root)], check=False)
        self.root.rmdir()
        self.network.unplug(self.name)
        for offset in self.offsets:
            self.network.give_back(offset)

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


HOSTS = """\
127.0.0.1\tlocalhost
::1\t\tlocalhost ip6-localhost ip6-loopback
ff02::1\t\tip6-allnodes
ff02::2\t\tip6-allrouters
"""
