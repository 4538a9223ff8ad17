"""Faults that a stranger meets on port 25."""

from support.faults.fault import Fault

STOPPED = {
    "HOST-10": "fail: is inactive|is failed",
    "HOST-11": "fail: nobody listens on port 25",
    "SMTP-01": "fail: refused",
}
SILENT = (
    *("SMTP-02", "SMTP-05", "SMTP-06", "SMTP-09", "SMTP-10", "SMTP-11", "SMTP-12", "SMTP-13"),
    *("SMTP-14", "SMTP-15", "SMTP-16", "SMTP-18", "SMTP-34"),
    *("DELIVERY-ALIAS:root", "DELIVERY-ALIAS:postmaster", "DELIVERY-ALIAS:abuse"),
    "DELIVERY-LIST:sales",
)
SUBMISSION = ("SUB-01", "SUB-02", "SUB-04", "SUB-06", "SUB-07", "TLS-05:465", "TLS-12:587")
TAKERS = (
    *("SMTP-09", "SMTP-11", "SMTP-12", "SMTP-13", "SMTP-16"),
    *("DELIVERY-ALIAS:root", "DELIVERY-LIST:sales"),
)

SERVICE = (
    Fault(
        "Postfix is stopped",
        STOPPED | dict.fromkeys(SILENT, "unknown: refused"),
        "stopped",
        "systemctl start postfix; greets",
    ),
    Fault(
        "nobody can sit outside: ip is missing",
        dict.fromkeys(("SMTP-01", *SILENT, *SUBMISSION), "unknown: from outside"),
        "fake ip 'exit 127'",
        # a refusal is remembered for three seconds
        "no_fakes; sleep 3",
    ),
    Fault(
        "permit instead of any guard, of which every smtpd dies at birth",
        {"SMTP-01": "fail: Postfix says: .*fatal", "SMTP-08": "fail: permit stands before"},
        "main smtpd_relay_restrictions=permit smtpd_recipient_restrictions=permit",
        "sound_again",
    ),
    Fault(
        "strangers are refused in the greeting",
        {"SMTP-01": "fail: greets with 554"},
        "main smtpd_delay_reject=no smtpd_client_restrictions=permit_mynetworks,reject",
    ),
    Fault(
        "the greeting takes six seconds",
        {"SMTP-01": r"warn: only after ([6-9]|1\d) s"},
        "main smtpd_delay_reject=no 'smtpd_client_restrictions=sleep 6'",
    ),
    Fault(
        "another name in the greeting",
        {"SMTP-01": "fail: calls itself other.example.test", "SMTP-02": "pass"},
        "main 'smtpd_banner=other.example.test ESMTP'",
    ),
    Fault(
        "Postfix has another name",
        {
            "SMTP-01": "fail: calls itself other.example.test",
            "SMTP-02": "fail: 250 other.example.test",
            "HOST-07": "fail: myhostname is",
        },
        "main myhostname=other.example.test",
    ),
    Fault(
        "every recipient is put off",
        dict.fromkeys(TAKERS, "unknown: 450"),
        "main 'smtpd_recipient_restrictions=permit_mynetworks, reject_unauth_destination, defer'",
    ),
)

