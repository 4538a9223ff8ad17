"""Enterprise Linux and its rebuilds: names only, no logic; not yet proven on a live host.

Filters and policy services come from EPEL, which the administrator switches on.
"""

from __future__ import annotations

from dataclasses import replace

from mailwizard.platform import common
from mailwizard.platform.base import Distribution

_PACKAGES = {
    **common.PACKAGES,
    "network-tools": ("iproute", "setup"),
    "host-tools": ("hostname", "dbus"),
    "time-sync": ("chrony",),
    "relay": ("cyrus-sasl-plain",),
    "certificates": ("openssl", "ca-certificates"),
    "dovecot": ("dovecot",),
    "dovecot-pop3": (),
    "dovecot-sieve": ("dovecot-pigeonhole",),
    "amavis": ("amavis",),
    "clamav": ("clamd", "clamav", "clamav-freshclam"),
    "unpackers": ("bzip2", "xz", "zstd", "lz4", "lzop", "p7zip-plugins", "cabextract", "cpio"),
    "spf": ("pypolicyd-spf",),
    "dkim-check": ("python3-dkimpy",),
    "opendkim": ("opendkim", "opendkim-tools"),
    "opendmarc": ("opendmarc", "publicsuffix-list"),
    "resolver": ("unbound",),
    "firewall": ("firewalld",),
    "fail2ban": ("fail2ban",),
    "virtual": ("postfix-sqlite", "sqlite"),
}

_UNITS = {
    **common.UNITS,
    "amavis": "amavisd.service",
    "clamav": "clamd@amavisd.service",
    "clamav-socket": "",
    "freshclam": "clamav-freshclam.service",
    "spamassassin-update": "sa-update.timer",
    "firewall": "firewalld.service",
    "acme": "certbot-renew.timer",
    "time-sync": "chronyd.service",
}

_PATHS = {
    **common.PATHS,
    "tls": "/etc/pki/tls/mailwizard",
    "ca-bundle": "/etc/pki/tls/certs/ca-bundle.crt",
    "amavis": "/etc/amavisd/amavisd.conf",
    "amavis-signing": "/etc/amavisd/mailwizard-signing.conf",
    "amavis-virus": "/etc/amavisd/mailwizard-virus.conf",
    "amavis-spam": "/etc/amavisd/mailwizard-spam.conf",
    "quarantine": "/var/spool/amavisd/quarantine",
    "clamd.conf": "/etc/clamd.d/amavisd.conf",
    "clamd-socket": "/run/clamd.amavisd/clamd.sock",
    "opendkim.conf": "/etc/opendkim.conf",
    "policyd-spf": "/usr/libexec/postfix/policyd-spf",
    "policyd-spf.conf": "/etc/python-policyd-spf/policyd-spf.conf",
    "greylist": "/etc/sysconfig/postgrey",
    "greylist-clients": "/etc/postfix/postgrey_whitelist_clients",
    "nftables.conf": "",
}

_USERS = {
    **common.USERS,
    "postdrop": "postdrop",
    "amavis": "amavis",
    "clamav": "clamscan",
    "policyd-spf": "nobody",
}

EL_9 = Distribution(
    id="rhel",
    version="9",
    name="Enterprise Linux 9",
    family="el",
    manager="dnf",
    map_type="hash",
    dovecot="2.3",
    package_names=_PACKAGES,
    unit_names=_UNITS,
    path_names=_PATHS,
    user_names=_USERS,
)

# Berkeley DB is gone there, and with it hash: tables (Postfix NON_BERKELEYDB_README).
EL_10 = replace(
    EL_9,
    version="10",
    name="Enterprise Linux 10",
    map_type="lmdb",
    package_names={**_PACKAGES, "postfix": ("postfix", "postfix-lmdb")},
)

REBUILDS = ("rhel", "rocky", "almalinux", "centos", "ol")
ALL = tuple(replace(release, id=rebuild) for release in (EL_9, EL_10) for rebuild in REBUILDS)
