"""Faults of the filter, of signatures, of the verifiers, and of what the DNS says of us."""

from __future__ import annotations

from collections.abc import Callable

from lab.host import Host
from lab.internet import Internet
from support.applied import DOMAIN, publish, records
from support.faults.fault import Fault, Meddling

SHORT = {"wait": 3.0}
SIGNED = (f"SUB-13:{DOMAIN}", "DKIM-04")
KEYS = "/etc/mailwizard/dkim/*.pem"


def unpublished(of: Callable[[str], bool]) -> Meddling:
    """Whoever runs the zone has taken these records out."""

    def remove(host: Host, internet: Internet) -> None:
        for owner in filter(of, records(host)):
            internet.dns.remove(owner, "TXT")

    return remove


def published(host: Host, internet: Internet) -> None:
    """All of them are there again."""
    publish(internet, host)


FAULTS = (
    Fault(
        "amavis is stopped",
        {"FILTER": "fail: nobody greets on 127.0.0.1 port 10024", "SMTP-28": "fail: not reach"},
        "systemctl stop amavis",
        "systemctl start amavis; listens 10026; postsuper -d ALL",
        options=SHORT,
    ),
    Fault(
        "mail from the world goes past the filter",
        {"SMTP-28": "fail: did not go through", "SMTP-27:spam": "fail: without a mark"},
        "service smtp/inet/content_filter=",
        "sound_again",
    ),
    Fault(
        "mail from the world is taken for our own",
        {"DKIM-FORGED": f"fail: in the name of {DOMAIN} was signed"},
        "service 'smtp/inet/content_filter=amavis-own:[127.0.0.1]:10026'",
        "sound_again",
    ),
    Fault(
        "mail of our own people goes past the filter",
        {**dict.fromkeys(SIGNED, "fail: leaves not signed"), "HOST-07:amavis": "fail"},
        "main content_filter=",
        "sound_again",
    ),
    Fault(
        "the key was changed by hand",
        dict.fromkeys(SIGNED, "fail: not even with the key on this host"),
        f"for key in {KEYS}; do cp -a $key /root/kept.pem; "
        "openssl genrsa -traditional 2048 2>/dev/null >$key; done",
        f"for key in {KEYS}; do cp -a /root/kept.pem $key; done",
    ),
    Fault(
        "everybody may read the key",
        {"DKIM-08": "fail: 0644"},
        f"chmod 0644 {KEYS}",
        f"chmod 0640 {KEYS}",
    ),
    Fault(
        "OpenDKIM is stopped",
        {"MILTER:opendkim": "fail: refused", "SMTP-26": "unknown: put off: 451"},
        "systemctl stop opendkim",
        "systemctl start opendkim; listens 8891",
        options=SHORT,
    ),
    Fault(
        "OpenDMARC is stopped",
        {"MILTER:opendmarc": "fail: refused", "SMTP-25": "unknown: put off: 451"},
        "systemctl stop opendmarc",
        "systemctl start opendmarc; listens 8893",
        options=SHORT,
    ),
    Fault(
        "nobody verifies what comes in",
        {
            "SMTP-24": "fail: no result of a DKIM check",
            "SMTP-26": "fail: made-up result stays",
            "SMTP-25": "fail: no result of DMARC",
        },
        "service smtp/inet/smtpd_milters=",
        "sound_again",
    ),
    Fault(
        "SPF is not asked",
        {"SMTP-23": "fail: SPF was not asked", "HOST-07:authentication": "fail"},
        "main smtpd_client_restrictions=",
        "sound_again",
    ),
    Fault(
        "the SPF service does not run",
        {"SMTP-23": "fail: does not answer"},
        "chmod -x /usr/bin/policyd-spf; settled",
        "chmod +x /usr/bin/policyd-spf; settled",
    ),
    Fault(
        "the key is not published",
        {
            f"DKIM-02:{DOMAIN}": "warn: does not exist",
            **dict.fromkeys(SIGNED, "warn: not for the world"),
        },
        lab=unpublished(lambda owner: "_domainkey" in owner),
        mend=published,
    ),
    Fault(
        "SPF is not published",
        {f"SPF-01:{DOMAIN}": "warn: no SPF record", f"SPF-05:{DOMAIN}": "warn: no SPF record"},
        lab=unpublished(lambda owner: owner == DOMAIN),
        mend=published,
    ),
    Fault(
        "DMARC is not published",
        {f"DMARC-01:{DOMAIN}": "warn: no DMARC record", "SMTP-25": "warn: dmarc=none"},
        lab=unpublished(lambda owner: owner.startswith("_dmarc.")),
        mend=published,
    ),
)
