"""Who listens on this host's ports, where, and whether its service stays up."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.model import Host, Look, Result
from mailwizard.platform.running import GONE, number_in, replaced, unit_of
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.verdict import could_not_ask, failed, passed, unknown, warned

Programs = Mapping[int, tuple[str, ...]] | tuple[tuple[int, tuple[str, ...]], ...]
MAIL_PORTS = (25, 80, 143, 465, 587, 993)
# What the chosen daemons call themselves; a host that was set up before is fine.
OURS: Mapping[int, tuple[str, ...]] = {
    25: ("master", "smtpd", "postscreen"),
    80: ("nginx", "certbot", "apache2", "httpd"),
    143: ("dovecot",),
    465: ("master", "smtpd"),
    587: ("master", "smtpd"),
    993: ("dovecot",),
}
# Debian's default mailers conflict with the package postfix, which takes their place.
_REPLACED = ("exim4", "exim", "sendmail-mta", "sendmail")
_SS = ["ss", "-Hltnp"]
# as Dovecot, Postfix and others say it; the time of day stands before
_IN_USE = re.compile(r".*(?:port |[,:] ?)(\d+)\b.*Address already in use")
_USERS = re.compile(r'\("([^"]*)",pid=(\d+)')


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening socket and who holds it: master(8) shares its sockets with its children."""

    address: str
    port: int
    holders: tuple[tuple[str, int], ...] = ()

    @property
    def program(self) -> str:
        return self.holders[0][0] if self.holders else ""

    @property
    def pid(self) -> int:
        return self.holders[0][1] if self.holders else 0

    def held_by(self, programs: Sequence[str]) -> bool:
        return any(name in programs for name, _ in self.holders)

    @property
    def on_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}:{self.port} {self.program or '?'}"


def listeners(look: Look) -> tuple[Listener, ...]:
    """All listening TCP sockets; raises CannotAsk where ss(8) does not answer."""
    asked = look.ask(_SS, timeout=10)
    if not asked.ok:
        raise CannotAsk(Trouble.UNREACHABLE, "`ss -ltnp` gave no answer (package iproute2)")
    return tuple(_parse(asked.out))


def _parse(out: str) -> Iterator[Listener]:
    for line in out.splitlines():
        columns = line.split(None, 5)
        if len(columns) < 5:
            continue
        address, _, port = columns[3].rpartition(":")
        if not port.isdigit():
            continue
        address = address.partition("%")[0].strip("[]")
        users = _USERS.findall(columns[5]) if len(columns) > 5 else []
        holders = tuple((name, int(pid)) for name, pid in users)
        yield Listener("0.0.0.0" if address == "*" else address, int(port), holders)


def _program_of(look: Look, pid: int) -> str:
    return look.ask(["readlink", f"/proc/{pid}/exe"], timeout=5).out.strip()


def package_of(look: Look, pid: int) -> str:
    """The package that the running program came from; empty when nobody knows."""
    # of a file that was replaced meanwhile the package is the same
    path = _program_of(look, pid).removesuffix(GONE)
    if not path:
        return ""
    if look.which("dpkg"):
        # With a merged /usr the package may list the file under its old place.
        for name in (path, path.removeprefix("/usr")):
            owner = look.ask(["dpkg", "-S", name], timeout=10).out.partition(":")[0].strip()
            if owner:
                return sanitise.clean(owner, limit=1)
        return ""
    owned = look.ask(["rpm", "-qf", "--qf", "%{NAME}", path], timeout=10)
    return sanitise.clean(owned.out.strip(), limit=1) if owned.ok else ""


def in_the_way(look: Look, said: Sequence[str]) -> tuple[str, str]:
    """Who holds the port that a daemon's log says it could not have, and what to do; or ""."""
    wanted = next((int(found[1]) for line in said if (found := _IN_USE.search(line))), 0)
    try:
        holder = next(one for one in listeners(look) if one.port == wanted)
    except (CannotAsk, StopIteration):
        return "", ""
    unit = unit_of(look, holder.pid) if holder.pid else ""
    who = f"{holder.program or 'another program'} (pid {holder.pid})" + (f" of {unit}" * bool(unit))
    stop = f"`systemctl disable --now {unit}`" if unit else f"Stop {holder.program or 'it'}"
    return (
        f"port {wanted} is held by {who}",
        f"Two servers cannot share a port. {stop} if it is not needed, then try again.",
    )


