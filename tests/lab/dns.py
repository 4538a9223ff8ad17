"""The lab's name server: BIND 9 that owns the test zones and forwards all other questions."""

import ipaddress
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from lab import shell, surroundings
from lab.errors import LabError
from lab.host import Host

NAMES_IN_VALUES = frozenset({"CNAME", "MX", "NS", "PTR", "SRV"})
Record = tuple[str, str, str]
LISTS = ("zen.spamhaus.org", "bl.test")
OPTIONS = """\
options {{
    directory "/var/cache/bind";
    listen-on {{ any; }};
    listen-on-v6 {{ any; }};
    allow-query {{ any; }};
    allow-recursion {{ any; }};
    allow-transfer {{ none; }};
    forward only;
    forwarders {{ {forwarders} }};
    dnssec-validation no;
    empty-zones-enable no;
    allow-new-zones yes;
    max-ncache-ttl 0;
    servfail-ttl 0;
    notify no;
}};
"""
# named must be able to write beside a zone that changes at run time, hence its cache folder.
PRIMARY = 'type primary; file "/var/cache/bind/{zone}.zone"; update-policy local;'
# A resolver that checks signatures, from keys that it is given, and asks the lab for the rest.
VALIDATING = """\
options {{
    directory "/var/cache/bind"; listen-on {{ any; }}; listen-on-v6 {{ none; }};
    allow-query {{ any; }}; allow-recursion {{ any; }}; forward only;
    forwarders {{ {server}; }}; dnssec-validation yes; empty-zones-enable no;
    max-ncache-ttl 600; servfail-ttl 0; notify no;
}};
trust-anchors {{ {anchors} }};
"""
NOBODYS_KEY = (
    "257 3 13 oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XNEZe"
    "qCYKD5ar0IRd8KqXXFJkqmVfRvMGPmM1x8fGAa2XhSA=="
)
# A secondary that never heard from its primary answers SERVFAIL for all its names.
DEAD = 'type secondary; file "/var/cache/bind/{zone}.dead"; primaries {{ 127.0.0.1 port 9; }};'
EMPTY = """\
$TTL 300
@ SOA ns.lab.test. hostmaster.lab.test. 1 3600 600 86400 60
@ NS ns.lab.test.
@ NS ns2.lab.test.
"""
SERVERS = ("ns.lab.test", "ns2.lab.test")


