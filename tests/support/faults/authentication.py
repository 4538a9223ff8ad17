"""Faults of signatures as they leave, of the keys, and of what the DNS tells others to believe."""

from __future__ import annotations

from collections.abc import Callable

from lab.host import Host
from lab.internet import Internet
from support.applied import DOMAIN, FQDN, records
from support.faults.fault import Fault, Meddling
from support.faults.filtering import KEYS, SIGNED, published, unpublished

SIGNING = "/etc/amavis/conf.d/61-mailwizard-signing"
DMARC = f"_dmarc.{DOMAIN}"
# what a second signer needs: a key of its own, and mail on its way back from the filter
SECOND = f"""
cp -a /etc/opendkim.conf /root/opendkim.conf
openssl genrsa -traditional -out /etc/fault.pem 2048 2>/dev/null
chown opendkim /etc/fault.pem
sed -i 's/^Mode v$/Mode sv/' /etc/opendkim.conf
printf '%s\\n' 'Domain {DOMAIN}' 'Selector fault' 'KeyFile /etc/fault.pem' >>/etc/opendkim.conf
systemctl restart opendkim
listens 8891
back=127.0.0.1:10025/inet
service $back/smtpd_milters=inet:127.0.0.1:8891 \
    $back/receive_override_options=no_unknown_recipient_checks,no_header_body_checks
"""
MENDED = """
cp -a /root/opendkim.conf /etc/opendkim.conf
rm /etc/fault.pem
systemctl restart opendkim
listens 8891
sound_again
"""


def filter_says(edit: str) -> str:
    """The filter reads another file."""
    return (
        f"cp -a {SIGNING} /root/signing; {edit}; systemctl restart amavis; listens 10024; "
        "listens 10026"
    )


FILTER_SOUND = (
    f"cp -a /root/signing {SIGNING}; systemctl restart amavis; listens 10024; listens 10026"
)


def says(owner: str, text: str) -> Meddling:
    """Whoever runs the zone has entered something else."""
    return lambda _, internet: internet.dns.set(owner, "TXT", text)


def all_of(*several: Meddling) -> Meddling:
    def meddle(host: Host, internet: Internet) -> None:
        for one in several:
            one(host, internet)

    return meddle


def changed_key(change: Callable[[str], str]) -> Meddling:
    """The key's record is another one."""

    def meddle(host: Host, internet: Internet) -> None:
        ((owner, text),) = [each for each in records(host).items() if "_domainkey" in each[0]]
        internet.dns.set(owner, "TXT", change(text))

    return meddle


def others_key(text: str) -> str:
    """The same with another modulus."""
    return f"{text[:70]}{text[70:100].swapcase()}{text[100:]}"


SIGNATURES = (
    Fault(
        "mail under others' names is signed",
        {"DKIM-07": f"fail: leaves signed by {DOMAIN} .as it leaves", "DKIM-04": "pass"},
        filter_says(f"sed -i 's/^sub before_send/sub not_before_send/' {SIGNING}"),
        FILTER_SOUND,
    ),
    Fault(
        "a second From could be added",
        dict.fromkeys(SIGNED, "warn: a second From could be added"),
        filter_says(f"echo \"\\$signed_header_fields{{'from'}} = 1; 1;\" >>{SIGNING}"),
        FILTER_SOUND,
    ),
    Fault(
        "two programs sign",
        dict.fromkeys(SIGNED, "warn: 2 signatures"),
        SECOND,
        MENDED,
    ),
    Fault(
        "Postfix changes what is signed on its way out",
        dict.fromkeys(SIGNED, "fail: not even with the key on this host .*as it leaves"),
        "echo '/^Subject: /  REPLACE Subject: changed' >/etc/postfix/fault; "
        # the ways to the filter are others
        "service smtp/unix/smtp_header_checks=regexp:/etc/postfix/fault",
    ),
    Fault(
        "mail waits for an encryption that nobody offers",
        # then it is looked at in the mailbox
        dict.fromkeys(SIGNED, "pass: in the mailbox of"),
        "main smtp_tls_security_level=encrypt",
    ),
    Fault(
        "the key's file is half there",
        {"DKIM-08": "fail: no private key that can sign", "DKIM-04": "unknown: no private key"},
        f"for key in {KEYS}; do cp -a $key /root/kept.pem; head -c 500 /root/kept.pem >$key; done",
        f"for key in {KEYS}; do cp -a /root/kept.pem $key; done",
    ),
    Fault(
        "the signer cannot read the key",
        {"DKIM-08": "fail: the signer cannot read it"},
        f"chgrp root {KEYS}",
        f"chgrp amavis {KEYS}",
    ),
)

