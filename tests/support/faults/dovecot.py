"""Faults of Dovecot: its configuration, what strangers meet on its ports, who gets in to what."""

from support.faults.fault import Fault

# Whoever reads mail has to log in first.
READERS = ("IMAP-06", "IMAP-07", "IMAP-09")
FROM_OUTSIDE = (
    *("IMAP-01", "IMAP-02", "IMAP-03", "IMAP-04", "IMAP-05", "IMAP-08", "IMAP-10"),
    *READERS,
)
SOCKET = "/var/spool/postfix/private/auth"
NAMES = "/etc/dovecot/conf.d/00-mailwizard.conf"
PASSWORD = "/root/carol-password"
MAILDIR = "/home/carol/Maildir"
IMAP = """<<'END'
def talk(it):
    it.say("* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready")
    while True:
        tag, verb = it.hear().split(" ")[:2]
        it.say(f"{tag} OK done")
        if verb == "STARTTLS":
            it.secure()
END"""
SIEVE = """<<'END'
def talk(it):
    it.say('"IMPLEMENTATION" "fake"')
    it.say('"SASL" "%s"')
    it.say('"STARTTLS"')
    it.say("OK ready")
    it.hear()
END"""

POP = """<<'END'
def talk(it):
    it.say("+OK ready")
    it.hear()
    it.say("+OK\\r\\nSTLS\\r\\nUSER\\r\\n.")
    it.hear()
END"""

CONFIGURATION = (
    Fault(
        "a mailbox of before",
        {"HOST-MBOX": "warn: for carol: mail programs do not show it"},
        "printf 'From a@b.test\\n\\nold\\n' >/var/mail/carol",
        "rm /var/mail/carol",
    ),
    Fault(
        "a misspelt setting of Dovecot",
        {"IMAP-11": "fail: doveconf: .*nown setting: mail_locatoin"},
        "unread_dove 'mail_locatoin = maildir:~/Maildir'",
        "restored",
    ),
    Fault(
        "Dovecot warns of a limit",
        {"IMAP-11": "fail: doveconf: .*Warning: .*client_limit"},
        "unread_dove 'service auth {\n  client_limit = 50\n}'",
        "restored",
    ),
    Fault(
        "dovecot.conf says another version",
        {"IMAP-11": "fail: dovecot.conf (begins with dovecot_storage_version|names a conf)"},
        "conf=/etc/dovecot/dovecot.conf\n"
        "if grep -q ^dovecot_config_version $conf; then sed -i /^dovecot_config_version/d $conf\n"
        "else sed -i '1idovecot_config_version = 2.4.0' $conf; fi",
        "restored",
    ),
    Fault(
        "another Dovecot is installed",
        {"IMAP-11": "fail: Dovecot 2.2.36 is installed"},
        "fake dovecot 'echo \"2.2.36 (1f10bfa63)\"'",
        "no_fakes",
    ),
    Fault(
        "dovecot and doveadm are missing",
        {"IMAP-11": "unknown: dovecot --version", "IMAP-13": "unknown: doveadm auth test"},
        "fake dovecot 'exit 127'; fake doveadm 'exit 127'",
        "no_fakes",
    ),
    Fault(
        "doveconf is missing",
        {
            "IMAP-11": "unknown: `doveconf` is missing",
            "IMAP-04": "unknown: does not tell where its certificate is",
            "IMAP-06": "unknown: does not tell where its certificate is",
        },
        "fake doveconf 'exit 127'",
        "no_fakes",
    ),
)