RECIPIENTS = (
    Fault(
        "a catch-all takes everybody",
        {"SMTP-10": "fail: whom nobody knows, is accepted"},
        "main local_recipient_maps=",
    ),
    Fault(
        "a catch-all leads to somebody",
        {"SMTP-10": "warn: leads to alice in inline:"},
        "main 'virtual_alias_maps=inline:{@example.test=alice}'",
    ),
    Fault(
        "whatever is refused is tried again (soft_bounce)",
        {
            "SMTP-10": "warn: put off: 450 .*; soft_bounce = yes",
            **dict.fromkeys(("SMTP-05", "SMTP-06", "SMTP-18"), "pass"),
            **dict.fromkeys(("SUB-02", "SUB-03", "SUB-05", "SUB-07", "SUB-08"), "pass"),
        },
        "main soft_bounce=yes",
    ),
    Fault(
        "unknown recipients are put off",
        {"SMTP-10": "warn: put off: 450"},
        "main unknown_local_recipient_reject_code=450",
    ),
    Fault(
        "the domain is not this host's",
        {
            "SMTP-09": "fail: is refused: 454|is refused: 554",
            "SMTP-11": "fail: <postmaster@example.test>",
            "SMTP-12": "fail",
            "SMTP-13": "fail",
        },
        "main mydestination=localhost",
    ),
    Fault(
        "delivery reports are refused",
        {"SMTP-12": "fail: without sender for alice@example.test: 554"},
        "main 'smtpd_sender_restrictions=check_sender_access inline:{{<>=REJECT}}'",
    ),
    Fault(
        "delivery reports are put off",
        {"SMTP-12": "unknown: 450"},
        "main 'smtpd_sender_restrictions=check_sender_access inline:{{<>=DEFER}}'",
    ),
    Fault(
        "no tags in addresses",
        {"SMTP-13": r"fail: alice\+mailwizard@example.test: 550"},
        "main recipient_delimiter=",
    ),
    Fault(
        "another size limit",
        {"SMTP-14": "fail: announces SIZE 20000000", "HOST-07": "fail: message_size_limit"},
        "main message_size_limit=20000000",
    ),
    Fault(
        "no size is announced",
        {"SMTP-14": r"fail: announces SIZE \(none\)"},
        "main smtpd_discard_ehlo_keywords=size,etrn,silent-discard",
    ),
)

VERBS = (
    Fault(
        "VRFY tells who lives here",
        {"SMTP-15": "fail: VRFY answers 252 for a user and 550 for nobody"},
        "main disable_vrfy_command=no",
    ),
    Fault(
        "strangers may impersonate others (XCLIENT)",
        {"SMTP-34": "fail: XCLIENT"},
        "main 'smtpd_authorized_xclient_hosts=0.0.0.0/0 [::]/0'",
    ),
    Fault(
        "strangers may forge the log (XFORWARD)",
        {"SMTP-34": "fail: XFORWARD"},
        "main 'smtpd_authorized_xforward_hosts=0.0.0.0/0 [::]/0'",
    ),
    Fault(
        "strangers may flush the queue (ETRN)",
        {"SMTP-34": "fail: ETRN"},
        "main smtpd_discard_ehlo_keywords= fast_flush_domains=stranger.invalid",
    ),
    Fault(
        "passwords are taken without TLS (AUTH)",
        {"SMTP-34": "fail: AUTH"},
        "postconf -P smtp/inet/smtpd_sasl_auth_enable=yes\n"
        "postconf -e smtpd_tls_auth_only=no; authenticator PLAIN",
        "no_authenticator",
    ),
)

DELIVERY = (
    Fault(
        "the user's Maildir cannot be written",
        {
            "SMTP-09": "fail: did not reach alice within 2 s",
            "DELIVERY-LIST:sales": "fail: did not reach alice within 2 s",
            "SENDER:alice": "fail: did not reach alice",
        },
        "mv /home/alice/Maildir /home/alice/kept; mkdir -m 0 /home/alice/Maildir",
        "rmdir /home/alice/Maildir; mv /home/alice/kept /home/alice/Maildir; postsuper -d ALL",
        options={"wait": 2.0},
    ),
    Fault(
        "the reader's mail is sent on to elsewhere",
        dict.fromkeys(
            ("SMTP-09", "SMTP-20", "DELIVERY-ALIAS:root", "DELIVERY-LIST:sales", "SENDER:alice"),
            "unknown: mail for alice is forwarded by /home/alice/.forward",
        ),
        "echo someone@other.test >/home/alice/.forward; chown alice: /home/alice/.forward",
        "rm /home/alice/.forward",
    ),
    Fault(
        "mail goes to another place than the Maildir",
        {"SMTP-09": "fail: did not reach alice within 2 s"},
        "main home_mailbox=mbox",
        "sound; rm /home/alice/mbox",
        options={"wait": 2.0},
    ),
    Fault(
        "nothing is delivered: the local agent is missing",
        {"SMTP-09": "fail: did not reach alice within 2 s"},
        "postconf -MX local/unix; restarted",
        "sound_again; postsuper -d ALL",
        options={"wait": 2.0},
    ),
)

FAULTS = (*SERVICE, *RECIPIENTS, *VERBS, *DELIVERY)
