"""Faults of the way through a provider's relay, at the relay and on the host."""

from __future__ import annotations

from lab.host import Host
from lab.internet import Internet
from lab.mailhosts import Relay
from support.faults.fault import Fault, Meddling

NAME = "smtp.relay.test"
HOP = f"[{NAME}]:587"
TLS = f"OUT-04:{HOP}"
UNPROVED = {
    "OUT-03": f"fail: does not prove {NAME}.*; no password was sent",
    TLS: "fail: Postfix does not take the certificate .* mail waits",
}
# what still waits for a client would greet him by the old rules; what has one ends with him
RELOAD = """
touch -d '1 minute ago' /etc/postfix/main.cf
old=$(pgrep -x 'smtpd|qmgr' || true)
postfix reload 2>/dev/null
for _ in $(seq 200); do
    left=
    for pid in $old; do [ ! -e "/proc/$pid" ] || left=yes; done
    [ "$left" ] || break
    sleep 0.05
done
"""
OWN_CERTIFICATE = (
    "openssl req -new -x509 -days 30 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
    f"-subj /CN={NAME} -addext subjectAltName=DNS:{NAME} -keyout /etc/lab/own.pem "
    "-out /etc/lab/own.crt 2>/dev/null; cat /etc/lab/own.crt >>/etc/lab/own.pem"
)
NOT_SENT = "postsuper -d ALL 2>/dev/null"
EACH = f"for a in $(getent ahosts {NAME} | cut -d' ' -f1 | sort -u)"
NO_WAY = f'{EACH}; do ip route add unreachable "$a"; done'
A_WAY = f'{EACH}; do ip route del unreachable "$a"; done'


def there(lines: str) -> Meddling:
    """Something is altered at the relay, which then reads its files."""
    before = "cp -a /etc/postfix/. /root/sound; " if lines else ""
    script = f"set -e; mkdir -p /root/sound; {before}{lines}; {RELOAD}"
    return lambda _, internet: internet.relay.host.run(["sh", "-c", script])


def as_before(_: Host, internet: Internet) -> None:
    """The relay is as the lab made it."""
    internet.relay.host.run(["sh", "-ec", f"cp -a /root/sound/. /etc/postfix; {RELOAD}"])


def published(_: Host, internet: Internet) -> None:
    """The relay's name leads to it."""
    internet.dns.heal()
    internet.dns.point(NAME, internet.relay.address, internet.relay.address6)


def password(word: str) -> Meddling:
    """The customer's password at the relay."""
    name, _, realm = Relay.user.partition("@")
    argv = ["saslpasswd2", "-p", "-u", realm, name]
    return lambda _, internet: internet.relay.host.run(argv, input=word)


def sender_rule(reply: str) -> str:
    """What the relay says to each sender who has logged in."""
    return (
        "postconf -P 587/inet/smtpd_client_restrictions= 587/inet/smtpd_delay_reject=no; postconf "
        f"-e 'smtpd_sender_restrictions=check_sender_access static:{{{reply}}}'"
    )


def policy(text: str) -> str:
    """What Postfix is told of the relay, compiled."""
    table = "$(postconf -h smtp_tls_policy_maps)"
    return f"echo '{HOP} {text}' >/etc/postfix/tls_policy; postmap {table}; settled"


