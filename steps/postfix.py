"""Postfix answers as this host, for these domains, and relays for nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mailwizard import maincf, probes
from mailwizard.changes import (
    DebconfSettings,
    FileContent,
    LookupMap,
    MasterCfParameters,
    PostfixParameters,
    Service,
)
from mailwizard.fields import Domain, Listing, Network, Size, spellings
from mailwizard.model import Change, Context, Probe, Question, Record, Step
from mailwizard.platform import facts
from mailwizard.probes.addresses import of_routers, on_interfaces, source, version
from mailwizard.probes.networks import is_private
from mailwizard.render import render
from mailwizard.steps import hostname

# our own programs and filters bring mail from there
LOOPBACK = ("127.0.0.0/8", "::1/128")
MESSAGE_SIZE = 50 * 2**20
# whoever reaches a filter's port or the way back from it passes every check
FILTERS = (8891, 8893, 10023, 10024, 10025, 10026, 10027)
# the relay decision comes first: nothing is looked up on behalf of a stranger
# (SMTPD_ACCESS_README, "Dangerous use of smtpd_recipient_restrictions")
RELAY = "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination"
# the clients that bring mail to the world; a filter's has an entry of its own (step amavis)
CLIENTS = ("smtp/unix", "relay/unix")
# what a mail server stands on
PACKAGES = ("postfix", "dovecot", "amavis", "clamav", "spf", "opendkim", "opendmarc", "acme")
BIND = {4: "smtp_bind_address", 6: "smtp_bind_address6"}


def identity(context: Context) -> dict[str, str]:
    """Who this server is and which mail is its own."""
    fqdn, domains = context.of("hostname")["fqdn"], context["domains"]
    own = ["$myhostname", "localhost.$mydomain", "localhost", *spellings(domains)]
    return {
        "compatibility_level": "3.6",
        "myhostname": fqdn,
        "mydomain": domains[0],
        "myorigin": "$mydomain",
        "mydestination": ", ".join(own),
        "mynetworks": " ".join(bracketed(network) for network in context["networks"]),
        "inet_interfaces": "all",
        # where the kernel has no IPv6 every Postfix program complains of "all"
        "inet_protocols": "all" if facts.has_ipv6(context.look) else "ipv4",
        "smtpd_banner": "$myhostname ESMTP",
    }


def bracketed(network: str) -> str:
    """IPv6 networks stand in brackets (postconf(5), mynetworks)."""
    address, _, length = network.partition("/")
    return f"[{address}]/{length}" if ":" in address else network


def delivery(context: Context) -> dict[str, str]:
    """Where mail ends up, whose it may be, and how large."""
    return {
        # asked at each message: whoever is made later gets mail, what a package makes does not.
        # By proxymap(8), which has no root of its own: Debian would keep a copy for others.
        "local_recipient_maps": "$alias_maps, "
        f"pipemap:{{proxy:unix:passwd.byname,regexp:{people(context)}}}",
        "home_mailbox": "Maildir/",
        "mailbox_size_limit": "0",
        "message_size_limit": str(context["message_size"]),
        "recipient_delimiter": "+",
        "append_dot_mydomain": "no",
        "biff": "no",
    }


def people(context: Context) -> str:
    """The table that tells a person's account from one of the system's own."""
    return context.platform.path("postfix") + "/people.regexp"


def restrictions() -> dict[str, str]:
    """What a stranger may not do."""
    return {
        "smtpd_helo_required": "yes",
        "disable_vrfy_command": "yes",
        "smtpd_discard_ehlo_keywords": "etrn, silent-discard",
        "smtpd_relay_restrictions": RELAY,
        "smtpd_data_restrictions": "reject_unauth_pipelining",
        # default only from 3.9 (RELEASE_NOTES-3.9, SMTP smuggling)
        "smtpd_forbid_bare_newline": "normalize",
        "smtpd_forbid_unauth_pipelining": "yes",
    }


def parameters(context: Context) -> dict[str, str]:
    """Every main.cf parameter of this step."""
    return identity(context) | delivery(context) | restrictions() | routers(context)


def routers(context: Context) -> dict[str, str]:
    """Answered addresses that a router has: Postfix must know that they lead back to it.

    What is there in another form than ours (a list) is somebody's own, and only added to.
    """
    look = context.look
    # an address of a family that the kernel does not know ends every Postfix program
    told = [one for one in hostname.addresses(context) if ":" not in one or facts.has_ipv6(look)]
    wanted = [f"[{one}]" if ":" in one else one for one in of_routers(look, told)]
    main = look.read(context.platform.path("main.cf")).decode("utf-8", "surrogateescape")
    there = maincf.parse(main).get("proxy_interfaces", "").replace(",", " ").split()
    if sum(":" in one for one in there) > 1 or sum(":" not in one for one in there) > 1:
        missing = [one for one in wanted if one not in there]
        return {"proxy_interfaces": " ".join([*there, *missing])} if missing else {}
    return {"proxy_interfaces": " ".join(wanted)} if wanted or there else {}


def leaving(context: Context) -> dict[str, str]:
    """Options of a client of SMTP so that mail leaves from the addresses that the world is told.

    In main.cf they would bind the way to a filter on this host as well.
    """
    told, look = hostname.addresses(context), context.look
    routes = {family: source(look, family, told) for family in BIND}
    answered = {version(one): one for one in told}
    found = {}
    # one family answered: over the other mail would leave from an address nobody is told of
    if len(answered) == 1 and all(routes.values()):
        found["inet_protocols"] = f"ipv{next(iter(answered))}"
    here = on_interfaces(look)
    for family, address in answered.items():
        if routes[family] and routes[family] != address and address in here:
            found[BIND[family]] = address
    return found


def services(context: Context) -> dict[str, str]:
    """Options in master.cf; `ipv4` stays once it is there: it may be anybody's."""
    wanted = leaving(context)
    entries = maincf.master_values(context.look, CLIENTS)
    found = {"smtp/inet/smtpd_sasl_auth_enable": "no"}
    for client in [each for each in CLIENTS if each in entries or not entries]:
        options = {**_outdated(context, client), **wanted}
        found |= {f"{client}/{name}": value for name, value in options.items()}
    return found


