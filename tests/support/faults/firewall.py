"""Faults of the firewall: what it shuts out, lets in, or forgets at the next boot."""

from support.faults.fault import Fault

OURS = "inet mailwizard input"
RELOADED = "nft -f /etc/nftables.d/mailwizard.nft"
CONF = "/etc/nftables.conf"

# Where there was no firewall: nftables with a table of ours.
NFTABLES = (
    Fault(
        "port 25 is shut",
        {"HOST-12": "fail: refused at port 25 over IPv4, though", "HOST-13": "fail: not the one"},
        f"nft insert rule {OURS} tcp dport 25 reject with tcp reset",
        RELOADED,
    ),
    Fault(
        "port 25 is shut over IPv6 alone",
        {"HOST-12": "fail: not let in to port 25 over IPv6"},
        f"nft insert rule {OURS} meta nfproto ipv6 tcp dport 25 drop",
        RELOADED,
    ),
    Fault(
        "SSH is shut by other rules",
        {"HOST-12": "fail: not let in to port 2222", "HOST-13": "pass"},
        "nft 'add table inet early; add chain inet early in { type filter hook input priority -5; "
        "}; add rule inet early in tcp dport 2222 drop'",
        "nft delete table inet early",
    ),
    Fault(
        "logins in the clear are open to everybody",
        {"HOST-12": "fail: port 143 is open to everybody"},
        f"nft insert rule {OURS} tcp dport 143 accept",
        RELOADED,
    ),
    Fault(
        "Postfix listens on IPv4 alone, and an IPv6 address is published",
        {"HOST-12": "fail: nobody listens on port 25 over IPv6"},
        "postconf -e inet_protocols=ipv4; restarted",
        "sound_again",
    ),
    Fault(
        "(no fault) Postfix listens on IPv4 alone, and so is the host known",
        {"HOST-12": "pass"},
        "postconf -e inet_protocols=ipv4; restarted",
        "sound_again",
        options={"address6": ""},
    ),
    Fault(
        "there is no vantage, and nft and unshare are missing",
        {"HOST-12": "unknown: from outside", "HOST-13": "unknown"},
        "fake ip 'exit 1'; fake nft 'exit 127'",
        "no_fakes; sleep 3.2 # a vantage that failed is not tried again at once",
    ),
    Fault(
        "the rules on disk cannot be tried apart",
        {"HOST-13": "unknown: apart"},
        "fake unshare 'echo unshare: not permitted >&2; exit 1'",
        "no_fakes",
    ),
    Fault(
        "the next boot does not load our rules",
        {"HOST-13": "fail: does not load"},
        f"sed -i.kept /mailwizard/d {CONF}",
        f"mv {CONF}.kept {CONF}",
    ),
    Fault(
        "the rules of the next boot cannot be read",
        {"HOST-13": "fail: cannot be loaded"},
        f"cp -p {CONF} {CONF}.kept; echo 'add rule nowhere' >>{CONF}",
        f"mv {CONF}.kept {CONF}",
    ),
    Fault(
        "rules of others are gone after the next boot",
        {"HOST-13": "fail: will be gone after a reboot"},
        "nft 'add table ip more; add chain ip more in { type filter hook input priority 5; "
        "policy drop; }; add rule ip more in accept'",
        "nft delete table ip more",
    ),
    Fault(
        "nftables is not started at boot",
        {"HOST-13": "fail: not started at boot"},
        "systemctl disable --quiet nftables",
        "systemctl enable --quiet nftables",
    ),
)
UFW = (
    Fault(
        "a rule of ufw's was taken out of the kernel",
        {"HOST-12": "fail: not let in to port 993 over IPv6", "HOST-13": "fail: ufw6-user-input"},
        "ip6tables -D ufw6-user-input -p tcp --dport 993 -j ACCEPT",
        "ufw reload",
    ),
    Fault(
        "ufw's chains are not in force",
        {"HOST-13": "fail: is not in force"},
        "ufw --force disable; sed -i s/ENABLED=no/ENABLED=yes/ /etc/ufw/ufw.conf",
        "ufw --force enable",
    ),
    Fault(
        "ufw is not started at boot",
        {"HOST-13": "fail: not started at boot"},
        "systemctl disable ufw",
        "systemctl enable ufw",
    ),
    Fault(
        "iptables is missing",
        {"HOST-13": "unknown"},
        "fake iptables 'exit 127'",
        "no_fakes",
    ),
)
FIREWALLD = (
    Fault(
        "a service was opened without --permanent",
        {"HOST-13": "fail: service=https of the zone public is in force, but will be gone"},
        "firewall-cmd --add-service=https",
        "firewall-cmd --remove-service=https",
    ),
    Fault(
        "a service was closed without --permanent",
        {"HOST-12": "fail: port 465 over IPv4", "HOST-13": "fail: service=smtps .* not in force"},
        "firewall-cmd --remove-service=smtps",
        "firewall-cmd --add-service=smtps",
    ),
    Fault(
        "firewalld does not run",
        {"HOST-13": "fail: does not run"},
        "systemctl stop firewalld",
        "systemctl start firewalld",
    ),
)
