"""What is called the same on every system: a distribution's own tables say only what differs."""

from __future__ import annotations

PACKAGES = {
    "postfix": ("postfix",),
    "acme": ("certbot",),
    "spamassassin": ("spamassassin",),
    "greylist": ("postgrey",),
    "fetchmail": ("fetchmail",),
}

UNITS = {
    "postfix": "postfix.service",
    # The unit whose processes and log lines are the daemon's.
    "postfix-worker": "postfix.service",
    "dovecot": "dovecot.service",
    "definitions-watch": "mailwizard-definitions.path",
    "opendkim": "opendkim.service",
    "opendmarc": "opendmarc.service",
    "greylist": "postgrey.service",
    "resolver": "unbound.service",
    "resolved": "systemd-resolved.service",
    "fail2ban": "fail2ban.service",
    "hostname": "systemd-hostnamed.service",
}

PATHS = {
    "hostname": "/etc/hostname",
    "hosts": "/etc/hosts",
    "resolv.conf": "/etc/resolv.conf",
    "mailname": "/etc/mailname",
    "postfix": "/etc/postfix",
    "main.cf": "/etc/postfix/main.cf",
    "master.cf": "/etc/postfix/master.cf",
    "aliases": "/etc/aliases",
    "queue": "/var/spool/postfix",
    # the number of master(8)
    "postfix-worker": "/var/spool/postfix/pid/master.pid",
    "postfix-data": "/var/lib/postfix",
    "dovecot": "/etc/dovecot",
    "dovecot.conf.d": "/etc/dovecot/conf.d",
    "dkim-keys": "/etc/mailwizard/dkim",
    "definitions-watch": "/etc/systemd/system/mailwizard-definitions.path",
    "clamav-database": "/var/lib/clamav",
    "opendmarc.conf": "/etc/opendmarc.conf",
    "opendmarc-ignore": "/etc/opendmarc-ignore.hosts",
    "public-suffixes": "/usr/share/publicsuffix/public_suffix_list.dat",
    "jail.d": "/etc/fail2ban/jail.d",
}

USERS = {
    "postfix": "postfix",
    "vmail": "vmail",
    "dovecot": "dovecot",
    "opendkim": "opendkim",
    "opendmarc": "opendmarc",
    "greylist": "postgrey",
}