class Dns:
    """The name server and its records, which tests change while it runs."""

    def __init__(self, host: Host, zones: Iterable[str]) -> None:
        self.host = host
        self.zones: list[str] = []
        self._failing: list[str] = []
        self._start(list(zones))

    @property
    def address(self) -> str:
        """Give the address that hosts ask."""
        return self.host.address

    @property
    def second(self) -> str:
        """Give the address that it has as the zones' second server."""
        return self.host.network.address(self.host.offsets[1])

    def _start(self, zones: list[str]) -> None:
        forwarders = "".join(f"{server}; " for server in surroundings.resolvers())
        self.host.put(OPTIONS.format(forwarders=forwarders), "/etc/bind/named.conf")
        # A zone does not load while a server it names in itself has no address.
        own = f"$ORIGIN lab.test.\nns A {self.address}\nns AAAA {self.host.address6}\n"
        own += f"ns2 A {self.second}\n"
        inside = {"lab.test": own, "test": f"lab NS ns.lab.test.\n{own}"}
        script = ["set -e", "cd /var/cache/bind", "systemctl start named"]
        for zone in zones:
            content = EMPTY + inside.get(zone, "")
            script.append(f"printf %s {shlex.quote(content)} >{zone}.zone; chown bind: {zone}.zone")
            script.append(f"rndc addzone {zone} '{{ {PRIMARY.format(zone=zone)} }};'")
        self.host.run("\n".join(script))
        self.zones = zones

    def zone_of(self, name: str) -> str:
        """Find the zone that a name belongs to."""
        fits = [zone for zone in self.zones if f".{name}".endswith(f".{zone}")]
        if not fits:
            raise LabError(f"{name} is in none of the lab's zones: {', '.join(self.zones)}")
        return max(fits, key=len)

    def add_zone(self, zone: str) -> None:
        """Make this server answer for one more zone, empty at first."""
        path = f"/var/cache/bind/{zone}.zone"
        self.host.put(EMPTY, path, owner="bind:bind")
        self._rndc("addzone", zone, f"{{ {PRIMARY.format(zone=zone)} }};")
        self.zones.append(zone)

    def set(self, name: str, kind: str, *values: str, ttl: int = 300) -> None:
        """Make these the only values that a name has of a kind."""
        self.update([(name, kind, value) for value in values], ttl=ttl)

    def update(self, records: Iterable[Record], *, ttl: int = 300) -> None:
        """Set many records at once; other values of the same names and kinds are gone."""
        lines: dict[str, list[str]] = {}
        seen = set()
        for name, kind, value in records:
            found = lines.setdefault(self.zone_of(name), [])
            if (name, kind) not in seen:
                found.append(f"update delete {name}. {kind}")
                seen.add((name, kind))
            found.append(f"update add {name}. {ttl} {kind} {_written(kind, value)}")
        self._nsupdate(
            line for zone, found in lines.items() for line in (f"zone {zone}.", *found, "send")
        )

    def serve(self, zone: str, *servers: str) -> None:
        """Make these the only servers that a zone names; it would not let all go at once."""
        old = [name.rstrip(".") for name in self.ask(zone, "NS")]
        lines = [f"update add {zone}. 300 NS {name}." for name in servers]
        lines += [f"update delete {zone}. NS {name}." for name in old if name not in servers]
        self._nsupdate([f"zone {zone}.", *lines, "send"])

    def remove(self, name: str, kind: str | None = None) -> None:
        """Take away a name's values of a kind, or all that is known of it."""
        zone = self.zone_of(name)
        self._nsupdate([f"zone {zone}.", f"update delete {name}. {kind or ''}", "send"])

    def sign(self, zone: str) -> str:
        """Sign a zone, and give the key (DNSKEY) that stands for it."""
        self._rndc("delzone", zone)
        self._rndc("addzone", zone, f"{{ {PRIMARY.format(zone=zone)} dnssec-policy default; }};")
        for _ in range(100):
            if keys := self.ask(zone, "DNSKEY"):
                return keys[0]
            time.sleep(0.1)
        raise LabError(f"{zone} was not signed")

    def validating(self, anchors: Mapping[str, str]) -> str:
        """Give the named.conf of another host that checks zones by their keys, and asks here."""
        written = [f"{z} static-key {_quoted_key(k)};" for z, k in anchors.items()]
        return VALIDATING.format(server=self.address, anchors=" ".join(written))

    def vouch(self, zone: str, *signers: str) -> None:
        """Let the zone above name these keys (DS) of a zone, or none."""
        above, name = self.zone_of(zone.partition(".")[2]), f"{zone}."
        lines = [f"update delete {name} DS", f"update add {name} 300 NS {SERVERS[0]}."]
        lines += [f"update add {name} 300 DS {one}" for one in signers]
        self._nsupdate([f"zone {above}.", *lines, "send"])

    def allow_updates(self, zone: str, key: str) -> str:
        """Let whoever has a key of this name change a zone; give the key as a file."""
        made = self.host.run(["tsig-keygen", key]).stdout
        self.host.put(self.host.get("/etc/bind/named.conf") + made.encode(), "/etc/bind/named.conf")
        self._rndc("reconfig")
        file, _, _ = PRIMARY.format(zone=zone).partition("update-policy")
        grants = f"grant local-ddns zonesub any; grant {key} zonesub any;"
        self._rndc("modzone", zone, f"{{ {file} update-policy {{ {grants} }}; }};")
        # named takes both up by and by; to delete what is not there changes nothing
        self.host.put(made, "/run/update.key")
        nothing = f"server 127.0.0.1\nzone {zone}\nupdate delete no-such-name.{zone}. TXT\nsend\n"
        till = "until nsupdate -k /run/update.key /run/nothing; do sleep 1; done"
        self.host.run(f"cat >/run/nothing; {till}", input=nothing, timeout=30)
        return made

    def ask(self, name: str, kind: str) -> list[str]:
        """Give the values that the server answers with."""
        server = self.host.address
        done = self.host.run(["dig", "+short", "+time=3", "+tries=1", f"@{server}", name, kind])
        return done.stdout.splitlines()

    def servfail(self, name: str) -> None:
        """Answer every question for a zone, or for what is below any name, with SERVFAIL."""
        if name in self.zones:
            self._rndc("delzone", name)
        self._rndc("addzone", name, f"{{ {DEAD.format(zone=name)} }};")
        self._failing.append(name)

    def heal(self) -> None:
        """End all failures; the records are as they were."""
        for name in self._failing:
            self._rndc("delzone", name)
            if name in self.zones:
                self._rndc("addzone", name, f"{{ {PRIMARY.format(zone=name)} }};")
        self._failing.clear()

    @contextmanager
    def shut(self, rule: str) -> Iterator[None]:
        """Let a firewall rule stand before the server."""
        nft = ["nsenter", "-t", str(self.host.pid), "-n", "nft"]
        chain = f"chain in {{ type filter hook input priority 0; {rule}; }};"
        shell.run([*nft, "-f", "-"], stdin=f"table inet shut {{ {chain} }}")
        try:
            yield
        finally:
            shell.run([*nft, "delete", "table", "inet", "shut"])

    def stop(self) -> None:
        """Stop answering."""
        self.host.run(["systemctl", "stop", "named"])

    def start(self) -> None:
        """Answer again."""
        self.host.run(["systemctl", "start", "named"])

    def point(self, name: str, *addresses: str) -> None:
        """Give a name its addresses, of both families, and each of these its name."""
        self.update(both_ways(name, *addresses))

    def block(self, address: str) -> None:
        """Put an address on the block lists."""
        self.update(listed(address))

    def _rndc(self, *words: str) -> None:
        self.host.run(["rndc", *words])

    def _nsupdate(self, lines: Iterable[str]) -> None:
        self.host.run(["nsupdate", "-l"], input="\n".join(lines) + "\n")


