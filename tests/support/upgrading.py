"""The next release of Debian, brought to a host as an administrator brings it; mail meanwhile."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab import images
from lab.errors import LabError
from lab.host import Host
from lab.internet import Internet
from lab.shell import Completed
from support.applied import with_packages
from support.letters import STRANGER, bring, letter
from support.program import mails

# what mail stands on; the rest of a release only costs time
PACKAGES = "base-files postfix dovecot-core dovecot-imapd dovecot-lmtpd"
SWITCH = "find /etc/apt -name '*.list' -o -name '*.sources' | xargs sed -i s/bookworm/trixie/g"
APT = (
    "DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0"
    " -o Dpkg::Options::=--force-confold"
)
FETCH = f"{SWITCH}; apt-get -q update && {APT} --download-only --only-upgrade install {PACKAGES}"
KEPT = ("/var/cache/apt/archives", "/var/lib/apt/lists")
# what has gone in that layer is a device there (overlayfs)
NOT_KEPT = ("lock", "partial", "auxfiles", "*_bookworm*")


def fetched(internet: Internet) -> Path:
    """Give the disk of a host that has downloaded the next release, and not unpacked it."""

    def fetch(host: Host) -> None:
        host.run(FETCH, timeout=300)

    below = with_packages("bookworm", internet)
    key = hashlib.sha256(FETCH.encode()).hexdigest()
    return images.layer(below, "next-release", key, fetch, internet.network).folders[0]


def upgraded(host: Host, internet: Internet) -> Completed:
    """Switch the sources, and upgrade; nobody is there to be asked anything."""
    disk = fetched(internet)
    for folder in KEPT:
        host.put_tree(Path(f"{disk}{folder}"), folder, exclude=NOT_KEPT)
    host.run(SWITCH)
    return host.run(f"{APT} --only-upgrade install {PACKAGES}", check=False, timeout=300)


@dataclass
class Stream:
    """Somebody far away writes to alice every other second, and tries nothing twice."""

    internet: Internet
    host: Host
    accepted: list[str] = field(default_factory=list)
    put_off: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def _send(self) -> None:
        number = 0
        while not self._over.wait(2):
            number += 1
            subject = f"stream {number}."
            try:
                taken = bring(self.internet, self.host, letter(subject, STRANGER), STRANGER).ok
            except LabError:
                taken = False
            (self.accepted if taken else self.put_off).append(subject)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Send during this block."""
        thread = threading.Thread(target=self._send)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def delivered(self) -> list[str]:
        """Give the subjects in alice's mailbox, once none that was accepted is awaited any more."""
        found: list[str] = []
        for _ in range(60):
            rows = (line for mail in mails(self.host, "alice") for line in mail.splitlines())
            found = [row.removeprefix("Subject: ") for row in rows if "Subject: stream" in row]
            if set(self.accepted) <= set(found):
                break
            time.sleep(0.5)
        return found
