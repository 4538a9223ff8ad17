"""Mail of these domains proves where it comes from, and that of others is asked to."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from mailwizard import probes
from mailwizard.changes import (
    PARSES,
    FileContent,
    MasterCfParameters,
    PostfixParameters,
    Service,
    SigningKey,
)
from mailwizard.fields import Choice, EmailAddress, spellings
from mailwizard.fields.authentication import Selector
from mailwizard.fields.relays import split
from mailwizard.model import Change, Context, Probe, Question, Record, Step
from mailwizard.platform.memory import memory
from mailwizard.probes.sampling import sampled
from mailwizard.render import render
from mailwizard.steps import amavis, hostname, postfix, selectors, submission

VERIFIER, DMARC = 8891, 8893
OPENDKIM = f"inet:127.0.0.1:{VERIFIER}"
SPF_SERVICE = "policyd-spf"
# below so many GiB, far from what hosts are sold with, so many
SERVERS = ((0.75, 16), (1.5, 32), (3, 64))
POLICIES = ("none", "quarantine", "reject")


def keys(context: Context) -> list[tuple[str, str, str]]:
    """Each domain, the selector, and where its key is."""
    return selectors.keys(context, context["selector"])


def milters(context: Context) -> str:
    """Who looks at mail from the world: the verifier, and behind it DMARC once it is set up."""
    there = f":{DMARC}".encode() in context.look.read(context.platform.path("master.cf"))
    # nothing is known of the step after this one while only this one is looked at
    dmarc = there and context.answers.get("opendmarc", {}).get("enabled", True)
    ports = (VERIFIER, DMARC) if dmarc else (VERIFIER,)
    return ",".join(f"inet:127.0.0.1:{port}" for port in ports)


def services(context: Context) -> dict[str, str]:
    """The SPF policy service, and the verifier on port 25."""
    program, user = context.platform.path("policyd-spf"), context.platform.user("policyd-spf")
    spawned = f"{SPF_SERVICE} unix - n n - {servers(context)} spawn user={user} argv={program}"
    found = {f"{SPF_SERVICE}/unix": spawned, "smtp/inet/smtpd_milters": milters(context)}
    if context["signer"] == "opendkim" and filtered(context):
        # behind the filter: what that writes into a message would break the signature
        options = amavis.RETURN["receive_override_options"].removesuffix(",no_milters")
        found[f"127.0.0.1:{amavis.SIGNED}/inet"] = amavis.way_back(
            amavis.SIGNED, smtpd_milters=OPENDKIM, receive_override_options=options
        )
    return found


def servers(context: Context) -> int:
    """How many policy servers there may be: each smtpd that is asked by a stranger wants one.

    On a small host they would take the memory of all others; on the rest 100 are no limit
    (postconf(5), default_process_limit).
    """
    gib = memory(context.look).total / 2**30
    return next((number for least, number in SERVERS if 0 < gib < least), 100)


def filtered(context: Context) -> bool:
    """Whether mail goes through amavis."""
    return bool(context.of("amavis").get("enabled"))


def parameters(context: Context) -> dict[str, str]:
    """SPF is asked about strangers only, and only for mail that is not refused anyway."""
    signer = OPENDKIM if context["signer"] == "opendkim" and not filtered(context) else ""
    return {
        "smtpd_client_restrictions": f"{postfix.RELAY}, "
        f"check_policy_service unix:private/{SPF_SERVICE}",
        f"{SPF_SERVICE}_time_limit": "3600",
        # whoever has nobody to ask for keeps no policy server from others, and no memory
        "smtpd_policy_service_max_idle": "5s",
        # what cannot be verified or signed now comes back, or waits: it is not let through so
        "milter_default_action": "tempfail",
        "smtpd_milters": signer,
        "non_smtpd_milters": signer,
        # what is signed at the door leaves unchanged; the filter signs what nobody has to change
        "disable_mime_output_conversion": "yes" if signer else "no",
        "smtp_line_length_limit": "0" if signer else "998",
    }


def resolvers(context: Context) -> list[str]:
    """The name servers of this host (resolv.conf(5))."""
    text = context.look.read("/etc/resolv.conf").decode("utf-8", "replace")
    return re.findall(r"^nameserver[ \t]+([0-9A-Fa-f.:]+(?:%[\w.-]+)?)", text, re.MULTILINE)


def plan(context: Context) -> Iterator[Change]:
    """Keys, who signs with them, who verifies; Postfix asks them once they answer."""
    for _, _, path in keys(context):
        yield SigningKey(path, context["signer"])
    if filtered(context):
        mine = keys(context) if context["signer"] == "amavis" else []
        text = render("amavis/signing.j2", keys=mine, signed=amavis.SIGNED)
        yield FileContent(context.platform.path("amavis-signing"), text)
    if path := context.platform.path("policyd-spf.conf"):
        networks, fqdn = context.of("postfix")["networks"], context.of("hostname")["fqdn"]
        text = render("policyd-spf/policyd-spf.conf.j2", networks=networks, fqdn=fqdn)
        yield FileContent(path, text)
    yield from _verifier(context)
    yield MasterCfParameters(services(context))
    yield PostfixParameters(parameters(context))
    if filtered(context):
        ready = (amavis.INBOUND, amavis.ORIGINATING)
        yield Service("amavis", "restart", ready=ready, flush=True)
    readable = ("opendkim", "-n", "-x", context.platform.path("opendkim.conf"))
    yield Service("opendkim", "restart", validate=(readable,), listens=(VERIFIER,))
    yield Service("postfix", worker="postfix-worker", validate=PARSES, ready=(25,))


def _verifier(context: Context) -> Iterator[Change]:
    """OpenDKIM, which also signs where amavis does not."""
    signing = context["signer"] == "opendkim"
    folder = context.platform.path("dkim-keys")
    if signing:
        networks = context.of("postfix")["networks"]
        own = keys(context)
        signed = [(form, domain) for domain, _, _ in own for form in spellings([domain])]
        for name in ("KeyTable", "SigningTable", "InternalHosts"):
            text = render(f"opendkim/{name}.j2", keys=own, signed=signed, networks=networks)
            yield FileContent(f"{folder}/{name}", text)
    text = render(
        "opendkim/opendkim.conf.j2",
        user=context.platform.user("opendkim"),
        port=VERIFIER,
        fqdn=context.of("hostname")["fqdn"],
        nameservers=resolvers(context),
        signing=signing,
        tables=folder,
    )
    yield FileContent(context.platform.path("opendkim.conf"), text)


def probe(context: Context) -> Iterator[Probe]:
    """What leaves is signed, what arrives is verified, and the DNS says the same."""
    fqdn, domains = context.of("hostname")["fqdn"], context.of("postfix")["domains"]
    login = context.of("aliases")["root"]
    recipient = f"{login}@{domains[0]}"
    own = keys(context)
    yield probes.PostfixReadBack(parameters(context), step="authentication")
    yield probes.UnitRuns(context.platform.unit("opendkim"), role="opendkim")
    yield probes.MilterAnswers(VERIFIER, "opendkim")
    signer = context.platform.user(context["signer"])
    yield probes.SigningKeysPrivate(tuple(path for _, _, path in own), signer)
    yield from _local(context).values()
    domain, selector, path = own[0]
    yield probes.ForeignNotSigned(domain, selector, path, login)
    yield _submitted(context)
    yield probes.SpfAsked(recipient)
    yield probes.ForgedNotSigned(recipient, login)
    yield probes.ForgedResultsRemoved(recipient, login, authserv=fqdn)
    yield probes.SignaturesJudged(
        recipient, login, authserv=fqdn, domain=domain, selector=selector, path=path
    )
    yield from published(context)


def _submitted(context: Context) -> Probe:
    """A message as a mail program sends it."""
    domain, selector, path = keys(context)[0]
    return probes.SubmittedSigned(
        submission.logins(context),
        domain,
        context.of("certificates")["names"][0],
        submission.authority(context),
        ports=tuple(int(port) for port in context.of("submission")["ports"]),
        selector=selector,
        path=path,
    )


def published(context: Context) -> Iterator[Probe]:
    """What somebody else's hands have to publish: it is told, and keeps no gate closed."""
    fqdn, addresses = context.of("hostname")["fqdn"], hostname.addresses(context)
    domains = tuple(context.of("postfix")["domains"])
    if "" in {relay_of(context, domain) for domain in domains}:
        yield probes.Advisory(probes.SpfHello(fqdn, addresses))
    sent = _local(context)
    for domain, selector, path in keys(context):
        key: Probe = probes.KeyPublished(domain, selector, path)
        ways: list[Probe] = [probes.SpfRelay(domain, one) for one in relays(context, domain)]
        if not relay_of(context, domain):
            ways.insert(0, probes.SpfCovers(domain, addresses, fqdn))
        proofs = (key, *ways, *filter(None, [sent.get(domain)]))
        asked: tuple[Probe, ...] = (
            *(key, probes.SpfPublished(domain), probes.SpfLimits(domain), *ways),
            *(probes.DmarcPublished(domain), probes.DmarcEffective(domain, path)),
            probes.DmarcReports(domain, domains),
            probes.PolicyEarned(domain, context["dmarc_policy"], proofs),
            probes.NoWildcard(domain),
        )
        yield from (probes.Advisory(one) for one in asked)
        yield probes.KeyAge(domain, selector, path)
    owners = tuple(f"{selector}._domainkey.{domain}" for domain, selector, _ in keys(context))
    yield probes.Advisory(probes.LongTextsHeard(owners))