def _outdated(context: Context, client: str) -> dict[str, str]:
    """What no longer holds a client back: a public address, or IPv6 alone, of other answers."""
    names = {f"{client}/{option}": option for option in ("inet_protocols", *BIND.values())}
    there = maincf.master_values(context.look, list(names))
    told = hostname.addresses(context)
    found = {}
    if there.pop(f"{client}/inet_protocols", "") == "ipv6" and 4 in map(version, told):
        found["inet_protocols"] = "all"
    for name, address in there.items():
        if address and address not in told and not is_private(address):
            found[names[name]] = ""
    return found


def plan(context: Context) -> Iterator[Change]:
    """All parameters in one write, proved before a daemon sees them, then one restart."""
    answers = {
        "postfix/main_mailer_type": ("select", "No configuration"),
        "postfix/mailname": ("string", context["domains"][0]),
    }
    yield DebconfSettings("postfix", answers)
    if mailname := context.platform.path("mailname"):
        yield FileContent(mailname, context["domains"][0] + "\n")
    yield FileContent(people(context), render("postfix/people.regexp.j2"))
    yield PostfixParameters(parameters(context))
    # not every package compiles it, and without it all local mail is put off
    yield LookupMap(context.platform.path("aliases"), "postalias")
    yield MasterCfParameters(services(context))
    # a reload does not bind other interfaces (postconf(5), inet_interfaces)
    check = ("postfix", "check")
    yield Service(
        "postfix",
        "restart",
        worker="postfix-worker",
        validate=(check,),
        ready=(25,),
        copied=("/etc/hosts",),
    )


def probe(context: Context) -> Iterator[Probe]:
    """What Postfix says of itself, then what a stranger gets to hear."""
    yield from configuration(context)
    for domain in context["domains"]:
        yield probes.Advisory(probes.MailExchangers(domain, context.of("hostname")["fqdn"]))
        yield probes.Advisory(probes.ZoneServers(domain))
        yield probes.Advisory(probes.SignaturesHold(domain))
        yield probes.Advisory(probes.KeysVouchedFor(domain))
    yield probes.Advisory(probes.DomainsNotListed(tuple(context["domains"])))
    yield from conversation(context)


