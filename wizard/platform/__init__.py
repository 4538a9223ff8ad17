"""Which distribution this is, and what things are called on it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from mailwizard.errors import HostRefused
from mailwizard.model import Platform, Tier
from mailwizard.platform import debian, el, suse
from mailwizard.platform.base import Distribution, Preseed

__all__ = ["KNOWN", "Distribution", "Preseed", "detect", "named", "supported"]

REMOVE = {
    "debian": ("apt-get", "purge"),
    "suse": ("zypper", "remove"),
    "el": ("dnf", "remove"),
}
KNOWN: tuple[Distribution, ...] = (*debian.ALL, *suse.ALL, *el.ALL)


def detect(os_release: str) -> Distribution:
    """The distribution that os-release(5) tells; raises HostRefused naming what is supported."""
    facts = _facts(os_release)
    version = facts.get("VERSION_ID", "")
    found = [each for each in KNOWN if each.id == facts.get("ID") and _covers(each, version)]
    if found:
        return found[0]
    name = facts.get("PRETTY_NAME") or facts.get("ID") or "a system without /etc/os-release"
    raise HostRefused(f"this host runs {name}, which is not supported", hint=supported())


def supported() -> str:
    """The systems that are known, for a refusal."""
    proven, expected, data = (named(tier) for tier in Tier)
    return f"Supported: {proven}. Expected to work: {expected}. Known as data only: {data}."


def named(tier: Tier) -> str:
    """The systems of a tier."""
    return ", ".join(dict.fromkeys(each.name for each in KNOWN if each.tier is tier))


def _covers(release: Distribution, version: str) -> bool:
    if release.version == "rolling":
        return True
    # EL says 9.4 where only the 9 matters; Leap 15.6 and Ubuntu 24.04 are releases of their own.
    return version == release.version or version.startswith(release.version + ".")


def _facts(text: str) -> dict[str, str]:
    facts = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            facts[key] = _unquoted(value)
    return facts


def _unquoted(value: str) -> str:
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value


def here() -> Distribution:
    """The distribution of this host; raises HostRefused."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        if Path(path).exists():
            return detect(Path(path).read_text(encoding="utf-8", errors="replace"))
    return detect("")


def machine_id() -> str:
    """What tells this installation from every other (machine-id(5)); empty when it has none."""
    path = Path("/etc/machine-id")
    return path.read_text(encoding="ascii").strip() if path.exists() else ""


def removal_command(platform: Platform, names: Sequence[str]) -> str:
    """The command that removes these packages and their configuration."""
    return shlex.join([*REMOVE[platform.family], *names])
