"""ufw lets in what it should; its rules are in force and in its files at the same time."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard import ufw
from mailwizard.changes import guard, previews
from mailwizard.model import Host, Look, Preview, Probe, Subject
from mailwizard.platform.firewalls import Opening
from mailwizard.subjects import UfwRules


@dataclass(frozen=True, slots=True)
class UfwOpenings:
    """ufw has these rules and no others of ours; undone by itself if nobody can come in."""

    openings: tuple[Opening, ...]
    confirm: tuple[Probe, ...] = ()

    @property
    def title(self) -> str:
        return "let mail and SSH through ufw"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        return bool(ufw.commands(look, self.openings))

    def preview(self, look: Look) -> Preview:
        return previews.commands(guard.arming(), *ufw.commands(look, self.openings))

    def subjects(self, look: Look) -> Sequence[Subject]:
        gone = ufw.spent(look, self.openings)
        return (UfwRules.of([*ufw.wanted(look, self.openings), *gone]),)

    def apply(self, host: Host) -> None:
        names = {path: path.rpartition("/")[2] for path in ufw.FILES}
        # written over, not replaced: they keep their mode and owner
        back = [f"cat {name} >{path}" for path, name in names.items()]
        # `ufw reload` would disable ufw for a moment, or for good if it were cut short
        back += [f"{program}-restore -n <{path}" for path, program, _ in ufw.FAMILIES]
        guard.guarded(
            host,
            "\n".join(back),
            {name: host.read(path) for path, name in names.items()},
            lambda: self._enforce(host),
            self.confirm,
        )

    def _enforce(self, host: Host) -> None:
        for argv in ufw.commands(host, self.openings):
            host.run(argv)

    def shell(self, look: Look) -> str:
        rules = map(ufw.allowing, ufw.wanted(look, self.openings))
        return shlex.join(["ufw_rules", *dict.fromkeys(shlex.join(argv[1:]) for argv in rules)])
