"""Mail that nobody wants is refused at the door, for reasons that the sender is told."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailwizard import probes
from mailwizard.changes import (
    FileContent,
    KeyedEntries,
    MasterCfParameters,
    PostfixParameters,
    Service,
    Stopped,
)
from mailwizard.fields import Bool, Listing
from mailwizard.fields.protection import ZEN, BlocklistField, HeaderChecks, blocklist, watched
from mailwizard.model import Change, Context, Probe, Question, Step
from mailwizard.probes.addresses import literal
from mailwizard.render import render
from mailwizard.steps import hostname, postfix, resolver

POLICY_PORT = 10023
GREYLIST_DELAY = 300
# mail goes on where the policy server does not: it only ever asks strangers to come back
POLICY = f"check_policy_service {{ inet:127.0.0.1:{POLICY_PORT}, default_action=DUNNO }}"


def folder(context: Context) -> str:
    """Where Postfix's tables are."""
    return context.platform.path("postfix")


def stage(context: Context, *restrictions: str) -> str:
    """One list: our own people first, relaying refused, then what is new; or only logged."""
    prefix = "warn_if_reject " if context["watch_first"] else ""
    return ", ".join([postfix.RELAY, *(prefix + each for each in restrictions)])


def helo(context: Context) -> str:
    """How a client greets."""
    if not context["helo_checks"]:
        return ""
    return stage(
        context,
        "reject_invalid_helo_hostname",
        "reject_non_fqdn_helo_hostname",
        f"check_helo_access regexp:{folder(context)}/helo_access",
    )


def recipient(context: Context) -> str:
    """Who may be written to, by whom; what costs least comes first, greylisting last."""
    last = [POLICY] if context["greylist"] else []
    lists = [blocklist(entry).restriction for entry in context["blocklists"]]
    # unknown users are refused in any case: else their mail would be bounced to innocents
    head = stage(context, "reject_non_fqdn_recipient") + ", reject_unlisted_recipient"
    return head + stage(context, *lists, *last).removeprefix(postfix.RELAY)


def parameters(context: Context) -> dict[str, str]:
    """Every main.cf parameter of this step."""
    found = {
        "smtpd_delay_reject": "yes",
        "smtpd_helo_required": "yes",
        "smtpd_helo_restrictions": helo(context),
        "smtpd_sender_restrictions": stage(
            context, "reject_non_fqdn_sender", "reject_unknown_sender_domain"
        ),
        "smtpd_recipient_restrictions": recipient(context),
        "smtpd_data_restrictions": "reject_unauth_pipelining",
        # Dovecot's LMTP does not know SMTPUTF8: such mail would be taken and then bounced
        "smtputf8_enable": "no" if "lmtp" in context.of("dovecot")["protocols"] else "yes",
    }
    if _header_file(context):
        found["header_checks"] = f"regexp:{folder(context)}/inbound_header_checks"
    return found


def _header_file(context: Context) -> bool:
    """Whether there are header checks of ours, or were: others' are left alone."""
    there = context.look.state(f"{folder(context)}/inbound_header_checks").kind != "absent"
    return bool(context["header_checks"]) or there


def own_names(context: Context) -> list[str]:
    """Patterns for what only this host may call itself (RFC 5321 4.1.3)."""
    fqdn = context.of("hostname")["fqdn"]
    names = [fqdn, *context.of("postfix")["domains"], "localhost.localdomain"]
    literals = map(literal, hostname.all_addresses(context))
    return [re.sub(r"([.\[\]])", r"\\\1", each) for each in dict.fromkeys([*names, *literals])]


def header_lines(context: Context) -> list[str]:
    """The header checks; while only watching, as warnings."""
    lines: list[str] = context["header_checks"] or []
    return [watched(line) for line in lines] if context["watch_first"] else lines


def plan(context: Context) -> Iterator[Change]:
    """Tables first, then the lists that name them, then the daemons."""
    if context["resolver"]:
        proofs = (own_resolver(context),)
        yield Service("resolver", "restart", listens=(53,), proofs=proofs, follow="")
        yield from resolver.plan(context)
    if context["helo_checks"]:
        text = render("postfix/helo_access.j2", names=own_names(context))
        yield FileContent(f"{folder(context)}/helo_access", text)
    if _header_file(context):
        text = render("postfix/inbound_header_checks.j2", lines=header_lines(context))
        yield FileContent(f"{folder(context)}/inbound_header_checks", text)
    if context["greylist"]:
        yield from _greylisting(context)
    yield PostfixParameters(parameters(context))
    yield from _soft_bounce(context)
    if context["greylist"]:
        yield Service("greylist", "restart", listens=(POLICY_PORT,))
    # what runs in a root of its own reads /etc/resolv.conf anew at a start only
    yield Service(
        "postfix",
        "restart" if context["resolver"] else "reload",
        worker="postfix-worker",
        validate=(("postfix", "check"),),
        guards=guards(context),
        ready=(25,),
    )
    ours = context.look.state(f"{folder(context)}/greylist_clients").kind != "absent"
    if ours and not context["greylist"]:
        yield Stopped("greylist")


def guards(context: Context) -> tuple[Probe, ...]:
    """What must hold before Postfix asks a resolver and lists that it did not ask before."""
    if not context["resolver"]:
        return ()
    lists = tuple(context["blocklists"])
    return own_resolver(context), *((probes.BlocklistsAnswer(lists),) if lists else ())


def own_resolver(context: Context) -> Probe:
    """Whether the resolver on this host finds names."""
    domain = context.of("postfix")["domains"][0]
    return probes.OwnResolverAnswers(domain, nameservers=(resolver.LOOPBACK,))