DNS = (
    Fault(
        "the selector is another host's",
        {
            f"DKIM-02:{DOMAIN}": "warn: is the key of somebody else",
            **dict.fromkeys(SIGNED, "warn: is another key"),
        },
        lab=changed_key(others_key),
        mend=published,
    ),
    Fault(
        "the key is said to be a test",
        {f"DKIM-02:{DOMAIN}": "warn: t=y", "DKIM-04": "pass"},
        lab=changed_key(lambda text: text.replace("; p=", "; t=y; p=")),
        mend=published,
    ),
    Fault(
        "SPF has a term that nobody knows",
        {
            f"SPF-01:{DOMAIN}": "warn: cannot be read: ipv6:2001:db8::1",
            f"SPF-03:{DOMAIN}": "warn: cannot be read",
            f"SPF-05:{DOMAIN}": "warn: permerror",
        },
        lab=says(DOMAIN, "v=spf1 mx ipv6:2001:db8::1 -all"),
        mend=published,
    ),
    Fault(
        "SPF includes a provider who is gone",
        {
            f"SPF-01:{DOMAIN}": "pass",
            f"SPF-03:{DOMAIN}": f"warn: gone.{DOMAIN} is included and has no SPF",
            f"SPF-05:{DOMAIN}": "warn: permerror",
        },
        lab=says(DOMAIN, f"v=spf1 include:gone.{DOMAIN} mx -all"),
        mend=published,
    ),
    Fault(
        "SPF has forgotten IPv6",
        {f"SPF-01:{DOMAIN}": "pass", f"SPF-05:{DOMAIN}": "warn: fd00:[^ ]*: fail"},
        lab=lambda host, internet: internet.dns.set(
            DOMAIN, "TXT", f"v=spf1 ip4:{host.address} -all"
        ),
        mend=published,
    ),
    Fault(
        "the host's own name has no SPF",
        {"SPF-06": "warn: bounces of this host prove nothing"},
        lab=unpublished(lambda owner: owner == FQDN),
        mend=published,
    ),
    Fault(
        "DMARC is of the old standard",
        {
            f"DMARC-01:{DOMAIN}": "warn: pct, ri is of the old standard",
            f"DMARC-03:{DOMAIN}": "pass",
        },
        lab=says(DMARC, "v=DMARC1; p=none; pct=100; ri=86400"),
        mend=published,
    ),
    Fault(
        "DMARC is said to be a test",
        {f"DMARC-03:{DOMAIN}": "warn: none, by p=.*t=y", f"DMARC-05:{DOMAIN}": "pass"},
        lab=says(DMARC, "v=DMARC1; p=quarantine; t=y"),
        mend=published,
    ),
    Fault(
        "reports go to somebody who did not agree",
        {f"DMARC-04:{DOMAIN}": "warn: foreign.test does not agree"},
        lab=says(DMARC, "v=DMARC1; p=none; rua=mailto:dmarc@foreign.test"),
        mend=published,
    ),
    Fault(
        "reports go to an address that is not there",
        {f"DMARC-04:{DOMAIN}": "warn: are refused: 550"},
        lab=says(DMARC, f"v=DMARC1; p=none; rua=mailto:nobody-here@{DOMAIN}"),
        mend=published,
    ),
    Fault(
        "the world is to refuse what is not proved, and nothing is",
        {f"DMARC-05:{DOMAIN}": "warn: p=reject while not all mail"},
        lab=all_of(
            unpublished(lambda owner: "_domainkey" in owner), says(DMARC, "v=DMARC1; p=reject")
        ),
        mend=published,
    ),
)

