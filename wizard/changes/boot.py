"""A unit is started at each boot, and is left alone until then."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.changes import previews
from mailwizard.model import Host, Look, Preview, Subject
from mailwizard.subjects import UnitAtBoot


@dataclass(frozen=True, slots=True)
class StartsAtBoot:
    """The unit is enabled; it is neither started nor stopped, for it would flush all rules."""

    unit: str

    @property
    def title(self) -> str:
        return f"start {self.unit} at boot"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        return str(UnitAtBoot(self.unit).capture(look)["enabled"]) != "enabled"

    def preview(self, look: Look) -> Preview:
        return previews.commands(self._command)

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (UnitAtBoot(self.unit),)

    def apply(self, host: Host) -> None:
        host.run(self._command)

    def shell(self, look: Look) -> str:
        return shlex.join(self._command)

    @property
    def _command(self) -> list[str]:
        return ["systemctl", "enable", "--quiet", self.unit]
