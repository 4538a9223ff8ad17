"""Faults that the mail system itself tells of: mail that is held, no room, copies, other ways."""

from support.faults.fault import Fault

SHORT, LONGER = {"wait": 2.0}, {"wait": 8.0}
# the checks that watch mail leave
LEAVES = ("SUB-13:example.test", "DKIM-07", "DKIM-04")
OPENDKIM = "/etc/systemd/system/opendkim.service.d"

HELD = (
    Fault(
        "outgoing mail is held",
        dict.fromkeys(LEAVES, "fail: it waits in the queue: deferred transport"),
        "main defer_transports=smtp",
        options=SHORT,
    ),
    Fault(
        "the transport for the world does not exist",
        dict.fromkeys(LEAVES, "fail: no mail leaves: default_transport = nosuch"),
        "main default_transport=nosuch",
        options=SHORT,
    ),
    Fault(
        "every message is put on hold",
        {
            "SMTP-09": "fail: it waits in the queue: it was put on hold",
            "SUB-11": "fail: it waits in the queue: it was put on hold",
        },
        "main 'smtpd_end_of_data_restrictions=check_client_access static:HOLD'",
        options=SHORT,
    ),
    Fault(
        "nobody manages the queue",
        {"SMTP-09": r"fail: qmgr\(8\), does not take it out of the folder incoming"},
        "postconf -M# qmgr/unix; settled",
        options=LONGER,
    ),
    Fault(
        "nobody picks up what programs hand in",
        {"SENDER:alice": r"fail: pickup\(8\) does not take it out of the folder maildrop"},
        "postconf -M# pickup/unix; settled",
        options=LONGER,
    ),
    Fault(
        "the queue's disk is too full for mail",
        dict.fromkeys(
            ("SMTP-09", "SMTP-11", "SMTP-12", "DELIVERY-LIST:sales", "SUB-11"),
            "fail: 452 4.3.1 .* MiB are left on /, which holds /var/spool/postfix, and Postfix",
        ),
        "main queue_minfree=99999999999999",
        options=SHORT,
    ),
)

ELSEWHERE = (
    Fault(
        "a copy of every message leaves",
        {
            "HOST-ELSEWHERE": r"warn: always_bcc = a@other.test \(/etc/postfix/main.cf, line \d+\)",
            **dict.fromkeys(
                ("SMTP-09", "SENDER:alice", "SUB-11", *LEAVES),
                "unknown: would send a copy to a@other.test: no test message was sent",
            ),
        },
        "main always_bcc=a@other.test",
        options=SHORT,
    ),
    Fault(
        "another program delivers",
        {"HOST-ELSEWHERE": "warn: mailbox_command = /bin/false .*: it delivers, in place"},
        "main mailbox_command=/bin/false",
    ),
    Fault(
        "a service stands twice in master.cf",
        {"HOST-ELSEWHERE": r"warn: 25 inet twice \(/etc/postfix/master.cf, lines \d+ and \d+\)"},
        "echo 'smtp inet n - y - - smtpd' >>/etc/postfix/master.cf; settled",
    ),
    Fault(
        "OpenDKIM's socket is set in a drop-in",
        {
            "HOST-ELSEWHERE": f"warn: ExecStart=.*{OPENDKIM}/override.conf",
            "MILTER:opendkim": "fail: does not answer",
        },
        f"mkdir -p {OPENDKIM}; printf '[Service]\\nExecStart=\\nExecStart=/usr/sbin/opendkim "
        f"-p local:/run/opendkim/other.sock\\n' >{OPENDKIM}/override.conf; "
        "systemctl daemon-reload; systemctl restart opendkim",
        f"rm -r {OPENDKIM}; systemctl daemon-reload; systemctl restart opendkim; listens 8891",
    ),
)

LATIN = r"s/^\(alice:[^:]*:[^:]*:[^:]*:\)[^:]*/\1J\xfcrgen/"

BYTES = (
    Fault(
        "somebody's name in passwd is not UTF-8",
        {
            "HOST-TEXT": r"fail: /etc/passwd, line \d+, is not UTF-8: alice:x:",
            "SMTP-09": "fail: 451 4.3.5",
        },
        f"cp -a /etc/passwd /root/passwd; LC_ALL=C sed -i '{LATIN}' /etc/passwd; settled",
        "cp -a /root/passwd /etc/passwd; sound",
        options=SHORT,
    ),
    Fault(
        "an alias is not UTF-8",
        {"HOST-TEXT": r"fail: /etc/aliases, line \d+, is not UTF-8: j.xfcrgen: alice"},
        "printf 'j\\xfcrgen: alice\\n' >>/etc/aliases; newaliases; settled",
    ),
)

FAULTS = (*HELD, *ELSEWHERE, *BYTES)
