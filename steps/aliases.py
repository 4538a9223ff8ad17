"""Mail for root, postmaster, abuse and other role names reaches a person; senders look right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice

from mailwizard import probes
from mailwizard.changes import (
    PARSES,
    FileContent,
    KeyedEntries,
    LookupMap,
    PostfixParameters,
    Service,
)
from mailwizard.fields import AliasName, AliasTarget, EmailAddress, Login, OneOrMore, Table
from mailwizard.model import Change, Context, Look, Probe, Question, Step
from mailwizard.platform import facts
from mailwizard.probes.sampling import LIVE, WIDEST, sampled, spread
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

FIRST = ("root", "postmaster", "abuse")


def entries(context: Context) -> dict[str, list[str]]:
    """Every alias of this step and where it leads; whoever writes can be answered."""
    # a person may have the name of a role, and then keeps what comes (local(8)): a line is there
    # all the same, in place of an older one that leads away
    roles = {name: [name] if is_person(context, name) else ROLES[name] for name in ROLES}
    return {"root": [context["root"]], **roles, **written_as(context), **given(context)}


def given(context: Context) -> dict[str, list[str]]:
    """The names and lists of the answers."""
    table = context.of("aliases")["aliases"]
    return {name.lower(): list(targets) for name, targets in table.items()}


def is_person(context: Context, name: str) -> bool:
    """Whether a person's account has this name."""
    return bool(facts.has_person(context.look, name))


def graph(context: Context) -> dict[str, list[str]]:
    """The same, each end as local(8) finds it: our own addresses and tags lead to plain names."""
    table = entries(context)
    own = {context.of("hostname")["fqdn"], "localhost", *context.of("postfix")["domains"]}
    return {name: [_plain(end, table, own) for end in ends] for name, ends in table.items()}


def _plain(end: str, table: Mapping[str, object], own: set[str]) -> str:
    local, at, domain = end.rpartition("@")
    if at and domain not in own:
        return end
    name = (local if at else domain).lower()
    return name if name in table else name[:1] + name[1:].partition("+")[0]


def written_as(context: Context) -> dict[str, list[str]]:
    """The names in our own domains under which logins write that are called otherwise."""
    return {name: logins for name, logins in writers(context).items() if logins != [name]}


def writers(context: Context) -> dict[str, list[str]]:
    """Every name in our own domains under which logins write."""
    found: dict[str, list[str]] = {}
    for login, address in context["senders"].items():
        name, _, domain = address.lower().rpartition("@")
        if domain in context.of("postfix")["domains"]:
            found.setdefault(name, []).append(login)
    return found


def people(
    name: str, table: Mapping[str, Sequence[str]], seen: frozenset[str] = frozenset()
) -> set[str]:
    """The logins and addresses where a name ends; raises ValueError on a loop."""
    if name in seen:
        raise ValueError(f"{name} leads back to itself")
    if name not in table:
        return {name}
    # local(8) delivers `bob: bob, alice` to the mailbox of bob: not a loop
    further = {target for target in table[name] if target != name}
    ends = {end for target in further for end in people(target, table, seen | {name})}
    return ends | ({name} & set(table[name]))


def review(context: Context) -> Iterator[tuple[str, str]]:
    """Loops, dead ends, logins that do not exist and names of two, before anything is written."""
    root, look = context["root"], context.look
    if not is_person(context, root):
        known = ", ".join(sorted(facts.people(look))) or "none yet; make one with adduser"
        why = "root's mail needs a person who reads it on this host"
        if not facts.has_login(look, root):
            why = f"there is no login '{root}' on this host"
        elif root != "root":
            why = f"'{root}' is an account of the system's own, whose mail nobody reads"
        yield "root", f"{why} (people: {known})"
    for login in context["senders"]:
        if not facts.has_login(look, login):
            yield "senders", f"there is no login '{login}' on this host"
    yield from _wrong_ends(context)
    yield from _shared_names(context)


