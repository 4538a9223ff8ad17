"""A small internet around the hosts under test: names, mail servers, an authority."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property

from lab import images, network, shell
from lab.acme import Acme
from lab.dns import Dns, Record, both_ways, listed, reverse_zones
from lab.host import Host
from lab.mailhosts import MailHost, Relay

# SpamAssassin asks these about each stranger, and the last two are asked for news: here they know
# nobody, and nobody outside is asked.
REPUTATION = (
    *("bondedsender.org", "dnswl.org", "fmb.la", "habeas.com", "isipp.com", "mailspike.net"),
    *("senderscore.com", "spamcop.net", "surbl.org", "surriel.com", "uribl.com"),
    *("spamassassin.org", "clamav.net"),
)
# names of this host's own and of nobody, which the world has no answer to (RFC 6303, RFC 6761)
NOBODYS = ("debian", "invalid", "127.in-addr.arpa")
ZONES = (
    *("lab.test", "example.test", "foreign.test", "other.test", "relay.test", "strict.test"),
    *("bl.test", "zen.spamhaus.org", "dbl.spamhaus.org"),
    # above the zones of the lab: what it does not know does not exist
    "test",
    # as in the world: it exists, sends nothing and takes nothing
    "example.com",
    *REPUTATION,
    *NOBODYS,
)
PACKAGES = (
    "bind9 bind9-utils bind9-dnsutils openssl pebble postfix sasl2-bin libsasl2-modules "
    "python3-dkim python3-spf"
)
NAMES = {
    "foreign.test": "mx.foreign.test",
    "other.test": "mx.other.test",
    "relay.test": "smtp.relay.test",
    "acme.test": "acme.lab.test",
}
DNS, FOREIGN, OTHER, RELAY = 53, 64, 72, 80  # places in the subnet
PEBBLE = """\
{ "pebble": {
    "listenAddress": "[::]:14000", "managementListenAddress": "[::]:15000",
    "certificate": "/etc/lab/acme.test.pem", "privateKey": "/etc/lab/acme.test.pem",
    "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "", "externalAccountBindingRequired": false,
    "certificateValidityPeriod": 7776000
} }
"""
PEBBLE_UNIT = """\
[Service]
Environment=PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 PEBBLE_AUTHZREUSE=0
ExecStart=/usr/bin/pebble -config /etc/lab/pebble.json -dnsserver 127.0.0.1:53
"""
AUTHORITY = """
set -e
mkdir -p /etc/lab
cd /etc/lab
new="openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
$new -x509 -days 3650 -subj "/CN=Lab CA" -keyout ca.key -out ca.pem
"""
CERTIFICATE = """
$new -subj /CN={name} -keyout {domain}.key -out request
printf 'subjectAltName=DNS:{name},DNS:{domain}' >extensions
openssl x509 -req -days 3649 -in request -CA ca.pem -CAkey ca.key -extfile extensions -out signed
cat {domain}.key signed ca.pem >{domain}.pem
"""
OUTSIDE = """
table inet lab {{
    chain names {{
        type nat hook prerouting priority -100; policy accept;
        iifname "{bridge}" ip saddr != {dns} ip daddr != 198.18.0.0/15 meta l4proto {{ tcp, udp }} \
            th dport 53 dnat ip to {dns}
    }}
}}
"""


def _build(host: Host) -> None:
    host.run(
        "echo postfix postfix/main_mailer_type select 'No configuration' | debconf-set-selections"
    )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    host.run("apt-get update", timeout=300)
    host.run(f"apt-get install -y --no-install-recommends {PACKAGES}", env=quiet, timeout=600)
    script = [AUTHORITY, *(CERTIFICATE.format(domain=d, name=n) for d, n in NAMES.items())]
    host.run("\n".join(script))
    host.put(PEBBLE, "/etc/lab/pebble.json")
    host.put(PEBBLE_UNIT, "/etc/systemd/system/pebble.service")
    host.run("systemctl disable --now named postfix saslauthd; apt-get clean")


class Internet:
    """The small internet; names are served at once, each other host starts when first used."""

    def __init__(self, net: network.Network | None = None) -> None:
        self.network = net or network.shared()
        key = f"{PACKAGES}{AUTHORITY}{CERTIFICATE}{NAMES}{PEBBLE}{PEBBLE_UNIT}"
        self.layer = images.layer(images.base("trixie"), "internet", key, _build, self.network)
        self._stack = ExitStack()
        self._locks = {domain: threading.Lock() for domain in NAMES}
        self._made: dict[str, MailHost] = {}
        host = self._boot("ns.lab.test", DNS, addresses=2)
        zones = [*ZONES, *reverse_zones(self.network.net4, self.network.net6)]
        self.dns = Dns(host, zones)
        self.network.name_servers = [host.address]
        rules = OUTSIDE.format(bridge=network.BRIDGE, dns=host.address)
        shell.run(["nft", "-f", "-"], stdin=rules)
        self.ca = host.get("/etc/lab/ca.pem")
        self._publish()

    def _boot(self, fqdn: str, offset: int, addresses: int = 1) -> Host:
        host = Host(
            self.layer,
            hostname=fqdn,
            fqdn=fqdn,
            offset=offset,
            addresses=addresses,
            net=self.network,
        )
        self._stack.callback(host.close)
        return host

    def _publish(self) -> None:
        records: list[Record] = []
        places = {"foreign.test": FOREIGN, "other.test": OTHER, "relay.test": RELAY}
        for domain, place in places.items():
            name = NAMES[domain]
            honest = [*self._both(place), self.network.address(place + 1)]
            spf = " ".join(f"ip{6 if ':' in ip else 4}:{ip}" for ip in honest)
            records += [(domain, "MX", f"10 {name}"), (domain, "TXT", f"v=spf1 {spf} -all")]
            records += both_ways(name, *self._both(place))
            records += both_ways(f"listed.{domain}", *self._both(place + 1))
            records += both_ways(f"stray.{domain}", *self._both(place + 2))
            records += listed(self.network.address(place + 1))
        records += [
            ("strict.test", "MX", f"10 {NAMES['other.test']}"),
            ("strict.test", "TXT", "v=spf1 -all"),
            ("_dmarc.strict.test", "TXT", "v=DMARC1; p=reject"),
            ("example.com", "MX", "0 ."),
            ("example.com", "TXT", "v=spf1 -all"),
            (NAMES["acme.test"], "A", self.dns.address),
            (NAMES["acme.test"], "AAAA", self.dns.host.address6),
            *both_ways("ns.lab.test", self.dns.address, self.dns.host.address6),
        ]
        # RFC 5782, 5: every list has this entry, as a test point.
        self.dns.update(records + listed("127.0.0.2"))

    def _both(self, place: int) -> tuple[str, str]:
        return self.network.address(place), self.network.address6(place)

    def _mailhost(self, kind: type[MailHost], domain: str, place: int) -> MailHost:
        with self._locks[domain]:
            if domain not in self._made:
                host = self._boot(NAMES[domain], place, addresses=3)
                self._made[domain] = kind(host, domain, NAMES[domain])
            return self._made[domain]

    @property
    def foreign(self) -> MailHost:
        """Give the first foreign mail host."""
        return self._mailhost(MailHost, "foreign.test", FOREIGN)

    @property
    def other(self) -> MailHost:
        """Give the second foreign mail host."""
        return self._mailhost(MailHost, "other.test", OTHER)

    @property
    def relay(self) -> Relay:
        """Give the provider's relay."""
        made = self._mailhost(Relay, "relay.test", RELAY)
        assert isinstance(made, Relay)  # for the type checker
        return made

    @cached_property
    def acme(self) -> Acme:
        """Give the certificate authority that speaks ACME."""
        return Acme(self.dns.host, NAMES["acme.test"])

    def start_all(self) -> "Internet":
        """Start at once what would else be started at first use."""
        starts = [lambda: self.foreign, lambda: self.other, lambda: self.relay, lambda: self.acme]
        with ThreadPoolExecutor(len(starts)) as pool:
            for done in [pool.submit(start) for start in starts]:
                done.result()
        return self

    def register(self, host: Host, fqdn: str, *, mx: str | None = None) -> None:
        """Publish a host's addresses under a name, both ways, and make it the MX of a domain."""
        self.dns.point(fqdn, host.address, host.address6)
        if mx is not None:
            self.dns.set(mx, "MX", f"10 {fqdn}")

    def trust(self, host: Host) -> None:
        """Make a host trust the certificates of the other mail hosts and of the ACME server."""
        host.put(self.ca, "/usr/local/share/ca-certificates/lab.crt")
        host.run(["update-ca-certificates"])

    def close(self) -> None:
        """End all hosts of the small internet."""
        self.network.name_servers = []
        self._stack.close()

    def __enter__(self) -> "Internet":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