HOPS = (
    Fault(
        "programs hand in what the filter does not take",
        {
            "SMTP-36": r"fail: SMTPUTF8 is offered by sendmail\(1\) and not by .* port 10026",
            "SMTP-37": "fail: did not reach alice",
        },
        "main 'smtputf8_autodetect_classes=sendmail, verify'",
        options={"wait": 3.0},
    ),
    Fault(
        "mail programs are offered what the filter does not take",
        {"SMTP-36": "fail: SMTPUTF8 is offered by submissions/inet and not by", "SMTP-37": "pass"},
        "service submissions/inet/smtpd_discard_ehlo_keywords=etrn",
    ),
    Fault(
        "the way back does not take what the door takes",
        {"SMTP-36": "fail: SMTPUTF8 is offered by the door and not by the hop on .* port 10025"},
        "service 127.0.0.1:10025/inet/smtpd_discard_ehlo_keywords=smtputf8",
    ),
    Fault(
        "the largest message is too large on its way back",
        {"SMTP-36": "fail: 10025 takes 52428800 octets, no more than the door", "SMTP-28": "pass"},
        "service 127.0.0.1:10025/inet/cleanup_service_name=cleanup",
    ),
)


def judge_says(*lines: str) -> str:
    """OpenDMARC reads another file."""
    words = " ".join(f"'{line}'" for line in lines)
    return (
        f"cp -a /etc/opendmarc.conf /root/opendmarc.conf; for line in {words}; do "
        'sed -i "s/^${line%% *} .*/$line/" /etc/opendmarc.conf; done; '
        "systemctl restart opendmarc; listens 8893"
    )


JUDGE_SOUND = (
    "cp -a /root/opendmarc.conf /etc/opendmarc.conf; systemctl restart opendmarc; listens 8893"
)
JUDGES = (
    Fault(
        "OpenDMARC trusts another name than the verifier's",
        {"DMARC-07": f"fail: that DKIM alone proves, as {FQDN} notes it, gets no result"},
        judge_says("TrustedAuthservIDs other.example.test", "AuthservID other.example.test"),
        JUDGE_SOUND,
    ),
    Fault(
        "OpenDMARC takes authors that it cannot measure",
        {"DMARC-07": "fail: a message .* is taken"},
        judge_says("RejectFailures true", "RequiredHeaders false", "RejectMultiValueFrom false"),
        JUDGE_SOUND,
        options={"reject": True},
    ),
    Fault(
        "the verifier writes under another name",
        {"DMARC-07": "fail: that DKIM alone proves, as other.example.test notes it"},
        "cp -a /etc/opendkim.conf /root/opendkim.conf; sed -i 's/^AuthservID .*/AuthservID "
        "other.example.test/' /etc/opendkim.conf; systemctl restart opendkim; listens 8891",
        "cp -a /root/opendkim.conf /etc/opendkim.conf; systemctl restart opendkim; listens 8891",
    ),
    Fault(
        "the SPF service writes under another name",
        {"DMARC-07": "fail: that SPF alone proves, as other.example.test notes it, counts as"},
        "sed -i.kept 's/^Authserv_Id.*/Authserv_Id = other.example.test/' "
        "/etc/postfix-policyd-spf-python/policyd-spf.conf; settled",
        "cd /etc/postfix-policyd-spf-python && mv policyd-spf.conf.kept policyd-spf.conf; settled",
    ),
)
FAULTS = (*SIGNATURES, *DNS, *HOPS, *JUDGES)
