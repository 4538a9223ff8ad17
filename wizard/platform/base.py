"""A distribution as data: what a role such as "postfix" is called there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from mailwizard.model import Tier

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Preseed:
    """What must be in place before a package is unpacked; a file only where none stands yet."""

    debconf: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    age: int = 10
    """Seconds to back-date the files: Postfix sleeps until its main.cf is two seconds old."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A release and its names for packages, units, paths and users; satisfies model.Platform.

    An empty name means that this system has no such thing; an unknown role is our own mistake.
    """

    id: str
    version: str
    name: str
    family: str
    manager: str
    map_type: str
    dovecot: str
    package_names: Mapping[str, tuple[str, ...]]
    unit_names: Mapping[str, str]
    path_names: Mapping[str, str]
    user_names: Mapping[str, str]
    codename: str = ""
    tier: Tier = Tier.DATA
    preseeds: Mapping[str, Preseed] = field(default_factory=dict)

    def packages(self, role: str) -> tuple[str, ...]:
        return _known(self.package_names, role, "packages", self.name)

    def unit(self, role: str) -> str:
        return _known(self.unit_names, role, "unit", self.name)

    def path(self, role: str) -> str:
        return _known(self.path_names, role, "path", self.name)

    def user(self, role: str) -> str:
        return _known(self.user_names, role, "user", self.name)

    def preseed(self, role: str) -> Preseed:
        """What the role's packages want beforehand; mostly nothing."""
        return self.preseeds.get(role, Preseed())


def _known(names: Mapping[str, T], role: str, what: str, name: str) -> T:
    # Not KeyError: that could be taken for an answer that is missing.
    if role not in names:
        raise LookupError(f"{name}: no {what} for the role '{role}'")
    return names[role]
