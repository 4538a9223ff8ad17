"""Faults of the certificate on the disk, of what the ports show of it, and of their TLS."""

from support.faults.dovecot import FROM_OUTSIDE
from support.faults.fault import Fault

TLS = "/etc/ssl/mailwizard"
CHAIN, KEY = f"{TLS}/fullchain.pem", f"{TLS}/mail.key"
OF_FILE = ("TLS-06", "TLS-07", "TLS-08", "TLS-09", "TLS-10")
LIVE = ("TLS-01", "TLS-02", "TLS-05", "TLS-12", "TLS-14", "TLS-15")
AT_25, AT_993 = (tuple(f"{one}:{port}" for one in LIVE) for port in (25, 993))
NO_IMAPS = "dove 'service imap-login {\n  inet_listener imaps {\n    port = 0\n  }\n}'"
# Both daemons have just read their certificate, and have processes that remember it.
GREETED = """reread
for how in '25 -starttls smtp' 993; do
    openssl s_client -connect 127.0.0.1:$how </dev/null >/dev/null 2>&1
done"""
AT_SMTP = ("SMTP-03", "SMTP-04", "SMTP-19", *AT_25)
SMTP = """<<'END'
def talk(it):
    it.say("220 mail.example.test ESMTP")
    while True:
        verb = it.hear().split(" ")[0]
        it.say("250-mail.example.test\\r\\n250 STARTTLS" if verb == "EHLO" else "220 go on")
        if verb == "STARTTLS":
            it.secure()
END"""

FILES = (
    Fault(
        "the key is not there",
        {"TLS-11": "fail: mail.key is not there"},
        f"rm {KEY}",
        "restored",
    ),
    Fault(
        "the chain is not there",
        {
            "TLS-11": "fail: fullchain.pem is not there",
            **dict.fromkeys(OF_FILE, "unknown: fullchain.pem is not there"),
            "TLS-12:25": "unknown: there is no certificate in",
            "TLS-12:993": "unknown: there is no certificate in",
        },
        f"rm {CHAIN}",
        "restored",
    ),
    Fault(
        "there is no certificate in the file",
        {"TLS-11": "fail: holds no certificate", **dict.fromkeys(OF_FILE, "unknown: holds no")},
        f"cp {KEY} {CHAIN}",
        "restored",
    ),
    Fault(
        "the certificate is cut to pieces",
        {"TLS-11": "fail: openssl cannot read", **dict.fromkeys(OF_FILE, "unknown: cannot read")},
        f"sed -i '3,5d' {CHAIN}",
        "restored",
    ),
    Fault(
        "the key of another certificate",
        {"TLS-11": "fail: mail.key does not belong to the certificate"},
        f"cp {TLS}/ca.key {KEY}",
        "restored",
    ),
    Fault(
        "a password on the key",
        {"TLS-11": "fail: is no private key that can be read without a password"},
        f"openssl pkey -in {KEY} -aes128 -passout pass:x -out /root/locked; cp /root/locked {KEY}",
        "restored",
    ),
    Fault(
        "everybody may read the key",
        {"TLS-11": "fail: has mode 0644 and belongs to user 0"},
        f"chmod 644 {KEY}",
        f"chmod 600 {KEY}",
    ),
    Fault(
        "a user owns the key",
        {"TLS-11": "fail: has mode 0600 and belongs to user 1"},
        f"chown bob {KEY}",
        f"chown root {KEY}",
    ),
    Fault(
        "the key stands behind its parameters",
        {"TLS-11": "fail: mail.key holds EC PARAMETERS, PRIVATE KEY and not one private key"},
        f"{{ openssl ecparam -name prime256v1; cat {KEY}; }} >/root/both; cat /root/both >{KEY}",
        "restored",
    ),
    Fault(
        "the key stands behind the chain as well",
        {"TLS-11": "fail: fullchain.pem also holds PRIVATE KEY"},
        f"cat {KEY} >>{CHAIN}",
        "restored",
    ),
    Fault(
        "openssl is missing",
        {
            **dict.fromkeys((*OF_FILE, "TLS-11"), "unknown: the program `openssl` is missing"),
            "TLS-15:25": "unknown: whether the client may begin it could not be seen",
            "TLS-15:993": "unknown: could not be seen",
        },
        "fake openssl 'exit 127'",
        "no_fakes",
    ),
)

