"""Mail in the name of others is measured by what they ask for (DMARC)."""

from __future__ import annotations

from collections.abc import Iterator

from mailwizard import probes
from mailwizard.changes import PARSES, FileContent, MasterCfParameters, Service
from mailwizard.fields import Bool
from mailwizard.model import Change, Context, Probe, Question, Step
from mailwizard.render import render
from mailwizard.steps import authentication


def services() -> dict[str, str]:
    """The verifier first: DMARC goes by what it found."""
    ports = (authentication.VERIFIER, authentication.DMARC)
    return {"smtp/inet/smtpd_milters": ",".join(f"inet:127.0.0.1:{port}" for port in ports)}


def plan(context: Context) -> Iterator[Change]:
    """OpenDMARC answers before Postfix asks it."""
    path, ignore = (context.platform.path(n) for n in ("opendmarc.conf", "opendmarc-ignore"))
    networks = context.of("postfix")["networks"]
    yield FileContent(ignore, render("opendmarc/ignore.hosts.j2", networks=networks))
    text = render(
        "opendmarc/opendmarc.conf.j2",
        user=context.platform.user("opendmarc"),
        port=authentication.DMARC,
        fqdn=context.of("hostname")["fqdn"],
        suffixes=context.platform.path("public-suffixes"),
        ignore=ignore,
        reject=context["reject"],
    )
    yield FileContent(path, text)
    yield MasterCfParameters(services())
    check = ("opendmarc", "-n", "-c", path)
    yield Service("opendmarc", "restart", validate=(check,), listens=(authentication.DMARC,))
    yield Service("postfix", worker="postfix-worker", validate=PARSES, ready=(25,))


def probe(context: Context) -> Iterator[Probe]:
    """The daemon, and what it makes of two messages."""
    login, domain = context.of("aliases")["root"], context.of("postfix")["domains"][0]
    yield probes.UnitRuns(context.platform.unit("opendmarc"), role="opendmarc")
    yield probes.MilterAnswers(authentication.DMARC, "opendmarc")
    yield probes.ProofsCount(
        domain,
        context.of("hostname")["fqdn"],
        authentication.VERIFIER,
        authentication.DMARC,
        f"{context.platform.path('queue')}/private/{authentication.SPF_SERVICE}",
        reject=context["reject"],
    )
    folder, selector = context.platform.path("dkim-keys"), context.of("authentication")["selector"]
    yield probes.DmarcMeasured(
        f"{login}@{domain}",
        login,
        authserv=context.of("hostname")["fqdn"],
        domain=domain,
        selector=selector,
        path=f"{folder}/{domain}.{selector}.pem",
        reject=context["reject"],
    )


STEP = Step(
    id="opendmarc",
    title="DMARC for incoming mail",
    explain=(
        "OpenDMARC compares the sender that people see with what SPF and DKIM proved, and notes "
        "what the sender's domain asks for. At first nothing is refused: the result is written "
        "into each message. The program is old: its last release is of 2021, and it does not know "
        "RFC 9989 of 2026. It finds a domain's policy by the list of public suffixes and not by "
        "walking up the DNS, and ignores t= and np=; where a domain relies on these, its answer "
        "can be stricter or milder than the domain means. That is a reason not to refuse by it."
    ),
    questions=(
        Question(
            name="reject",
            label="Refuse what the sender's domain disowns",
            kind=Bool(),
            default=lambda _context: False,
            help=(
                "Mailing lists and forwarded mail are refused too, where the domain asks for "
                "p=reject, and so is mail whose author is not exactly one. Look at the results in "
                "your mail for some weeks first."
            ),
        ),
    ),
    plan=plan,
    probes=probe,
    packages=lambda _context: ("postfix", "opendmarc"),
    needs=("authentication",),
    optional=True,
    proposed=True,
)