SERVICE = (
    Fault(
        "Dovecot is stopped (reading)",
        {
            "HOST-10:dovecot": "fail: is inactive|is failed",
            "IMAP-01": "fail: refused",
            "IMAP-04": "unknown: refused",
            **dict.fromkeys(READERS, "unknown: refused"),
            "IMAP-13": "unknown: doveadm auth test",
            # a closed port is no fault
            **dict.fromkeys(("IMAP-02", "IMAP-03", "IMAP-05"), "pass: port 143 is closed"),
        },
        "systemctl stop dovecot",
        "systemctl start dovecot",
        options={"window": 0.1},
    ),
    Fault(
        "Dovecot's program was replaced, and the old one runs on",
        {"HOST-10:dovecot": "warn: is older than /usr/sbin/dovecot, which an upgrade has"},
        "cp -p /usr/sbin/dovecot /root/dovecot; mv -f /root/dovecot /usr/sbin/dovecot",
        "systemctl restart dovecot",
        options={"window": 0.1},
    ),
    Fault(
        "systemd does not answer about Dovecot",
        {"HOST-10:dovecot": "unknown: does not answer"},
        "fake systemctl 'exit 1'",
        "no_fakes",
        options={"window": 0.1},
    ),
    Fault(
        "everybody may use the socket",
        {"IMAP-12": "fail: everybody may use .*mode 0666"},
        f"chmod 666 {SOCKET}",
        f"chmod 660 {SOCKET}",
    ),
    Fault(
        "a group may use the socket",
        {"IMAP-12": "fail: the group with gid 100 may use"},
        f"chgrp users {SOCKET}",
        f"chgrp postfix {SOCKET}",
    ),
    Fault(
        "the socket is not Postfix's",
        {"IMAP-12": "fail: postfix cannot use"},
        f"chown root:root {SOCKET}",
        f"chown postfix:postfix {SOCKET}",
    ),
    Fault(
        "the socket is not there",
        {"IMAP-12": "fail: is not there"},
        f"mv {SOCKET} /root/kept-auth",
        f"mv /root/kept-auth {SOCKET}",
    ),
    Fault(
        "a file in the socket's place",
        {"IMAP-12": "fail: is a file, not a socket"},
        f"mv {SOCKET} /root/kept-auth; touch {SOCKET}",
        f"mv /root/kept-auth {SOCKET}",
    ),
    Fault(
        "there is no login postfix",
        {"IMAP-12": "unknown: there is no login postfix"},
        "fake getent 'exit 2'",
        "no_fakes",
    ),
)

STRANGER = (
    Fault(
        "Dovecot listens on port 110 as well",
        {"IMAP-08": r"fail: port 110 \(POP3\) is open"},
        "dove 'service imap-login {\n  inet_listener fault {\n    port = 110\n  }\n}'",
        "dovecot_sound",
    ),
    Fault(
        "POP3 was chosen and is closed",
        {"IMAP-08": "fail: neither port 110 nor 995 is open"},
        ":",
        ":",
        options={"wanted": True},
    ),
    Fault(
        "a fake POP3 server takes passwords in clear",
        {"IMAP-08": "fail: before TLS port 110 offers USER"},
        f"played 110 {POP}",
        "no_listeners",
        options={"wanted": True},
    ),
    Fault(
        "port 993 begins in clear",
        {"IMAP-01": "fail: TLS handshake", "TLS-05:993": "unknown: TLS handshake"},
        "dove 'service imap-login {\n  inet_listener imaps {\n    ssl = no\n  }\n}'",
        "dovecot_sound",
    ),
    Fault(
        "passwords are taken in clear",
        {
            "IMAP-02": "fail: before TLS port 143 offers AUTH=LOGIN, AUTH=PLAIN",
            "IMAP-03": "fail: a password in clear is taken and tried: NO .AUTHENTICATIONFAILED",
        },
        "dove 'ssl = yes\nauth_allow_cleartext = yes' 'ssl = yes\ndisable_plaintext_auth = no'",
        "dovecot_sound",
    ),
    Fault(
        "no TLS in Dovecot",
        {
            "IMAP-01": "fail: refused|TLS handshake",
            "IMAP-02": "warn: offers neither a login nor STARTTLS",
            "IMAP-03": "pass",
            "IMAP-05": "unknown: no STARTTLS",
            "IMAP-04": "unknown",
        },
        "dove 'ssl = no'",
        "dovecot_sound",
    ),
    Fault(
        "(no fault) port 143 is closed",
        dict.fromkeys(("IMAP-02", "IMAP-03", "IMAP-05"), "pass: port 143 is closed"),
        "dove 'service imap-login {\n  inet_listener imap {\n    port = 0\n  }\n}'",
        "dovecot_sound",
    ),
    Fault(
        "a fake on port 143 obeys what was said before TLS",
        {"IMAP-05": "fail: a command sent in clear before TLS was obeyed"},
        "dove 'service imap-login {\n  inet_listener imap {\n    port = 0\n  }\n}'\n"
        f"played 143 {IMAP}",
        "no_listeners; dovecot_sound",
    ),
    Fault(
        "a fake ManageSieve takes passwords in clear",
        {"IMAP-10": 'fail: before TLS: "SASL" "PLAIN LOGIN"'},
        f"played 4190 {SIEVE % 'PLAIN LOGIN'}",
        "no_listeners",
    ),
    Fault(
        "a fake ManageSieve is busy",
        {"IMAP-10": "unknown: does not greet: BYE"},
        "played 4190 <<'END'\ndef talk(it):\n    it.say('BYE \"too many\"')\nEND",
        "no_listeners",
    ),
    Fault(
        "(no fault) a fake ManageSieve takes none",
        {"IMAP-10": "pass: no SASL mechanism before STARTTLS"},
        f"played 4190 {SIEVE % ''}",
        "no_listeners",
    ),
)

