"""firewalld lets in what it should: at once and guarded, and after that also permanently."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailwizard import firewalld
from mailwizard.changes import guard, previews
from mailwizard.changes.boot import StartsAtBoot
from mailwizard.firewalld import PERMANENT
from mailwizard.model import Change, Host, Look, Preview, Probe, Subject
from mailwizard.platform.firewalls import Opening
from mailwizard.subjects import FirewalldZone, Unit

UNIT = "firewalld.service"


def changes(look: Look, openings: Sequence[Opening], confirm: Sequence[Probe]) -> Iterator[Change]:
    """In force first: only what was confirmed is made permanent, and starts at boot."""
    for zone in firewalld.zones(look):
        yield ZoneOpenings(zone, tuple(openings), tuple(confirm))
        yield PermanentOpenings(zone, tuple(openings))
    yield StartsAtBoot(UNIT)


@dataclass(frozen=True, slots=True)
class ZoneOpenings:
    """firewalld runs, and the zone lets these in now; undone by itself if it shuts out."""

    zone: str
    openings: tuple[Opening, ...]
    confirm: tuple[Probe, ...] = ()

    @property
    def title(self) -> str:
        return f"let mail and SSH through firewalld's zone {self.zone}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        return bool(self._missing(look)) or not _runs(look)

    def preview(self, look: Look) -> Preview:
        return previews.commands(guard.arming(), *self._commands(look))

    def subjects(self, look: Look) -> Sequence[Subject]:
        zone = FirewalldZone.of(self.zone, "", firewalld.wanted(self.openings))
        return (zone,) if _runs(look) else (zone, Unit(UNIT))

    def apply(self, host: Host) -> None:
        back = firewalld.commands("remove", self.zone, "", self._missing(host))
        stop: list[Sequence[str]] = [["systemctl", "stop", UNIT]]
        guard.guarded(
            host,
            guard.going_back(back if _runs(host) else stop),
            {},
            lambda: self._enforce(host),
            self.confirm,
        )

    def _enforce(self, host: Host) -> None:
        for argv in self._commands(host):
            host.run(argv)

    def _commands(self, look: Look) -> list[tuple[str, ...]]:
        start = [] if _runs(look) else [("systemctl", "start", UNIT)]
        return start + firewalld.commands("add", self.zone, "", self._missing(look))

    def _missing(self, look: Look) -> list[str]:
        there = firewalld.items(look, self.zone)
        return [item for item in firewalld.wanted(self.openings) if item not in there]

    def shell(self, look: Look) -> str:
        return shlex.join(["firewalld_zone", self.zone, *firewalld.wanted(self.openings)])


@dataclass(frozen=True, slots=True)
class PermanentOpenings:
    """The zone lets these in after each start as well."""

    zone: str
    openings: tuple[Opening, ...]

    @property
    def title(self) -> str:
        return f"keep it so in firewalld's zone {self.zone}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        return bool(self._commands(look))

    def preview(self, look: Look) -> Preview:
        return previews.commands(*self._commands(look))

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (FirewalldZone.of(self.zone, PERMANENT, firewalld.wanted(self.openings)),)

    def apply(self, host: Host) -> None:
        for argv in self._commands(host):
            host.run(argv)

    def shell(self, look: Look) -> str:
        return shlex.join(["firewalld_keeps", self.zone, *firewalld.wanted(self.openings)])

    def _commands(self, look: Look) -> list[tuple[str, ...]]:
        there = firewalld.items(look, self.zone, PERMANENT)
        missing = [item for item in firewalld.wanted(self.openings) if item not in there]
        return firewalld.commands("add", self.zone, PERMANENT, missing)


def _runs(look: Look) -> bool:
    return look.ask(["firewall-cmd", "--state"]).ok
