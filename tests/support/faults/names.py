"""Faults in the network around the host: the DNS, and the way out to other mail servers."""

from ipaddress import ip_address

from lab import shell
from lab.host import Host
from lab.internet import Internet
from support.applied import DOMAIN, FQDN
from support.faults.fault import Fault

WRONG, WRONG6 = "192.0.2.9", "2001:db8::9"
GENERIC = "host-17.foreign.test"
DEAD_RESOLVER = "echo nameserver 127.0.0.9 >/etc/resolv.conf"
DROP = """
table inet fault {
    chain out { type filter hook output priority 0; tcp dport 25 ip daddr != 127.0.0.0/8 %s; }
}
"""


def published(host: Host, internet: Internet) -> None:
    """The records are as they should be."""
    internet.dns.heal()
    internet.dns.remove(GENERIC)
    internet.register(host, FQDN, mx=DOMAIN)


def reverse(host: Host) -> str:
    return ip_address(host.address).reverse_pointer


def no_pointer(host: Host, internet: Internet) -> None:
    internet.dns.remove(reverse(host), "PTR")


def providers_name(host: Host, internet: Internet, *, forward: bool) -> None:
    """The address has the name that the provider gives to all."""
    internet.dns.set(reverse(host), "PTR", GENERIC)
    if forward:
        internet.dns.set(GENERIC, "A", host.address)


def filtered(host: Host, verdict: str) -> None:
    """A firewall on the host's own way out."""
    inside = ["nsenter", f"--net=/run/netns/{host.name}", "nft", "-f", "-"]
    shell.run(inside, stdin=DROP % verdict)


def open_again(host: Host, _internet: Internet) -> None:
    argv = ["nsenter", f"--net=/run/netns/{host.name}", "nft", "delete", "table", "inet", "fault"]
    shell.run(argv)


FAULTS = (
    Fault(
        "the name has no address in the DNS",
        {"DNS-01": "warn: has no address"},
        lab=lambda _, internet: internet.dns.remove(FQDN),
        mend=published,
    ),
    Fault(
        "the name leads elsewhere",
        {"DNS-01": f"warn: leads to {WRONG}, .*not to"},
        lab=lambda _, internet: internet.dns.set(FQDN, "A", WRONG),
        mend=published,
    ),
    Fault(
        "the name leads to an address more",
        {"DNS-01": f"warn: also leads to {WRONG6}"},
        lab=lambda host, internet: internet.dns.set(FQDN, "AAAA", host.address6, WRONG6),
        mend=published,
    ),
    Fault(
        "the zone answers SERVFAIL",
        {"DNS-01": "unknown: SERVFAIL"},
        lab=lambda _, internet: internet.dns.servfail(DOMAIN),
        mend=published,
    ),
    Fault(
        "the resolver is dead",
        {
            "DNS-01": "unknown",
            "DNS-02": "unknown",
            "DNS-03": "unknown",
            "OUT-01": "unknown: the DNS does not say",
        },
        DEAD_RESOLVER,
        "restored",
    ),
    Fault(
        "no resolver is named",
        {"DNS-01": "unknown: names no resolver", "OUT-01": "unknown: names no resolver"},
        ": >/etc/resolv.conf",
        "restored",
    ),
    Fault(
        "the address has no reverse name",
        {"DNS-02": "warn: has no reverse name", "DNS-03": "unknown: has no reverse name"},
        lab=no_pointer,
        mend=published,
    ),
    Fault(
        "the reverse zone answers SERVFAIL",
        {"DNS-02": "unknown: SERVFAIL", "DNS-03": "unknown: SERVFAIL"},
        lab=lambda host, internet: internet.dns.servfail(internet.dns.zone_of(reverse(host))),
        mend=published,
    ),
    Fault(
        "the reverse name is the provider's, and leads back",
        {"DNS-02": "pass", "DNS-03": f"warn: {GENERIC}, not {FQDN}"},
        lab=lambda host, internet: providers_name(host, internet, forward=True),
        mend=published,
    ),
    Fault(
        "the reverse name does not lead back",
        {"DNS-03": "warn: does not lead back"},
        lab=lambda host, internet: providers_name(host, internet, forward=False),
        mend=published,
    ),
    Fault(
        "the provider drops port 25",
        {"OUT-01": "warn: seems to block port 25: .* no answer"},
        lab=lambda host, _: filtered(host, "drop"),
        mend=open_again,
    ),
    Fault(
        "the provider refuses port 25",
        {"OUT-01": "warn: seems to block port 25: .* refused"},
        lab=lambda host, _: filtered(host, "reject with tcp reset"),
        mend=open_again,
    ),
    Fault(
        "there is no way to the outside",
        {"OUT-01": "unknown: connecting to"},
        "ip route add unreachable $(getent ahostsv4 mx.foreign.test | head -n 1 | cut -d' ' -f1)",
        "ip route del unreachable $(getent ahostsv4 mx.foreign.test | head -n 1 | cut -d' ' -f1)",
    ),
)
