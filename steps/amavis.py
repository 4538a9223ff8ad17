"""Mail is looked through for spam and viruses before it is delivered."""

from __future__ import annotations

from collections.abc import Iterator

from mailwizard import probes
from mailwizard.changes import (
    PARSES,
    FileContent,
    KeyedEntries,
    MasterCfParameters,
    PostfixParameters,
    Service,
    Stopped,
    WaitingMailRerouted,
)
from mailwizard.fields import Bool, Choice
from mailwizard.model import Change, Context, Probe, Question, Step
from mailwizard.platform.memory import memory as memory_of
from mailwizard.render import render
from mailwizard.steps import postfix, submission

INBOUND, BACK, ORIGINATING, SIGNED = 10024, 10025, 10026, 10027
# never more ways to the filter than it has processes: a message would wait for a greeting
# (FILTER_README, "Performance")
FROM_WORLD, FROM_US = 2, 1
# with less a large message, or the update of the definitions, brings the host to a standstill
VIRUS_MEMORY = 3 * 2**30
# what Debian's scanner takes by itself
STREAM_MIB = 25
# what is asked of every filter: our own word for it, no names, no patience for the world's rules
TRANSPORT = {
    "smtp_data_done_timeout": "1200",
    "smtp_send_xforward_command": "yes",
    "smtp_dns_support_level": "disabled",
    "smtp_tls_security_level": "none",
    "smtp_sasl_auth_enable": "no",
    "max_use": "20",
    # a way that is kept open for the next message holds a process of the filter, seconds long
    "smtp_connection_cache_on_demand": "no",
}
# cleanup(8) keeps to the limit too, whoever hands over
UNLIMITED = "backcleanup"
# Only the filter may bring mail here, and it was asked everything before (FILTER_README).
RETURN = {
    "syslog_name": "postfix/filtered",
    "content_filter": "",
    "smtpd_milters": "",
    "smtpd_delay_reject": "no",
    "smtpd_client_restrictions": "permit_mynetworks,reject",
    "smtpd_helo_restrictions": "",
    "smtpd_sender_restrictions": "",
    "smtpd_relay_restrictions": "",
    "smtpd_recipient_restrictions": "permit_mynetworks,reject",
    "smtpd_data_restrictions": "reject_unauth_pipelining",
    "smtpd_end_of_data_restrictions": "",
    "mynetworks": "127.0.0.0/8",
    "smtpd_error_sleep_time": "0",
    "smtpd_soft_error_limit": "1001",
    "smtpd_hard_error_limit": "1000",
    "smtpd_client_connection_count_limit": "0",
    "smtpd_client_connection_rate_limit": "0",
    # what the door let in has grown by the lines of each hop
    "message_size_limit": "0",
    "cleanup_service_name": UNLIMITED,
    "receive_override_options": "no_unknown_recipient_checks,no_header_body_checks,"
    "no_address_mappings,no_milters",
    "local_header_rewrite_clients": "",
    "smtpd_tls_security_level": "none",
    "smtpd_sasl_auth_enable": "no",
}


def way_back(port: int, **other: str) -> str:
    """Where checked mail enters Postfix again."""
    return submission.line(f"127.0.0.1:{port} inet n - n - - smtpd", {**RETURN, **other})


def services() -> dict[str, str]:
    """The ways to the filter and back; both ways there end up at the same daemon."""
    # a long line is broken before it is signed, and left as it is in what others have signed
    whole = {**TRANSPORT, "smtp_line_length_limit": "0"}
    return {
        "amavis/unix": submission.line(f"amavis unix - - n - {FROM_WORLD} smtp", whole),
        "amavis-own/unix": submission.line(f"amavis-own unix - - n - {FROM_US} smtp", TRANSPORT),
        f"{UNLIMITED}/unix": submission.line(
            f"{UNLIMITED} unix n - y - 0 cleanup",
            {"syslog_name": RETURN["syslog_name"], "message_size_limit": "0"},
        ),
        f"127.0.0.1:{BACK}/inet": way_back(BACK),
        "smtp/inet/content_filter": f"amavis:[127.0.0.1]:{INBOUND}",
    }


