"""The machine under the mail server: its name, clock, disk and memory, and what may change them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.model import Host, Look, Result
from mailwizard.platform.memory import memory
from mailwizard.probes.addresses import of_routers, on_interfaces, proxied
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.networks import is_private
from mailwizard.probes.postconf import Postconf
from mailwizard.probes.verdict import could_not_ask, failed, passed, skipped, unknown, warned

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.IGNORECASE)
_USELESS = ("localhost", "local", "localdomain", "lan", "home", "internal")


def name_problem(name: str) -> str:
    """What makes a name unfit for a mail server (RFC 5321 2.3.5); empty when nothing does."""
    labels = name.rstrip(".").split(".")
    if len(labels) < 2:
        return "has no domain"
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return "is not a valid host name"
    if labels[-1].lower() in _USELESS or labels[0].lower() == "localhost":
        return "means nothing outside this machine"
    return ""


@dataclass(frozen=True, slots=True)
class FullHostName:
    """The host calls itself by its full name; with `postfix`, Postfix does as well."""

    fqdn: str
    postfix: bool = False
    id: ClassVar[str] = "HOST-01"
    title: ClassVar[str] = "The host knows its full name"
    deadline: ClassVar[float] = 25.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return "hostname -f" + ("; postconf -h myhostname" if self.postfix else "")

    def ask(self, host: Host) -> Result:
        asked = host.ask(["hostname", "-f"], timeout=15)
        if asked.code in (124, 127):
            return unknown("`hostname -f` gave no answer", self.fqdn, "Check again.")
        name = sanitise.clean(asked.out.strip(), limit=1)
        fix = (
            f"The administrator: hostnamectl set-hostname {self.fqdn.split('.')[0]}, and in "
            f"/etc/hosts a line: ADDRESS {self.fqdn} {self.fqdn.split('.')[0]} (full name first)."
        )
        if problem := name_problem(name):
            said = f"the name of this host, {name!r}, {problem}"
            return failed(said if name else f"no name: {asked.err.strip()}", self.fqdn, fix)
        if name.lower() != self.fqdn.lower():
            return failed(f"this host calls itself {name}", self.fqdn, fix)
        return self._ask_postfix(host) if self.postfix else passed(f"this host is {name}")

    def _ask_postfix(self, host: Host) -> Result:
        try:
            name = Postconf(host).values("myhostname").get("myhostname", "")
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        if problem := name_problem(name):
            return failed(
                f"Postfix's name for this host, {name!r}, {problem}",
                self.fqdn,
                f"The administrator: postconf -e myhostname={self.fqdn}",
            )
        return passed(f"this host is {self.fqdn}, Postfix says {name}")


@dataclass(frozen=True, slots=True)
class NameIsHere:
    """The host itself finds its own name at one of its own addresses."""

    fqdn: str
    id: ClassVar[str] = "HOST-02"
    title: ClassVar[str] = "The host finds itself under its name"
    deadline: ClassVar[float] = 25.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return f"getent ahosts {self.fqdn}; ip -br address"

    def ask(self, host: Host) -> Result:
        asked = host.ask(["getent", "ahosts", self.fqdn], timeout=20)
        if asked.code in (124, 127):
            return unknown("`getent ahosts` gave no answer", self.fqdn, "See /etc/resolv.conf.")
        found = tuple(
            dict.fromkeys(row.split()[0] for row in asked.out.splitlines() if row.split())
        )
        own = on_interfaces(host)
        expected = f"{self.fqdn} leads to {', '.join(own) or 'an address of this host'}"
        fix = f"The administrator: in /etc/hosts: {own[0] if own else 'ADDRESS'} {self.fqdn}"
        if not found:
            return failed(f"this host does not find {self.fqdn}", expected, fix)
        shown = f"{self.fqdn} leads to {', '.join(found)}"
        foreign = [one for one in found if one not in own and not _loopback(one)]
        if foreign:
            return failed(f"{shown}: {foreign[0]} is not this host", expected, fix)
        if not any(one in own for one in found):
            return warned(f"{shown} only", expected, fix)
        return passed(shown)


def _loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


@dataclass(frozen=True, slots=True)
class ClockRight:
    """The clock is kept right by a time service; TLS, DKIM and logs depend on it."""

    id: ClassVar[str] = "HOST-03"
    title: ClassVar[str] = "The clock is right"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = "timedatectl show -p NTPSynchronized -p NTP; date -u"

    def ask(self, host: Host) -> Result:
        asked = host.ask(["timedatectl", "show", "-p", "NTPSynchronized", "-p", "NTP"], timeout=8)
        rows = sanitise.lines(asked.out + asked.err, limit=10)
        if not asked.ok:
            return unknown("timedatectl gave no answer", "NTPSynchronized=yes", "", rows)
        if "NTPSynchronized=yes" in asked.out:
            return passed("the clock is synchronised", rows)
        if host.ask(["systemd-detect-virt", "--container"], timeout=5).ok:
            return skipped("a container: its clock is kept by the machine outside", rows)
        return warned(
            "the clock is not synchronised",
            "NTPSynchronized=yes",
            "The administrator: install systemd-timesyncd (or chrony) and `timedatectl set-ntp "
            "true`; right within a minute.",
            rows,
        )


_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """There is room for mail where the queue and the mailboxes are."""

    paths: tuple[str, ...] = ("/var/spool/postfix", "/home")
    message_size: int = 0
    id: ClassVar[str] = "HOST-04"
    title: ClassVar[str] = "There is room for mail"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return f"df -h {' '.join(self.paths)}"

    def ask(self, host: Host) -> Result:
        present = [_existing(host, path) for path in self.paths]
        asked = host.ask(["df", "-B1", "--output=size,avail,target", *present], timeout=15)
        rows = sanitise.lines(asked.out + asked.err, limit=20)
        disks = tuple(_disks(asked.out))
        if not disks:
            return unknown("df gave no answer", "more than 30 % free", "", rows)
        size, free, where = min(disks, key=lambda disk: disk[1] / disk[0])
        said = f"{free * 100 // size} % ({free / _GIB:.1f} GiB) free on {where}"
        need = self.message_size * 3 // 2
        fix = f"The administrator: make room on {where}, or give it a larger disk."
        if free < need:
            return failed(
                said, f"at least {need / _GIB:.2f} GiB: one and a half messages", fix, rows
            )
        share = free / size
        # A share alone would refuse a large disk that has room for years of mail.
        if share <= 0.15 and free < 10 * _GIB:
            return failed(said, "more than 15 %, better 30 %", fix, rows)
        if share <= 0.30 and free < 10 * _GIB:
            return warned(said, "more than 30 %", fix, rows)
        return passed(said, rows)


def _existing(look: Look, path: str) -> str:
    while path not in ("/", "") and look.state(path).kind == "absent":
        path = path.rpartition("/")[0]
    return path or "/"


def _disks(out: str) -> Iterator[tuple[int, int, str]]:
    for line in out.splitlines():
        row = line.split(None, 2)
        if len(row) == 3 and row[0].isdigit() and row[1].isdigit() and int(row[0]):
            yield int(row[0]), int(row[1]), row[2]


@dataclass(frozen=True, slots=True)
class MemoryRoom:
    """There is memory for what is to run; `needed` is in octets."""

    needed: int = 0
    id: ClassVar[str] = "HOST-05"
    title: ClassVar[str] = "There is memory"
    deadline: ClassVar[float] = 10.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = "free -m"

    def ask(self, host: Host) -> Result:
        found = memory(host)
        total, free = found.total, found.available
        if not total:
            return unknown("/proc/meminfo says nothing", "20 % of memory available", "")
        said = f"{free >> 20} of {total >> 20} MiB memory available ({free * 100 // total} %)"
        fix = "The administrator: leave out the virus scanner (it needs 1 GiB), or add memory."
        if free * 10 < total:
            return failed(said, "at least 20 %", fix)
        if free < self.needed:
            return warned(said, f"{self.needed >> 20} MiB for what was chosen", fix)
        if free * 5 < total:
            return warned(said, "at least 20 %", fix)
        return passed(said)


@dataclass(frozen=True, slots=True)
class BehindNat:
    """The addresses the world knows are this host's own, or a router's that Postfix knows."""

    addresses: tuple[str, ...]
    id: ClassVar[str] = "HOST-NAT"
    title: ClassVar[str] = "The public address is this host's own"
    deadline: ClassVar[float] = 15.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = "ip -br address"

    def ask(self, host: Host) -> Result:
        wanted = [one for one in self.addresses if one]
        own = on_interfaces(host)
        if not own:
            return unknown("`ip address` shows no address", ", ".join(wanted), "")
        elsewhere = of_routers(host, wanted)
        if set(elsewhere) - set(proxied(host)):
            return warned(
                f"{', '.join(elsewhere)} is not on this host (it has {', '.join(own)})",
                f"{', '.join(wanted)} on an interface",
                "Right behind a router with NAT: have its ports 25, 465, 587 and 993 forwarded "
                "here (whoever runs the router); the step Postfix basics tells Postfix of it "
                "(proxy_interfaces). Else correct the answer.",
            )
        if elsewhere:
            return passed(
                f"{', '.join(elsewhere)} is a router's, as Postfix knows (proxy_interfaces); "
                f"this host has {', '.join(own)}"
            )
        public = [one for one in wanted if not is_private(one)]
        return passed(f"{', '.join(public or wanted) or 'no address asked for'} is on this host")


@dataclass(frozen=True, slots=True)
class CloudHosts:
    """cloud-init will not undo the host name or /etc/hosts at the next boot."""

    fqdn: str
    id: ClassVar[str] = "HOST-CLOUD"
    title: ClassVar[str] = "The name survives a reboot"
    deadline: ClassVar[float] = 15.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = (
        "grep -rE 'manage_etc_hosts|preserve_hostname' /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d"
    )

    def ask(self, host: Host) -> Result:
        if (
            not host.which("cloud-init")
            or host.state("/etc/cloud/cloud-init.disabled").kind == "file"
        ):
            return passed("cloud-init is not at work here")
        values, rows = self._settings(host)
        bad = []
        # The comment is cloud-init's own: user data sets it without any trace in /etc/cloud.
        by_template = b"manage_etc_hosts" in host.read("/etc/hosts")
        lets_hosts = values.get("manage_etc_hosts", "false") in ("false", "no", "off")
        lets_name = values.get("preserve_hostname", "false") in ("true", "yes", "on")
        if by_template or not lets_hosts:
            bad.append("rewrites /etc/hosts at boot")
        if not lets_name:
            bad.append("may set the host name again")
        if bad:
            # what stands here already need not be written: somebody else has the last word
            fix = (
                "both lines are there, and what the provider's user data say wins over them: take "
                "`manage_etc_hosts` and `preserve_hostname` out there, or end cloud-init's work "
                "here: touch /etc/cloud/cloud-init.disabled."
                if lets_hosts and lets_name and "manage_etc_hosts" in values
                else "write both lines into /etc/cloud/cloud.cfg.d/99-mailwizard.cfg "
                f"so that {self.fqdn} is still right after the next boot."
            )
            return warned(
                f"cloud-init {' and '.join(bad)}",
                "manage_etc_hosts: false and preserve_hostname: true",
                f"The administrator: {fix}",
                rows,
            )
        return passed("cloud-init leaves name and /etc/hosts alone", rows)

    def _settings(self, host: Host) -> tuple[dict[str, str], list[str]]:
        folder = "/etc/cloud/cloud.cfg.d"
        files = [f"{folder}/{name}" for name in host.list(folder) if name.endswith(".cfg")]
        values: dict[str, str] = {}
        rows = []
        for path in ("/etc/cloud/cloud.cfg", *files):
            text = host.read(path).decode("utf-8", "replace")
            for name, value in re.findall(
                r"^(manage_etc_hosts|preserve_hostname):\s*([^\s#]+)", text, re.MULTILINE
            ):
                values[name] = value.strip("'\"").lower()
                rows.append(sanitise.clean(f"{path}: {name}: {value}", limit=1))
        return values, rows
