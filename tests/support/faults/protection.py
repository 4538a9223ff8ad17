"""Faults of what keeps spam out, and of what must get through it unchanged."""

from lab.host import Host
from lab.internet import Internet
from support.faults.fault import Fault, Meddling

ZEN = "zen.spamhaus.org"
LISTED, NEVER = f"2.0.0.127.{ZEN}", f"1.0.0.127.{ZEN}"
# strangers are in 198.19; a wildcard covers nothing beside a name that exists (RFC 4592, 4.2)
STRANGERS = f"*.198.{ZEN}"
REFUSED_RESOLVER = "127.255.255.254"
RELAY = "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination"
# postgrey says nothing before it is spoken to; five starts in ten seconds are systemd's limit
LISTENS = "for _ in $(seq 600); do ss -Hltn 'sport = :10023' | grep -q . && break; sleep 0.1; done"
AGAIN = f"systemctl reset-failed postgrey; systemctl restart postgrey; {LISTENS}"
CARRIED = ("SMTP-20", "SMTP-21", "SMTP-22", "SMTP-33")


def says(name: str, *values: str) -> Meddling:
    """The list answers so for a name; without values it does not know it."""
    if values:
        return lambda _, internet: internet.dns.set(name, "A", *values)
    return lambda _, internet: internet.dns.remove(name)


def for_all(value: str) -> Meddling:
    """The list answers so whatever it is asked."""
    names = (LISTED, NEVER, STRANGERS)
    return lambda _, internet: internet.dns.update([(name, "A", value) for name in names])


def as_before(_: Host, internet: Internet) -> None:
    """The list tells the truth again."""
    for name in (NEVER, STRANGERS):
        internet.dns.remove(name)
    internet.dns.set(LISTED, "A", "127.0.0.2")


def table(parameter: str, line: str) -> str:
    """A table of one line, in use."""
    path = f"/etc/postfix/fault_{parameter}"
    return f"printf '%s\\n' '{line}' >{path}; main {parameter}=regexp:{path}"


SETTINGS = (
    Fault(
        "a restriction edited by hand",
        {
            "HOST-07:protection": "fail: smtpd_helo_restrictions is ''",
            "HELO": "fail: who greets with mail.example.test is let in",
        },
        "main smtpd_helo_restrictions=",
    ),
    Fault(
        "only full names are asked for",
        {"HELO": "fail: who greets with .* is let in"},
        f"main 'smtpd_helo_restrictions={RELAY}, reject_non_fqdn_helo_hostname'",
    ),
    Fault(
        "every greeting is refused",
        {"HELO": "fail: greets as he should is refused: 554"},
        f"main 'smtpd_helo_restrictions={RELAY}, reject'",
    ),
    Fault(
        "every greeting is put off",
        {"HELO": "unknown: is put off: 450"},
        f"main 'smtpd_helo_restrictions={RELAY}, defer'",
    ),
    Fault(
        "Postfix is stopped (protection)",
        dict.fromkeys((*CARRIED, "HELO", "SMTP-30", "SMTP-32"), "unknown: refused"),
        "stopped",
        "systemctl start postfix; greets",
    ),
    Fault(
        "postconf is missing (protection)",
        dict.fromkeys(("HOST-07:protection", "SMTP-30", "SMTP-32"), "unknown: not installed"),
        "fake postconf 'exit 127'",
        "no_fakes",
    ),
)

BLOCKLISTS = (
    Fault(
        "the list has no filter",
        {"SMTP-30": f"fail: {ZEN} in smtpd_recipient_restrictions takes an error"},
        f"main 'smtpd_recipient_restrictions={RELAY}, reject_rbl_client {ZEN}'",
    ),
    Fault(
        "the filter takes errors for entries",
        {"SMTP-30": "fail: takes an error message for an entry"},
        f"main 'smtpd_client_restrictions=reject_rbl_client {ZEN}=127.[0..255].[0..255].[2..254]'",
    ),
    Fault(
        "the list is not asked",
        {"SMTP-30": "fail: Postfix does not ask"},
        f"main 'smtpd_recipient_restrictions={RELAY}'",
    ),
    Fault(
        "the list refuses this resolver",
        # not one message is lost by it
        {"DNS-19": "fail: public one", "SMTP-30": "unknown: own test entry", "SMTP-12": "pass"},
        lab=for_all(REFUSED_RESOLVER),
        mend=as_before,
    ),
    Fault(
        "the list's own test entry is an error message",
        {"DNS-19": "fail: public one", "SMTP-30": "unknown: does not list its own test entry"},
        lab=says(LISTED, REFUSED_RESOLVER),
        mend=says(LISTED, "127.0.0.2"),
    ),
    Fault(
        "the list was closed and is empty",
        {"DNS-19": "fail: does not list its own", "SMTP-30": "unknown: its own test entry"},
        lab=says(LISTED),
        mend=says(LISTED, "127.0.0.2"),
    ),
    Fault(
        "the list was closed and lists everybody",
        {"DNS-19": "fail: would refuse everybody", "SMTP-30": "fail: on no list is refused: 554"},
        lab=for_all("127.0.0.2"),
        mend=as_before,
    ),
    Fault(
        "the list answers with numbers that are not in the filter",
        {"DNS-19": r"fail: answers 127.0.0.200", "SMTP-30": "unknown: its own test entry"},
        lab=says(LISTED, "127.0.0.200"),
        mend=says(LISTED, "127.0.0.2"),
    ),
    Fault(
        "the list cannot be reached",
        {"DNS-19": "unknown: SERVFAIL", "SMTP-30": "unknown: SERVFAIL", "SMTP-12": "pass"},
        lab=lambda _, internet: internet.dns.servfail(ZEN),
        mend=lambda _, internet: internet.dns.heal(),
    ),
    Fault(
        "the resolver of this host does not validate",
        {"DNS-11": "warn: 127.0.0.1 does not validate", "DNS-19": "pass"},
        "forwarder 0",
        "no_forwarder",
    ),
    Fault(
        "(no fault) a resolver of this host that validates",
        {"DNS-11": "pass: 127.0.0.1 is on this host and validates"},
        "forwarder 0x20",
        "no_forwarder",
    ),
    Fault(
        "the resolver of this host is down",
        {"DNS-11": "unknown: 1 of 1 resolvers", "DNS-19": "unknown"},
        "echo nameserver 127.0.0.1 >/etc/resolv.conf",
        "restored",
    ),
    Fault(
        "no resolver is named (protection)",
        dict.fromkeys(("DNS-11", "DNS-19"), "unknown: names no resolver"),
        ": >/etc/resolv.conf",
        "restored",
    ),
)