@dataclass(frozen=True, slots=True)
class PortsFree:
    """The ports of mail are free, or held by those who should hold them."""

    owners: Programs = field(default_factory=lambda: OURS)
    id: ClassVar[str] = "HOST-PORTS"
    title: ClassVar[str] = "The ports of mail are free"
    deadline: ClassVar[float] = 30.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = "ss -ltnp | grep -E ':(25|80|143|465|587|993) '"

    def ask(self, host: Host) -> Result:
        try:
            found = [one for one in listeners(host) if one.port in MAIL_PORTS]
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        owners = dict(self.owners)
        rows = [str(one) for one in found]
        others = [one for one in found if not one.held_by(owners.get(one.port, ()))]
        if not others:
            held = ", ".join(dict.fromkeys(str(one) for one in found))
            return passed(f"only ours: {held}" if held else "all free", rows)
        # one port once, though it is held on several addresses
        once = {one.port: one for one in reversed(others)}.values()
        named = [
            (one, package_of(host, one.pid) if one.pid else "", one.held_by(_REPLACED))
            for one in sorted(once, key=lambda one: one.port)
        ]
        # one whose package has gone already is not removed by ours
        serious = [row for row in named if row[0].port != 80 and not (row[1] and row[2])]
        told = serious or named
        return (failed if serious else warned)(
            "; ".join(_held(one, package) for one, package, _ in told),
            "; ".join(_free(one.port, owners) for one, _, _ in told),
            _way(host, told),
            rows,
        )


def _held(one: Listener, package: str) -> str:
    who = one.program or "an unknown program"
    return f"port {one.port} is held by {who}" + (f" (package {package})" if package else "")


def _free(port: int, owners: Mapping[int, tuple[str, ...]]) -> str:
    return f"port {port} free, or held by {' or '.join(owners.get(port, ())) or 'nobody'}"


def _way(look: Look, told: Sequence[tuple[Listener, str, bool]]) -> str:
    if all(replaced and package for _, package, replaced in told):
        return (
            "Installing Postfix stops and removes it by itself; before that it is asked to send "
            "what waits in its queue."
        )
    stops = dict.fromkeys(_stop(look, one, package) for one, package, _ in told)
    return (
        f"The administrator: {' and '.join(stops)} if it is not needed: two servers cannot share a "
        "port."
    )


def _stop(look: Look, one: Listener, package: str) -> str:
    unit = unit_of(look, one.pid) if one.pid else ""
    if unit:
        gone = not package and _program_of(look, one.pid).endswith(GONE)
        said = " (its program has been removed, and it runs on)" if gone else ""
        return f"`systemctl disable --now {unit}`{said}"
    return f"stop and disable it, or remove {package or 'its package'}"


@dataclass(frozen=True, slots=True)
class Listeners:
    """The public ports answer on every address, the private ones on loopback only."""

    public: tuple[int, ...]
    private: tuple[int, ...] = ()
    programs: Programs = field(default_factory=dict)
    id: ClassVar[str] = "HOST-11"
    title: ClassVar[str] = "The right ports are open, and no others"
    deadline: ClassVar[float] = 15.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = "ss -ltnp"

    def ask(self, host: Host) -> Result:
        try:
            found = listeners(host)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        rows = [str(one) for one in found]
        outward = {one.port for one in found if not one.on_loopback}
        wanted = f"public: {_list(self.public)}; on loopback only: {_list(self.private)}"
        if missing := [port for port in self.public if port not in outward]:
            return failed(
                f"nobody listens on port {_list(missing)} for the outside",
                wanted,
                "The administrator: is the service running, and does it listen on all addresses "
                "(inet_interfaces = all, listen = *, ::)?",
                rows,
            )
        if exposed := [one for one in found if one.port in self.private and not one.on_loopback]:
            return failed(
                f"{exposed[0]} is open to the outside",
                wanted,
                "The administrator: bind it to 127.0.0.1; whoever reaches it passes every check.",
                rows,
            )
        for port, programs in dict(self.programs).items():
            for one in found:
                if one.port == port and one.holders and not one.held_by(programs):
                    said = f"port {port} is held by {one.program}"
                    fix = "The administrator: stop and disable that program."
                    return failed(said, f"{' or '.join(programs)}", fix, rows)
        return passed(f"open: {_list(self.public)}; the rest as it should be", rows)


def _list(ports: Sequence[int]) -> str:
    return ", ".join(map(str, ports)) or "none"


