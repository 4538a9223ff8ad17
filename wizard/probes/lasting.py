"""The firewall that runs is the one that the next boot will make."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mailwizard import firewalld, nftables, ufw
from mailwizard.model import Host, Look, Result
from mailwizard.platform.firewalls import FIREWALLD, UFW, UFW_CONF, firewall_of
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.verdict import could_not_ask, failed, passed

_RESTORE = 'restore=$1-restore; "$restore" && "$1" -S "$2"'
_LOST = "what is in force is also what is loaded at boot"
_ACCEPTS = ("service=", "port=")


@dataclass(frozen=True, slots=True)
class FirewallPermanent:
    """The running rules are those on disk, and their unit is started at boot."""

    id: ClassVar[str] = "HOST-13"
    title: ClassVar[str] = "The firewall is the same after a reboot"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = (
        "nft list ruleset; cat /etc/nftables.conf | ufw status; ufw show added | "
        "firewall-cmd --list-all; firewall-cmd --permanent --list-all"
    )

    def ask(self, host: Host) -> Result:
        kind = firewall_of(host)
        compare = {FIREWALLD: _firewalld, UFW: _ufw}.get(kind, _nftables)
        try:
            different = compare(host)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        if different:
            said, fix, *rows = different
            return failed(said, _LOST, f"The administrator: {fix}", rows)
        unit = f"{kind}.service"
        shown = host.ask(["systemctl", "is-enabled", unit], timeout=10).out.strip()
        if shown != "enabled":
            fix = f"The administrator: systemctl enable {unit}"
            return failed(f"{unit} is not started at boot ({shown or 'no state'})", _LOST, fix)
        return passed(f"{kind}: what is in force is what is on disk, and starts at boot")


def _nftables(host: Host) -> Sequence[str]:
    path = host.platform.path("nftables.conf")
    now = host.ask(["nft", "-s", "list", "ruleset"])
    if not now.ok:
        raise CannotAsk(Trouble.UNREACHABLE, "`nft list ruleset` gives no answer")
    kept = nftables.isolated(host, host.read(path).decode("utf-8", "surrogateescape"))
    if kept.code == 127 or "unshare" in kept.err:
        raise CannotAsk(Trouble.UNREACHABLE, f"cannot try {path} apart: {kept.err.strip()}")
    if not kept.ok:
        return f"{path} cannot be loaded", f"correct it: nft -c -f {path}", kept.err
    if not nftables.ours(kept.out):
        include = nftables.INCLUDE
        return f"{path} does not load {nftables.DROP_IN}", f"put back its line: {include}"
    at_boot, in_force = _lasting(kept.out), _lasting(now.out)
    for table, text in at_boot.items():
        if in_force.get(table) != text:
            rows = (*text.splitlines(), "in force:", *in_force.get(table, "").splitlines())
            fix = f"what is right? Put it into {path} or {nftables.DROP_IN}, and load it."
            return f"the table {table} in force is not the one in {path}", fix, *rows
    for chain in nftables.closing(now.out):
        if chain.table not in at_boot:
            fix = f"put it into {path}, if it is wanted."
            return f"the table {chain.table} is in force, and will be gone after a reboot", fix
    return ()


def _lasting(rules: str) -> dict[str, str]:
    """The tables that do something, without what comes and goes by itself."""
    acting = {chain.table for chain in nftables.chains(rules) if chain.rules or chain.closes}
    acting |= {table for table in nftables.tables(rules) if table == nftables.OWN}
    return {
        table: re.sub(r"\n\t\telements = \{.*?\}", "", text, flags=re.DOTALL)
        for table, text in nftables.tables(rules).items()
        if table in acting
    }


def _ufw(host: Host) -> Sequence[str]:
    if not re.search(rb"^ENABLED=\"?yes", host.read(UFW_CONF), re.MULTILINE | re.IGNORECASE):
        return f"{UFW_CONF} does not enable ufw", "ufw enable"
    for path, program, chain in ufw.FAMILIES:
        now = host.ask([program, "-S", chain])
        if now.code == 127:
            raise CannotAsk(Trouble.UNREACHABLE, now.err)
        if not now.ok:
            return f"ufw is enabled, but its chain {chain} is not in force", "ufw reload"
        rules = host.read(path).decode("utf-8", "surrogateescape")
        argv = ["unshare", "--net", "sh", "-c", _RESTORE, "sh", program, chain]
        kept = host.ask(argv, stdin=rules)
        if not kept.ok:
            raise CannotAsk(Trouble.UNREACHABLE, f"cannot try {path} apart: {kept.err.strip()}")
        if kept.out != now.out:
            rows = (*kept.out.splitlines(), "in force:", *now.out.splitlines())
            return f"the chain {chain} in force is not the one in {path}", "ufw reload", *rows
    return ()


def _firewalld(host: Host) -> Sequence[str]:
    if not host.ask(["firewall-cmd", "--state"]).ok:
        return "firewalld does not run", "systemctl start firewalld"
    for zone in firewalld.zones(host):
        now, kept = _zone(host, zone, ""), _zone(host, zone, firewalld.PERMANENT)
        if missing := sorted(kept - now):
            said = f"{missing[0]} of the zone {zone} is permanent, but not in force"
            return said, "firewall-cmd --reload", *missing
        # bans come and go, and are refusals
        passing = (each for each in now - kept if each.startswith(_ACCEPTS) or "accept" in each)
        if lost := sorted(passing):
            said = f"{lost[0]} of the zone {zone} is in force, but will be gone after a reboot"
            return said, f"firewall-cmd --permanent --zone={zone} --add-{lost[0]}", *lost
    return ()


def _zone(look: Look, zone: str, where: str) -> set[str]:
    return set(firewalld.items(look, zone, where))
