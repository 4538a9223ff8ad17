"""The program on a host of the lab, called as an administrator calls it."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab import tree
from lab.host import Host
from lab.internet import Internet
from lab.shell import Completed
from support.applied import ANSWERS, CHECKOUT, LAUNCHER, LOGIN, PASSWORD, PLACE, SECRET

STATE = "/var/lib/mailwizard"
# what systemd itself writes when it boots or is told a new name
NOT_OURS = ("/etc/.updated", "/etc/machine-id", "/etc/resolv.conf")
PROVIDERS = ("gmail-smtp-in.l.google.com", "outlook-com.olc.protection.outlook.com")
UNITS = ("postfix", "postfix@-", "dovecot", "amavis", "opendkim", "opendmarc")
LEFT_OUT = ("./.*", "__pycache__", "./tests", "./screenshots", "./build", "./dist", "*.egg-info")


def put_checkout(host: Host, place: str = PLACE) -> None:
    """Copy what `git clone` would bring, and the password that the answers point to."""
    host.put(PASSWORD, SECRET, mode=0o600)
    host.put_tree(CHECKOUT, place, exclude=LEFT_OUT)


def stand_in_for_providers(internet: Internet) -> None:
    """Let the mail hosts of large providers be the lab's: a host can then see that it may send."""
    for name in PROVIDERS:
        if name not in internet.dns.zones:
            internet.dns.add_zone(name)
        internet.dns.set(name, "A", internet.foreign.address)


class Program:
    """Runs commands on one host, without a terminal unless a test brings one."""

    def __init__(self, host: Host, launcher: str = LAUNCHER) -> None:
        self.host = host
        self.launcher = launcher

    def __call__(
        self,
        *words: str,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
        within: str = "",
    ) -> Completed:
        """Run a command to its end; `within` is shell code that first alters what it sees."""
        argv = [self.launcher, *words]
        if within:
            script = f"{within}\nexec {shlex.join(argv)}"
            argv = ["unshare", "--mount", "sh", "-ec", script]
        return self.host.run(argv, user=user, env=env, check=False, timeout=timeout)

    def apply(self, *words: str, answers: str = ANSWERS, **options: Any) -> Completed:
        return self("apply", "-a", answers, "--yes", *words, **options)

    def check(self) -> dict[str, Any]:
        """Give what `check --json` says."""
        checked: dict[str, Any] = json.loads(self("check", "--json").stdout)
        return checked

    def states(self, *words: str) -> dict[str, str]:
        """Give each step's state."""
        done = self("status", "--json", *words)
        return {step["id"]: step["state"] for step in json.loads(done.stdout)["steps"]}

    def standing(self) -> set[str]:
        """Give the states that steps are in, but for those that are left out."""
        return {state for state in self.states().values() if state != "skipped"}

    def plan(self) -> dict[str, Any]:
        planned: dict[str, Any] = json.loads(self("plan", "-a", ANSWERS, "--json").stdout)
        return planned

    def holder(self) -> dict[str, Any]:
        """Give who holds the lock, as the lock itself says."""
        found: dict[str, Any] = json.loads(self.host.get(f"{STATE}/lock"))
        return found


def helps(done: Completed, code: int, *said: str) -> str:
    """Assert a refusal: the exit code, the words, a hint below them, and no innards shown."""
    assert done.status == code, done
    for part in said:
        assert part in done.stderr, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.startswith("mailwizard: ")
    assert len(done.stderr.splitlines()) >= 2, f"no hint: {done.stderr}"
    return done.stderr


@contextmanager
def untouched(host: Host, *paths: str) -> Iterator[None]:
    """Assert that nothing below the paths (or /etc) is changed in this block."""
    before = host.tree(paths or ("/etc",), NOT_OURS)
    yield
    changed = tree.diff(before, host.tree(paths or ("/etc",), NOT_OURS))
    assert changed == {}, changed


def replay(host: Host, script: bytes | str, password: str = PASSWORD) -> Completed:
    """Run the exported script, with the password of the account that it makes."""
    place = "/root/replay.sh"
    host.put(script, place, mode=0o700)
    env = {f"PASSWORD_{LOGIN}": password} if password else {}
    return host.run([place], check=False, timeout=300, env=env)


def started(host: Host, units: Sequence[str] = UNITS) -> str:
    """Tell when each unit was last started."""
    show = ["systemctl", "show", "-p", "Id,ActiveEnterTimestampMonotonic,NRestarts,MainPID"]
    return host.run([*show, *units]).stdout


def mails(host: Host, login: str) -> list[str]:
    """Give the messages in a person's Maildir."""
    folder = Path(f"{host.root}/home/{login}/Maildir/new")
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path.read_text(errors="replace") for path in found]


def arrives(host: Host, login: str, text: str, timeout: float = 60) -> str:
    """Wait for the message that holds a text."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for message in mails(host, login):
            if text in message:
                return message
        time.sleep(0.05)
    log = host.run("journalctl -q -n 20 -t postfix/smtpd -t postfix/local", check=False).stdout
    raise AssertionError(f"{text!r} did not reach {login}; the log:\n{log}")
