"""A test message taken out of a mailbox as a whole, octet by octet."""

from __future__ import annotations

import base64
import binascii

from mailwizard.errors import CommandFailed
from mailwizard.model import Host
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.mailbox import find_user, folder_of

LARGEST = 200_000
# As the user, like mailbox.py. $1 mark, $2 folder, $3 tries at 0.2 s, $4 the largest message.
_LOOK = r"""
cd /
tries=$3
while :; do
  found=$(find "$2/new" "$2/cur" -type f -mmin -60 -exec grep -lsF -- "$1" {} + 2>/dev/null |
    head -n 1)
  if [ -n "$found" ]; then
    head -c "$4" "$found" | base64
    rm -f -- "$found"
    exit 0
  fi
  tries=$((tries - 1)); [ "$tries" -gt 0 ] || exit 1
  sleep 0.2
done
"""


def take_whole(
    host: Host, login: str, mark: str, *, wait: float, transcript: Transcript, folder: str
) -> bytes:
    """The message that holds `mark`, with CR LF as it went over the wire; empty without one."""
    user = find_user(host, login)
    if user is None:
        transcript.note(f"there is no login {login}")
        return b""
    path = folder_of(user, folder)
    transcript.note(f"looking for {mark} in {path} as {login}")
    argv = ["runuser", "-u", login, "--", "sh", "-c", _LOOK, "sh", mark, path]
    argv += [str(max(1, int(wait * 5))), str(LARGEST)]
    try:
        found = host.run(argv, timeout=wait + 10, ok=(0, 1, 124))
        message = base64.b64decode(found.out) if found.ok else b""
    except (CommandFailed, binascii.Error) as error:
        transcript.note(f"could not look: {error}")
        return b""
    head = message.partition(b"\n\n")[0]
    transcript.add("<", head[:6000].decode("utf-8", "replace") or "(not there)")
    return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