AT_THE_RELAY = (
    Fault(
        "the relay offers no encryption",
        {"OUT-03": f"fail: {NAME} offers no encryption .* nothing was sent", TLS: "pass"},
        lab=there("postconf -e smtpd_discard_ehlo_keywords=starttls"),
        mend=as_before,
    ),
    Fault(
        "the relay's certificate is another server's",
        UNPROVED,
        lab=there("postconf -e smtpd_tls_cert_file=/etc/lab/foreign.test.pem"),
        mend=as_before,
    ),
    Fault(
        "the relay made its certificate itself",
        UNPROVED,
        lab=there(f"{OWN_CERTIFICATE}; postconf -e smtpd_tls_cert_file=/etc/lab/own.pem"),
        mend=as_before,
    ),
    Fault(
        "the relay speaks nothing newer than TLS 1.1",
        {"OUT-03": "fail: TLS handshake"},
        lab=there("postconf -e 'smtpd_tls_mandatory_protocols=<=TLSv1.1'"),
        mend=as_before,
    ),
    Fault(
        "the password was changed at the relay",
        {"OUT-03": f"fail: the relay refuses the login of {Relay.user}: 535", TLS: "pass"},
        lab=password("another"),
        mend=password(Relay.password),
    ),
    Fault(
        "the relay wants passwords that it can read (CRAM-MD5)",
        {"OUT-03": "fail: offers no login that can be used: CRAM-MD5"},
        lab=there("sed -i 's/^mech_list:.*/mech_list: CRAM-MD5/' /etc/postfix/sasl/smtpd.conf"),
        mend=as_before,
    ),
    Fault(
        "the relay does not know the sender yet",
        {"OUT-03": "unknown: puts off mail from alice@example.test: 451 4.7.1 .*Greylisted"},
        lab=there(sender_rule("451 4.7.1 Greylisted")),
        mend=as_before,
    ),
    Fault(
        "the relay takes mail of other senders only",
        {"OUT-03": "warn: takes no mail from alice@example.test: 550 5.7.1 .*Not yours"},
        lab=there(sender_rule("550 5.7.1 Not yours")),
        mend=as_before,
    ),
    Fault(
        "the relay is busy",
        {"OUT-03": "unknown: the relay is busy: 450", TLS: "pass: not be asked just now"},
        lab=there(
            "postconf -P 587/inet/smtpd_client_restrictions=defer 587/inet/smtpd_delay_reject=no"
        ),
        mend=as_before,
    ),
    Fault(
        "the relay is down",
        {"OUT-03": "fail: nobody listens", TLS: "pass: not be asked just now"},
        lab=there("postconf -MX 587/inet"),
        mend=as_before,
    ),
    Fault(
        "there is no way to the relay",
        {"OUT-03": "unknown: connecting to"},
        NO_WAY,
        A_WAY,
    ),
    Fault(
        "nobody knows the relay's name",
        {"OUT-03": f"fail: no server called {NAME}"},
        lab=lambda _, internet: internet.dns.remove(NAME),
        mend=published,
    ),
    Fault(
        "the relay's zone answers SERVFAIL",
        {"OUT-03": "unknown: SERVFAIL"},
        lab=lambda _, internet: internet.dns.servfail("relay.test"),
        mend=published,
    ),
)

ON_THE_HOST = (
    Fault(
        "mail goes out directly again",
        {"HOST-07:relay": "fail: relayhost is ''"},
        "main relayhost=",
    ),
    Fault(
        "postconf is missing (relay)",
        dict.fromkeys(("HOST-07:relay", "OUT-03", TLS), "unknown: not installed"),
        "fake postconf 'exit 127'",
        "no_fakes",
    ),
    Fault(
        "the relay's password was taken out of its table",
        {"OUT-03": "fail: Postfix finds no password for .smtp.relay.test.:587"},
        ": >/etc/postfix/sasl_passwd; postmap $(postconf -h smtp_sasl_password_maps)",
    ),
    Fault(
        "nothing is known of how to meet the relay",
        {TLS: "fail: is may: whoever answers gets the password", "HOST-07:relay": "fail"},
        "main smtp_tls_policy_maps=",
    ),
    Fault(
        "whoever answers for the relay is believed",
        {TLS: "fail: is encrypt: whoever answers gets the password"},
        policy("encrypt"),
    ),
    Fault(
        "another name proves the relay",
        {TLS: "fail: takes certificates of relay.example.com"},
        policy("secure match=relay.example.com"),
    ),
    Fault(
        "a message waits for the relay",
        {"OUT-05": "warn: 1 message waits, the longest for .*No route to host"},
        f"{NO_WAY}\n"
        "runuser -u alice -- sendmail someone@other.test </dev/null\n"
        "for _ in $(seq 600); do postqueue -j | grep -q delay_reason && break; sleep 0.1; done",
        f"{NOT_SENT}; {A_WAY}",
        options={"longest": 0.0},
    ),
    Fault(
        "the queue cannot be read",
        {"OUT-05": "unknown"},
        "fake postqueue 'exit 69'",
        "no_fakes",
    ),
    Fault(
        "the address that alice sends as does not lead back to her",
        {"OUT-06": "fail: alice was not told that .* is nobody"},
        "alias_lines 'alice.liddell: bob'",
        options={"wait": 1.0},
    ),
    Fault(
        "reports of what was not delivered are lost",
        {"OUT-06": "fail: alice was not told"},
        "postconf -M bounce/unix='bounce unix - - n - 0 discard'; settled",
        f"sound; {NOT_SENT}",
        options={"wait": 1.0},
    ),
    Fault(
        "nothing can be handed to Postfix",
        {"OUT-06": "unknown: could not send as alice"},
        "chmod 700 /usr/sbin/sendmail",
        "chmod 755 /usr/sbin/sendmail",
    ),
)

FAULTS = (*AT_THE_RELAY, *ON_THE_HOST)