ACCOUNTS = (
    Fault(
        "the password is another one",
        {
            "IMAP-04": "fail: carol cannot log in: NO .AUTHENTICATIONFAILED",
            "IMAP-13": "fail: does not take the password of carol",
            **dict.fromkeys(READERS, "unknown: carol cannot log in"),
        },
        "echo carol:another-one | chpasswd",
        f'echo "carol:$(cat {PASSWORD})" | chpasswd',
    ),
    Fault(
        "nobody has a password",
        {"IMAP-14": "warn: nobody can log in: .*carol.* have no password"},
        "usermod -L carol",
        "usermod -U carol",
    ),
    Fault(
        "no password is known",
        dict.fromkeys(
            ("IMAP-04", "IMAP-13", *READERS), "unknown: no password known here for carol"
        ),
        f"mv {PASSWORD} {PASSWORD}.kept",
        f"mv {PASSWORD}.kept {PASSWORD}",
    ),
    Fault(
        "the domain is not cut off",
        {
            "IMAP-04": "fail: carol@example.test cannot log in",
            "IMAP-13": "fail: does not take the password of carol@example.test",
        },
        f"sed -i 's/^auth_username_format.*/auth_username_format =/' {NAMES}; reread",
        "dovecot_sound",
    ),
    Fault(
        "every password is taken",
        {
            "IMAP-04": "fail: carol is let in with a made-up password",
            "IMAP-13": "fail: carol is let in with a made-up password",
        },
        "dove 'passdb fault {\n  driver = static\n  fields {\n    nopassword = yes\n  }\n}' "
        "'passdb {\n  driver = static\n  args = nopassword=yes\n}'",
        "dovecot_sound",
    ),
    Fault(
        "Dovecot cannot look up passwords just now",
        {
            "IMAP-04": "unknown: carol: NO .UNAVAILABLE",
            **dict.fromkeys(READERS, "unknown: carol cannot log in: NO .UNAVAILABLE"),
        },
        # it asks a server that is not there (passwd-file forgets within a second that it failed)
        "echo carol:another-one | chpasswd\n"
        "dove 'passdb imap {\n  imapc_host = 127.0.0.1\n  imapc_port = 1\n}' "
        "'passdb {\n  driver = imap\n  args = host=127.0.0.1 port=1\n}'",
        f'echo "carol:$(cat {PASSWORD})" | chpasswd; dovecot_sound',
    ),
)

MAILBOXES = (
    Fault(
        "the mail folder cannot be opened",
        {"IMAP-06": "fail: SELECT: NO"},
        f"mv {MAILDIR} {MAILDIR}.kept; mkdir -m 0 {MAILDIR}",
        f"rmdir {MAILDIR}; mv {MAILDIR}.kept {MAILDIR}",
    ),
    Fault(
        "Dovecot reads another folder than Postfix fills",
        {"IMAP-06": "fail: INBOX of carol is not Maildir"},
        "dove 'mail_path = ~/other\nmail_inbox_path = ~/other' 'mail_location = maildir:~/other'",
        "dovecot_sound; rm -r /home/carol/other",
    ),
    Fault(
        "no folder for junk",
        {"IMAP-07": r"fail: no folder is marked \\Junk"},
        r"sed -i '/special_use = \\Junk/d' /etc/dovecot/conf.d/*.conf; reread",
        "dovecot_sound",
    ),
    Fault(
        "people open the folders of others",
        {"IMAP-09": "fail: carol opens /home/bob/Maildir/"},
        "mkdir -p /home/bob/Maildir/new /home/bob/Maildir/cur /home/bob/Maildir/tmp\n"
        "chmod -R a+rX /home/bob; dove 'mail_full_filesystem_access = yes'",
        "dovecot_sound; chmod 700 /home/bob",
    ),
)

FAULTS = (*CONFIGURATION, *SERVICE, *STRANGER, *ACCOUNTS, *MAILBOXES)