def _local(context: Context) -> dict[str, Probe]:
    """A message of each domain, or of some of many, from a program of this host."""
    paths = {domain: path for domain, _, path in keys(context)}
    login, selector = context.of("aliases")["root"], context["selector"]
    return {
        domain: probes.LocalMailSigned(domain, selector, paths[domain], login)
        for domain in sampled(dict.fromkeys(paths))
    }


def relay_of(context: Context, domain: str) -> str:
    """The provider's server that mail of this domain leaves through; empty: it leaves directly."""
    relay = context.of("relay")
    if not relay.get("enabled"):
        return ""
    own = relay["senders"].get(f"@{domain}")
    hop = own["host"] if own else relay["host"]
    return split(hop)[0] if hop else ""


def relays(context: Context, domain: str) -> tuple[str, ...]:
    """Every provider's server that mail of this domain leaves through, of single senders too."""
    relay = context.of("relay")
    accounts = relay["senders"].items() if relay.get("enabled") else ()
    own = (one["host"] for sender, one in accounts if sender.rpartition("@")[2] == domain)
    found = (relay_of(context, domain), *(split(hop)[0] for hop in own))
    return tuple(dict.fromkeys(filter(None, found)))


def records(context: Context) -> Iterator[Record]:
    """SPF for the domains and the name this host greets with, the keys, DMARC."""
    fqdn, domains = context.of("hostname")["fqdn"], context.of("postfix")["domains"]
    for domain in domains:
        yield _spf(context, domain)
    if fqdn not in domains:
        why = "Bounces have no sender: then the name of this host is looked at (RFC 7208 2.4)."
        yield Record(fqdn, "TXT", "v=spf1 a -all", why, required=False)
    for domain, selector, path in keys(context):
        if text := key_record(context, path):
            why = f"The public half of the key that signs mail of {domain} (DKIM, RFC 6376)."
            yield Record(f"{selector}._domainkey.{domain}", "TXT", text, why)
    for domain, selector, path in selectors.made(context):
        if selector != context["selector"] and (text := key_record(context, path)):
            why = f"The next or the last key of {domain}; mail on its way is verified with it."
            name = f"{selector}._domainkey.{domain}"
            yield Record(name, "TXT", text, why, required=False)
    yield from _dmarc(context)


