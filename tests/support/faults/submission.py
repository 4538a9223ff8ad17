"""Faults that a mail program meets where it hands in mail, on ports 465 and 587."""

from support.applied import DOMAIN, LOGIN, SECRET
from support.faults.fault import Fault

ADDRESS = f"{LOGIN}@{DOMAIN}"
LOGGED_IN = ("SUB-04", "SUB-08", "SUB-09", "SUB-10", "SUB-11", "SUB-14")
OTHERS = ("SUB-02", "SUB-03", "SUB-06", "SUB-07")
TLS = ("TLS-01", "TLS-02", "TLS-05", "TLS-12", "TLS-14", "TLS-15")
EVERY_TLS = tuple(f"{probe}:{port}" for port in (465, 587) for probe in TLS)
TLS_FOLDER = "/etc/ssl/mailwizard"
SHORT = {"wait": 1.0}
# an smtpd that has served somebody waits for the next one, with what it read when it began
WARM = (
    "for how in '465' '587 -starttls smtp'; do "
    "(sleep 0.2; echo QUIT) | timeout 60 openssl s_client -quiet -connect 127.0.0.1:$how "
    ">/dev/null 2>&1 || true; done"
)
NEW_CERTIFICATE = (
    "openssl req -new -x509 -days 30 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
    "-subj /CN=mail.example.test -addext subjectAltName=DNS:mail.example.test 2>/dev/null"
)


def at(option: str, *ports: str) -> str:
    """One option of the chosen services, all of them without one."""
    return " ".join(f"{name}/inet/{option}" for name in ports or ("submission", "submissions"))


PORTS = (
    Fault(
        "nobody is on port 465",
        {"SUB-01": "fail: refused", "SUB-06": "unknown: refused", "TLS-12:465": "unknown: refused"},
        "postconf -MX submissions/inet; settled",
    ),
    Fault(
        "nobody is on port 587",
        {"SUB-01": "fail: refused", "SUB-02": "unknown: refused", "SUB-03": "unknown: refused"},
        "postconf -MX submission/inet; settled",
    ),
    Fault(
        "port 465 begins in clear",
        {"SUB-01": "fail: ", "TLS-12:465": "unknown", "TLS-12:587": "pass"},
        f"service {at('smtpd_tls_wrappermode=no', 'submissions')}",
    ),
    Fault(
        "the certificate cannot be read by what serves port 465",
        {"SUB-01": "fail: ", "SUB-04": "unknown", "TLS-05:465": "unknown", "TLS-05:587": "pass"},
        f"service {at('smtpd_tls_chain_files=/nowhere.pem', 'submissions')}",
    ),
    Fault(
        "only the port that begins in clear was chosen",
        {"SUB-01": "warn: only STARTTLS"},
        options={"ports": [587]},
    ),
    Fault(
        "Postfix is stopped (submission)",
        dict.fromkeys((*OTHERS, *LOGGED_IN, *EVERY_TLS), "unknown: refused")
        | {"SUB-01": "fail: refused"},
        "stopped",
        "systemctl start postfix; greets",
    ),
    Fault(
        "mail is taken on port 587 before STARTTLS",
        {"SUB-02": "fail: MAIL FROM before STARTTLS: 250", "SUB-03": "pass"},
        f"service {at('smtpd_tls_security_level=may', 'submission')}",
    ),
    Fault(
        "passwords are asked for on port 587 before STARTTLS",
        {"SUB-02": "fail", "SUB-03": "fail: AUTH PLAIN LOGIN is offered before STARTTLS"},
        "postconf -P "
        f"{at('smtpd_tls_security_level=may', 'submission')}; main smtpd_tls_auth_only=no",
    ),
)