def parameters() -> dict[str, str]:
    """Mail of our own people and programs; what comes in by port 25 has a way of its own."""
    return {
        "content_filter": f"amavis-own:[127.0.0.1]:{ORIGINATING}",
        # what it encodes before it signs cannot be SMTPUTF8 mail: programs hand in none (cron's
        # subjects go as they always did), and to mail programs it is not offered
        "smtputf8_autodetect_classes": "verify",
    }


def configuration(context: Context) -> str:
    """The filter's own file: mail goes through, and nothing is looked for yet."""
    path = context.platform.path
    more = [path(name) for name in ("amavis-signing", "amavis-virus", "amavis-spam")]
    return render(
        "amavis/filter.j2",
        fqdn=context.of("hostname")["fqdn"],
        domains=context.of("postfix")["domains"],
        networks=[postfix.bracketed(each) for each in context.of("postfix")["networks"]],
        processes=FROM_WORLD + FROM_US,
        # where every file of a folder is read, it must not be read twice
        includes=[each for each in more if "conf.d" not in each],
    )


def plan(context: Context) -> Iterator[Change]:
    """One stage after the other, each proved with a message before the next is begun."""
    path, stage = context.platform.path("amavis"), "stage 1, mail goes through"
    yield FileContent(path, configuration(context))
    yield _filter(path, stage)
    yield MasterCfParameters(services())
    yield PostfixParameters(parameters())
    yield Service(
        "postfix",
        worker="postfix-worker",
        validate=PARSES,
        ready=(25, BACK),
        proofs=(probes.FilterPasses(*_reader(context)),),
        follow="<",
        stage=stage,
    )
    yield WaitingMailRerouted()
    yield from _viruses(context)
    yield from _spam(context)


def _filter(path: str, stage: str, *proofs: Probe) -> Service:
    """The filter, which reads its files when it starts."""
    ready = (INBOUND, ORIGINATING)
    return Service(
        "amavis", "restart", ready=ready, follow=path, flush=True, stage=stage, proofs=proofs
    )


def _reader(context: Context) -> tuple[str, str]:
    """To whom the checks write, and in whose mailbox they look."""
    login, domain = context.of("aliases")["root"], context.of("postfix")["domains"][0]
    return f"{login}@{domain}", login


def _viruses(context: Context) -> Iterator[Change]:
    """The scanner starts as soon as there are definitions, today or when they have come."""
    path, stage = context.platform.path("amavis-virus"), "stage 2, viruses"
    wait = context["unscanned"] == "wait"
    if context["virus"]:
        watch, unit = context.platform.path("definitions-watch"), context.platform.unit("clamav")
        folder = context.platform.path("clamav-database")
        yield FileContent(watch, render("clamav/definitions.path.j2", folder=folder, unit=unit))
        yield Service("freshclam", "restart", follow="", stage=stage)
        yield Service("definitions-watch", "restart", follow=watch, stage=stage)
        scanner = context.platform.path("clamd.conf")
        yield KeyedEntries(scanner, " ", {"StreamMaxLength": stream(context)})
        if not definitions(context).missing(context.look):
            proofs = (definitions(context),)
            yield Service("clamav", "restart", follow=scanner, stage=stage, proofs=proofs)
        socket = context.platform.path("clamd-socket")
        yield FileContent(path, render("amavis/virus.j2", wait=wait, socket=socket))
        yield _filter(path, stage, _finds_virus(context))
    elif context.look.state(path).kind != "absent":
        yield FileContent(path, render("amavis/nothing.j2", what="viruses"))
        yield _filter(path, stage)
        yield from _without_scanner(context)


