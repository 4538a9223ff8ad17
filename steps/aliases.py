"""Mail for root, postmaster, abuse and other role names reaches a person; senders look right."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from mailwizard import probes
from mailwizard.changes import FileContent, KeyedEntries, LookupMap, PostfixParameters, Service
from mailwizard.fields import AliasName, AliasTarget, EmailAddress, Login, OneOrMore, Table
from mailwizard.model import Change, Context, Probe, Question, Step
from mailwizard.platform import facts
from mailwizard.render import render

# RFC 2142: names that the world writes to; RFC 5321 4.5.1: postmaster always
ROLES = {
    "mailer-daemon": ["postmaster"],
    "postmaster": ["root"],
    "abuse": ["postmaster"],
    "hostmaster": ["root"],
    "webmaster": ["root"],
    "security": ["root"],
}


def entries(context: Context) -> dict[str, list[str]]:
    """Every alias of this step and where it leads; whoever writes can be answered."""
    given = {name.lower(): list(targets) for name, targets in context["aliases"].items()}
    return {"root": [context["root"]], **ROLES, **written_as(context), **given}


def written_as(context: Context) -> dict[str, list[str]]:
    """The names in our own domains under which logins write."""
    found: dict[str, list[str]] = {}
    for login, address in context["senders"].items():
        name, _, domain = address.lower().rpartition("@")
        if domain in context.of("postfix")["domains"] and name != login:
            found[name] = [login]
    return found


def people(
    name: str, table: Mapping[str, Sequence[str]], seen: frozenset[str] = frozenset()
) -> set[str]:
    """The logins and addresses where a name ends; raises ValueError on a loop."""
    if name in seen:
        raise ValueError(f"{name} leads back to itself")
    if name not in table:
        return {name}
    return {end for target in table[name] for end in people(target, table, seen | {name})}


def review(context: Context) -> Iterator[tuple[str, str]]:
    """Loops, dead ends and logins that do not exist, before anything is written."""
    logins = facts.logins(context.look)
    table = entries(context)
    if context["root"] not in logins:
        known = ", ".join(sorted(facts.people(context.look))) or "none yet; make one with adduser"
        yield "root", f"there is no login '{context['root']}' on this host (people: {known})"
    # the root that was given is complained of once, not at each name that leads there
    known_ends = {*logins, context["root"]}
    for name in context["aliases"]:
        yield from _dead_end(name.lower(), table, known_ends)
    for login in context["senders"]:
        if login not in logins:
            yield "senders", f"there is no login '{login}' on this host"


def _dead_end(
    name: str, table: Mapping[str, Sequence[str]], known_ends: Collection[str]
) -> Iterator[tuple[str, str]]:
    try:
        ends = people(name, table)
    except ValueError as error:
        yield "aliases", f"{error}; end it at a login or an address"
        return
    for end in sorted(ends):
        if "@" not in end and end not in known_ends:
            yield "aliases", f"{name} leads to '{end}', which is neither a login nor an alias"


def plan(context: Context) -> Iterator[Change]:
    """Our entries in the shared file, the sender table, both compiled, one reload."""
    maps, source = context.platform.map_type, context.platform.path("aliases")
    canonical = context.platform.path("postfix") + "/sender_canonical"
    lines = {name: f"{name}: {', '.join(targets)}" for name, targets in entries(context).items()}
    yield KeyedEntries(source, ":", lines)
    yield LookupMap(source, "postalias")
    yield FileContent(canonical, render("postfix/sender_canonical.j2", senders=context["senders"]))
    yield LookupMap(canonical)
    yield PostfixParameters(
        {
            "alias_maps": f"{maps}:{source}",
            "alias_database": f"{maps}:{source}",
            "sender_canonical_maps": f"{maps}:{canonical}",
            "sender_canonical_classes": "envelope_sender, header_sender",
        }
    )
    check = ("postfix", "check")
    yield Service("postfix", worker="postfix-worker", validate=(check,), ready=(25,))


def probe(context: Context) -> Iterator[Probe]:
    """Each name is followed to its end, and a message is sent through each kind."""
    domains, table = context.of("postfix")["domains"], entries(context)
    yield probes.AliasGraph(tuple(table))
    yield probes.AcceptsRoleMail(tuple(domains))
    for name in ("root", "postmaster", "abuse", *sorted(context["aliases"])):
        ends = sorted(end for end in people(name.lower(), table) if "@" not in end)
        if ends:
            yield probes.DeliversTo(name, domains[0], tuple(ends))
    for login, address in context["senders"].items():
        yield probes.SenderRewritten(login, address, context["root"])


STEP = Step(
    id="aliases",
    title="Aliases",
    explain=(
        "Mail to root, postmaster and abuse must reach a person: other servers and certificate "
        "authorities write there. This step sends those names to a login of yours, adds the names "
        "and lists you give, and lets mail of a login go out under its full address."
    ),
    questions=(
        Question(
            name="root",
            label="Login that reads root's mail",
            kind=Login(),
            default=lambda context: next(iter(facts.people(context.look)), None),
            help="An ordinary login of a person on this host.",
        ),
        Question(
            name="aliases",
            label="Further names and lists",
            kind=Table(AliasName(), OneOrMore(AliasTarget())),
            default=lambda _context: {},
            help="name = login, or name = login, login, other@example.net for a list.",
            optional=True,
        ),
        Question(
            name="senders",
            label="Sender addresses",
            kind=Table(Login(), EmailAddress()),
            default=lambda _context: {},
            help="login = first.last@example.org: what others see as the sender.",
            optional=True,
        ),
    ),
    plan=plan,
    probes=probe,
    packages=lambda _context: ("postfix",),
    needs=("postfix",),
    review=review,
)
