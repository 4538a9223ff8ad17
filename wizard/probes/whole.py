"""A test message taken out of a mailbox as a whole, octet by octet."""

from __future__ import annotations

from mailwizard.model import Host
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.mailbox import look_for


def take_whole(
    host: Host, login: str, mark: str, *, wait: float, transcript: Transcript, folder: str
) -> bytes:
    """The message that holds `mark`, with CR LF as it went over the wire; empty without one."""
    found = look_for(host, login, mark, wait, transcript, folder)
    if not found:
        return b""
    transcript.add("<", found[0].head[:6000])
    return found[0].message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