def stream(context: Context) -> str:
    """The scanner takes any attachment that gets here; one too large for it is never scanned."""
    largest = -(-context.of("postfix")["message_size"] // 2**20)
    return f"StreamMaxLength {max(STREAM_MIB, largest)}M"


def _without_scanner(context: Context) -> Iterator[Change]:
    """What was started for the scanner ends, and gives its memory back."""
    if context.look.state(context.platform.path("definitions-watch")).kind != "absent":
        for role in ("definitions-watch", "freshclam", "clamav", "clamav-socket"):
            if context.platform.unit(role):
                yield Stopped(role)


def _spam(context: Context) -> Iterator[Change]:
    """The rules are renewed each day, where the package does not see to that by itself."""
    path, stage = context.platform.path("amavis-spam"), "stage 3, spam"
    if context["spam"]:
        yield Service("spamassassin-update", "restart", follow="", stage=stage)
        yield FileContent(path, render("amavis/spam.j2"))
        yield _filter(path, stage, probes.FilterFindsSpam(*_reader(context)))
    elif context.look.state(path).kind != "absent":
        yield FileContent(path, render("amavis/nothing.j2", what="spam"))
        yield _filter(path, stage)


def _finds_virus(context: Context) -> probes.FilterFindsVirus:
    """A test virus, and where it is kept."""
    return probes.FilterFindsVirus(
        *_reader(context),
        quarantine=context.platform.path("quarantine"),
        wait_instead=context["unscanned"] == "wait",
    )


def definitions(context: Context) -> probes.VirusDefinitions:
    """What viruses look like, and whether the scanner knows it."""
    database, socket = (context.platform.path(n) for n in ("clamav-database", "clamd-socket"))
    return probes.VirusDefinitions(database, socket)


def probe(context: Context) -> Iterator[Probe]:
    """The daemons, then one message of each kind: harmless, infected, spam."""
    unit = context.platform.unit
    yield probes.PostfixReadBack(parameters(), step="amavis")
    yield probes.UnitRuns(unit("amavis"), role="amavis")
    yield probes.FilterAnswers((INBOUND, ORIGINATING))
    yield probes.HopsCarry((INBOUND, ORIGINATING, BACK), own=(ORIGINATING,))
    yield probes.OwnUtf8(_reader(context)[1])
    yield probes.MemoryRoom(VIRUS_MEMORY // 3 if context["virus"] else 0)
    if context["virus"]:
        yield definitions(context)
    yield probes.FilterPasses(*_reader(context))
    if context["virus"]:
        yield _finds_virus(context)
    if context["spam"]:
        yield probes.FilterFindsSpam(*_reader(context))


def default_virus(context: Context) -> bool:
    """Where the definitions fit into memory beside everything else."""
    return memory(context) >= VIRUS_MEMORY


def memory_reason(context: Context) -> str:
    """What decides over ClamAV on this host, in figures."""
    has, wanted = memory(context) / 2**30, VIRUS_MEMORY // 2**30
    if not has:
        return "Not proposed: how much memory this host has cannot be known."
    found = f"this host has {has:.1f} GiB of memory, ClamAV wants {wanted} GiB or more"
    return f"{'Proposed' if default_virus(context) else 'Not proposed'}: {found}."


def memory(context: Context) -> int:
    """All memory of this host, in octets; 0 when that cannot be known."""
    return memory_of(context.look).total


def packages(context: Context) -> tuple[str, ...]:
    """SpamAssassin and ClamAV only where they are wanted."""
    spam = ("spamassassin",) if context["spam"] else ()
    return ("amavis", *spam, *(("clamav", "unpackers") if context["virus"] else ()))


STEP = Step(
    id="amavis",
    title="Spam and viruses",
    explain=(
        "Every message goes through amavis, which asks SpamAssassin and ClamAV. Spam is marked and "
        "delivered; an infected message is kept in quarantine, and postmaster is told. Nothing is "
        "bounced to senders who may be forged. What could not be looked through is marked "
        "***UNCHECKED***, or waits. The checks send a harmless message, then one with a test "
        "virus, then one with test spam, and look at what became of each."
    ),
    questions=(
        Question(
            name="spam",
            label="Look for spam",
            kind=Bool(),
            default=lambda _context: True,
            help="SpamAssassin marks it with ***SPAM*** in the subject, and delivers it.",
        ),
        Question(
            name="virus",
            label="Look for viruses",
            kind=Bool(),
            default=default_virus,
            reason=memory_reason,
            help="Its definitions take more than 1 GiB, and twice that during an update.",
        ),
        Question(
            name="unscanned",
            label="While ClamAV cannot look",
            kind=Choice(("deliver", "wait")),
            default=lambda _context: "deliver",
            help=(
                "Before definitions have come, or when ClamAV is down: deliver marks each message "
                "***UNCHECKED***, wait keeps it in the queue until it can be looked through."
            ),
        ),
    ),
    plan=plan,
    probes=probe,
    packages=packages,
    needs=("submission",),
    optional=True,
    proposed=True,
)
