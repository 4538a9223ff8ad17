"""Faults in the network around the host: the DNS, and the way out to other mail servers."""

from contextlib import ExitStack
from ipaddress import ip_address

from lab import shell
from lab.dns import NOBODYS_KEY, SERVERS, listed
from lab.host import Host
from lab.internet import Internet
from support.applied import DOMAIN, FQDN
from support.faults.fault import Fault

WRONG, WRONG6 = "192.0.2.9", "2001:db8::9"
GENERIC = "host-17.foreign.test"
GONE = "gone.lab.test"
ANYTHING = f"*.{DOMAIN}"
OF_THE_ZONE = ("DNS-12", *(f"DNS-{n}:{DOMAIN}" for n in ("08", "09", "10", "13")))
# of a key that the zone does not have
SIGNER = "12345 13 2 " + "00" * 32
IN_CLEAR = f"_imap._tcp.{DOMAIN}"
LISTED = f"{DOMAIN}.dbl.spamhaus.org"
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
    internet.dns.remove(IN_CLEAR)
    internet.dns.remove(LISTED)
    internet.dns.remove(ANYTHING)
    internet.dns.serve(DOMAIN, *SERVERS)
    internet.dns.vouch(DOMAIN)
    internet.register(host, FQDN, mx=DOMAIN)


def reverse(host: Host) -> str:
    return ip_address(host.address).reverse_pointer


def unlisted(host: Host, internet: Internet) -> None:
    for name, _, _ in listed(host.address):
        internet.dns.remove(name)


def no_pointer(host: Host, internet: Internet) -> None:
    internet.dns.remove(reverse(host), "PTR")


def providers_name(host: Host, internet: Internet, *, forward: bool) -> None:
    """The address has the name that the provider gives to all."""
    internet.dns.set(reverse(host), "PTR", GENERIC)
    if forward:
        internet.dns.set(GENERIC, "A", host.address)


def one_server_gone(host: Host, internet: Internet) -> None:
    """One of the zone's servers is an address where nobody is."""
    internet.dns.set(GONE, "A", host.network.address(249))
    internet.dns.serve(DOMAIN, SERVERS[0], GONE)


def server_deaf(_: Host, internet: Internet) -> None:
    """A firewall lets nothing but UDP to the zone's second server."""
    rule = f"ip daddr {internet.dns.second} tcp dport 53 drop;"
    rules = f"table inet deaf {{ chain in {{ type filter hook input priority 0; {rule} }}; }}"
    shell.run(_in_network(internet.dns.host, "-f", "-"), stdin=rules)


def server_heard(_: Host, internet: Internet) -> None:
    shell.run(_in_network(internet.dns.host, "delete", "table", "inet", "deaf"))


class Checking:
    """A resolver that checks signatures, for the host while the fault is there."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def begin(self, host: Host, internet: Internet) -> None:
        """It knows a key by which the zone should be signed."""
        name = "checks.lab.test"
        resolver = Host(internet.layer, hostname=name, fqdn=name, net=internet.network)
        self._stack.enter_context(resolver)
        resolver.put(internet.dns.validating({DOMAIN: NOBODYS_KEY}), "/etc/bind/named.conf")
        resolver.run(["systemctl", "start", "named"])
        host.run(f"echo nameserver {resolver.address} >/etc/resolv.conf")

    def end(self, _host: Host, _internet: Internet) -> None:
        """It is gone."""
        self._stack.close()


CHECKING = Checking()


def filtered(host: Host, verdict: str) -> None:
    """A firewall on the host's own way out."""
    shell.run(_in_network(host, "-f", "-"), stdin=DROP % verdict)


def open_again(host: Host, _internet: Internet) -> None:
    shell.run(_in_network(host, "delete", "table", "inet", "fault"))


def _in_network(host: Host, *words: str) -> list[str]:
    """The build machine's nft, for the packets of a host that may have none."""
    return ["nsenter", f"--net=/run/netns/{host.name}", "nft", *words]


FAULTS = (
    Fault(
        "the name has no address in the DNS",
        {"DNS-01": "warn: has no address"},
        lab=lambda _, internet: internet.dns.remove(FQDN),
        mend=published,
    ),
    Fault(
        "nobody is named who takes mail for the domain",
        {
            "DNS-16:postfix": f"warn: {DOMAIN} MX is absent",
            f"DNS-04:{DOMAIN}": "warn: neither MX nor address",
        },
        lab=lambda _, internet: internet.dns.remove(DOMAIN, "MX"),
        mend=published,
    ),
    Fault(
        "this host is on the list that most servers ask",
        {"DNS-17": "warn: is on zen.spamhaus.org"},
        lab=lambda host, internet: internet.dns.block(host.address),
        mend=unlisted,
    ),
    Fault(
        "the domain is on a list of senders",
        {"DNS-18": f"warn: {DOMAIN} is on dbl"},
        lab=lambda _, internet: internet.dns.set(LISTED, "A", "127.0.1.2"),
        mend=published,
    ),
    Fault(
        "mail programs are led to a port that is not encrypted",
        {f"DNS-15:{DOMAIN}": "warn: which is not encrypted"},
        lab=lambda _, internet: internet.dns.set(IN_CLEAR, "SRV", f"0 1 143 {FQDN}"),
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
        "one of the zone's servers is gone",
        {f"DNS-08:{DOMAIN}": f"warn: {GONE}, a server of {DOMAIN}: over UDP: no answer"},
        lab=one_server_gone,
        mend=published,
    ),
    Fault(
        "the zone has one server",
        {f"DNS-08:{DOMAIN}": f"warn: has one server only: {SERVERS[0]}"},
        lab=lambda _, internet: internet.dns.serve(DOMAIN, SERVERS[0]),
        mend=published,
    ),
    Fault(
        "the zone's signatures are missing",
        {
            f"DNS-09:{DOMAIN}": "warn: do not hold: answers SERVFAIL",
            f"DNS-04:{DOMAIN}": "unknown: signatures",
        },
        ": the host asks another resolver",
        "restored",
        lab=CHECKING.begin,
        mend=CHECKING.end,
    ),
    Fault(
        "the zone above names a key that is not there",
        {f"DNS-10:{DOMAIN}": "warn: has no key, but the zone above names one"},
        lab=lambda _, internet: internet.dns.vouch(DOMAIN, SIGNER),
        mend=published,
    ),
    Fault(
        "one of the zone's servers is deaf to TCP",
        {"DNS-12": f"warn: {SERVERS[1]}: no answer over TCP"},
        lab=server_deaf,
        mend=server_heard,
    ),
    Fault(
        "a wildcard stands for all names",
        {f"DNS-13:{DOMAIN}": "warn: a made-up name, has TXT"},
        lab=lambda _, internet: internet.dns.set(ANYTHING, "TXT", "v=spf1 -all"),
        mend=published,
    ),
    Fault(
        "the resolver is dead",
        {
            "DNS-01": "unknown",
            "DNS-02": "unknown",
            "DNS-03": "unknown",
            "DNS-16:hostname": "unknown",
            **dict.fromkeys(OF_THE_ZONE, "unknown"),
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