def _soft_bounce(context: Context) -> Iterator[Change]:
    """While only watching nobody is refused for good; on port 25 alone, not for our own people."""
    service = "smtp/inet/soft_bounce"
    if context["watch_first"]:
        yield MasterCfParameters({service: "yes"})
    elif b"soft_bounce" in context.look.read(context.platform.path("master.cf")):
        yield MasterCfParameters({service: "no"})


def _greylisting(context: Context) -> Iterator[Change]:
    """The policy server on loopback; the strangers of our own checks are not put off."""
    ours = f"{folder(context)}/greylist_clients"
    shipped = context.platform.path("greylist-clients")
    options = [f"--inet=127.0.0.1:{POLICY_PORT}", f"--delay={GREYLIST_DELAY}"]
    options += [f"--whitelist-clients={path}" for path in (shipped, f"{shipped}.local", ours)]
    text = render("postfix/greylist_clients.j2", networks=probes.STRANGERS)
    yield FileContent(ours, text)
    line = f'POSTGREY_OPTS="{" ".join(options)}"'
    yield KeyedEntries(context.platform.path("greylist"), "=", {"postgrey_opts": line})


def probe(context: Context) -> Iterator[Probe]:
    """Unusual mail that must get through, and mail that must not."""
    lists, domain = tuple(context["blocklists"]), context.of("postfix")["domains"][0]
    login = context.of("aliases")["root"]
    address = f"{login}@{domain}"
    yield probes.PostfixReadBack(parameters(context), step="protection")
    if context["resolver"]:
        yield own_resolver(context)
    yield probes.ResolverTrusted()
    yield probes.BlocklistsAnswer(lists)
    yield probes.RefusesListed(lists, address)
    for kind in (probes.LongLines, probes.EightBitWhole, probes.Utf8Sender, probes.TraceKept):
        yield kind(address, login)
    yield probes.ServesMany()
    if context["helo_checks"] and not context["watch_first"]:
        fqdn = context.of("hostname")["fqdn"]
        yield probes.OnlyWeAreWe(fqdn, address, hostname.all_addresses(context))
    if context["greylist"]:
        yield probes.Greylisted(address, GREYLIST_DELAY)
    if context["watch_first"]:
        yield probes.WouldReject()


def review(context: Context) -> Iterator[tuple[str, str]]:
    """Postfix itself reads the patterns, before they are anywhere near its configuration."""
    if said := resolver.complaint(context):
        yield "resolver", said
    lines = context["header_checks"] or []
    complaints = _complaints(context, lines) if lines else []
    for number, line in enumerate(lines, 1):
        for row in complaints:
            if f"line {number}:" in row:
                yield "header_checks", f"'{line}': {row.split(f'line {number}:', 1)[1].strip()}"


def _complaints(context: Context, lines: list[str]) -> list[str]:
    """What regexp_table(5) has against these lines; nothing where Postfix is not there yet."""
    with context.look.draft({"header_checks": "\n".join([*lines, ""]).encode()}) as place:
        table = f"regexp:{place}/header_checks"
        return context.look.ask(["postmap", "-q", "mailwizard", table]).err.splitlines()


def default_blocklists(context: Context) -> list[str]:
    """The usual one, where its answers come through; one that is in use stays in use."""
    entry = str(blocklist(ZEN))
    if context["resolver"]:
        # asked once that resolver runs, and before Postfix is told
        return [entry]
    settings = context.look.read(context.platform.path("main.cf")).decode("utf-8", "replace")
    in_use = f"reject_rbl_client {entry}" in settings
    return [entry] if in_use or not probes.why_not(context.look, entry) else []


STEP = Step(
    id="protection",
    title="Protection against spam",
    explain=(
        "Strangers who do not follow the rules of mail, whose sender cannot exist, or who are on a "
        "blocklist are refused while they are still connected: nothing is bounced to innocents, "
        "and a person who is refused by mistake is told why. Your own users are never asked. With "
        "'only watch' nothing is refused at first, and the checks list what would have been."
    ),
    questions=(
        Question(
            name="resolver",
            label="A resolver of this host's own (unbound)",
            kind=Bool(),
            default=resolver.in_use,
            help="Blocklists refuse the resolvers of large providers, as the check DNS-19 says. "
            "One of your own also proves answers (DNSSEC). It needs port 53 to the world.",
        ),
        Question(
            name="blocklists",
            label="Blocklists",
            kind=Listing(BlocklistField()),
            default=default_blocklists,
            help="None where the list refuses this host's resolver: the check DNS-19 says why.",
            optional=True,
        ),
        Question(
            name="greylist",
            label="Ask strangers to come back (greylisting)",
            kind=Bool(),
            default=lambda _context: False,
            help="Keeps much spam away, and delays the first mail of every new sender by minutes, "
            "such as codes for logging in somewhere.",
        ),
        Question(
            name="header_checks",
            label="Unwanted headers",
            kind=HeaderChecks(),
            default=lambda _context: [],
            help="/pattern/ and what is done: REJECT, DISCARD, HOLD or WARN, with a text.",
            optional=True,
        ),
        Question(
            name="helo_checks",
            label="Check how strangers greet",
            kind=Bool(),
            default=lambda _context: True,
            help="They need a full name, and not that of this host.",
        ),
        Question(
            name="watch_first",
            label="Only watch at first",
            kind=Bool(),
            default=lambda _context: False,
            help="New rules are logged and not followed; refusals are for the time being only.",
        ),
    ),
    plan=plan,
    probes=probe,
    packages=lambda context: (
        "postfix",
        *(("greylist",) if context["greylist"] else ()),
        *(("resolver",) if context["resolver"] else ()),
    ),
    needs=("postfix", "submission"),
    review=review,
)
