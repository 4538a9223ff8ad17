"""Faults of Postfix's configuration and service, as Postfix itself can tell them."""

from support.faults.fault import Fault

OPEN = "OPEN RELAY: a stranger may send"
GUARD = "stands before reject_unauth_destination"
SECOND_SMTPD = "postconf -M '2525/inet=2525 inet n - n - - smtpd -o"

PARSER = (
    Fault(
        "a misspelt parameter in main.cf",
        {"HOST-06": "fail: unused parameter: smtpd_hello_required"},
        "main smtpd_hello_required=yes",
    ),
    Fault(
        "a parameter twice in main.cf",
        {"HOST-06": "fail: overriding earlier entry", "HOST-07": "fail: home_mailbox is"},
        "echo 'home_mailbox = mbox' >>/etc/postfix/main.cf; settled",
    ),
    Fault(
        "a line without = in main.cf",
        {"HOST-06": "fail: missing '='"},
        "echo 'home_mailbox Maildir/' >>/etc/postfix/main.cf",
    ),
    Fault(
        "a line of master.cf with a field too few",
        {"HOST-06": "fail"},
        "echo 'policy unix - n n - spawn' >>/etc/postfix/master.cf",
    ),
    Fault(
        "main.cf belongs to a user",
        {"HOST-06": "fail: not owned by root"},
        "chown bob /etc/postfix/main.cf",
    ),
    Fault(
        "postfix and postconf are missing",
        {
            "HOST-06": "unknown: is missing",
            "HOST-07": "unknown: not installed",
            "HOST-08": "unknown: not installed",
            "HOST-09": "unknown: not installed",
            "HOST-17": "unknown: not installed",
            "SMTP-07": "unknown: not installed",
            "SMTP-08": "unknown: not installed",
            "SMTP-17": "unknown: not installed",
            "OUT-02": "unknown: not installed",
            "OUT-07": "unknown: not installed",
        },
        "fake postfix 'exit 127'; fake postconf 'exit 127'",
        "no_fakes",
    ),
    Fault(
        "a parameter edited by hand",
        {"HOST-07": "fail: smtpd_helo_required is 'no'", "SMTP-05": "warn: is accepted: 250"},
        "main smtpd_helo_required=no",
    ),
    Fault(
        "a parameter that will be removed",
        {"HOST-08": "warn: smtpd_use_tls: use smtpd_tls_security_level"},
        "main smtpd_use_tls=yes",
    ),
    Fault(
        "another parameter that will be removed",
        {"HOST-08": "warn: disable_dns_lookups"},
        "main disable_dns_lookups=no",
    ),
    Fault(
        "the defaults of before 2015",
        {"HOST-09": "fail: compatibility_level = 0"},
        "main compatibility_level=0",
    ),
    Fault(
        "the defaults of before 3.6",
        {"HOST-09": "warn: compatibility_level = 2"},
        "main compatibility_level=2",
    ),
)

TABLES = (
    Fault(
        "a table of a type that this Postfix does not have",
        {"HOST-17": "fail: cannot open nosuch:/etc/postfix/virtual"},
        "main virtual_alias_maps=nosuch:/etc/postfix/virtual",
    ),
    Fault(
        "a table that was never compiled",
        {"HOST-17": "fail: /etc/postfix/virtual is not compiled"},
        "touch /etc/postfix/virtual; "
        'main "virtual_alias_maps=$(postconf -h default_database_type):/etc/postfix/virtual"',
    ),
    Fault(
        "the alias table was edited and not compiled",
        {"HOST-17": "warn: /etc/aliases is older than its source"},
        "sleep 0.1; touch /etc/aliases",
    ),
    Fault(
        "the compiled alias table is gone",
        {
            "HOST-17": "fail: /etc/aliases is not compiled",
            "OUT-07": "unknown: postalias -q",
        },
        "rm /etc/aliases.*",
    ),
)