def _spf(context: Context, domain: str) -> Record:
    """Who may send; a provider's servers only where it is known which they are."""
    why, includes = f"Who may send mail of {domain} (SPF, RFC 7208).", dict[str, None]()
    for relay in relays(context, domain):
        if known := probes.providers_record(relay):
            includes[f" include:{known}"] = None
            why += f" Mail leaves through {relay}, whose provider wants include:{known}."
        else:
            why += (
                f" Mail leaves through {relay}: ask its provider which include: its customers put "
                f"before {context['spf_policy']}, and add it there."
            )
    also = "".join(includes)
    text = f"v=spf1 mx a:{context.of('hostname')['fqdn']}{also} {context['spf_policy']}"
    return Record(domain, "TXT", text, why)


def _dmarc(context: Context) -> Iterator[Record]:
    """RFC 9989: what others do with mail that proves nothing, and whom they tell."""
    reports = context["dmarc_reports"]
    for domain in context.of("postfix")["domains"]:
        rua = f"; rua=mailto:{reports}" if reports else ""
        text = f"v=DMARC1; p={context['dmarc_policy']}{rua}"
        why = f"What others do with mail of {domain} that proves nothing (DMARC, RFC 9989)."
        yield Record(f"_dmarc.{domain}", "TXT", text, why)
        away = reports.rpartition("@")[2] if reports else domain
        if away not in context.of("postfix")["domains"]:
            why = f"{away} agrees to be sent reports about {domain} (RFC 9990)."
            yield Record(f"{domain}._report._dmarc.{away}", "TXT", "v=DMARC1", why)


