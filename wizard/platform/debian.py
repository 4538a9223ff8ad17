"""Debian and its relatives: names only, no logic."""

from __future__ import annotations

from dataclasses import replace

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
    "network-tools": ("iproute2", "netbase"),
    "host-tools": ("hostname", "dbus"),
    "time-sync": ("systemd-timesyncd",),
    "postfix": ("postfix",),
    "relay": ("libsasl2-modules",),
    "certificates": ("openssl", "ca-certificates"),
    "acme": ("certbot",),
    "dovecot": ("dovecot-imapd", "dovecot-lmtpd"),
    "dovecot-pop3": ("dovecot-pop3d",),
    "dovecot-sieve": ("dovecot-sieve", "dovecot-managesieved"),
    "amavis": ("amavisd-new",),
    "spamassassin": ("spamassassin",),
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
    "opendkim": ("opendkim", "opendkim-tools"),
    # Without dbconfig-no-thanks it pulls a MariaDB client.
    "opendmarc": ("opendmarc", "dbconfig-no-thanks"),
    "greylist": ("postgrey",),
    "firewall": ("nftables",),
    "fail2ban": ("fail2ban", "python3-systemd"),
    "fetchmail": ("fetchmail",),
    "virtual": ("postfix-sqlite", "dovecot-sqlite", "sqlite3"),
}

_UNITS = {
    "postfix": "postfix.service",
    # The unit whose processes and log lines are the daemon's.
    "postfix-worker": "postfix.service",
    "dovecot": "dovecot.service",
    "amavis": "amavis.service",
    "clamav": "clamav-daemon.service",
    "clamav-socket": "clamav-daemon.socket",
    "freshclam": "clamav-freshclam.service",
    "spamassassin-update": "spamassassin-maintenance.timer",
    "opendkim": "opendkim.service",
    "opendmarc": "opendmarc.service",
    "greylist": "postgrey.service",
    "firewall": "nftables.service",
    "fail2ban": "fail2ban.service",
    "acme": "certbot.timer",
    "time-sync": "systemd-timesyncd.service",
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
    "ca-bundle": "/etc/ssl/certs/ca-certificates.crt",
    "dovecot": "/etc/dovecot",
    "dovecot.conf.d": "/etc/dovecot/conf.d",
    "amavis": "/etc/amavis/conf.d/60-mailwizard",
    "amavis-keys": "/etc/amavis/dkim",
    "quarantine": "/var/lib/amavis/virusmails",
    "clamd-socket": "/run/clamav/clamd.ctl",
    "clamav-database": "/var/lib/clamav",
    "opendkim.conf": "/etc/opendkim.conf",
    "opendkim-keys": "/etc/dkimkeys",
    "opendmarc.conf": "/etc/opendmarc.conf",
    "policyd-spf": "/usr/bin/policyd-spf",
    "policyd-spf.conf": "/etc/postfix-policyd-spf-python/policyd-spf.conf",
    "greylist": "/etc/default/postgrey",
    "greylist-clients": "/etc/postgrey/whitelist_clients",
    "nftables.conf": "/etc/nftables.conf",
    "jail.d": "/etc/fail2ban/jail.d",
}

_USERS = {
    "postfix": "postfix",
    "postdrop": "postdrop",
    "vmail": "vmail",
    "dovecot": "dovecot",
    "amavis": "amavis",
    "clamav": "clamav",
    "opendkim": "opendkim",
    "opendmarc": "opendmarc",
    "policyd-spf": "policyd-spf",
    "greylist": "postgrey",
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
    proven=True,
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
    proven=False,
)

RASPBIAN = replace(BOOKWORM, id="raspbian", name="Raspberry Pi OS 12", proven=False)

ALL = (TRIXIE, BOOKWORM, NOBLE, RASPBIAN)
