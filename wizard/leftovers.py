"""Mail that waits in another mail server's queue when Postfix takes that server's place.

It is counted, the old server is asked once to send it, and what is left is kept where it is, with
the way to hand it to Postfix. Where there is no such way the old server stays.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from mailwizard.errors import WizardError
from mailwizard.model import Host, Look

PATIENCE = 60.0


class MailWaits(WizardError):
    """Mail would be lost with the server whose queue it waits in."""


@dataclass(frozen=True, slots=True)
class OldServer:
    """A mail server that Postfix's package replaces, and the files of its queue.

    pattern: of the file that each message has once (find(1), -name).
    flush: tries everything at once; empty where the server does so all the time.
    reader: a script of ours that hands its messages to Postfix.
    """

    name: str
    program: str
    folder: str
    pattern: str
    flush: tuple[str, ...] = ()
    reader: str = ""

    def is_here(self, look: Look) -> bool:
        return bool(look.which(self.program))


SERVERS = (
    OldServer(
        *("exim4", "exim4", "/var/spool/exim4/input", "*-H"),
        flush=("exim4", "-qff"),
        reader="leftovers/exim4.sh",
    ),
    OldServer(
        *("sendmail", "sendmail-mta", "/var/spool/mqueue", "qf*"),
        flush=("sendmail-mta", "-q"),
    ),
    # what programs of the host hand in, before the server has it
    OldServer(
        *("sendmail", "sendmail-msp", "/var/spool/mqueue-client", "qf*"),
        flush=("sendmail-msp", "-Ac", "-q"),
    ),
    OldServer(
        *("opensmtpd", "smtpctl", "/var/spool/smtpd/queue", "message"),
        flush=("smtpctl", "schedule", "all"),
    ),
    OldServer("nullmailer", "nullmailer-send", "/var/spool/nullmailer/queue", "*"),
    OldServer("dma", "dma", "/var/spool/dma", "Q*", flush=("dma", "-q")),
)


def count(look: Look, server: OldServer) -> int:
    """How many messages wait in its queue; nobody's programs are asked, they may be gone."""
    if look.state(server.folder).kind != "dir":
        return 0
    find = ["find", server.folder, "-type", "f", "-name", server.pattern]
    return len(look.ask(find, timeout=30).out.splitlines())


def waiting(look: Look) -> list[tuple[OldServer, int]]:
    """Each old server with mail in its queue, installed or not, and how many messages."""
    counted = ((server, count(look, server)) for server in SERVERS)
    return [(server, many) for server, many in counted if many]


def told(look: Look) -> list[str]:
    """What will be done about mail that waits, a sentence for each queue, before it is done."""
    return [
        f"{messages(many)} in the queue of {server.name}, which Postfix replaces. "
        f"It is asked once to send them; {_rest(server)}"
        for server, many in waiting(look)
        if server.is_here(look)
    ]


def _rest(server: OldServer) -> str:
    if server.reader:
        return f"what it cannot send stays in {server.folder}, and can be handed to Postfix later."
    return "if it cannot send them all it stays, and nothing is installed."


def messages(many: int) -> str:
    """The number with its noun and verb."""
    return "1 message waits" if many == 1 else f"{many} messages wait"


def handing_over(server: OldServer) -> str:
    """The command that hands what it left to Postfix; empty where there is none."""
    if not server.reader:
        return ""
    return f"sh {os.path.realpath(str(files('mailwizard.templates') / server.reader))}"


def sent(host: Host) -> Iterator[str]:
    """Have old servers send what they can, saying so; raises MailWaits where mail would be lost."""
    for server, many in waiting(host):
        if not server.is_here(host):
            continue
        yield (
            f"{messages(many)} in the queue of {server.name}: it tries to send now, for "
            f"{PATIENCE:.0f} seconds at most"
        )
        left = _flushed(host, server)
        if left and not server.reader:
            _refuse(server, left)
        if left:
            yield (
                f"{messages(left)} in {server.folder}, still unsent. Once Postfix runs, "
                f"`{handing_over(server)}` hands what is there to it"
            )


def _flushed(host: Host, server: OldServer) -> int:
    """How many are left when it has tried everything, or its time is over."""
    limit = time.monotonic() + PATIENCE
    if server.flush:
        host.run(server.flush, timeout=PATIENCE, ok=range(256))
    # exim4 has tried all by then; others only begin
    while (left := count(host, server)) and not server.reader and time.monotonic() < limit:
        time.sleep(1)
    return left


def _refuse(server: OldServer, left: int) -> None:
    how = f" (`{' '.join(server.flush)}`)" if server.flush else ""
    raise MailWaits(
        f"{messages(left)} in the queue of {server.name} ({server.folder}) and cannot be sent now",
        hint=f"Postfix takes the place of {server.name}, and nobody could send them any more. "
        f"`mailq` lists them: have them sent{how} or delete them, then try again.",
    )


def stopped(host: Host) -> Iterator[str]:
    """Stop each server that runs on though its package is gone, saying so."""
    for server in SERVERS:
        unit = f"{server.name}.service"
        if server.is_here(host):
            continue
        if host.ask(["systemctl", "is-active", unit]).out.strip() == "active":
            host.run(["systemctl", "stop", unit], ok=range(256))
            yield f"{unit} is stopped: its package is gone"
