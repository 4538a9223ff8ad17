"""Enterprise Linux and its rebuilds: names only, no logic; not yet proven on a live host.

Filters and policy services come from EPEL, which the administrator switches on.
"""

from __future__ import annotations

from dataclasses import replace

from mailwizard.platform.base import Distribution

_PACKAGES = {
    "network-tools": ("iproute", "setup"),
    "host-tools": ("hostname", "dbus"),
    "time-sync": ("chrony",),
    "postfix": ("postfix",),
    "relay": ("cyrus-sasl-plain",),
    "certificates": ("openssl", "ca-certificates"),
    "acme": ("certbot",),
    "dovecot": ("dovecot",),
    "dovecot-pop3": (),
    "dovecot-sieve": ("dovecot-pigeonhole",),
    "amavis": ("amavis",),
    "spamassassin": ("spamassassin",),
    "clamav": ("clamd", "clamav", "clamav-freshclam"),
    "unpackers": ("bzip2", "xz", "zstd", "lz4", "lzop", "p7zip-plugins", "cabextract", "cpio"),
    "spf": ("pypolicyd-spf",),
    "opendkim": ("opendkim", "opendkim-tools"),
    "opendmarc": ("opendmarc",),
    "greylist": ("postgrey",),
    "firewall": ("firewalld",),
    "fail2ban": ("fail2ban",),
    "fetchmail": ("fetchmail",),
    "virtual": ("postfix-sqlite", "sqlite"),
}

_UNITS = {
    "postfix": "postfix.service",
    "postfix-worker": "postfix.service",
    "dovecot": "dovecot.service",
    "amavis": "amavisd.service",
    "clamav": "clamd@amavisd.service",
    "clamav-socket": "",
    "freshclam": "clamav-freshclam.service",
    "spamassassin-update": "sa-update.timer",
    "opendkim": "opendkim.service",
    "opendmarc": "opendmarc.service",
    "greylist": "postgrey.service",
    "firewall": "firewalld.service",
    "fail2ban": "fail2ban.service",
    "acme": "certbot-renew.timer",
    "time-sync": "chronyd.service",
    "hostname": "systemd-hostnamed.service",
}

_PATHS = {
    "hostname": "/etc/hostname",
    "hosts": "/etc/hosts",
    "mailname": "/etc/mailname",
    "postfix": "/etc/postfix",
    "main.cf": "/etc/postfix/main.cf",
    "master.cf": "/etc/postfix/master.cf",
    "aliases": "/etc/aliases",
    "queue": "/var/spool/postfix",
    "postfix-data": "/var/lib/postfix",
    "tls": "/etc/pki/tls/mailwizard",
    "ca-bundle": "/etc/pki/tls/certs/ca-bundle.crt",
    "dovecot": "/etc/dovecot",
    "dovecot.conf.d": "/etc/dovecot/conf.d",
    "amavis": "/etc/amavisd/amavisd.conf",
    "amavis-keys": "/etc/amavisd/dkim",
    "quarantine": "/var/spool/amavisd/quarantine",
    "clamd-socket": "/run/clamd.amavisd/clamd.sock",
    "clamav-database": "/var/lib/clamav",
    "opendkim.conf": "/etc/opendkim.conf",
    "opendkim-keys": "/etc/opendkim/keys",
    "opendmarc.conf": "/etc/opendmarc.conf",
    "policyd-spf": "/usr/libexec/postfix/policyd-spf",
    "policyd-spf.conf": "/etc/python-policyd-spf/policyd-spf.conf",
    "greylist": "/etc/sysconfig/postgrey",
    "greylist-clients": "/etc/postfix/postgrey_whitelist_clients",
    "nftables.conf": "",
    "jail.d": "/etc/fail2ban/jail.d",
}

_USERS = {
    "postfix": "postfix",
    "postdrop": "postdrop",
    "vmail": "vmail",
    "dovecot": "dovecot",
    "amavis": "amavis",
    "clamav": "clamscan",
    "opendkim": "opendkim",
    "opendmarc": "opendmarc",
    "policyd-spf": "nobody",
    "greylist": "postgrey",
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