@dataclass(frozen=True, slots=True)
class UnitRuns:
    """The unit is active, starts at boot, does not restart again and again, and is up to date.

    starter: the unit that is enabled in its place, where another one brings it up.
    role: what it is for, where that is not Postfix's own work.
    pid_file: where the daemon's main process writes its number.
    """

    unit: str
    window: float = 1.5
    enabled: bool = True
    starter: str = ""
    role: str = ""
    pid_file: str = ""
    deadline: ClassVar[float] = 30.0
    critical: ClassVar[bool] = False

    @property
    def id(self) -> str:
        return f"HOST-10:{self.role}" if self.role else "HOST-10"

    @property
    def title(self) -> str:
        return f"{self.unit} runs and stays up"

    @property
    def by_hand(self) -> str:
        return (
            f"systemctl status {self.unit}; systemctl show -p NRestarts,UnitFileState {self.unit}"
        )

    def ask(self, host: Host) -> Result:
        first = self._show(host, self.unit)
        if not first:
            return unknown(f"systemd does not answer about {self.unit}", "active", "")
        expected = f"{self.unit} active, enabled, not restarting"
        fix = f"The administrator: `journalctl -u {self.unit} -n 30` says why."
        state = f"{first.get('ActiveState')} ({first.get('SubState')}, {first.get('Result')})"
        rows = [f"{name}={value}" for name, value in first.items()]
        if first.get("LoadState") == "not-found":
            return failed(f"there is no unit {self.unit}", expected, "Install its package.", rows)
        if first.get("ActiveState") != "active":
            return failed(f"{self.unit} is {state}", expected, fix, rows)
        if older := self._older(host, number_in(host, self.pid_file) or _number(first, _PID), rows):
            return older
        if first.get("SubState") == "exited":
            # As postfix.service on Debian 12, which runs /bin/true and is active for ever.
            return unknown(
                f"{self.unit} only starts others and has ended: it says nothing about them",
                expected,
                f"Ask about the unit that does the work: systemctl list-units '{self.unit[:4]}*'",
                rows,
            )
        # Type=simple is "active" before the program has read its configuration.
        time.sleep(max(0, self.window - _age(first)))
        second = self._show(host, self.unit)
        rows += [f"after {self.window} s: {name}={value}" for name, value in second.items()]
        restarts = _number(second, "NRestarts")
        if restarts > _number(first, "NRestarts") or second.get("ActiveState") != "active":
            return failed(
                f"{self.unit} does not stay up ({restarts} restarts)", expected, fix, rows
            )
        starter = self.starter or self.unit
        at_boot = (second if starter == self.unit else self._show(host, starter)).get(_AT_BOOT)
        rows.append(f"{starter}: {_AT_BOOT}={at_boot}")
        if self.enabled and at_boot not in _STARTS_AT_BOOT:
            return failed(
                f"{starter} will not start at boot ({at_boot or 'no state'})",
                expected,
                f"The administrator: systemctl enable {starter}",
                rows,
            )
        if restarts:
            return warned(
                f"{self.unit} runs now, but systemd had to restart it {restarts} times",
                expected,
                fix,
                rows,
            )
        return passed(f"{self.unit} is {first.get('SubState')}", rows)

    def _older(self, host: Host, pid: int, rows: Sequence[str]) -> Result | None:
        """An upgrade replaced the program and nobody started it again."""
        program = replaced(host, pid)
        if not program:
            return None
        # Postfix's processes speak with each other as their own release does
        says = "it starts newer ones that do not understand it" if self.pid_file else "it is old"
        return (failed if self.pid_file else warned)(
            f"the process that runs (pid {pid}) is older than {program}, which an upgrade "
            f"has replaced since: {says}",
            f"{self.unit} started again after each upgrade of its package",
            f"The administrator: `mailwizard apply` does it, or: systemctl restart {self.unit}",
            [*rows, f"/proc/{pid}/exe -> {program}{GONE}"],
        )

    def _show(self, host: Host, unit: str) -> dict[str, str]:
        names = f"LoadState,ActiveState,SubState,Result,NRestarts,{_PID},{_AT_BOOT},{_SINCE}"
        asked = host.ask(["systemctl", "show", "-p", names, "--", unit], timeout=10)
        rows = (row.partition("=") for row in sanitise.lines(asked.out, limit=20))
        return {name: value for name, equals, value in rows if equals} if asked.ok else {}


_AT_BOOT, _SINCE, _PID = "UnitFileState", "StateChangeTimestampMonotonic", "MainPID"
_STARTS_AT_BOOT = ("enabled", "enabled-runtime", "static", "indirect", "generated", "alias")


def _age(values: Mapping[str, str]) -> float:
    """Seconds since the unit started or was reloaded; 0 where systemd does not tell."""
    since = _number(values, _SINCE) / 1e6
    return max(0, time.monotonic() - since) if since else 0


def _number(values: Mapping[str, str], name: str) -> int:
    value = values.get(name, "")
    return int(value) if value.isdigit() else 0
