"""Hosts with each of the firewalls that Debian has, and an SSH server on two ports."""

from __future__ import annotations

from lab import images
from lab.host import Host
from lab.internet import Internet
from lab.layers import Layer
from support.applied import ANSWERS, UNFILTERED, answers, with_packages

PACKAGES = "nftables ufw firewalld openssh-server"
SSHD = "Port 22\nPort 2222\n"
INSTALL = f"""
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends {PACKAGES}
systemctl disable --now nftables ufw firewalld
systemctl stop ssh
apt-get clean
"""


def with_firewalls(suite: str, internet: Internet) -> Layer:
    """A host with every package there is, none of its firewalls at work."""
    below = with_packages(suite, internet)
    key = f"{INSTALL}{SSHD}"
    return images.layer(below, f"firewalls-{suite}", key, _install, internet.network)


def _install(host: Host) -> None:
    host.run(INSTALL, timeout=600)
    host.put(SSHD, "/etc/ssh/sshd_config.d/ports.conf")


# The administrator's own rules: a host that is closed but for SSH on its usual port.
OWN_RULES = """\
#!/usr/sbin/nft -f
flush ruleset
table inet filter {
	set bad {
		type ipv4_addr
		elements = { 192.0.2.1 }
	}
	chain input {
		type filter hook input priority 0; policy drop;
		ct state established,related accept
		iif lo accept
		iif eth0 ip saddr @bad drop
		meta l4proto { icmp, ipv6-icmp } accept
		tcp dport 22 accept
		counter log prefix "in: " drop
	}
}
"""
NONE, OWN, UFW, FIREWALLD = "none", "own rules", "ufw", "firewalld"
WALLS = (NONE, OWN, UFW, FIREWALLD)
UNITS = {NONE: "nftables", OWN: "nftables", UFW: "ufw", FIREWALLD: "firewalld"}
# ufw's and firewalld's own say nothing of port 2222: SSH there is shut until the step opens it
_BEGIN = {
    NONE: "true",
    OWN: "systemctl enable --now nftables",
    UFW: "systemctl enable --now ufw; ufw allow 22/tcp; ufw --force enable",
    # Debian 12's is started before it has loaded its rules
    FIREWALLD: "systemctl enable --now firewalld; until firewall-cmd --state; do sleep 0.2; done",
}
FIREWALL = '\n[firewall]\nlan = ["{lan}"]\n'


def wall_up(host: Host, wall: str) -> None:
    """Bring a firewall to work as its administrator would, and SSH beside it."""
    if wall == OWN:
        host.put(OWN_RULES, "/etc/nftables.conf")
    host.run(f"{_BEGIN[wall]}; systemctl start ssh")


def answer(host: Host) -> None:
    """Ask for the step; the lab's IPv6 network is the own one, its IPv4 network is not."""
    lan = host.network.net6
    host.put(answers(host, UNFILTERED) + FIREWALL.format(lan=lan), ANSWERS)


def rules(host: Host) -> str:
    """What is in force, without counters."""
    return host.run(["nft", "-s", "list", "ruleset"]).stdout
