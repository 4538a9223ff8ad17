"""People read their mail over IMAP; Postfix asks Dovecot who may send."""

from __future__ import annotations

from collections.abc import Iterator

from mailwizard import probes
from mailwizard.changes import FileContent, PostfixParameters, Service, UserAccount
from mailwizard.fields import Choice, Listing, Login, SecretField
from mailwizard.fields import Record as Row
from mailwizard.maincf import postconf
from mailwizard.model import Change, Context, Probe, Question, Record, Step
from mailwizard.platform import facts
from mailwizard.render import render
from mailwizard.steps import aliases

# RFC 6154
FOLDERS = (("Drafts", "\\Drafts"), ("Junk", "\\Junk"), ("Sent", "\\Sent"), ("Trash", "\\Trash"))
SECURE = {"imap": ("imaps", 993), "pop3": ("pop3s", 995)}
PORTS = {"imap": (143, 993), "pop3": (110, 995), "lmtp": ()}
SOCKET = "private/dovecot-lmtp"


def ports(context: Context) -> tuple[int, ...]:
    """The TCP ports that the chosen protocols listen on."""
    return tuple(port for name in context["protocols"] for port in PORTS[name])


def plan(context: Context) -> Iterator[Change]:
    """Drop-ins of our own beside the shipped files, then one restart."""
    version = facts.dovecot(context.look)
    folder = context.platform.path("dovecot.conf.d")
    for user in context["users"]:
        yield UserAccount(user["login"], user["password"])
    yield FileContent(f"{folder}/00-mailwizard.conf", render(f"dovecot/{version}-names.conf.j2"))
    text = render(
        f"dovecot/{version}.conf.j2",
        protocols=context["protocols"],
        queue=context.platform.path("queue"),
        folders=FOLDERS,
    )
    yield FileContent(f"{folder}/99-mailwizard.conf", text)
    yield from daemons(context)


def daemons(context: Context) -> Iterator[Change]:
    """Postfix hands mail over only while Dovecot listens for it."""
    check = ("doveconf", "-n")
    takes_mail = "lmtp" in context["protocols"]
    dovecot = Service(
        "dovecot",
        "restart",
        validate=(check,),
        ready=ports(context)[:1],
        follow="<",
        flush=takes_mail,
        reads="dovecot",
    )
    postfix = Service("postfix", worker="postfix-worker", ready=(25,))
    transport = postconf(context.look, "mailbox_transport").out
    if takes_mail:
        yield dovecot
        yield PostfixParameters({"mailbox_transport": f"lmtp:unix:{SOCKET}"})
        yield postfix
        return
    if transport.strip().endswith(SOCKET):
        yield PostfixParameters({"mailbox_transport": ""})
        yield postfix
    yield dovecot


def probe(context: Context) -> Iterator[Probe]:
    """Asked as a mail program would, and as a stranger who tries it in the clear."""
    domain = context.of("postfix")["domains"][0]
    accounts = tuple((user["login"], user["password"]) for user in context["users"])
    yield probes.UnitRuns(context.platform.unit("dovecot"), role="dovecot")
    yield probes.DovecotSyntax(facts.dovecot(context.look))
    yield probes.AuthSocket(context.platform.path("queue") + "/private/auth")
    yield probes.PopClosed(wanted="pop3" in context["protocols"])
    yield probes.SieveNotInClear()
    yield probes.OldMailboxes()
    yield probes.SomebodyHasPassword()
    if "imap" in context["protocols"]:
        yield probes.ImapGreeting()
        yield probes.NoPlaintextImap()
        yield probes.ClearLoginRefused()
        yield probes.ImapNoInjection()
        yield probes.ImapLogin(accounts, domain)
        yield probes.AuthTest(accounts, domain)
        yield probes.ImapRoundTrip(accounts)
        yield probes.SpecialFolders(accounts, tuple(use for _, use in FOLDERS))
        yield probes.MailboxesApart(accounts)


def review(context: Context) -> Iterator[tuple[str, str]]:
    """A login that is there already keeps its password: it is not ours to set."""
    logins = [user["login"] for user in context["users"]]
    for login in {login for login in logins if logins.count(login) > 1}:
        yield "users", f"{login} stands there twice"
    for login in dict.fromkeys(logins):
        if not facts.has_person(context.look, login) and (why := _taken(context, login)):
            yield "users", f"{login} {why}; give that account another name"


def _taken(context: Context, login: str) -> str:
    """Why a name that no person has yet cannot be a person's; empty when it can."""
    if facts.has_login(context.look, login):
        return "is an account of the system's own"
    if login in ("root", *aliases.ROLES):
        return f"is the name of a role, whose mail {context.of('aliases')['root']} reads"
    ends = aliases.given(context).get(login, [login])
    if login not in ends:
        return f"is an alias in the answers, which leads to {', '.join(ends)}"
    if facts.has_group(context.look, login):
        return "is a group on this host, and useradd(8) makes no account of that name"
    return ""


def people(context: Context) -> list[str]:
    """Logins whose mail can be read."""
    return [*facts.people(context.look), *(user["login"] for user in context["users"])]


def records(context: Context) -> Iterator[Record]:
    """Mail programs find the encrypted port by themselves (RFC 6186, 3.2)."""
    name = (context.of("certificates").get("names") or [context.of("hostname")["fqdn"]])[0]
    why = "Mail programs find out by themselves where to read mail."
    for domain in context.of("postfix")["domains"]:
        for protocol in context["protocols"]:
            if protocol in SECURE:
                service, port = SECURE[protocol]
                value = f"0 1 {port} {name}."
                yield Record(f"_{service}._tcp.{domain}", "SRV", value, why, required=False)


STEP = Step(
    id="dovecot",
    title="Reading mail (IMAP)",
    explain=(
        "Dovecot lets people read their mail with a mail program, over IMAP and only encrypted. "
        "They log in with their login on this host, or with their full address. The same accounts "
        "will be asked for when somebody sends. Nothing in Dovecot's own files is edited: this "
        "step adds two small files beside them."
    ),
    questions=(
        Question(
            name="protocols",
            label="Protocols",
            kind=Listing(Choice(("imap", "pop3", "lmtp")), least=1),
            default=lambda _context: ["imap"],
            help="IMAP is right for nearly everybody. POP3 is for old programs only.",
        ),
        Question(
            name="users",
            label="Accounts to make",
            kind=Listing(Row((("login", Login()), ("password", SecretField())))),
            default=lambda _context: [],
            help="New logins on this host. The password is taken from a file or the environment.",
            optional=True,
        ),
    ),
    plan=plan,
    probes=probe,
    packages=lambda context: (
        "dovecot",
        *(("dovecot-pop3",) if "pop3" in context["protocols"] else ()),
    ),
    records=records,
    needs=("aliases",),
    review=review,
)
