"""openSUSE: names only, no logic; not yet proven on a live host."""

from __future__ import annotations

from dataclasses import replace

from mailwizard.platform.base import Distribution

_PACKAGES = {
    "network-tools": ("iproute2", "netcfg"),
    "host-tools": ("hostname", "dbus-1"),
    "time-sync": ("chrony",),
    "postfix": ("postfix",),
    "relay": ("cyrus-sasl-plain",),
    "certificates": ("openssl", "ca-certificates-mozilla"),
    "acme": ("certbot",),
    "dovecot": ("dovecot",),
    "dovecot-pop3": (),
    "dovecot-sieve": (),
    "amavis": ("amavisd-new",),
    "spamassassin": ("spamassassin",),
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
    "opendkim": ("opendkim",),
    "opendmarc": ("opendmarc",),
    "greylist": ("postgrey",),
    "firewall": ("firewalld",),
    "fail2ban": ("fail2ban",),
    "fetchmail": ("fetchmail",),
    "virtual": ("sqlite3", "dovecot-backend-sqlite"),
}

_UNITS = {
    "postfix": "postfix.service",
    "postfix-worker": "postfix.service",
    "dovecot": "dovecot.service",
    "amavis": "amavis.service",
    "clamav": "clamd.service",
    "clamav-socket": "",
    "freshclam": "freshclam.service",
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
    "tls": "/etc/ssl/mailwizard",
    "ca-bundle": "/etc/ssl/ca-bundle.pem",
    "dovecot": "/etc/dovecot",
    "dovecot.conf.d": "/etc/dovecot/conf.d",
    "amavis": "/etc/amavisd.conf",
    "amavis-keys": "/etc/amavisd",
    "quarantine": "/var/spool/amavis/virusmails",
    "clamd-socket": "/run/clamav/clamd-socket",
    "clamav-database": "/var/lib/clamav",
    "opendkim.conf": "/etc/opendkim/opendkim.conf",
    "opendkim-keys": "/etc/opendkim/keys",
    "opendmarc.conf": "/etc/opendmarc.conf",
    "policyd-spf": "/usr/lib/policyd-spf-perl",
    "policyd-spf.conf": "",
    "greylist": "/etc/sysconfig/postgrey",
    "greylist-clients": "/etc/postfix/postgrey_whitelist_clients",
    "nftables.conf": "",
    "jail.d": "/etc/fail2ban/jail.d",
}

_USERS = {
    "postfix": "postfix",
    "postdrop": "maildrop",
    "vmail": "vmail",
    "dovecot": "dovecot",
    "amavis": "vscan",
    "clamav": "vscan",
    "opendkim": "opendkim",
    "opendmarc": "opendmarc",
    "policyd-spf": "policyd-spf",
    "greylist": "postgrey",
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
