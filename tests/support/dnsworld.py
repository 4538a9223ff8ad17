"""Name servers for `mailwizard dns`: two of the zones, this host's resolver, a public one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.nameserver import Server, serving

from mailwizard import dnsdesk
from mailwizard.dnsdesk import Finding, Where
from mailwizard.host import LocalHost
from mailwizard.model import Record
from mailwizard.platform.debian import TRIXIE
from mailwizard.steps import hostname, postfix

FQDN, DOMAIN, REVERSE = "mail.example.org", "example.org", "10.2.0.192.in-addr.arpa"
A = Record(FQDN, "A", "192.0.2.10", "the address")
MX = Record(DOMAIN, "MX", f"10 {FQDN}.", "the mail")
PTR = Record(REVERSE, "PTR", f"{FQDN}.", "the name")
ALL = [A, MX, PTR]
STEPS = (hostname.STEP, postfix.STEP)
ANSWERS = f"""
[hostname]
fqdn = "{FQDN}"
address = "192.0.2.10"
address6 = "2001:db8::10"
[postfix]
domains = ["{DOMAIN}", "lists.example.net"]
"""


@dataclass
class World:
    """Two servers of the zones, this host's resolver and one that others use."""

    first: Server
    second: Server
    own: Server
    public: Server
    where: Where
    host: LocalHost

    @property
    def everyone(self) -> tuple[Server, ...]:
        return (self.first, self.second, self.own, self.public)

    def publish(
        self, record: Record, *values: str, at: tuple[Server, ...] = (), ttl: int = 300
    ) -> None:
        for each in at or self.everyone:
            each.set(record.owner, record.type, *(values or (record.value,)), ttl=ttl)

    @contextmanager
    def beside(self, server: Server) -> Iterator[None]:
        """One more server, on the port of the others."""
        with serving(server, port=self.where.port):
            yield

    def look(self, *records: Record) -> list[Finding]:
        return dnsdesk.look(self.host, records or ALL, self.where)

    def outcomes(self, finding: Finding) -> list[str]:
        return [str(view.outcome) for view in finding.views]


@contextmanager
def made_world(tmp_path: Path) -> Iterator[World]:
    first, second = Server("127.0.0.2"), Server("127.0.0.3")
    own, public = Server("127.0.0.4", recursive=True), Server("127.0.0.5", recursive=True)
    with serving(first, second, own, public) as port:
        where = Where((own.address,), ((public.address,),), port, seconds=20)
        host = LocalHost(TRIXIE, str(tmp_path / "state"))
        world = World(first, second, own, public, where, host)
        for each in world.everyone:
            each.zones = (DOMAIN, "2.0.192.in-addr.arpa", "org", "example.net")
            for zone in (DOMAIN, "2.0.192.in-addr.arpa", "example.net"):
                each.set(zone, "NS", "ns1.example.net.", "ns2.example.net.")
                each.set(zone, "SOA", "ns1.example.net. me.example.net. 7 60 60 60 30")
        own.set("ns1.example.net", "A", first.address)
        own.set("ns2.example.net", "A", second.address)
        yield world