LEAVES = (
    Fault(
        "a certificate for another name, with a short key and an old signature",
        {
            "TLS-06": "fail: not in the certificate: mail.example.test",
            "TLS-07": "fail: it expires in 3 days",
            "TLS-08": "fail: RSA, 1024 bits",
            "TLS-09": "fail: it is signed with ecdsa-with-SHA1",
        },
        "names='subjectAltName = DNS:other.example.test' until='73 hours' digest=sha1 "
        "key='RSA -pkeyopt rsa_keygen_bits:1024' leaf",
        "restored",
    ),
    Fault(
        "a certificate that programs refuse, soon to be renewed",
        {
            "TLS-06": "fail: not in the certificate: mail.example.test",
            "TLS-07": "warn: it expires in 200 of its 900 days",
            "TLS-08": "warn: RSA, 2048 bits",
            "TLS-10": r"fail: it runs for 900 days, it is not for servers .* no subjectAltName",
        },
        "names= usage='extendedKeyUsage = clientAuth' from='-700 days' until='200 days 1 hour' "
        "key='RSA -pkeyopt rsa_keygen_bits:2048' leaf",
        "restored",
    ),
    Fault(
        "a certificate of the day after tomorrow",
        {"TLS-07": "fail: it is not valid yet"},
        "from='2 days' leaf",
        "restored",
    ),
    Fault(
        "(no fault) another strong key",
        {"TLS-08": "pass: RSA, 3072 bits", "TLS-06": "pass", "TLS-10": "pass: 20 days"},
        "names='subjectAltName = DNS:*.example.test' until='19 days' "
        "key='RSA -pkeyopt rsa_keygen_bits:3072' leaf",
        "restored",
    ),
)

SERVED = (
    Fault(
        "renewed on the disk, and nobody told the daemons",
        {
            "TLS-12:25": "fail: served is .*, on disk is",
            "TLS-12:993": "fail: served is .*, on disk is",
            "IMAP-06": "unknown: is not the one that the daemon is configured with",
        },
        f"{GREETED}\nleaf",
        "dovecot_sound",
    ),
    Fault(
        "the certificate expired",
        {
            "TLS-05:25": "fail: does not prove mail.example.test: certificate has expired",
            "TLS-05:993": "fail: does not prove mail.example.test: certificate has expired",
            "TLS-07": "fail: it expired 2 days ago",
            "SMTP-03": "pass",
        },
        "from='-9 days' until='-2 days' leaf; reread; settled",
        "both_sound",
    ),
    Fault(
        "the certificate is another authority's",
        {
            "TLS-05:25": "fail: does not prove .*: self-signed|unable to get",
            "TLS-05:993": "fail: does not prove .*: self-signed|unable to get",
            "TLS-12:25": "pass",
        },
        "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=Other -keyout /root/other.key "
        "-out /root/other.pem 2>/dev/null\n"
        "authority=/root/other leaf; reread; settled",
        "both_sound",
    ),
    Fault(
        "the authority's certificate is not there",
        {
            "TLS-05:25": "unknown: the CA file /etc/ssl/mailwizard/ca.pem: No such file",
            "TLS-05:993": "unknown: the CA file",
        },
        f"rm {TLS}/ca.pem",
        "restored",
    ),
    Fault(
        "who asks for another name is turned away",
        {
            "TLS-14:25": "fail: asked for unknown.invalid: ",
            "TLS-14:993": "fail: asked for unknown.invalid: ",
        },
        "echo 'unknown.invalid /etc/hosts' >/etc/postfix/sni\n"
        "dove 'local_name unknown.invalid {\n  ssl_server_cert_file = /etc/hosts\n}' "
        "'local_name unknown.invalid {\n  ssl_cert = </etc/hosts\n}'\n"
        "main tls_server_sni_maps=texthash:/etc/postfix/sni",
        "both_sound",
    ),
)

