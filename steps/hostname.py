"""The host knows its full name and address, and nothing stands in the way of a mail server."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from mailwizard import probes
from mailwizard.changes import FileContent, HostName, HostsEntry
from mailwizard.fields import Address
from mailwizard.fields import HostName as FullName
from mailwizard.model import Change, Context, Probe, Question, Record, Step
from mailwizard.platform import facts
from mailwizard.probes.addresses import inner, of_host, proposed
from mailwizard.probes.networks import is_private
from mailwizard.render import render

MAIL_DAEMONS = ("master", "smtpd", "dovecot", "imap-login", "pop3-login")
WEB_SERVERS = ("nginx", "apache2", "httpd")
OWNERS = dict.fromkeys((25, 465, 587, 143, 993), MAIL_DAEMONS) | {80: WEB_SERVERS}


def plan(context: Context) -> Iterator[Change]:
    """The name first: packages and daemons ask for it while they are installed."""
    fqdn = context["fqdn"]
    short = fqdn.split(".", 1)[0]
    yield HostName(short)
    yield HostsEntry(inner(context.look, addresses(context)), fqdn, short)
    if context.look.state("/etc/cloud").kind == "dir":
        path = "/etc/cloud/cloud.cfg.d/99-mailwizard.cfg"
        yield FileContent(path, render("cloud/mailwizard.cfg.j2"))


def addresses(context: Context) -> tuple[str, ...]:
    """The public addresses that were answered."""
    host = context.of("hostname")
    return tuple(a for a in (host["address"], host["address6"]) if a)


def all_addresses(context: Context) -> tuple[str, ...]:
    """The answered addresses and those of the interfaces: all that this host is known by."""
    return of_host(context.look, addresses(context))


def probe(context: Context) -> Iterator[Probe]:
    """Nothing later can work when one of these is wrong; DNS is advice until its own step."""
    fqdn, public = context["fqdn"], addresses(context)
    yield probes.FullHostName(fqdn)
    yield probes.NameIsHere(fqdn)
    yield probes.ClockRight()
    yield probes.DiskRoom(message_size=context.of("postfix").get("message_size") or 0)
    yield probes.MemoryRoom()
    yield probes.PortsFree(OWNERS)
    yield probes.BehindNat(public)
    yield probes.CloudHosts(fqdn)
    yield probes.Advisory(probes.NameResolves(fqdn, public))
    yield probes.Advisory(probes.ReverseExists(fqdn, public))
    yield probes.Advisory(probes.ReverseMatches(fqdn, public))
    yield probes.Advisory(probes.AddressesNotListed(public))
    yield probes.Port25Open()


def records(context: Context) -> Iterator[Record]:
    """The name leads to the addresses and each address back to the name."""
    fqdn = context["fqdn"]
    for text in addresses(context):
        address = ipaddress.ip_address(text)
        kind = "A" if address.version == 4 else "AAAA"
        yield Record(fqdn, kind, text, "The name of this host leads to its address.")
        why = "Large providers refuse mail from an address without a name of its own."
        # nobody can publish the name of a private address to the world
        wanted = not is_private(text)
        yield Record(address.reverse_pointer, "PTR", f"{fqdn}.", why, required=wanted)


STEP = Step(
    id="hostname",
    title="Host name",
    explain=(
        "Other mail servers judge this host by its name: the name it greets with, the address "
        "that name has in DNS, and the name that address has. This step sets the name, writes it "
        "into /etc/hosts with this host's own address, and looks at what else a mail server "
        "needs: free ports, a right clock, room on disk, a way out to port 25."
    ),
    questions=(
        Question(
            name="fqdn",
            label="Full host name",
            kind=FullName(),
            default=lambda context: facts.full_name(context.look),
            help=(
                "The name that other mail servers see, such as mail.example.org. It must have an "
                "A record with this host's public address, and that address should have this name "
                "as its PTR record."
            ),
        ),
        Question(
            name="address",
            label="Public IPv4 address",
            kind=Address(4),
            default=lambda context: proposed(context.look, 4),
            help=(
                "The address that the world reaches this host at. Behind NAT: the router's. Leave "
                "it empty where there is none: then mail leaves over IPv6 alone, and servers "
                "without IPv6 get none."
            ),
            optional=True,
        ),
        Question(
            name="address6",
            label="Public IPv6 address",
            kind=Address(6),
            default=lambda context: proposed(context.look, 6),
            help=(
                "Leave it empty when this host has none, or none that the world should see: then "
                "mail leaves over IPv4 alone."
            ),
            optional=True,
        ),
    ),
    plan=plan,
    probes=probe,
    packages=lambda _context: ("network-tools",),
    records=records,
)
