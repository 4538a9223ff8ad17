"""The host knows its own name: /etc/hostname, the kernel, /etc/hosts (hostname(5), hosts(5))."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.changes import previews
from mailwizard.keyed import rows, words
from mailwizard.model import Host, Look, Preview, Subject
from mailwizard.subjects import File, KernelHostName, Lines

HOSTNAME, HOSTS = "/etc/hostname", "/etc/hosts"
LOCALHOST = "127.0.0.1 localhost"


@dataclass(frozen=True, slots=True)
class HostName:
    """The static and the running host name are this short name."""

    short: str

    @property
    def title(self) -> str:
        return f"name this host {self.short}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        static = look.read(HOSTNAME).decode("utf-8", "replace").strip()
        return static != self.short or look.ask(["hostname"]).out.strip() != self.short

    def preview(self, look: Look) -> Preview:
        return previews.diff(HOSTNAME, look.read(HOSTNAME), f"{self.short}\n".encode())

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (File(HOSTNAME), KernelHostName())

    def apply(self, host: Host) -> None:
        host.write(HOSTNAME, f"{self.short}\n".encode())
        host.run(["hostname", self.short])

    def shell(self, look: Look) -> str:
        put = previews.put_file(HOSTNAME, f"{self.short}\n", 0o644)
        return f"{put}\n{shlex.join(['hostname', self.short])}"


@dataclass(frozen=True, slots=True)
class HostsEntry:
    """/etc/hosts maps the full name to this host's own addresses, first, and keeps localhost."""

    addresses: tuple[str, ...]
    fqdn: str
    short: str
    former: frozenset[str] = frozenset()
    """Lines of earlier answers, which go with them."""

    @property
    def title(self) -> str:
        return f"map {self.fqdn} to {' and '.join(self.addresses)} in {HOSTS}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        return self._text(look) != look.read(HOSTS).decode("utf-8", "surrogateescape")

    def preview(self, look: Look) -> Preview:
        return previews.diff(HOSTS, look.read(HOSTS), self._bytes(look))

    def subjects(self, look: Look) -> Sequence[Subject]:
        lines = rows(look.read(HOSTS).decode("utf-8", "replace"))
        changed = {words(line)[0] for line in lines if self._is_stale(line)}
        return (Lines.of(HOSTS, " ", sorted({*changed, *self.addresses})),)

    def apply(self, host: Host) -> None:
        host.write(HOSTS, self._bytes(host))

    def shell(self, look: Look) -> str:
        return shlex.join(["hosts_entry", self.fqdn, self.short, *self.addresses])

    def _names_us(self, line: str) -> bool:
        _, *names = words(line.split("#", 1)[0]) or [""]
        return any(map(self._is_ours, names))

    def _is_ours(self, name: str) -> bool:
        # hosts(5) is read without regard to case, as all names are (RFC 4343)
        return name.lower() in (self.fqdn.lower(), self.short.lower())

    def _is_stale(self, line: str) -> bool:
        return line in self.former or self._names_us(line)

    def _bytes(self, look: Look) -> bytes:
        return self._text(look).encode("utf-8", "surrogateescape")

    def _text(self, look: Look) -> str:
        old = look.read(HOSTS).decode("utf-8", "surrogateescape")
        entries = ((one, f"{one} {self.fqdn} {self.short}") for one in self.addresses)
        left = {address.lower(): entry for address, entry in entries}
        lines: list[str] = []
        for line in rows(old):
            # the first line of an address gives its canonical name: ours comes first
            ours = left.pop(next(iter(words(line)), "").lower(), None)
            if ours is not None and words(line) == words(ours):
                lines.append(line)
                continue
            lines += [ours] if ours is not None else []
            lines += self._without_us(line)
        lines += left.values()
        if not any(words(line)[:2] == words(LOCALHOST) for line in lines):
            lines.insert(0, LOCALHOST)
        # as it stands, other line endings and a missing last one included
        return old if lines == rows(old) else "\n".join(lines) + "\n"

    def _without_us(self, line: str) -> list[str]:
        if line in self.former:
            return []
        if not self._names_us(line):
            return [line]
        head, _, comment = line.partition("#")
        address, *names = words(head)
        others = [name for name in names if not self._is_ours(name)]
        left = " ".join([address, *others]) + (f"  #{comment}" if comment else "")
        return [left] if others else []