def key_record(context: Context, path: str) -> str:
    """The public half as it stands in the DNS (RFC 6376 3.6.1); empty before the key is made."""
    shown = context.look.ask(["openssl", "rsa", "-in", path, "-pubout"], of=(path,))
    lines = [line for line in shown.out.splitlines() if line and not line.startswith("-----")]
    body = "".join(lines)
    try:
        base64.b64decode(body, validate=True)
    except ValueError:
        return ""
    return f"v=DKIM1; k=rsa; p={body}" if body else ""


def default_signer(context: Context) -> str:
    """amavis, where it is there: what it changes is changed before it is signed."""
    return "amavis" if filtered(context) else "opendkim"


def review(context: Context) -> Iterator[tuple[str, str]]:
    """Who signs must be there, and a key that was replaced is not used again."""
    if context["signer"] == "amavis" and not filtered(context):
        yield "signer", "amavis is left out; opendkim is right, or do the step amavis"
    if said := selectors.complaint(context, context["selector"]):
        yield "selector", said


def packages(context: Context) -> tuple[str, ...]:
    """The verifier, SPF, and the library that the checks verify signatures with."""
    del context
    return ("postfix", "spf", "opendkim", "dkim-check", "certificates")


STEP = Step(
    id="authentication",
    title="SPF, DKIM and DMARC",
    explain=(
        "Every message that leaves this host is signed with a key of your domain, and the DNS "
        "says who may send for it: without both, large providers refuse mail. Mail that arrives "
        "is asked for the same. The records are shown in full; whoever runs your zone publishes "
        "them. The checks send a message and verify its signature twice: against the key on this "
        "host, and against what the DNS answers."
    ),
    questions=(
        Question(
            name="selector",
            label="Name of the key",
            kind=Selector(),
            default=selectors.default,
            help=(
                "The record's name is NAME._domainkey.DOMAIN. Once mail is signed the key is "
                "changed by `mailwizard dkim rotate`, so that nobody gets mail he cannot verify."
            ),
        ),
        Question(
            name="signer",
            label="Who signs",
            kind=Choice(("amavis", "opendkim")),
            default=default_signer,
            help="amavis signs last, after everything that changes a message.",
        ),
        Question(
            name="spf_policy",
            label="Mail from other hosts (SPF)",
            kind=Choice(("~all", "-all")),
            default=lambda _context: "~all",
            help="~all: suspicious. -all: refuse it; forwarded mail is then refused as well.",
        ),
        Question(
            name="dmarc_policy",
            label="Mail that proves nothing (DMARC)",
            kind=Choice(POLICIES),
            default=lambda _context: "none",
            help="Begin with none, and read the reports for some weeks before you ask for more.",
        ),
        Question(
            name="dmarc_reports",
            label="Who reads the reports",
            kind=EmailAddress(),
            default=lambda context: f"postmaster@{context.of('postfix')['domains'][0]}",
            help="One message a day from each large provider. Empty: nobody.",
            optional=True,
        ),
    ),
    plan=plan,
    probes=probe,
    packages=packages,
    review=review,
    records=records,
    needs=("submission",),
)
