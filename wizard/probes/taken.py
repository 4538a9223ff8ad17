"""A test message as it came to lie in a user's mailbox: its head, and a digest of its body."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from mailwizard import sanitise
from mailwizard.model import Host
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.mailbox import look_for


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
    found = look_for(host, login, mark, wait, transcript, folder)
    if not found:
        return None
    head = found[0].head[:8000]
    transcript.add("<", head)
    transcript.note(f"SHA-256 of its body: {found[0].digest}")
    return Taken(sanitise.lines(head, width=1000, limit=200), found[0].digest)
