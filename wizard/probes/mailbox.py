"""A user's own mailbox, looked into and tidied as that user: never as root in a user's folder.

Whoever owns a folder can plant links in it; as the user, a link can reach only what is his anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailwizard.errors import CommandFailed
from mailwizard.model import Host
from mailwizard.probes.dialogue import Transcript

# One process for the whole wait: each runuser(1) opens a session and writes two lines to the log.
# Moved aside before it is read: who opens the mailbox just then moves what is new to cur, too.
# $1 Message-ID, $2 folder, $3 tries at 0.2 s, $4 "all" to go on until the tries are used up.
_LOOK = r"""
cd /
tries=$3 code=1
while :; do
  found=$(find "$2/new" "$2/cur" -type f -mmin -60 -exec grep -lsF -- "$1" {} + 2>/dev/null |
    head -n 1)
  own=$2/tmp/${found##*/}
  if [ -n "$found" ] && mv -- "$found" "$own" 2>/dev/null; then
    printf '%s\n' "$found"; sed '/^$/q' "$own" | head -c 4000; rm -f -- "$own"; code=0
    [ "$4" = all ] && continue
    break
  fi
  tries=$((tries - 1)); [ "$tries" -gt 0 ] || break
  sleep 0.2
done
exit $code
"""


@dataclass(frozen=True, slots=True)
class User:
    """A login as getent(1) tells it."""

    login: str
    uid: int
    gid: int
    home: str


def find_user(host: Host, login: str) -> User | None:
    """The login's numbers and home; None when there is no such login."""
    asked = host.ask(["getent", "passwd", login])
    fields = asked.out.strip().split(":")
    if (
        not asked.ok
        or len(fields) < 7
        or fields[0] != login
        or not (fields[2].isdigit() and fields[3].isdigit())
    ):
        return None
    return User(login, int(fields[2]), int(fields[3]), fields[5])


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
    user = find_user(host, login)
    if user is None:
        transcript.note(f"there is no login {login}")
        return False
    path = folder_of(user, folder)
    tries = str(max(1, int(wait * 5)))
    argv = ["runuser", "-u", login, "--", "sh", "-c", _LOOK]
    argv += ["sh", mark, path, tries, "all" if every else "one"]
    transcript.note(f"looking for {mark} in {path} as {login}")
    try:
        found = host.run(argv, timeout=wait + 10, ok=(0, 1, 124))
    except CommandFailed as error:
        transcript.note(f"could not look: {error.message}")
        return False
    transcript.add("<", found.out[:6000] or "(not there)")
    return found.ok