def _quoted_key(key: str) -> str:
    flags, protocol, algorithm, *octets = key.split()
    return f'{flags} {protocol} {algorithm} "{"".join(octets)}"'


def both_ways(name: str, *addresses: str) -> list[Record]:
    """Give the records of a name's addresses and of their names."""
    records = [(name, "AAAA" if ":" in address else "A", address) for address in addresses]
    pointers = [ipaddress.ip_address(address).reverse_pointer for address in addresses]
    return records + [(pointer, "PTR", name) for pointer in pointers]


def listed(address: str) -> list[Record]:
    """Give the entries of an address on all block lists (RFC 5782, 2.1)."""
    parts = ipaddress.ip_address(address).reverse_pointer.split(".")[:-2]
    entries = [".".join([*parts, name]) for name in LISTS]
    values = [("A", "127.0.0.2"), ("TXT", "listed for the test")]
    return [(entry, kind, value) for entry in entries for kind, value in values]


def reverse_zones(*networks: ipaddress.IPv4Network | ipaddress.IPv6Network) -> list[str]:
    """Give the zones in which the addresses of networks have their names."""
    zones = []
    for network in networks:
        labels = network.network_address.reverse_pointer.split(".")
        kept = 2 if network.version == 4 else network.prefixlen // 4
        zones.append(".".join(labels[-2 - kept :]))
    return zones


def _written(kind: str, value: str) -> str:
    if kind == "TXT" and not value.startswith('"'):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        # RFC 1035, 3.3: one string of a record has at most 255 bytes.
        return " ".join(f'"{escaped[at : at + 250]}"' for at in range(0, len(escaped), 250)) or '""'
    if kind in NAMES_IN_VALUES and not value.endswith("."):
        return f"{value}."
    return value