def _wrong_ends(context: Context) -> Iterator[tuple[str, str]]:
    # these are complained of by themselves, not at each name that leads there
    answered = {context["root"], *context["senders"]}

    @cache
    def known(end: str) -> bool:
        return "@" in end or end in answered or is_person(context, end)

    def dead_ends(name: str) -> Iterator[str]:
        return _dead_end(context.look, name, table, known)

    table = graph(context)
    wrong = [("aliases", said) for name in given(context) for said in dead_ends(name)]
    yield from wrong
    if not wrong:
        rest = (said for name in table for said in dead_ends(name))
        # many names lead into one circle
        yield from (("senders", said) for said in islice(rest, 1))


def _dead_end(
    look: Look, name: str, table: Mapping[str, Sequence[str]], known: Callable[[str], bool]
) -> Iterator[str]:
    try:
        ends = people(name, table)
    except ValueError as error:
        yield f"{error}; end it at a login or an address"
        return
    for end in sorted(ends):
        if not known(end):
            what = "which is neither a login nor an alias"
            if facts.has_login(look, end):
                what = "an account of the system's own, whose mail nobody reads"
            yield f"{name} leads to '{end}', {what}"


def _shared_names(context: Context) -> Iterator[tuple[str, str]]:
    """A name is one mailbox in all of our domains; whose, must not be left to chance."""
    named, made = given(context), {user["login"] for user in _made(context)}
    for name, logins in writers(context).items():
        owner = context["root"] if name == "root" else name
        # nobody reads the mail of a system's own account
        taken = name == "root" or is_person(context, name) or name in made
        readers = list(dict.fromkeys([*([owner] if taken else []), *logins]))
        if len(readers) > 1 and name not in named:
            said = (
                f"mail to '{name}' goes one way, whichever domain of yours it is for, and "
                f"{' and '.join(readers)} would all be '{name}'; give each a name of their own, "
                f"or say in aliases who reads it: {name} = {', '.join(readers)}"
            )
            yield "senders", said


def _made(context: Context) -> list[Mapping[str, str]]:
    """The accounts that a later step makes, where its answers are known."""
    return list(context.answers.get("dovecot", {}).get("users") or [])


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
    yield Service("postfix", worker="postfix-worker", validate=PARSES, ready=(25,))


def probe(context: Context) -> Iterator[Probe]:
    """Each name is followed to its end, and a message is sent through each kind."""
    domains, table = context.of("postfix")["domains"], graph(context)
    ends = {name: tuple(sorted(people(name, table))) for name in table}
    # whoever reads root's mail may be somebody else by now, on purpose
    named = {name.lower(): name for name in context["aliases"]}
    yield probes.AliasGraph(tuple(table), ends=tuple((n, ends[n]) for n in named))
    yield probes.AcceptsRoleMail(tuple(spread(domains, LIVE)))
    readers = {
        name: logins
        for name in (*FIRST, *sorted(named.values()))
        if (logins := tuple(end for end in ends[name.lower()] if "@" not in end))
    }
    for name in _tried(readers, table):
        yield probes.DeliversTo(name, domains[0], readers[name])
    yield from _rewritten(context)


def _tried(readers: Mapping[str, Sequence[str]], table: Mapping[str, Sequence[str]]) -> list[str]:
    """The names that get a message: always the first three, and of all others some of each kind."""
    kinds = {
        name: (
            name if name in FIRST else "",
            len(logins) > 1,
            any(target in table for target in table[name.lower()]),
        )
        for name, logins in readers.items()
        if len(logins) <= WIDEST
    }
    return sampled(kinds)


def _rewritten(context: Context) -> Iterator[Probe]:
    """Messages of some, and what the table says of all."""
    senders = context["senders"]
    if senders:
        yield probes.SendersMapped(tuple(senders.items()))
    for login in sampled(dict.fromkeys(senders)):
        yield probes.SenderRewritten(login, senders[login], context["root"])


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
