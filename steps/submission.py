"""People of this host send mail from anywhere: encrypted, with their password, as themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailwizard import probes
from mailwizard.changes import (
    PARSES,
    FileContent,
    LookupMap,
    MasterCfParameters,
    PostfixParameters,
    Service,
)
from mailwizard.fields import Bool, Choice, Listing, spellings
from mailwizard.maincf import postconf
from mailwizard.model import Change, Context, Probe, Question, Record, SecretRef, Step
from mailwizard.probes.sampling import sampled
from mailwizard.render import render
from mailwizard.steps import aliases, certificates, dovecot

# RFC 8314 3.3: TLS from the first byte is preferred
NAMES = {"465": "submissions", "587": "submission"}


def options(context: Context, port: str) -> dict[str, str]:
    """How smtpd differs on a submission port: a password is the only way in."""
    tls = {
        "465": {"smtpd_tls_wrappermode": "yes"},
        "587": {"smtpd_tls_security_level": "encrypt"},
    }
    match = "reject_sender_login_mismatch" if context["sender_login_match"] else ""
    # the way to the filter encodes 8-bit text before it is signed, and carries no SMTPUTF8
    filtered = context.answers.get("amavis", {}).get("enabled")
    ascii_alone = {
        "smtpd_discard_ehlo_keywords": "etrn,silent-discard,smtputf8",
        "strict_smtputf8": "yes",
    }
    return {
        "syslog_name": f"postfix/{NAMES[port]}",
        **tls[port],
        **(ascii_alone if filtered else {}),
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_client_restrictions": "permit_sasl_authenticated,reject",
        "smtpd_helo_restrictions": "",
        "smtpd_sender_restrictions": match,
        "smtpd_relay_restrictions": "permit_sasl_authenticated,reject",
        "smtpd_recipient_restrictions": "",
        "smtpd_data_restrictions": "",
        "smtpd_reject_unlisted_recipient": "no",
        "milter_macro_daemon_name": "ORIGINATING",
        "cleanup_service_name": "subcleanup",
    }


def services(context: Context) -> dict[str, str]:
    """The master.cf entries: service/type -> line."""
    folder = context.platform.path("postfix")
    checks = {
        "syslog_name": "postfix/subcleanup",
        "header_checks": f"regexp:{folder}/submission_header_checks",
        # else they are the same, and a message that somebody forwards as a file loses its headers
        "mime_header_checks": "",
        "nested_header_checks": "",
    }
    found = {"subcleanup/unix": line("subcleanup unix n - y - 0 cleanup", checks)}
    for port in context["ports"]:
        entry = f"{NAMES[port]} inet n - y - - smtpd"
        found[f"{NAMES[port]}/inet"] = line(entry, options(context, port))
    return found


def no_more(context: Context) -> dict[str, str]:
    """Our own services for ports that are chosen no more; others' stay."""
    left = {NAMES[port] for port in NAMES if port not in context["ports"]}
    entries = [row.split() for row in postconf(context.look, "-M").out.splitlines()]
    ours = (words for words in entries if "cleanup_service_name=subcleanup" in words)
    return {f"{words[0]}/inet": "" for words in ours if words[0] in left}


def line(entry: str, opts: dict[str, str]) -> str:
    """A master.cf entry with its options (master(5))."""
    return " ".join([entry, *(f"-o {name}={value}" for name, value in opts.items())])


def parameters(context: Context) -> dict[str, str]:
    """What both ports share."""
    folder, maps = context.platform.path("postfix"), context.platform.map_type
    table, domains = f"{maps}:{folder}/sender_login", f"regexp:{folder}/sender_login.regexp"
    return {
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": "private/auth",
        "smtpd_sasl_security_options": "noanonymous",
        # a name is somebody's in every domain of ours: one line, however many domains there are
        "smtpd_sender_login_maps": f"{table}, pipemap:{{{domains}, {table}}}, {domains}",
        "local_header_rewrite_clients": "permit_inet_interfaces, permit_sasl_authenticated",
        "always_add_missing_headers": "yes",
    }


def owners(context: Context) -> dict[str, list[str]]:
    """Which logins may use a name in our domains, or an address, that is not their own name."""
    elsewhere = Context("aliases", context.answers, context.look)
    table = aliases.graph(elsewhere)
    found: dict[str, list[str]] = {}
    for name in table:
        ends = sorted(end for end in aliases.people(name, table) if "@" not in end)
        if ends:
            found[name] = ends
    for login, address in context.of("aliases")["senders"].items():
        name, _, domain = address.partition("@")
        own = found.get(name, []) if domain in context.of("postfix")["domains"] else []
        found[address] = sorted({login, *own})
    return found


