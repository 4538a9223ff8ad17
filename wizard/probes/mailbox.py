"""A user's own mailbox, looked into and tidied as that user: never as root in a user's folder.

Whoever owns a folder can plant links in it; as the user, a link can reach only what is his anyway.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from hashlib import sha256

from mailwizard.errors import CommandFailed
from mailwizard.model import Host
from mailwizard.platform.facts import account
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.library import PYTHON

LARGEST = 2**20
# One process for the whole wait. It opens no session as runuser(1) would, and looks into a folder
# only when its time of change is another. Moved aside before it is read: who opens the mailbox just
# then moves what is new to cur, too.
_LOOK = r"""
import binascii, os, sys, time
mark, box, seconds, most, every = sys.argv[1:]
mark, most = mark.encode(), int(most)
os.chdir("/")
places = [os.path.join(box, name) for name in ("new", "cur")]
until, seen, known, took = time.monotonic() + float(seconds), [], set(), False
def changed():
    times = []
    for place in places:
        try:
            times.append(os.stat(place).st_mtime_ns)
        except OSError:
            times.append(0)
    return times
def recent():
    for place in places:
        try:
            entries = list(os.scandir(place))
        except OSError:
            continue
        for entry in entries:
            try:
                about = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            new = entry.is_file(follow_symlinks=False) and about.st_mtime > time.time() - 3600
            if new and about.st_ino not in known:
                yield entry.path, about.st_ino
def content(path):
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        return file.read()
def take(path):
    own = os.path.join(box, "tmp", os.path.basename(path))
    os.rename(path, own)
    message = content(own)[:most]
    os.unlink(own)
    words = (binascii.b2a_base64(word, newline=False) for word in (os.fsencode(path), message))
    print(*(word.decode() for word in words), flush=True)
while True:
    now = changed()
    if now != seen:
        # two changes within a tick of the clock have the same time
        seen = now if time.time_ns() - max(now) > 50_000_000 else []
        for path, number in recent():
            try:
                if mark not in content(path):
                    known.add(number)
                    continue
                take(path)
            except OSError:
                # it was moved just then: look again
                seen = []
                continue
            took = True
            if every != "every":
                sys.exit(0)
    if time.monotonic() > until:
        sys.exit(0 if took else 1)
    time.sleep(0.05)
"""


@dataclass(frozen=True, slots=True)
class User:
    """A login as getent(1) tells it."""

    login: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True)
class Found:
    """A message as it lay in a mailbox: where, and its octets, of a very large one the first."""

    path: str
    message: bytes

    @property
    def head(self) -> str:
        return self.message.partition(b"\n\n")[0].decode("utf-8", "replace")

    @property
    def digest(self) -> str:
        """The SHA-256 of its body."""
        return sha256(self.message.partition(b"\n\n")[2]).hexdigest()


def find_user(host: Host, login: str) -> User | None:
    """The login's numbers and home; None when there is no such login."""
    fields = account(host, login)
    return User(login, int(fields[2]), int(fields[3]), fields[5]) if fields else None


def folder_of(user: User, folder: str) -> str:
    """The Maildir's absolute path."""
    return folder if folder.startswith("/") else f"{user.home}/{folder}"


def take_out(
    host: Host,
    login: str,
    mark: str,
    *,
    wait: float,
    transcript: Transcript,
    folder: str = "Maildir",
    every: bool = False,
) -> bool:
    """Whether a message holding `mark` is in the login's Maildir within `wait` s; it is removed."""
    found = look_for(host, login, mark, wait, transcript, folder, every=every)
    for one in found:
        transcript.add("<", f"{one.path}\n{one.head[:4000]}")
    return bool(found)


def look_for(
    host: Host,
    login: str,
    mark: str,
    wait: float,
    transcript: Transcript,
    folder: str,
    *,
    every: bool = False,
) -> list[Found]:
    """The message that holds `mark`, out of the login's Maildir; each that comes, if `every`.

    Raises CannotAsk where nobody can look.
    """
    user = find_user(host, login)
    if user is None:
        transcript.note(f"there is no login {login}")
        return []
    path = folder_of(user, folder)
    transcript.note(f"looking for {mark} in {path} as {login}")
    words = (mark, path, str(wait), str(LARGEST), "every" if every else "one")
    try:
        said = host.run(_as(user, [PYTHON, "-I", "-S", "-c", _LOOK, *words]), timeout=wait + 10,
                        ok=(0, 1, 124))  # fmt: skip
        found = [_read(line) for line in said.out.splitlines()]
    except (CommandFailed, ValueError) as error:
        said_so = f"the mailbox of {login} could not be looked into: {error}"
        raise CannotAsk(Trouble.GARBLED, said_so) from error
    if not found:
        transcript.add("<", "(not there)")
    return found


def _as(user: User, argv: list[str]) -> list[str]:
    """The command, run with the user's rights and groups (setpriv(1))."""
    return ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--init-groups", "--", *argv]


def _read(line: str) -> Found:
    try:
        path, message = (base64.b64decode(word, validate=True) for word in line.split(" "))
    except binascii.Error as error:
        raise ValueError("no message was told of") from error
    return Found(os.fsdecode(path), message)
