"""Probes of the DNS asked against a name server that a test fills."""

from __future__ import annotations

from support.nameserver import Server, serving
from support.programs import Program
from support.recorded import RecordedHost

from mailwizard.model import Probe, Result

DOMAIN = "example.test"
ZONES = ("example.test", "elsewhere.test", "test")


def quoted(text: str) -> str:
    """A TXT record in strings of at most 255 octets."""
    return " ".join(f'"{text[i : i + 255]}"' for i in range(0, len(text), 255))


def asked(
    kind: type,
    records: dict[str, list[str]],
    *args: object,
    host: RecordedHost | None = None,
    **programs: Program,
) -> Result:
    """What the probe says; records by "name" for TXT, else by "name type"."""
    made = Server("127.0.0.1", recursive=True, zones=ZONES)
    for name, values in records.items():
        owner, _, kind_of = name.partition(" ")
        texts = values if kind_of else [quoted(value) for value in values]
        if texts:
            made.set(owner, kind_of or "TXT", *texts)
    with serving(made) as port:
        probe: Probe = kind(*args, nameservers=("127.0.0.1",), dns_port=port)
        return probe.ask(host or RecordedHost(programs=programs))
