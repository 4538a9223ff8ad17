"""A host with every step applied, to be broken and mended, and its probes asked one by one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from lab.host import Host
from lab.internet import Internet
from support.applied import FOR_SPAM, PYTHON, Prepared
from support.faults.fault import Fault, Verdict

HERE = Path(__file__).parent
# What OUT-01 tries to reach; in the lab they are a host of the lab.
EXCHANGERS = ("gmail-smtp-in.l.google.com", "outlook-com.olc.protection.outlook.com")


class Bench:
    """One release's host; what it said when sound is `sound`."""

    def __init__(self, suite: str, host: Host, internet: Internet) -> None:
        self.suite = suite
        self.host = host
        self.internet = internet
        for name in ("kit.sh", "asker.py", "authenticator.py"):
            host.put(HERE / name, f"/root/{name}")
        self.shell("keep")
        self._asker = host.popen(f"exec {PYTHON} /root/asker.py 2>/root/asker.err")

    @cached_property
    def sound(self) -> dict[str, Verdict]:
        """What every probe said before anything was broken."""
        return self.ask(None)

    def ask(
        self, ids: Iterable[str] | None, options: Mapping[str, Any] | None = None
    ) -> dict[str, Verdict]:
        """The verdicts of these probes, or of all."""
        asker = self._asker
        assert asker.stdin is not None
        assert asker.stdout is not None
        wanted = None if ids is None else list(ids)
        asker.stdin.write(json.dumps({"ids": wanted, "options": options or {}}).encode() + b"\n")
        asker.stdin.flush()
        heard = asker.stdout.readline()
        assert heard, self.host.get("/root/asker.err").decode()
        found: dict[str, Verdict] = json.loads(heard)
        assert wanted is None or found.keys() == set(wanted), "not every probe is known"
        return found

    def shell(self, lines: str) -> None:
        """Do something in the words of kit.sh."""
        self.host.run(["bash", "-c", f". /root/kit.sh\n{lines}"])

    @contextmanager
    def broken(self, fault: Fault) -> Iterator[None]:
        """The host with one fault, which is mended in any case."""
        try:
            if fault.do:
                self.shell(fault.do)
            if fault.lab:
                fault.lab(self.host, self.internet)
            yield
        finally:
            if fault.mend:
                fault.mend(self.host, self.internet)
            if fault.do:
                self.shell(fault.undo)

    def try_out(self, fault: Fault) -> tuple[dict[str, Verdict], dict[str, Verdict]]:
        """What the fault's probes say while it is there, and after it is mended."""
        with self.broken(fault):
            broken = self.ask(fault.turns, fault.options)
        return broken, self.ask(fault.turns)

    def close(self) -> None:
        """End the asking."""
        self._asker.communicate(timeout=30)


@contextmanager
def bench(prepared: Prepared, suite: str) -> Iterator[Bench]:
    """A release's host in a small internet where the large providers can be reached."""
    internet = prepared.internet
    for name in EXCHANGERS:
        if name not in internet.dns.zones:
            internet.dns.add_zone(name)
        internet.dns.set(name, "A", internet.foreign.address)
    with prepared.applied_host(suite, FOR_SPAM) as host:
        made = Bench(suite, host, internet)
        try:
            yield made
        finally:
            made.close()


def outcomes(verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    """Probe -> outcome."""
    return {probe: verdict["outcome"] for probe, verdict in verdicts.items()}