CARRYING = (
    Fault(
        "long lines are rewritten",
        {"SMTP-20": "fail: a line of 998 octets was changed", "SMTP-21": "pass"},
        table("body_checks", "/^x{500}/ REPLACE y"),
    ),
    Fault(
        "lines beyond the limit are rewritten",
        {"SMTP-20": "warn: a line of 2000 octets was changed"},
        table("body_checks", "/^x{1000}/ REPLACE y"),
    ),
    Fault(
        "lines beyond the limit are refused",
        {"SMTP-20": "pass: a line of 2000 octets is refused"},
        table("body_checks", "/^x{1000}/ REJECT too long"),
    ),
    Fault(
        "text is rewritten",
        {"SMTP-21": "fail: a message 8-bit was changed", "SMTP-20": "pass"},
        table("body_checks", "/^From the end/ REPLACE From the start"),
    ),
    Fault(
        "8-bit text is not offered",
        {"SMTP-21": "warn: 8BITMIME is not offered"},
        "service smtp/inet/smtpd_discard_ehlo_keywords=8bitmime,etrn,silent-discard",
    ),
    Fault(
        "what delivers does not know addresses beyond ASCII",
        {"SMTP-22": "fail: was taken but did not reach alice", "SMTP-20": "fail: did not reach"},
        "main 'mailbox_transport=error:5.6.7 SMTPUTF8 is required'",
        "sound; postsuper -d ALL",
        options={"wait": 2.0},
    ),
    Fault(
        "addresses beyond ASCII are refused",
        {"SMTP-22": "pass: SMTPUTF8 is not offered"},
        "main smtputf8_enable=no",
    ),
    Fault(
        "the way of a message is taken out of it",
        {"SMTP-33": "fail: 3 of 3 Received lines were taken out"},
        table("header_checks", "/^Received:/ IGNORE"),
    ),
    Fault(
        "every recipient is put off (protection)",
        dict.fromkeys(CARRIED, "unknown: is put off: 450") | {"SMTP-30": "unknown: not seen: 450"},
        f"main 'smtpd_sender_restrictions={RELAY}, defer'",
    ),
    Fault(
        "every recipient is refused",
        dict.fromkeys(("SMTP-20", "SMTP-21", "SMTP-33"), "fail: is refused: 554"),
        f"main 'smtpd_sender_restrictions={RELAY}, reject'",
    ),
)

CROWD = (
    Fault(
        "five connections for each client",
        {"SMTP-32": "warn: too many conn"},
        "main smtpd_client_connection_count_limit=5",
    ),
    Fault(
        "ten processes for port 25",
        {"SMTP-32": "fail: only 1?[0-9] of 50 .* may be 10"},
        "postconf -F smtp/inet/process_limit=10; restarted",
        "sound_again",
        options={"patience": 0.5},
    ),
    Fault(
        "idlers are kept for an hour",
        {"SMTP-32": "fail: kept for 1h"},
        "main smtpd_timeout=1h",
    ),
)

FAULTS = (*SETTINGS, *BLOCKLISTS, *CARRYING, *CROWD)


def delayed(old: int, new: int) -> str:
    """Another delay, in force."""
    change = f"sed -i 's/--delay={old}/--delay={new}/' /etc/default/postgrey"
    return f"{change}; {AGAIN}"


# On a host that greylists.
GREYLISTING = (
    Fault(
        "postgrey is stopped",
        # mail goes on where it is not there
        {"SMTP-31": "fail: nobody is greylisted", "SMTP-12": "pass", "SMTP-09": "pass"},
        "systemctl stop postgrey",
        AGAIN,
    ),
    Fault(
        "Postfix does not ask postgrey",
        {"SMTP-31": "fail: does not ask the greylisting server"},
        f"main 'smtpd_recipient_restrictions={RELAY}, reject_unlisted_recipient'",
    ),
    Fault(
        "Postfix asks postgrey before it knows the recipient",
        {"SMTP-31": "fail: after everything else"},
        f"main 'smtpd_recipient_restrictions={RELAY}, check_policy_service "
        "inet:127.0.0.1:10023, reject_unlisted_recipient'",
    ),
    Fault(
        "the client is on postgrey's list of exceptions",
        {"SMTP-31": "fail: is let in at once"},
        f"echo 2001:db8::/32 >/etc/postgrey/whitelist_clients.local; {AGAIN}",
        f"rm /etc/postgrey/whitelist_clients.local; {AGAIN}",
    ),
    Fault(
        "the delay is a day",
        {"SMTP-31": "unknown: let in later was not seen"},
        delayed(300, 86400),
        delayed(86400, 300),
    ),
    Fault(
        "somebody else is on postgrey's port and says nothing",
        {"SMTP-31": "unknown: no complete answer|no answer in time"},
        "systemctl stop postgrey; listener 127.0.0.1 10023",
        f"no_listeners; {AGAIN}",
    ),
)
