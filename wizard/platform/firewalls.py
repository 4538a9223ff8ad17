"""Which firewall a host uses, and the ports by which its administrator comes in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from mailwizard.model import Look

FIREWALLD, UFW, NFTABLES = "firewalld", "ufw", "nftables"
UFW_CONF = "/etc/ufw/ufw.conf"
# where iptables-persistent keeps its rules, by the table that nft(8) shows them in
SAVED = {"ip filter": "/etc/iptables/rules.v4", "ip6 filter": "/etc/iptables/rules.v6"}
_SOCKETS = ("ssh.socket", "sshd.socket")
_STREAM = re.compile(r"Listen=(\S+):(\d+) \(Stream\)")
_LISTENS = re.compile(r"^listenaddress (\S+):(\d+)$", re.MULTILINE)
_PARENT = re.compile(r"^PPid:\s*(\d+)", re.MULTILINE)
_CONNECTION = re.compile(r"SSH_CONNECTION=(\S+) \d+ \S+ (\d+)")


@dataclass(frozen=True, slots=True)
class Opening:
    """A port that is open to everybody, or to some networks; `service` is firewalld's name."""

    port: int
    protocol: str = "tcp"
    service: str = ""
    sources: tuple[str, ...] = ()
    ssh: bool = False

    @property
    def name(self) -> str:
        return f"{self.port}/{self.protocol}"


def firewall_of(look: Look) -> str:
    """The firewall at work here, or the one to begin with where there is none."""
    state = look.ask(["systemctl", "show", "-p", "UnitFileState,ActiveState", "firewalld.service"])
    if "UnitFileState=enabled\n" in state.out + "\n" or "ActiveState=active" in state.out:
        return FIREWALLD
    if re.search(rb"^ENABLED=\"?yes", look.read(UFW_CONF), re.MULTILINE | re.IGNORECASE):
        return UFW
    return look.platform.unit("firewall").removesuffix(".service")


def kept_by_iptables(look: Look, table: str, ports: Sequence[int]) -> str:
    """Where iptables' own rules are kept, and the command that opens ports; "" for other rules."""
    saved = SAVED.get(table, "")
    if not saved:
        return ""
    program = "iptables" if table.startswith("ip ") else "ip6tables"
    opened = ",".join(map(str, ports))
    keep = "netfilter-persistent save"
    if not look.which("netfilter-persistent"):
        keep = f"{program}-save >{saved}"
    there = look.state(saved).kind == "file"
    place = f"kept in {saved}" if there else f"kept by whatever loads them at boot, not in {saved}"
    return (
        f"Those are rules of {program}, {place}. `{program} -I INPUT -p tcp -m multiport --dports "
        f"{opened} -j ACCEPT && {keep}` opens what mail needs, before what rejects the rest; then "
        "leave this step out: `enabled = false` under [firewall]."
    )


def sshd_listening(look: Look) -> tuple[int, ...]:
    """Every port, reachable from outside, at which an SSH server waits just now (several ways)."""
    found = {*_held(look), *_sockets(look), *(port for _, port in client(look))}
    return tuple(sorted(found))


def sshd_ports(look: Look) -> tuple[int, ...]:
    """The same, and those that it is configured for: a restart may be due."""
    configured = _outward(_LISTENS.findall(look.ask(["sshd", "-T"]).out))
    return tuple(sorted({*sshd_listening(look), *configured}))


def client(look: Look) -> tuple[tuple[str, int], ...]:
    """The address from which this run was started over SSH and the port it came in by, if any.

    sudo(8) takes the variable away: then it is that of the first ancestor that has it.
    """
    pid, seen = "self", 0
    while pid not in ("", "0") and seen < 64:
        environment = look.read(f"/proc/{pid}/environ").decode("utf-8", "replace")
        for found in map(_CONNECTION.match, environment.split("\0")):
            if found and not _is_loopback(found[1]):
                return ((found[1], int(found[2])),)
        parent = _PARENT.search(look.read(f"/proc/{pid}/status").decode("utf-8", "replace"))
        pid, seen = parent[1] if parent else "", seen + 1
    return ()


def _held(look: Look) -> Iterator[int]:
    rows = look.ask(["ss", "-Hltnp"], timeout=10).out.splitlines()
    columns = [row.split(None, 5) for row in rows if '("sshd' in row]
    yield from _outward([tuple(row[3].rsplit(":", 1)) for row in columns if len(row) > 5])


def _sockets(look: Look) -> Iterator[int]:
    for unit in _SOCKETS:
        shown = look.ask(["systemctl", "show", "-p", "ActiveState,Listen", unit]).out
        if "ActiveState=active" in shown:
            yield from _outward(_STREAM.findall(shown))


def _outward(places: list[tuple[str, ...]]) -> Iterator[int]:
    return (int(port) for address, port in places if not _is_loopback(address))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address.partition("%")[0].strip("[]")).is_loopback
    except ValueError:
        return False
