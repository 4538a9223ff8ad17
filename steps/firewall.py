"""Strangers reach what mail needs, the administrator's SSH stays open, the rest is closed."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from mailwizard import probes
from mailwizard.changes import firewall_rules
from mailwizard.changes.firewall import due, spent
from mailwizard.fields import ClientNetwork, Listing, ServiceField
from mailwizard.fields.ports import SERVICES, port_of
from mailwizard.model import Change, Context, Probe, Question, Step
from mailwizard.platform import firewalls
from mailwizard.platform.firewalls import Opening
from mailwizard.steps import dovecot, submission

# what firewalld calls them, where it has its own word
FIREWALLD = {"submissions": "smtps", "submission": "smtp-submission", "sieve": ""}
# logins in the clear, or encrypted only when both sides wish so
CLEAR = {"imap": "imap", "pop3": "pop3"}


def default_services(context: Context) -> list[str]:
    """What the other steps' answers make this host serve to strangers."""
    protocols = context.of("dovecot")["protocols"]
    found = ["smtp", *(submission.NAMES[port] for port in context.of("submission")["ports"])]
    found += [f"{name}s" for name in CLEAR if name in protocols]
    return found + (["http"] if context.of("certificates")["source"] == "acme" else [])


def default_lan(context: Context) -> list[str]:
    """The networks that may also send without a password."""
    networks = map(ip_network, context.of("postfix")["networks"])
    return [str(each) for each in networks if not each.is_loopback and not each.is_link_local]


def local(context: Context) -> list[str]:
    """Services for the own networks only."""
    wanted = dovecot.ports(Context("dovecot", context.answers, context.look))
    return [name for name in CLEAR if SERVICES[name] in wanted and name not in context["services"]]


def openings(context: Context) -> tuple[Opening, ...]:
    """Everything that is let in."""
    found = [_opening(name) for name in context["services"]]
    if context["lan"]:
        found += [_opening(name, tuple(context["lan"])) for name in local(context)]
    taken = {opening.name for opening in found}
    named = {22: "ssh"}
    ports = firewalls.sshd_ports(context.look)
    at = (Opening(port, service=named.get(port, ""), ssh=True) for port in ports)
    return (*due(context.look, [each for each in at if each.name not in taken]), *found)


def _opening(name: str, sources: tuple[str, ...] = ()) -> Opening:
    number, protocol = port_of(name)
    word = FIREWALLD.get(name, name) if name in SERVICES else ""
    return Opening(number, protocol, word, sources)


def reached(context: Context, let_in: tuple[Opening, ...]) -> probes.PublicPortsReached:
    """What a stranger must find."""
    listening = firewalls.sshd_listening(context.look)
    public = (each for each in let_in if not each.sources and each.protocol == "tcp")
    ports = tuple(each.port for each in public if not each.ssh)
    ssh = tuple(each.port for each in let_in if each.ssh and each.port in listening)
    own = any(
        ip_network(stranger).overlaps(ip_network(network))
        for stranger in probes.STRANGERS
        for network in context["lan"]
        if ip_network(stranger).version == ip_network(network).version
    )
    shut = (*(SERVICES[name] for name in CLEAR), *spent(context.look, let_in))
    closed = () if own else tuple(port for port in dict.fromkeys(shut) if port not in ports)
    return probes.PublicPortsReached(ports, ssh, closed, context.of("hostname")["address6"] or "")


def plan(context: Context) -> Iterator[Change]:
    """In force first, under a clock; kept for the next boot once a stranger came through."""
    let_in = openings(context)
    yield from firewall_rules(context.look, let_in, (reached(context, let_in),))


def probe(context: Context) -> Iterator[Probe]:
    """Seen from outside, and compared with what is on disk."""
    yield reached(context, openings(context))
    yield probes.FirewallPermanent()


def packages(context: Context) -> tuple[str, ...]:
    """The host's own firewall stays; one is installed only where there is none."""
    kind = firewalls.firewall_of(context.look)
    usual = context.platform.unit("firewall").removesuffix(".service")
    return ("network-tools", *(("firewall",) if kind == usual else ()))


def review(context: Context) -> Iterator[tuple[str, str]]:
    """A port cannot be open to everybody and to some, and an authority comes in by its own."""
    if context.of("certificates")["source"] == "acme" and "http" not in context["services"]:
        yield "services", "add http: the authority comes in by port 80 at each renewal"
    for name in CLEAR:
        if name in context["services"] and context["lan"]:
            yield "services", f"{name} is open to everybody here; then leave `lan` empty"


STEP = Step(
    id="firewall",
    title="Firewall",
    explain=(
        "Only what is listed here can be reached from outside, and SSH, on the ports where it "
        "really listens. The host's own firewall is used and added to: firewalld, ufw or the rules "
        "in /etc/nftables.conf; where there is none, nftables is set up. What else this host "
        "serves, a web site for example, must be listed as well where there was no firewall. The "
        "new rules go back by themselves within a minute unless a new connection from outside "
        "comes through them, so that nobody is locked out."
    ),
    questions=(
        Question(
            name="services",
            label="Open to everybody",
            kind=Listing(ServiceField()),
            default=default_services,
            help="What mail needs is listed; add others by name or port. SSH is always added.",
        ),
        Question(
            name="lan",
            label="Own networks",
            kind=Listing(ClientNetwork()),
            default=default_lan,
            help="Where reading on port 143 is allowed too; everybody else uses 993, encrypted.",
            optional=True,
        ),
    ),
    plan=plan,
    probes=probe,
    packages=packages,
    needs=("postfix", "dovecot", "certificates", "submission"),
    review=review,
    optional=True,
)