def senders(context: Context) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Whose each address in the first domain is, and what else people write under."""
    domain = context.of("postfix")["domains"][0]
    people = dovecot.people(Context("dovecot", context.answers, context.look))
    own = {f"{login}@{domain}": (login,) for login in people}
    named = {
        name if "@" in name else f"{name}@{domain}": tuple(ends)
        for name, ends in owners(context).items()
    }
    # an alias that has somebody's name takes his address from him
    return tuple((own | named).items())


def plan(context: Context) -> Iterator[Change]:
    """Tables, parameters and services, then one reload (new listeners need no restart)."""
    folder = context.platform.path("postfix")
    domains = spellings([*context.of("postfix")["domains"], context.of("hostname")["fqdn"]])
    yield FileContent(
        f"{folder}/submission_header_checks",
        render("postfix/submission_header_checks.j2", fqdn=context.of("hostname")["fqdn"]),
    )
    table = {form: ends for each, ends in owners(context).items() for form in spellings([each])}
    yield FileContent(f"{folder}/sender_login", render("postfix/sender_login.j2", owners=table))
    yield LookupMap(f"{folder}/sender_login")
    yield FileContent(
        f"{folder}/sender_login.regexp", render("postfix/sender_login.regexp.j2", domains=domains)
    )
    yield PostfixParameters(parameters(context))
    yield MasterCfParameters(services(context))
    if gone := no_more(context):
        yield MasterCfParameters(gone)
    ready = (587,) if "587" in context["ports"] else ()
    yield Service("postfix", worker="postfix-worker", validate=PARSES, ready=ready)


def probe(context: Context) -> Iterator[Probe]:
    """Asked as a mail program would, with a password where one is known here."""
    chain, _ = certificates.material(Context("certificates", context.answers, context.look))
    names = tuple(context.of("certificates")["names"])
    accounts, trust = logins(context), authority(context)
    for port in context["ports"]:
        number, protocol = int(port), "" if port == "465" else "smtp"
        yield from certificates.port_probes(number, protocol, names, chain, trust)
    for domain in context.of("postfix")["domains"]:
        yield probes.ServicesFound(domain)
    yield from conversation(context, accounts, names[0], trust)


def logins(context: Context) -> tuple[tuple[str, SecretRef], ...]:
    """Accounts whose password is known, to log in as a mail program would."""
    return tuple((user["login"], user["password"]) for user in context.of("dovecot")["users"])


def authority(context: Context) -> str:
    """Who vouches for this server where the system's authorities do not; else empty."""
    private = context.of("certificates")["source"] == "private-ca"
    return f"{context.platform.path('tls')}/ca.pem" if private else ""


def conversation(
    context: Context, accounts: tuple[tuple[str, SecretRef], ...], name: str, trust: str
) -> Iterator[Probe]:
    """Who may send, and as whom."""
    domain = context.of("postfix")["domains"][0]
    ports = tuple(int(port) for port in context["ports"])
    yield probes.SubmissionPorts(ports)
    if 587 in ports:
        yield probes.StartTlsFirst()
        yield probes.NoAuthInClear()
    yield probes.SameAnswerForUnknownUser(name, trust, ports=ports)
    yield probes.Mechanisms(name, trust, ports=ports)
    yield probes.NoRelayWithoutLogin(name, trust, ports=ports)
    for asked in (
        probes.SubmissionLogin,
        probes.AnyHelo,
        probes.HeadersAdded,
        probes.ClientHidden,
    ):
        yield asked(accounts, domain, name, trust, ports=ports)
    if context["sender_login_match"]:
        others = senders(context)
        yield probes.OnlyOwnSender(accounts, domain, name, trust, others=others, ports=ports)
        mine = aliased(context, [login for login, _ in accounts])
        yield probes.AliasAsSender(accounts, domain, name, trust, addresses=mine, ports=ports)


def aliased(context: Context, logins: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Some addresses beside their own under which these logins may write, in every domain."""
    domains = context.of("postfix")["domains"]
    owned = {name: ends[0] for name, ends in owners(context).items() if ends[0] in logins}
    addresses: dict[str, str] = {}
    for number, (name, login) in enumerate(owned.items()):
        domain = domains[number % len(domains)]
        addresses[name if "@" in name else f"{name}@{domain}"] = login
    chosen = sampled({one: (one in owned, login) for one, login in addresses.items()})
    return tuple((addresses[one], one) for one in chosen)


def records(context: Context) -> Iterator[Record]:
    """Mail programs find the port by themselves (RFC 6186, RFC 8314 5.1): the preferred one."""
    name = context.of("certificates")["names"][0]
    port = "465" if "465" in context["ports"] else "587"
    why = "Mail programs find out by themselves where to send mail."
    for domain in context.of("postfix")["domains"]:
        owner = f"_{NAMES[port]}._tcp.{domain}"
        yield Record(owner, "SRV", f"0 1 {port} {name}.", why, required=False)


STEP = Step(
    id="submission",
    title="Sending mail",
    explain=(
        "Mail programs hand their mail to this host on port 465 or 587, encrypted, with the same "
        "login and password as for reading. Each login may use its own addresses and aliases only. "
        "What a sender's own network looks like is taken out of the mail before it leaves."
    ),
    questions=(
        Question(
            name="ports",
            label="Ports for mail programs",
            kind=Listing(Choice(("465", "587")), least=1),
            default=lambda _context: ["465", "587"],
            help="465 is encrypted at once and preferred; 587 is what older guides say.",
        ),
        Question(
            name="sender_login_match",
            label="Each login sends only as itself",
            kind=Bool(),
            default=lambda _context: True,
            help="Otherwise anybody with a password could write in everybody's name.",
        ),
    ),
    plan=plan,
    probes=probe,
    records=records,
    needs=("certificates",),
)
