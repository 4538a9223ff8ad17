"""This host: the only module that starts a process or writes a file.

Commands are argv, never a shell line. Files are replaced whole, durably, and keep what they were.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mailwizard.answers import read_secret
from mailwizard.errors import CommandFailed, for_root_alone
from mailwizard.host.answered import Answered
from mailwizard.host.places import settled
from mailwizard.host.process import QUIET, SEARCH, TransientUnit, shell
from mailwizard.host.process import start as _start
from mailwizard.host.process import start_watched as _start_watched
from mailwizard.host.standing import OnCall
from mailwizard.model import Completed, FileState, Platform, SecretRef
from mailwizard.sanitise import lines

TAIL = 25
DRAFT_AGE = 10
UNLOADED = 10.0
_WORDS = re.compile(r"[A-Za-z0-9+/=]{12,}")


def _replace(temporary: str, path: str) -> None:
    """The one place where a finished file takes its place; both are durable afterwards."""
    os.replace(temporary, path)
    _sync_folder(os.path.dirname(path))


def _sync_folder(path: str) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def temporary_name(path: str) -> str:
    """Where a file is written before it takes its place; fixed, so that leftovers are found."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.mailwizard-new")


def _write(path: str, data: bytes, mode: int, uid: int, gid: int, mtime_ns: int | None,
           xattrs: Sequence[tuple[str, bytes]]) -> None:  # fmt: skip
    temporary = temporary_name(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    # born private: a secret is never readable between creation and chmod (R21)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchown(handle, uid, gid)
            os.fchmod(handle, mode)
            for name, value in xattrs:
                os.setxattr(handle, name, value)
            if mtime_ns is not None:
                os.utime(handle, ns=(mtime_ns, mtime_ns))
            os.fsync(handle)
        _replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        # the reader knows the file, not our name for its unfinished copy
        raise OSError(error.errno, error.strerror, path) from error


def write_private(path: str, data: bytes) -> None:
    """A file for the caller alone, whole or not at all; raises OSError."""
    _write(path, data, 0o600, os.geteuid(), os.getegid(), None, ())


class LocalLook:
    """The host this program runs on, to be looked at (model.Look)."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._answered = Answered()
        self._on_call = OnCall()

    def read(self, path: str) -> bytes:
        try:
            return Path(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except PermissionError as refused:
            raise _not_shown(path, refused) from None

    def state(self, path: str) -> FileState:
        try:
            about = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return FileState("absent")
        except PermissionError as refused:
            raise _not_shown(path, refused) from None
        kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}
        kind = kinds.get(stat.S_IFMT(about.st_mode), "other")
        return FileState(
            kind=kind,
            mode=stat.S_IMODE(about.st_mode),
            uid=about.st_uid,
            gid=about.st_gid,
            mtime_ns=about.st_mtime_ns,
            size=about.st_size,
            target=_target(path) if kind == "link" else "",
            xattrs=_xattrs(path) if kind in ("file", "dir") else (),
        )

    def list(self, path: str) -> Sequence[str]:
        try:
            return sorted(os.listdir(path))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except PermissionError as refused:
            raise _not_shown(path, refused) from None

    def ask(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        timeout: float = 30,
        env: Mapping[str, str] | None = None,
        of: Sequence[str] = (),
    ) -> Completed:
        if of:
            question = (*argv, stdin, *(env or {}).items())
            return self._answered.get(question, of, lambda: _start(argv, stdin, timeout, env))
        return _start(argv, stdin, timeout, env)

    def consult(self, argv: Sequence[str], line: str, *, timeout: float = 30) -> Completed:
        """A line for a line, of a command that stays; without an answer a code, as `ask` has it."""
        return self._on_call.ask(argv, line, timeout)

    def which(self, program: str) -> str:
        return shutil.which(program, path=SEARCH) or ""

    @contextlib.contextmanager
    def draft(self, files: Mapping[str, bytes]) -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="mailwizard-") as folder:
            for name, data in files.items():
                path = Path(folder, name)
                path.write_bytes(data)
                # Postfix tools sleep until a main.cf is two seconds old
                os.utime(path, (path.stat().st_mtime - DRAFT_AGE,) * 2)
            yield folder


def _not_shown(path: str, refused: PermissionError) -> Exception:
    """To root it is the system's own word (a network's file system, for one)."""
    return for_root_alone(path) if os.geteuid() else refused


def _target(path: str) -> str:
    """Where a link leads; of somebody else's process only he and root are told (proc(5))."""
    try:
        return os.readlink(path)
    except (PermissionError, ProcessLookupError):
        return ""


def _xattrs(path: str) -> tuple[tuple[str, bytes], ...]:
    try:
        names = os.listxattr(path)
    except OSError:
        return ()
    return tuple((name, os.getxattr(path, name)) for name in sorted(names))