def configuration(context: Context) -> Iterator[Probe]:
    """Asked on the host."""
    yield probes.PostfixParses()
    yield probes.PostfixReadBack(parameters(context))
    yield probes.NothingDeprecated()
    yield probes.CompatibleLevel()
    yield probes.MapsUsable()
    yield probes.SmugglingSettings()
    yield probes.TrustedNetworks()
    yield probes.RelayRestrictions()
    unit, pid_file = context.platform.unit, context.platform.path("postfix-worker")
    yield probes.UnitRuns(unit("postfix-worker"), starter=unit("postfix"), pid_file=pid_file)
    yield probes.Listeners((25,), FILTERS, {25: ("master",)})
    yield probes.OutgoingIdentity(context.of("hostname")["fqdn"], hostname.addresses(context))
    yield probes.QueueLeft()
    # not before: the packages of all steps come first, and what is half done is finished with them
    yield probes.PackagesReady(PACKAGES)
    yield probes.NothingElsewhere(claimed(context))
    yield probes.TextFiles()


def claimed(context: Context) -> frozenset[str]:
    """Parameters that lead mail where the answers of other steps say."""
    found: set[str] = set()
    if context.answers.get("protection", {}).get("header_checks"):
        found |= {"header_checks"}
    if context.answers.get("relay", {}).get("enabled"):
        found |= {"relayhost", "sender_dependent_relayhost_maps"}
        found |= {"sender_dependent_default_transport_maps"}
    if context.answers.get("amavis", {}).get("enabled"):
        found |= {"content_filter", "receive_override_options"}
    if "lmtp" in context.answers.get("dovecot", {}).get("protocols", ()):
        found |= {"mailbox_transport"}
    return frozenset(found)


def conversation(context: Context) -> Iterator[Probe]:
    """Asked from an address outside mynetworks."""
    fqdn, domain = context.of("hostname")["fqdn"], context["domains"][0]
    # who reads root's mail is asked later, and is not always known by now
    login = context.of("aliases").get("root") or ""
    recipient = f"{login or 'postmaster'}@{domain}"
    yield probes.SmtpGreeting(fqdn)
    yield probes.SmtpEhlo(fqdn)
    yield probes.RequiresHelo()
    yield probes.RefusesRelay(tuple(context["domains"]), login or "postmaster")
    yield probes.UnknownRecipient(domain)
    yield probes.OnlyPeople(domain)
    yield probes.NullSender(recipient)
    yield probes.TaggedRecipient(recipient)
    yield probes.MessageSize(context["message_size"], recipient)
    yield probes.VrfySilent(login or "root", domain)
    yield probes.RefusesSmuggling(recipient, login)
    yield probes.EarlyTalker()
    yield probes.NoDangerousVerbs()
    if login:
        yield probes.DeliversMail(recipient, login)


def records(context: Context) -> Iterator[Record]:
    """The world brings mail for each domain to this host (RFC 5321 5.1: a name, not an address)."""
    fqdn = context.of("hostname")["fqdn"]
    for domain in context["domains"]:
        yield Record(domain, "MX", f"10 {fqdn}.", f"Mail for {domain} is brought to this host.")


def default_domains(context: Context) -> list[str]:
    """The domain of the host name; the name itself when what is left seems to be no one's own."""
    fqdn: str = context.of("hostname")["fqdn"]
    domain = fqdn.split(".", 1)[1]
    return [fqdn if facts.is_nobodys(domain) else domain]


def _default(value: Any) -> Any:
    return lambda _context: value


STEP = Step(
    id="postfix",
    title="Postfix basics",
    explain=(
        "Postfix receives mail for your domains on port 25 and puts it into each user's Maildir. "
        "It relays for this host alone: everybody else is refused before anything is looked up "
        "for them. The checks that follow try it from an address that Postfix does not trust, "
        "over IPv4 and IPv6."
    ),
    questions=(
        Question(
            name="domains",
            label="Mail domains",
            kind=Listing(Domain(), least=1),
            default=default_domains,
            help="What stands behind the @ in your addresses. Bare names get the first one.",
        ),
        Question(
            name="networks",
            label="Networks that may relay",
            kind=Listing(Network(), always=LOOPBACK),
            default=_default([*LOOPBACK]),
            help=(
                "Hosts here may send to anybody without a password. This host itself always may, "
                "and alone is right."
            ),
        ),
        Question(
            name="message_size",
            label="Largest message",
            kind=Size(least=2**20),
            default=_default(MESSAGE_SIZE),
            help="With all attachments, encoded: about a third more than the files themselves.",
        ),
    ),
    plan=plan,
    probes=probe,
    packages=lambda _context: ("postfix",),
    records=records,
    needs=("hostname",),
)