SPOKEN = (
    Fault(
        "versions of before 2008 are spoken",
        {
            "TLS-01:25": "warn: spoken: TLSv1, TLSv1.1, TLSv1.2, TLSv1.3",
            "TLS-01:993": "fail: spoken: TLSv1, TLSv1.1, TLSv1.2, TLSv1.3",
        },
        "dove 'ssl_min_protocol = TLSv1\nssl_cipher_list = ALL:@SECLEVEL=0'\n"
        "main smtpd_tls_protocols= smtpd_tls_exclude_ciphers= smtpd_tls_ciphers=low "
        "tls_config_file=default tls_config_name=",
        "both_sound",
    ),
    Fault(
        "TLS 1.3 alone is missing",
        {"TLS-01:25": "warn: spoken: TLSv1.2", "TLS-15:25": "pass"},
        "main smtpd_tls_protocols=TLSv1.2",
    ),
    Fault(
        "TLS 1.2 and 1.3 are missing",
        {"TLS-01:25": "fail: no modern TLS: TLSv1, TLSv1.1"},
        "main 'smtpd_tls_protocols=<=TLSv1.1' smtpd_tls_exclude_ciphers= smtpd_tls_ciphers=low "
        "tls_config_file=default tls_config_name=",
    ),
    Fault(
        "weak suites are taken",
        {
            "TLS-02:25": "warn: weak: .*AECDH",
            "TLS-02:993": "fail: weak: .*AECDH",
        },
        "dove 'ssl_cipher_list = ALL:@SECLEVEL=0'\nmain smtpd_tls_exclude_ciphers=",
        "both_sound",
    ),
    Fault(
        "suites that are being phased out are taken",
        {
            "TLS-02:25": "warn: being phased out: ECDHE-ECDSA-AES",
            "TLS-02:993": "warn: being phased out: ECDHE-ECDSA-AES",
        },
        "dove 'ssl_cipher_list = ECDHE+AES'\nmain smtpd_tls_exclude_ciphers=aNULL",
        "both_sound",
    ),
    Fault(
        "handshakes of before 2015",
        {
            "TLS-15:25": "warn: no extended master secret",
            "TLS-15:993": "warn: keys are exchanged with SHA-1 signatures if asked to",
        },
        "dove 'ssl_cipher_list = ECDHE+AESGCM:@SECLEVEL=0'\n"
        "echo 'Options = -ExtendedMasterSecret' >>/etc/postfix/openssl.cnf; settled",
        "both_sound",
    ),
    Fault(
        "a fake on port 993 lets its clients renegotiate",
        {"TLS-15:993": "fail: the client may renegotiate"},
        f"{NO_IMAPS}\n"
        f"setsid openssl s_server -accept 993 -cert {CHAIN} -key {KEY} -client_renegotiation -www "
        "</dev/null >/dev/null 2>&1 &\n"
        "echo $! >>/root/listeners; listens 993",
        "no_listeners; dovecot_sound",
    ),
)

PORT_25 = (
    Fault(
        "no TLS on port 25",
        {
            "SMTP-03": "fail: STARTTLS is not offered",
            "SMTP-04": r"pass: AUTH is not offered \(nor is STARTTLS\)",
            "SMTP-19": "unknown: STARTTLS is not offered",
            **dict.fromkeys(AT_25, "unknown: does not offer STARTTLS"),
        },
        "main smtpd_tls_security_level=none",
    ),
    Fault(
        "Postfix cannot read its certificate",
        {"SMTP-03": "fail: STARTTLS", "TLS-05:25": "unknown"},
        "main smtpd_tls_chain_files=/nowhere",
    ),
    Fault(
        "passwords are taken on port 25, before TLS",
        {"SMTP-04": "fail: before TLS AUTH PLAIN LOGIN is offered"},
        "postconf -e smtpd_tls_auth_only=no; service smtp/inet/smtpd_sasl_auth_enable=yes",
    ),
    Fault(
        "passwords are taken on port 25, in TLS",
        {"SMTP-04": "warn: inside TLS AUTH PLAIN LOGIN is offered"},
        "service smtp/inet/smtpd_sasl_auth_enable=yes",
    ),
    Fault(
        "a fake on port 25 obeys what was said before TLS",
        {"SMTP-19": "fail: a command sent in clear before TLS was obeyed"},
        f"stopped; played 25 {SMTP}",
        "no_listeners; systemctl start postfix; greets",
    ),
    Fault(
        "Postfix and Dovecot are stopped",
        dict.fromkeys((*AT_SMTP, *AT_993), "unknown: refused"),
        "stopped; systemctl stop dovecot",
        "systemctl start dovecot postfix; greets",
    ),
    Fault(
        "nobody can sit outside to read or for TLS: ip is missing",
        dict.fromkeys((*FROM_OUTSIDE, *AT_SMTP, *AT_993), "unknown: from outside"),
        "fake ip 'exit 127'",
        # a refusal is remembered for three seconds
        "no_fakes; sleep 3",
    ),
    Fault(
        "mail to other servers begins with TLS",
        {"TLS-23": r"fail: smtp_tls_wrappermode = yes, and relayhost = \(none\)"},
        "main smtp_tls_wrappermode=yes",
    ),
    Fault(
        "postconf is missing for TLS",
        {"TLS-23": "unknown: postconf is not installed"},
        "fake postconf 'exit 127'",
        "no_fakes",
    ),
)

FAULTS = (*FILES, *LEAVES, *SERVED, *SPOKEN, *PORT_25)