class LocalHost(LocalLook):
    """The host this program runs on, to be changed (model.Host)."""

    def __init__(self, platform: Platform, state_dir: str) -> None:
        super().__init__(platform)
        self.state_dir = state_dir
        self._secrets: set[str] = set()

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        timeout: float = 120,
        env: Mapping[str, str] | None = None,
        ok: Sequence[int] = (0,),
    ) -> Completed:
        done = _start(argv, stdin, timeout, env)
        if done.code not in ok:
            raise CommandFailed(done.argv, done.code, lines(done.out + done.err)[-TAIL:])
        return done

    def is_running(self, unit: str) -> bool:
        """True while the unit's command has not ended."""
        state = self.ask(["systemctl", "is-active", f"{unit}.service"]).out.strip()
        return state in ("active", "activating", "deactivating")

    def log_of(self, unit: str) -> str:
        """The file that the unit's output is added to, spelt as systemd takes it: without `..`."""
        return os.path.realpath(f"{self.state_dir}/log/{unit}.log")

    def start_detached(
        self,
        unit: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
    ) -> TransientUnit:
        self.make_dir(f"{self.state_dir}/log", 0o700)
        log = self.log_of(unit)
        Path(log).touch(mode=0o600)
        if self.is_running(unit):
            return TransientUnit(unit, log, process=None)
        self._make_room(unit)
        options = [f"--setenv={name}={value}" for name, value in {**QUIET, **(env or {})}.items()]
        # neither quoted nor escaped: from the bus systemd takes a path literally, % and $ too
        options += [f"--property=StandardOutput=append:{log}"]
        options += [f"--property=StandardError=append:{log}"]
        options += [f"--property=ExecStartPre={line}" for line in before]
        options += [f"--property=ExecStopPost=-{line}" for line in after]
        command = ["systemd-run", "--quiet", "--collect", "--wait", f"--unit={unit}", *options]
        return TransientUnit(unit, log, process=_start_watched([*command, "--", *argv]))

    def _make_room(self, unit: str) -> None:
        """One of that name that has ended, but that systemd keeps, is in the way of another."""
        name = f"{unit}.service"
        show = ["systemctl", "show", "--property=LoadState", "--value", name]
        limit = time.monotonic() + UNLOADED
        while self.ask(show).out.strip() == "loaded" and time.monotonic() < limit:
            # (systemctl(1), reset-failed; systemd.unit(5), CollectMode=)
            _start(["systemctl", "reset-failed", name], "", 10, None)
            time.sleep(0.1)

    def write(
        self,
        path: str,
        data: bytes,
        *,
        mode: int = 0o644,
        owner: tuple[int, int] | None = None,
        mtime_ns: int | None = None,
    ) -> None:
        # a link keeps pointing where it did: what it points to is replaced (E12)
        place = settled(path)
        was = self.state(place)
        uid, gid = owner or (0 if os.geteuid() == 0 else os.geteuid(), os.getegid())
        if was.kind == "file":
            mode, uid, gid = was.mode, was.uid, was.gid
        _write(place, data, mode, uid, gid, mtime_ns, was.xattrs)

    def restore(self, path: str, state: FileState, data: bytes) -> None:
        folder, name = os.path.split(path)
        path = os.path.join(settled(folder), name)
        self.sweep(path)
        if state.kind == "absent":
            self.remove(path)
        elif state.kind == "link":
            temporary = temporary_name(path)
            os.symlink(state.target, temporary)
            os.lchown(temporary, state.uid, state.gid)
            os.utime(temporary, ns=(state.mtime_ns, state.mtime_ns), follow_symlinks=False)
            _replace(temporary, path)
        elif state.kind == "dir":
            self.make_dir(path, state.mode, (state.uid, state.gid))
        else:
            owner = (state.uid, state.gid)
            _write(path, data, state.mode, *owner, state.mtime_ns, state.xattrs)

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
            _sync_folder(os.path.dirname(path))

    def sweep(self, path: str) -> None:
        """Remove what a killed write of this path left beside it."""
        for place in {path, os.path.realpath(path)}:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(temporary_name(place))

    def make_dir(self, path: str, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> None:
        if os.path.isdir(path):
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mkdir(path, mode)
        os.chmod(path, mode)
        if os.geteuid() == 0:
            os.chown(path, *owner)
        _sync_folder(os.path.dirname(path))

    def keep(self, name: str, data: bytes) -> None:
        self.make_dir(f"{self.state_dir}/kept", 0o700)
        self.write(f"{self.state_dir}/kept/{name}", data, mode=0o600)

    def kept(self, name: str) -> bytes:
        return self.read(f"{self.state_dir}/kept/{name}") if name else b""

    def secret(self, ref: SecretRef, *, lines: bool = False) -> str:
        secret = read_secret(ref, os.environ, lines=lines)
        # of a file of several lines, the words that could be shown by themselves
        self._secrets |= set(_WORDS.findall(secret)) if lines else {secret}
        return secret

    def without_secrets(self, text: str) -> str:
        """The text, and no secret in it that was read in this run (R22)."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "(a secret)")
        return text

    def shell(self) -> None:
        """The administrator's shell on this terminal, until it ends."""
        shell()