LOGIN_FAULTS = (
    Fault(
        "nobody's password is right any more",
        {"SUB-04": f"fail: {LOGIN} cannot log in: 535", "SUB-10": f"unknown: {LOGIN} cannot log"},
        "authenticator PLAIN '*=FAIL'",
        "no_authenticator",
    ),
    Fault(
        "the password is not known here any more",
        dict.fromkeys(LOGGED_IN, f"unknown: no password known here for {LOGIN}"),
        f"mv {SECRET} {SECRET}.kept",
        f"mv {SECRET}.kept {SECRET}",
    ),
    Fault(
        "others may read the password's file",
        {"SUB-04": f"unknown: no password known here for {LOGIN}"},
        f"chmod 644 {SECRET}",
        f"chmod 600 {SECRET}",
    ),
    Fault(
        "logins are put off",
        {
            "SUB-04": f"unknown: {LOGIN}: 454",
            "SUB-05": "unknown: 454 .* and 454",
            "SUB-09": f"unknown: {LOGIN} cannot log in: 454",
        },
        "authenticator PLAIN '*='",
        "no_authenticator",
    ),
    Fault(
        "Dovecot is stopped",
        {"SUB-01": "fail", "SUB-04": "unknown", "SUB-06": "unknown"},
        "systemctl stop dovecot.socket dovecot 2>/dev/null; settled",
        # Postfix waits a minute before it starts again what ended at birth
        "systemctl start dovecot; sound_again",
    ),
    Fault(
        "anybody is let in with any password",
        {"SUB-05": "fail: alice is let in with a made-up password", "SUB-04": "pass"},
        "cp -p /etc/pam.d/dovecot /root/pam; "
        "printf '%s required pam_permit.so\\n' auth account >/etc/pam.d/dovecot",
        "cp -p /root/pam /etc/pam.d/dovecot",
    ),
    Fault(
        "who lives here is told",
        {"SUB-05": "fail: wrong password' and '.*unknown user"},
        "authenticator PLAIN 'alice=FAIL reason=wrong password' '*=FAIL reason=unknown user'",
        "no_authenticator",
    ),
    Fault(
        "nobody needs a password (ANONYMOUS)",
        {"SUB-06": "fail: AUTH .*ANONYMOUS"},
        "authenticator PLAIN,ANONYMOUS",
        "no_authenticator",
    ),
    Fault(
        "only mail programs of one maker can log in (LOGIN)",
        {"SUB-06": "fail: AUTH LOGIN"},
        "authenticator LOGIN",
        "no_authenticator",
    ),
    Fault(
        "passwords must be kept readable (CRAM-MD5)",
        {"SUB-06": "warn: AUTH PLAIN CRAM-MD5"},
        "authenticator PLAIN,CRAM-MD5",
        "no_authenticator",
    ),
)

NETWORKS = "permit_mynetworks,permit_sasl_authenticated,reject"
ANYBODY = "check_client_access,static:OK,reject"


def rules(value: str) -> str:
    """The two lists by which a password is the only way in."""
    names = ("smtpd_client_restrictions", "smtpd_relay_restrictions")
    return "service " + " ".join(at(f"{name}={value}") for name in names)


