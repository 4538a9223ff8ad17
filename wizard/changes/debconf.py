"""Debconf answers kept in step, so that a package upgrade does not write its own over ours."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailwizard.model import Host, Look, Preview, Subject
from mailwizard.subjects import DebconfAnswers


@dataclass(frozen=True, slots=True)
class DebconfSettings:
    """Where the system has debconf, the package's answers are these: question -> (type, value)."""

    package: str
    values: Mapping[str, tuple[str, str]]

    @property
    def title(self) -> str:
        return f"tell the package system that {self.package} is configured by hand"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        if not look.which("debconf-set-selections"):
            return False
        now = DebconfAnswers(self.package).capture(look)["answers"]
        return any(now.get(key) != value for key, (_, value) in self.values.items())

    def preview(self, look: Look) -> Preview:
        return Preview("debconf-set-selections <<EOF\n" + self._selections() + "EOF")

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (DebconfAnswers(self.package),)

    def apply(self, host: Host) -> None:
        host.run(["debconf-set-selections"], stdin=self._selections())

    def shell(self, look: Look) -> str:
        words = [shlex.quote(line) for line in self._selections().splitlines()]
        return f"printf '%s\\n' {' '.join(words)} | debconf_settings"

    def _selections(self) -> str:
        return "".join(
            f"{self.package} {key} {kind} {value}\n" for key, (kind, value) in self.values.items()
        )
