"""A daemon that nothing needs any more neither runs nor starts at boot."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.changes import previews
from mailwizard.model import Host, Look, Preview, Subject
from mailwizard.subjects import Unit


@dataclass(frozen=True, slots=True)
class Stopped:
    """The role's unit is stopped and disabled; its package and its files stay."""

    role: str

    @property
    def title(self) -> str:
        return f"take {self.role} out of service"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        image = Unit(look.platform.unit(self.role)).capture(look)
        return bool(image["active"]) or image["enabled"] == "enabled"

    def preview(self, look: Look) -> Preview:
        return previews.commands(self._command(look))

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (Unit(look.platform.unit(self.role)),)

    def apply(self, host: Host) -> None:
        host.run(self._command(host))

    def shell(self, look: Look) -> str:
        # on a host that is set up anew it was never installed
        return f"{shlex.join(self._command(look))} || true"

    def _command(self, look: Look) -> list[str]:
        return ["systemctl", "disable", "--quiet", "--now", look.platform.unit(self.role)]
