"""Mail to the world goes through a provider's server; only that server sees the password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import chain, count
from typing import Any

from mailwizard import probes
from mailwizard.changes import (
    PARSES,
    Credential,
    FileContent,
    LookupMap,
    MasterCfParameters,
    PostfixParameters,
    SecretTable,
    SecretTableGone,
    Service,
)
from mailwizard.fields import (
    NextHop,
    RelayAccount,
    RelayUser,
    SecretField,
    SenderPattern,
    Table,
    spellings,
)
from mailwizard.fields.relays import split
from mailwizard.model import Change, Context, Probe, Question, Step
from mailwizard.render import render
from mailwizard.steps import postfix

# TLS from the first byte (RFC 8314 7.3); the others are what providers offer where 465 is blocked
IMPLICIT = (465, 2465, 8465)
WRAPPED = "relay-smtps"
STRONG = "protocols=>=TLSv1.2 ciphers=high"


def transport(hop: str) -> str:
    """The master.cf service that speaks to this server."""
    return WRAPPED if split(hop)[1] in IMPLICIT else "smtp"


def credentials(context: Context) -> tuple[Credential, ...]:
    """Every account: the relay's under the relay, a sender's under the sender."""
    found: list[Credential] = []
    if context["host"] and context["username"]:
        password = context["password"]
        name = password.env or "RELAY_PASSWORD"
        found.append(Credential(context["host"], context["username"], password, name))
    for sender, account in context["senders"].items():
        name = "RELAY_PASSWORD_" + re.sub(r"[^A-Z0-9]+", "_", sender.upper()).strip("_")
        password = account["password"]
        # `jan.de@x` and `jan-de@x` are two people
        taken = {one.variable for one in found}
        numbered = (f"{name}_{number}" for number in count(2))
        free = next(each for each in chain([name], numbered) if each not in taken)
        user, variable = account["username"], password.env or free
        found += [Credential(form, user, password, variable) for form in spellings([sender])]
    return tuple(found)


def policies(context: Context) -> dict[str, str]:
    """How Postfix must meet each server: no password without a proved certificate (TLS_README)."""
    found = {}
    if context["host"]:
        # without a password there is nothing to steal: port 25 may even be in the clear
        plain = split(context["host"])[1] == 25
        found[context["host"]] = "may" if plain else f"encrypt {STRONG}"
    hops = [account["host"] for account in context["senders"].values()]
    for hop in [*([context["host"]] if context["username"] else []), *hops]:
        found[hop] = f"secure match={split(hop)[0]} {STRONG}"
    return found


def table(context: Context, name: str) -> str:
    """The source of one of the step's tables."""
    return f"{context.platform.path('postfix')}/{name}"


def looked_up(context: Context, name: str) -> str:
    """The same as a value in main.cf."""
    return f"{context.platform.map_type}:{table(context, name)}"


def parameters(context: Context) -> dict[str, str]:
    """Who takes our mail on, and how we show who we are; what is not used is emptied."""
    host, senders = context["host"] or "", bool(context["senders"])
    login = bool(credentials(context))
    return {
        "relayhost": host,
        "default_transport": transport(host) if host else "smtp",
        "sender_dependent_relayhost_maps": looked_up(context, "sender_relay") if senders else "",
        "sender_dependent_default_transport_maps": looked_up(context, "sender_transport")
        if senders
        else "",
        "smtp_sender_dependent_authentication": "yes" if senders else "no",
        "smtp_sasl_auth_enable": "yes" if login else "no",
        "smtp_sasl_password_maps": looked_up(context, "sasl_passwd") if login else "",
        # a second lock: even where a policy is missing, no password goes out in the clear
        "smtp_sasl_security_options": "noplaintext, noanonymous",
        "smtp_sasl_tls_security_options": "noanonymous",
        # the others alter what is beyond ASCII (RFC 4013), and want it stored in the clear there
        "smtp_sasl_mechanism_filter": "plain, login",
        "smtp_tls_policy_maps": looked_up(context, "tls_policy"),
        "smtp_tls_CAfile": context.platform.path("ca-bundle"),
    }


def services(context: Context) -> dict[str, str]:
    """A client of its own for TLS from the first byte: in main.cf it would break all others."""
    options = {"smtp_tls_wrappermode": "yes", "smtp_tls_security_level": "encrypt"}
    options |= postfix.leaving(context)
    words = " ".join(f"-o {name}={value}" for name, value in options.items())
    entry = f"{WRAPPED} unix - - n - - smtp -o syslog_name=postfix/{WRAPPED} {words}"
    wrapped = any(transport(hop) == WRAPPED for hop in policies(context))
    return {f"{WRAPPED}/unix": entry if wrapped else ""}


