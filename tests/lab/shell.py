"""Commands on the build machine, each with a deadline."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import CommandFailed


@dataclass(frozen=True)
class Completed:
    """How a command ended and what it wrote."""

    argv: list[str]
    status: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether the status was 0."""
        return self.status == 0


def run(
    argv: Sequence[str],
    *,
    stdin: str | bytes | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    timeout: float = 60,
) -> Completed:
    """Run a command to its end; at the deadline the whole process group is killed."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        cwd="/",
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(data, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise CommandFailed(list(argv), None, text(out), text(err)) from None
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    done = Completed(list(argv), process.returncode, text(out), text(err))
    if check and not done.ok:
        raise CommandFailed(done.argv, done.status, done.stdout, done.stderr)
    return done


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and only waits to be noticed does not."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "\nState:\tZ" not in status.read_text()


def text(data: bytes) -> str:
    """Decode whatever a command wrote without ever failing."""
    return data.decode("utf-8", "replace")
