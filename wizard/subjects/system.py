"""What is no file: units, the host name, packages and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.model import Host, Image, Look
from mailwizard.platform import facts

_CHANGED = "StateChangeTimestampMonotonic"
SHOWN = f"UnitFileState,ActiveState,MainPID,{_CHANGED}"
# A start may have to wait for the network, which gives up after 120 seconds
# (systemd-networkd-wait-online.service(8)); systemd itself ends a start that hangs after 90 more.
START_SECONDS = 240.0


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit: enabled or not, running or not."""

    kind: ClassVar[str] = "unit"
    name: str

    def capture(self, look: Look) -> Image:
        shown = look.ask(["systemctl", "show", "-p", SHOWN, self.name]).out
        values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        return {
            "enabled": values.get("UnitFileState", ""),
            "active": values.get("ActiveState", "") in ("active", "activating", "reloading"),
            # when it was last started, reloaded or stopped; empty where nobody says
            "changed": values.get(_CHANGED, ""),
            "process": int(values.get("MainPID") or 0),
        }

    def parts(self, image: Image) -> Mapping[str, str]:
        return {f"{self.name} enabled": image["enabled"]}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        now = self.capture(host)
        if now["enabled"] != before["enabled"] and before["enabled"] in ("enabled", "disabled"):
            verb = "enable" if before["enabled"] == "enabled" else "disable"
            # of one whose file is gone there may be nothing left to disable
            gone = verb == "disable" and not now["enabled"]
            host.run(["systemctl", verb, "--quiet", "--", self.name], ok=(0, 1) if gone else (0,))
        if before["active"] and now["active"] and _untouched(before, now):
            return  # it never saw what was put back, and might not start again for another reason
        if before["active"]:
            allow_starts(host, self.name)
            host.run(["systemctl", "restart", "--", self.name], timeout=START_SECONDS)
        elif now["active"]:
            host.run(["systemctl", "stop", "--", self.name])


def _untouched(before: Image, now: Image) -> bool:
    return bool(now["changed"]) and before.get("changed") == now["changed"]


def allow_starts(host: Host, unit: str) -> None:
    """Starts that went before do not count: five in ten seconds are systemd's limit.

    A daemon that would not start has used them up, and then the one put back may not either
    (systemd.unit(5), StartLimitBurst=; systemctl(1), reset-failed).
    """
    instances = unit.replace(".service", "@*.service")
    host.run(["systemctl", "reset-failed", "--", unit, instances], ok=range(256))


@dataclass(frozen=True, slots=True)
class WaitingMail:
    """Mail in the queue; each message keeps the filter that it was once given (FILTER_README)."""

    kind: ClassVar[str] = "waiting-mail"
    name: str = "queue"

    def capture(self, look: Look) -> Image:
        return {}

    def parts(self, image: Image) -> Mapping[str, str]:
        return {}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        requeue(host)


def requeue(host: Host) -> None:
    """Mail that waits goes the way that is set now (postsuper(1), -r)."""
    if host.which("postsuper"):
        host.run(["postsuper", "-r", "ALL"])


@dataclass(frozen=True, slots=True)
class KernelHostName:
    """The running kernel's host name."""

    kind: ClassVar[str] = "kernel-hostname"
    name: str = "kernel"

    def capture(self, look: Look) -> Image:
        return {"name": look.ask(["hostname"]).out.strip()}

    def parts(self, image: Image) -> Mapping[str, str]:
        return {"kernel host name": image["name"]}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        host.run(["hostname", "--", before["name"]])


@dataclass(frozen=True, slots=True)
class DebconfAnswers:
    """A package's debconf answers; `name` is the package."""

    kind: ClassVar[str] = "debconf"
    name: str

    def capture(self, look: Look) -> Image:
        shown = look.ask(["debconf-show", "--", self.name]).out
        lines = [line.partition(":") for line in shown.splitlines() if ":" in line]
        return {
            "answers": {key.lstrip("* "): value.strip() for key, _, value in lines},
            # the star: somebody was asked, or has answered beforehand (debconf-show(1))
            "seen": sorted(key.lstrip("* ") for key, _, _ in lines if key.startswith("*")),
        }

    def parts(self, image: Image) -> Mapping[str, str]:
        return {}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        now = self.capture(host)
        left = now if after is None else after
        sets = [
            f"{self.name} {key} {'select' if key.endswith('_type') else 'string'} {value}"
            for key, value in before["answers"].items()
            if left["answers"].get(key) != value and now["answers"].get(key) != value
        ]
        if sets:
            host.run(["debconf-set-selections"], stdin="\n".join(sets) + "\n")
        fresh = set(left["seen"]) - set(before["seen"])
        if fresh:
            lines = "".join(f"FSET {key} seen false\n" for key in sorted(fresh))
            host.run(["debconf-communicate", self.name], stdin=lines)


@dataclass(frozen=True, slots=True)
class InstalledPackages:
    """The set of installed packages; removal is offered on undo, never forced."""

    kind: ClassVar[str] = "packages"
    name: str = "installed"

    def capture(self, look: Look) -> Image:
        from mailwizard.platform.managers import present

        return {"installed": sorted(present(look))}

    def parts(self, image: Image) -> Mapping[str, str]:
        return {}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        from mailwizard.platform.managers import present, purge

        brought = self.brought(before, after)
        if brought and (left := brought & present(host)):
            purge(host, sorted(left))

    @staticmethod
    def brought(before: Image, after: Image | None) -> frozenset[str]:
        """What came between the two; nothing where nobody knows how it ended."""
        return frozenset(after["installed"] if after else ()) - set(before["installed"])


@dataclass(frozen=True, slots=True)
class Account:
    """A login: undo removes one that we made, never its mail."""

    kind: ClassVar[str] = "account"
    name: str

    def capture(self, look: Look) -> Image:
        return {"present": facts.has_login(look, self.name)}

    def parts(self, image: Image) -> Mapping[str, str]:
        return {f"account {self.name}": "present" if image["present"] else ""}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        if not before["present"] and self.capture(host)["present"]:
            host.run(["userdel", "--", self.name])
