"""Debian and its relatives: names only, no logic."""

from __future__ import annotations

from dataclasses import replace

from mailwizard.model import Tier
from mailwizard.platform import common
from mailwizard.platform.base import Distribution, Preseed

# A Postfix that serves nobody but this host, until its step has been answered.
_MAIN_CF = """\
# Written by mailwizard before the package was installed, and completed by its Postfix step.
compatibility_level = 3.6
inet_interfaces = loopback-only
mynetworks = 127.0.0.0/8 [::1]/128
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
"""

_PRESEEDS = {
    "postfix": Preseed(
        debconf=("postfix postfix/main_mailer_type select No configuration",),
        files={"/etc/postfix/main.cf": _MAIN_CF, "/etc/aliases": "postmaster: root\n"},
    ),
    "opendmarc": Preseed(debconf=("opendmarc opendmarc/dbconfig-install boolean false",)),
}

_PACKAGES = {
    **common.PACKAGES,
    "network-tools": ("iproute2", "netbase"),
    "host-tools": ("hostname", "dbus"),
    "time-sync": ("systemd-timesyncd",),
    "relay": ("libsasl2-modules",),
    "certificates": ("openssl", "ca-certificates"),
    "dovecot": ("dovecot-imapd", "dovecot-lmtpd"),
    "dovecot-pop3": ("dovecot-pop3d",),
    "dovecot-sieve": ("dovecot-sieve", "dovecot-managesieved"),
    "amavis": ("amavisd-new",),
    "clamav": ("clamav-daemon", "clamav-freshclam", "clamdscan"),
    "unpackers": (
        "bzip2",
        "xz-utils",
        "zstd",
        "lz4",
        "lzop",
        "7zip",
        "arj",
        "cabextract",
        "cpio",
        "unrar-free",
        "tnef",
    ),
    "spf": ("postfix-policyd-spf-python",),
    "dkim-check": ("python3-dkim",),
    "opendkim": ("opendkim", "opendkim-tools"),
    # Without dbconfig-no-thanks it pulls a MariaDB client.
    "opendmarc": ("opendmarc", "dbconfig-no-thanks", "publicsuffix"),
    # the trust anchor: without it nothing is validated
    "resolver": ("unbound", "dns-root-data"),
    "firewall": ("nftables",),
    "fail2ban": ("fail2ban", "python3-systemd"),
    "virtual": ("postfix-sqlite", "dovecot-sqlite", "sqlite3"),
}

_UNITS = {
    **common.UNITS,
    "amavis": "amavis.service",
    "clamav": "clamav-daemon.service",
    "clamav-socket": "clamav-daemon.socket",
    "freshclam": "clamav-freshclam.service",
    "spamassassin-update": "spamassassin-maintenance.timer",
    "firewall": "nftables.service",
    "acme": "certbot.timer",
    "time-sync": "systemd-timesyncd.service",
}

_PATHS = {
    **common.PATHS,
    "tls": "/etc/ssl/mailwizard",
    "ca-bundle": "/etc/ssl/certs/ca-certificates.crt",
    "amavis": "/etc/amavis/conf.d/60-mailwizard",
    "amavis-signing": "/etc/amavis/conf.d/61-mailwizard-signing",
    "amavis-virus": "/etc/amavis/conf.d/62-mailwizard-virus",
    "amavis-spam": "/etc/amavis/conf.d/63-mailwizard-spam",
    "quarantine": "/var/lib/amavis/virusmails",
    "clamd.conf": "/etc/clamav/clamd.conf",
    "clamd-socket": "/run/clamav/clamd.ctl",
    "opendkim.conf": "/etc/opendkim.conf",
    "policyd-spf": "/usr/bin/policyd-spf",
    "policyd-spf.conf": "/etc/postfix-policyd-spf-python/policyd-spf.conf",
    "greylist": "/etc/default/postgrey",
    "greylist-clients": "/etc/postgrey/whitelist_clients",
    "nftables.conf": "/etc/nftables.conf",
}

_USERS = {
    **common.USERS,
    "postdrop": "postdrop",
    "amavis": "amavis",
    "clamav": "clamav",
    "policyd-spf": "policyd-spf",
}

TRIXIE = Distribution(
    id="debian",
    version="13",
    name="Debian 13",
    codename="trixie",
    family="debian",
    manager="apt",
    map_type="hash",
    dovecot="2.4",
    tier=Tier.PROVEN,
    package_names=_PACKAGES,
    unit_names=_UNITS,
    path_names=_PATHS,
    user_names=_USERS,
    preseeds=_PRESEEDS,
)

# postfix.service is only a name there: /bin/true, with the daemon in an instance of postfix@.
_OLDER_UNITS = {**_UNITS, "postfix-worker": "postfix@-.service"}

BOOKWORM = replace(
    TRIXIE,
    version="12",
    name="Debian 12",
    codename="bookworm",
    dovecot="2.3",
    unit_names=_OLDER_UNITS,
)

NOBLE = replace(
    BOOKWORM,
    id="ubuntu",
    version="24.04",
    name="Ubuntu 24.04",
    codename="noble",
    tier=Tier.EXPECTED,
)
RESOLUTE = replace(
    TRIXIE,
    id="ubuntu",
    version="26.04",
    name="Ubuntu 26.04",
    codename="resolute",
    tier=Tier.EXPECTED,
)

RASPBIAN = replace(BOOKWORM, id="raspbian", name="Raspberry Pi OS 12", tier=Tier.DATA)

ALL = (TRIXIE, BOOKWORM, RESOLUTE, NOBLE, RASPBIAN)