TRUST = (
    Fault(
        "everybody is trusted",
        {"SMTP-06": f"fail: {OPEN}", "SMTP-07": "fail: 0.0.0.0/0"},
        "main 'mynetworks=0.0.0.0/0'",
    ),
    Fault(
        "everybody is trusted, over IPv6 alone",
        {"SMTP-06": rf"fail: {OPEN}.*asked at \S*:", "SMTP-07": "fail: ::/0"},
        "main 'mynetworks=127.0.0.0/8 [::]/0'",
    ),
    Fault(
        "the whole subnet is trusted",
        {"SMTP-07": r"fail: 198\.18\.\d+\.0/20"},
        "postconf -X mynetworks; main mynetworks_style=subnet",
    ),
    Fault(
        "a public range in a file of networks",
        {"SMTP-07": "fail: 198.51.100.0/24"},
        "echo 198.51.100.0/24 >/etc/postfix/networks; "
        "main 'mynetworks=127.0.0.0/8 /etc/postfix/networks'",
    ),
    Fault(
        "one service trusts everybody",
        {"SMTP-06": f"fail: {OPEN}", "SMTP-07": "fail: 0.0.0.0/0"},
        "service smtp/inet/mynetworks=0.0.0.0/0",
    ),
    Fault(
        "a private network is trusted",
        {"SMTP-06": "pass", "SMTP-07": "warn: 10.0.0.0/8"},
        "main 'mynetworks=127.0.0.0/8 10.0.0.0/8'",
    ),
    Fault(
        "networks in a table that cannot be listed",
        {"SMTP-07": "warn: cidr:/etc/postfix/networks"},
        "echo '10.0.0.0/8 OK' >/etc/postfix/networks; "
        "main 'mynetworks=127.0.0.0/8 cidr:/etc/postfix/networks'",
    ),
    Fault(
        "everybody is permitted before the guard",
        {"SMTP-06": f"fail: {OPEN}", "SMTP-08": f"fail: check_client_access {GUARD}"},
        "open='check_client_access static:OK, reject_unauth_destination'; "
        'main "smtpd_relay_restrictions=$open" "smtpd_recipient_restrictions=$open" '
        "smtpd_client_restrictions= smtpd_helo_restrictions= smtpd_sender_restrictions=",
    ),
    Fault(
        "permit first, in the list that decides",
        {"SMTP-06": "pass", "SMTP-08": f"fail: permit {GUARD}"},
        "main 'smtpd_relay_restrictions=permit, reject_unauth_destination'",
    ),
    Fault(
        "a policy service before the guard",
        {"SMTP-08": f"fail: check_policy_service {GUARD}"},
        "main 'smtpd_relay_restrictions=permit_mynetworks, "
        "check_policy_service unix:private/policy, reject_unauth_destination'",
    ),
    Fault(
        "senders of our own domain may relay",
        {
            "SMTP-06": f"fail: {OPEN}",
            "SMTP-08": "fail: check_sender_access",
        },
        "own='check_sender_access inline:{example.test=OK}'; main "
        '"smtpd_relay_restrictions=$own, reject_unauth_destination" '
        '"smtpd_recipient_restrictions=$own" smtpd_client_restrictions= smtpd_helo_restrictions= '
        "smtpd_sender_restrictions=",
    ),
    Fault(
        "the guard is only a warning",
        {"SMTP-08": "fail: nothing refuses foreign recipients"},
        "main 'smtpd_relay_restrictions=permit_mynetworks, warn_if_reject "
        "reject_unauth_destination'",
    ),
    Fault(
        "one service permits everything",
        {"SMTP-08": f"fail: 2525/inet: permit {GUARD}"},
        f"{SECOND_SMTPD} smtpd_relay_restrictions=permit'; settled",
    ),
    Fault(
        "a foreign domain among those relayed for",
        {"SMTP-06": f"fail: {OPEN}", "SMTP-08": "pass"},
        "main relay_domains=example.com",
    ),
    Fault(
        "no service takes mail",
        {"SMTP-06": "unknown: refused", "SMTP-08": "unknown: no smtpd service"},
        "postconf -MX smtp/inet submission/inet submissions/inet 127.0.0.1:10025/inet; "
        "stopped; systemctl start postfix",
        "sound_again",
    ),
    Fault(
        "strangers are only put off",
        {"SMTP-06": "unknown: only put off"},
        "main smtpd_client_restrictions=permit_mynetworks,defer",
    ),
)