SENDING = (
    Fault(
        "this host's own programs may send without a password",
        {"SUB-07": "fail: this host itself may send"},
        rules(NETWORKS),
    ),
    Fault(
        "strangers may send without a password",
        {"SUB-07": "fail: a stranger may send"},
        rules(ANYBODY),
    ),
    Fault(
        "strangers are only put off (submission)",
        {"SUB-07": "unknown: a stranger: 450"},
        rules("permit_sasl_authenticated,defer"),
    ),
    Fault(
        "everybody may send in everybody's name",
        {"SUB-08": f"fail: {LOGIN} may send as alice@", "SUB-09": "pass"},
        f"service {at('smtpd_sender_restrictions=')}",
    ),
    Fault(
        "one login owns every address",
        {"SUB-08": f"fail: {LOGIN} may send as alice@", "SUB-09": "pass"},
        f"echo '/./ {LOGIN}' >/etc/postfix/sender_login; "
        "main smtpd_sender_login_maps=regexp:/etc/postfix/sender_login",
    ),
    Fault(
        "every sender is put off",
        dict.fromkeys(("SUB-08", "SUB-09", "SUB-10"), "unknown: 450"),
        f"service {at('smtpd_sender_restrictions=defer')}",
    ),
    Fault(
        "nobody owns any address",
        {"SUB-08": "pass", "SUB-09": f"fail: {LOGIN} as {ADDRESS}: 553", "SUB-10": "fail: 553"},
        "main smtpd_sender_login_maps=",
    ),
    Fault(
        "mail programs must have full names",
        {"SUB-10": "fail: mail after EHLO laptop: 504", "SUB-09": "pass"},
        f"service {at('smtpd_helo_restrictions=reject_non_fqdn_helo_hostname')}",
    ),
    Fault(
        "what is missing in a message is not added",
        {"SUB-11": "fail: sent without Date and Message-ID", "SUB-14": "pass"},
        "main always_add_missing_headers=no local_header_rewrite_clients=",
    ),
    Fault(
        "what people send is treated like what strangers send",
        {"SUB-14": "warn: the recipient reads: Received: from laptop-", "SUB-11": "pass"},
        f"service {at('cleanup_service_name=cleanup')}",
    ),
    Fault(
        "the sender's computer is not taken out",
        {"SUB-14": "warn: the recipient reads: Received: from laptop-"},
        ": >/etc/postfix/submission_header_checks; settled",
    ),
    Fault(
        "the sender's Maildir cannot be written",
        dict.fromkeys(("SUB-11", "SUB-14"), f"unknown: did not reach {LOGIN} within 1 s"),
        f"mv /home/{LOGIN}/Maildir /home/{LOGIN}/kept; mkdir -m 0 /home/{LOGIN}/Maildir",
        f"rmdir /home/{LOGIN}/Maildir; mv /home/{LOGIN}/kept /home/{LOGIN}/Maildir; "
        "postsuper -d ALL",
        options=SHORT,
    ),
)

ENCRYPTION = (
    Fault(
        "a new certificate, and nobody was told",
        dict.fromkeys(("TLS-12:465", "TLS-12:587"), "fail: served is .*, on disk is"),
        f"cp -a {TLS_FOLDER} /root/tls; {WARM}; "
        f"{NEW_CERTIFICATE} -keyout {TLS_FOLDER}/mail.key -out {TLS_FOLDER}/fullchain.pem",
        f"rm -r {TLS_FOLDER}; mv /root/tls {TLS_FOLDER}; settled",
    ),
    Fault(
        "port 465 has a certificate of its own that nobody knows",
        {
            "TLS-05:465": "fail: self.signed",
            "TLS-12:465": "fail: served is",
            "SUB-04": "unknown",
            "TLS-05:587": "pass",
        },
        f"{NEW_CERTIFICATE} -keyout /root/own.key -out /root/own.pem; "
        "cat /root/own.key /root/own.pem >/etc/postfix/own.pem; "
        f"service {at('smtpd_tls_chain_files=/etc/postfix/own.pem', 'submissions')}",
    ),
    Fault(
        "old versions where encryption is a must",
        {"TLS-01:465": "fail: TLSv1.1", "TLS-01:587": "fail: TLSv1.1", "TLS-01:25": "pass"},
        "postconf -X tls_config_file tls_config_name; "
        "main 'smtpd_tls_mandatory_protocols=>=TLSv1' smtpd_tls_exclude_ciphers=aNULL",
    ),
    Fault(
        "no suite is left out where encryption is a must",
        dict.fromkeys(("TLS-02:465", "TLS-02:587"), "fail: weak: ADH"),
        "main smtpd_tls_exclude_ciphers=",
    ),
    Fault(
        "a name that is asked for ends the handshake",
        {"TLS-14:465": "fail: asked for unknown.invalid", "TLS-14:587": "fail: unknown.invalid"},
        # not compiled with -F: what the table gives is no certificate
        "kind=$(postconf -h default_database_type); echo unknown.invalid x >/etc/postfix/sni; "
        "postmap $kind:/etc/postfix/sni; main tls_server_sni_maps=$kind:/etc/postfix/sni",
    ),
    Fault(
        "handshakes may be signed with SHA-1",
        {"TLS-15:465": "warn: SHA-1", "TLS-15:587": "warn: SHA-1"},
        "postconf -X tls_config_file tls_config_name; settled",
    ),
)

FAULTS = (*PORTS, *LOGIN_FAULTS, *SENDING, *ENCRYPTION)
