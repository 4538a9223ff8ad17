"""A test message as it came to lie in a user's mailbox: its head, and a digest of its body."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from mailwizard import sanitise
from mailwizard.errors import CommandFailed
from mailwizard.model import Host
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.mailbox import find_user, folder_of

# As the user, like mailbox.py. $1 Message-ID, $2 folder, $3 tries at 0.2 s.
_LOOK = r"""
cd /
export LC_ALL=C
tries=$3
while :; do
  found=$(find "$2/new" "$2/cur" -type f -mmin -60 -exec grep -lsF -- "$1" {} + 2>/dev/null |
    head -n 1)
  own=$2/tmp/${found##*/}
  if [ -n "$found" ] && mv -- "$found" "$own" 2>/dev/null; then
    sed '1,/^$/d' "$own" | sha256sum
    sed '/^$/q' "$own" | head -c 8000
    rm -f -- "$own"
    exit 0
  fi
  tries=$((tries - 1)); [ "$tries" -gt 0 ] || exit 1
  sleep 0.2
done
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """The lines of the head, and the body's SHA-256 with the mailbox's line ends."""

    head: tuple[str, ...]
    digest: str

    def is_same(self, body: bytes) -> bool:
        """Whether the body is what was sent, byte by byte (a mailbox ends lines with LF)."""
        return self.digest == sha256(body.replace(b"\r\n", b"\n")).hexdigest()


def take(
    host: Host, login: str, mark: str, *, wait: float, transcript: Transcript, folder: str
) -> Taken | None:
    """The message that holds `mark`, out of the login's Maildir; None when it is not there."""
    user = find_user(host, login)
    if user is None:
        transcript.note(f"there is no login {login}")
        return None
    path = folder_of(user, folder)
    transcript.note(f"looking for {mark} in {path} as {login}")
    argv = ["runuser", "-u", login, "--", "sh", "-c", _LOOK, "sh", mark, path]
    try:
        found = host.run([*argv, str(max(1, int(wait * 5)))], timeout=wait + 10, ok=(0, 1, 124))
    except CommandFailed as error:
        transcript.note(f"could not look: {error.message}")
        return None
    if not found.ok:
        transcript.add("<", "(not there)")
        return None
    digest, _, head = found.out.partition("\n")
    transcript.add("<", head)
    transcript.note(f"SHA-256 of its body: {digest[:64]}")
    return Taken(sanitise.lines(head, width=1000, limit=200), digest[:64])