SMUGGLING = (
    Fault(
        "the defence against bare newlines is off",
        {"SMTP-16": "fail: LF.LF", "SMTP-17": "fail: smtpd_forbid_bare_newline = no"},
        "main smtpd_forbid_bare_newline=no",
    ),
    Fault(
        "the defence against early talkers is off",
        {
            "SMTP-17": "fail: smtpd_forbid_unauth_pipelining = no",
            "SMTP-18": "fail: are obeyed",
        },
        "main smtpd_forbid_unauth_pipelining=no",
    ),
    Fault(
        "the address for the test of smuggling is refused",
        {"SMTP-16": "unknown: alice@example.test is not accepted"},
        "main smtpd_client_restrictions=permit_mynetworks,reject",
    ),
)

SERVICE = (
    Fault(
        "the unit was disabled",
        {"HOST-10": "fail: will not start at boot"},
        "systemctl disable --quiet postfix",
        "systemctl enable --quiet postfix",
    ),
    Fault(
        "the daemon was killed and started again by systemd",
        {"HOST-10": "warn: had to restart it 1 times"},
        "unit=$(systemctl is-active --quiet postfix@- && echo postfix@- || echo postfix)\n"
        'mkdir "/run/systemd/system/$unit.service.d"\n'
        "printf '[Service]\\nRestart=always\\nRestartSec=100ms\\n'"
        ' >"/run/systemd/system/$unit.service.d/fault.conf"\n'
        "systemctl daemon-reload\n"
        'systemctl kill -s KILL "$unit"\n'
        'until [ "$(systemctl show -P NRestarts "$unit")" = 1 ] && systemctl is-active -q "$unit"\n'
        "do sleep 0.1; done; greets",
        "rm -r /run/systemd/system/postfix*.service.d; systemctl daemon-reload\n"
        "stopped; systemctl start postfix; greets",
    ),
    Fault(
        "Postfix's program was replaced, and the old one runs on",
        {"HOST-10": "fail: is older than /usr/lib/postfix/sbin/master, which an upgrade has"},
        "cp -p /usr/lib/postfix/sbin/master /root/master\n"
        "mv -f /root/master /usr/lib/postfix/sbin/master",
        "stopped; systemctl start postfix; greets",
    ),
    Fault(
        "systemd does not answer",
        {"HOST-10": "unknown: does not answer"},
        "fake systemctl 'exit 1'",
        "no_fakes",
    ),
    Fault(
        "Postfix listens on loopback alone",
        {"HOST-11": "fail: nobody listens on port 25 for the outside", "SMTP-01": "fail: refused"},
        "postconf -e inet_interfaces=loopback-only; restarted",
        "sound_again",
    ),
    Fault(
        "a port behind a filter is open to the outside",
        {"HOST-11": "fail: 0.0.0.0:10035 squatter is open to the outside"},
        "listener 0.0.0.0 10035",
        "no_listeners",
        options={"private": [10035]},
    ),
    Fault(
        "(no fault) a port behind a filter on loopback",
        {"HOST-11": "pass"},
        "listener 127.0.0.1 10035",
        "no_listeners",
        options={"private": [10035]},
    ),
)

LEAVING = (
    Fault(
        "mail leaves under another name",
        {"OUT-02": "fail: under the name other.example.test"},
        "main smtp_helo_name=other.example.test",
    ),
    Fault(
        "mail is to leave from an address that is not here",
        {"OUT-02": "fail: smtp_bind_address is 192.0.2.9"},
        "main smtp_bind_address=192.0.2.9",
    ),
    Fault(
        "mail is to leave from an address that was not answered",
        {"OUT-02": "fail: mail leaves from 198.18.15.250, which is not"},
        "ip addr add 198.18.15.250/32 dev eth0; service smtp/unix/smtp_bind_address=198.18.15.250",
        "sound; ip addr del 198.18.15.250/32 dev eth0",
    ),
)

FAULTS = (*PARSER, *TABLES, *TRUST, *SMUGGLING, *SERVICE, *LEAVING)