def plan(context: Context) -> Iterator[Change]:
    """How to meet the servers first, then the passwords, then mail is sent that way."""
    policy = render("postfix/tls_policy.j2", policies=policies(context))
    yield FileContent(table(context, "tls_policy"), policy)
    yield LookupMap(table(context, "tls_policy"))
    if accounts := credentials(context):
        yield SecretTable(table(context, "sasl_passwd"), accounts)
    senders = context["senders"]
    hops = {form: senders[sender]["host"] for sender in senders for form in spellings([sender])}
    ways = {sender: f"{transport(hop)}:" for sender, hop in hops.items()}
    for name, values in (("sender_relay", hops), ("sender_transport", ways)):
        if values:
            text = render("postfix/sender_relay.j2", senders=values)
            yield FileContent(table(context, name), text)
            yield LookupMap(table(context, name))
    yield MasterCfParameters(services(context))
    yield PostfixParameters(parameters(context))
    if not accounts:
        yield SecretTableGone(table(context, "sasl_passwd"))
    yield Service("postfix", worker="postfix-worker", validate=PARSES, ready=(25,))


def probe(context: Context) -> Iterator[Probe]:
    """Each account is tried for real, as Postfix would use it."""
    fqdn, domain = context.of("hostname")["fqdn"], context.of("postfix")["domains"][0]
    reader = context.of("aliases")["root"]
    yield probes.PostfixReadBack(parameters(context), step="relay")
    for hop, policy in policies(context).items():
        login = policy.startswith("secure")
        yield probes.RelayTlsEnforced(hop, login=login, wrapped=transport(hop) == WRAPPED)
    for hop, sender, key in accounts(context):
        yield probes.RelayTakesUs(
            hop,
            wrapped=transport(hop) == WRAPPED,
            key=key,
            helo=fqdn,
            sender=sender or f"{reader}@{domain}",
        )
    yield probes.QueueFlows()
    yield probes.BounceReturns(reader, domain)


def accounts(context: Context) -> Iterator[tuple[str, str, str]]:
    """For each way out: the server, the sender it is for ("" for all), the password's key."""
    if context["host"]:
        yield context["host"], "", context["host"] if context["username"] else ""
    for sender, account in context["senders"].items():
        whole = sender.startswith("@")
        yield account["host"], f"postmaster{sender}" if whole else sender, sender


def review(context: Context) -> Iterator[tuple[str, str]]:
    """Halves of an account, and relays that cannot be proved to be themselves."""
    host, username, password = (context[name] for name in ("host", "username", "password"))
    if not host and not context["senders"]:
        yield "host", "is needed, such as [smtp.example.net]:587; or leave the step out"
    if (username or password) and not host and context["senders"]:
        yield "host", "is needed where a user name or a password is given"
    if username and not password:
        yield (
            "password",
            f"is needed for the user {username}, or leave out the user name",
        )
    if password and not username:
        yield "username", "is needed where a password is given; without a login leave out both"
    given = [("host", host)] if host else []
    given += [("senders", account["host"]) for account in context["senders"].values()]
    for name, hop in given:
        yield from _unfit(context, name, hop, login=bool(username) or name == "senders")


def _unfit(context: Context, name: str, hop: str, *, login: bool) -> Iterator[tuple[str, str]]:
    server, _ = split(hop)
    if server == context.of("hostname")["fqdn"]:
        yield name, f"{server} is this host itself; the provider's server is needed"
    if login and _is_address(server):
        yield name, f"{server} is an address, and certificates prove names; give the server's name"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _default(value: Any) -> Any:
    return lambda _context: value


STEP = Step(
    id="relay",
    title="Relay host",
    explain=(
        "Some providers block port 25, and some addresses have a bad name: then mail to the world "
        "has to go through another provider's server, mostly with a user name and a password. "
        "This host shows the password to nobody whose certificate does not prove the name of that "
        "server; it keeps mail back rather. Mail from the world still comes here directly. Where "
        "other servers can be reached on port 25, this step is not needed."
    ),
    questions=(
        Question(
            name="host",
            label="Server that takes mail on",
            kind=NextHop(),
            default=_default(None),
            help=(
                "The name and port that the provider calls SMTP server or smarthost. 587 begins in "
                "the clear and must become encrypted, 465 is encrypted at once, 25 is for relays "
                "that know this host by its address. Without a port: 587."
            ),
            optional=True,
        ),
        Question(
            name="username",
            label="User name there",
            kind=RelayUser(),
            default=_default(None),
            help="Leave it empty when the relay knows this host by its address.",
            optional=True,
        ),
        Question(
            name="password",
            label="Password there",
            kind=SecretField(),
            default=_default(None),
            help="It is kept in a file that only root can read.",
            optional=True,
            secret=True,
        ),
        Question(
            name="senders",
            label="Senders with a relay of their own",
            kind=Table(SenderPattern(), RelayAccount()),
            default=_default({}),
            help=(
                "bob@example.org = smtp.example.com:587 bob env:BOB_PASSWORD: server, user name "
                "and where the password is kept (env:NAME or file:/root/secret). @example.org is "
                "for all senders of that domain."
            ),
            optional=True,
        ),
    ),
    plan=plan,
    probes=probe,
    packages=lambda _context: ("postfix", "relay", "certificates"),
    needs=("certificates",),
    review=review,
    optional=True,
)
