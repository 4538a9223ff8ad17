"""openSUSE: names only, no logic; not yet proven on a live host."""

from __future__ import annotations

from dataclasses import replace

from mailwizard.platform import common
from mailwizard.platform.base import Distribution

_PACKAGES = {
    **common.PACKAGES,
    "network-tools": ("iproute2", "netcfg"),
    "host-tools": ("hostname", "dbus-1"),
    "time-sync": ("chrony",),
    "relay": ("cyrus-sasl-plain",),
    "certificates": ("openssl", "ca-certificates-mozilla"),
    "dovecot": ("dovecot",),
    "dovecot-pop3": (),
    "dovecot-sieve": (),
    "amavis": ("amavisd-new",),
    "clamav": ("clamav",),
    "unpackers": (
        "bzip2",
        "xz",
        "zstd",
        "lz4",
        "lzop",
        "p7zip-full",
        "arj",
        "cabextract",
        "cpio",
        "tnef",
    ),
    "spf": ("postfix-policyd-spf-perl",),
    "dkim-check": ("python3-dkimpy",),
    "opendkim": ("opendkim",),
    "opendmarc": ("opendmarc", "publicsuffix"),
    "resolver": ("unbound",),
    "firewall": ("firewalld",),
    "fail2ban": ("fail2ban",),
    "virtual": ("sqlite3", "dovecot-backend-sqlite"),
}

_UNITS = {
    **common.UNITS,
    "amavis": "amavis.service",
    "clamav": "clamd.service",
    "clamav-socket": "",
    "freshclam": "freshclam.service",
    "spamassassin-update": "sa-update.timer",
    "firewall": "firewalld.service",
    "acme": "certbot-renew.timer",
    "time-sync": "chronyd.service",
}

_PATHS = {
    **common.PATHS,
    "tls": "/etc/ssl/mailwizard",
    "ca-bundle": "/etc/ssl/ca-bundle.pem",
    "amavis": "/etc/amavisd.conf",
    "amavis-signing": "/etc/amavisd-mailwizard-signing.conf",
    "amavis-virus": "/etc/amavisd-mailwizard-virus.conf",
    "amavis-spam": "/etc/amavisd-mailwizard-spam.conf",
    "quarantine": "/var/spool/amavis/virusmails",
    "clamd.conf": "/etc/clamd.conf",
    "clamd-socket": "/run/clamav/clamd-socket",
    "opendkim.conf": "/etc/opendkim/opendkim.conf",
    "policyd-spf": "/usr/lib/policyd-spf-perl",
    "policyd-spf.conf": "",
    "greylist": "/etc/sysconfig/postgrey",
    "greylist-clients": "/etc/postfix/postgrey_whitelist_clients",
    "nftables.conf": "",
}

_USERS = {
    **common.USERS,
    "postdrop": "maildrop",
    "amavis": "vscan",
    "clamav": "vscan",
    "policyd-spf": "policyd-spf",
}

LEAP_15 = Distribution(
    id="opensuse-leap",
    version="15.6",
    name="openSUSE Leap 15.6",
    family="suse",
    manager="zypper",
    map_type="lmdb",
    dovecot="2.3",
    package_names=_PACKAGES,
    unit_names=_UNITS,
    path_names=_PATHS,
    user_names=_USERS,
)
LEAP_16 = replace(LEAP_15, version="16.0", name="openSUSE Leap 16.0", dovecot="2.4")
TUMBLEWEED = replace(
    LEAP_16, id="opensuse-tumbleweed", version="rolling", name="openSUSE Tumbleweed"
)

ALL = (LEAP_15, LEAP_16, TUMBLEWEED)
