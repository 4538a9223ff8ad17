"""What others see of the mail that leaves this host: under which name, from which addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard.model import Host, Look, Result, worst
from mailwizard.probes.addresses import on_interfaces, source, version
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.networks import is_private
from mailwizard.probes.postconf import Postconf, spelled, words
from mailwizard.probes.verdict import could_not_ask, failed, passed, unknown, warned

_BIND = {4: "smtp_bind_address", 6: "smtp_bind_address6"}
_TRANSPORTS = ("default_transport", "relay_transport")
_NAMES = ("smtp_helo_name", "inet_protocols", "relayhost", *_TRANSPORTS, *_BIND.values())


@dataclass(frozen=True, slots=True)
class OutgoingIdentity:
    """Mail leaves under the host's name and from its public addresses.

    What others see is known here only where the address that mail leaves from is the public one.
    """

    fqdn: str
    addresses: tuple[str, ...]
    id: ClassVar[str] = "OUT-02"
    title: ClassVar[str] = "Mail leaves under this host's name and address"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        options = "postconf -Px | grep -E 'inet_protocols|bind_address'"
        routes = "ip route get 192.0.2.1; ip -6 route get 2001:db8::1"
        return f"{spelled('', '-x', 'smtp_helo_name', *_BIND.values())}; {options}; {routes}"

    def ask(self, host: Host) -> Result:
        try:
            postconf = Postconf(host)
            conf, overrides = postconf.values(*_NAMES), postconf.overrides()
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        clients = dict.fromkeys(conf.get(name, "").partition(":")[0] for name in _TRANSPORTS)
        found = [
            self._judged(host, client, conf | overrides.get(f"{client}/unix", {}))
            for client in filter(None, clients or {"smtp": None})
        ]
        said = worst(one.outcome for one in found)
        first = next(one for one in found if one.outcome is said)
        rows = dict.fromkeys(row for one in found for row in one.transcript)
        return replace(first, transcript=tuple(rows))

    def _judged(self, host: Host, client: str, conf: Mapping[str, str]) -> Result:
        """What a client of master.cf with these settings shows to others."""
        helo, here = conf.get("smtp_helo_name", ""), on_interfaces(host)
        sources = dict(self._sources(host, conf))
        rows = [f"{client}: EHLO {helo}"]
        rows += [
            f"{client}: IPv{family} from {one or 'nowhere'}" for family, one in sources.items()
        ]
        if helo.lower() != self.fqdn.lower():
            fix = "The administrator: remove smtp_helo_name from main.cf, then reload Postfix."
            return failed(f"mail leaves under the name {helo or '(none)'}", self.fqdn, fix, rows)
        for name in _BIND.values():
            if (bound := conf.get(name)) and bound not in here:
                said = f"{name} is {bound}, which this host does not have"
                fix = (
                    f"The administrator: remove {name} from main.cf and master.cf, then reload "
                    "Postfix."
                )
                return failed(said, f"one of {', '.join(here)}", fix, rows)
        return self._fits([one for one in sources.values() if one], here, conf, rows)

    def _sources(self, look: Look, conf: Mapping[str, str]) -> Iterator[tuple[int, str]]:
        spoken = set(words(conf.get("inet_protocols", "all")))
        for family, name in _BIND.items():
            if spoken & {"all", f"ipv{family}"}:
                yield family, conf.get(name) or source(look, family, self.addresses)

    def _fits(
        self,
        sources: Sequence[str],
        here: Sequence[str],
        conf: Mapping[str, str],
        rows: Sequence[str],
    ) -> Result:
        strange = [one for one in sources if one not in self.addresses]
        if not strange and sources:
            return passed(f"mail leaves as {self.fqdn} from {', '.join(sources)}", rows)
        expected = f"one of {', '.join(self.addresses) or '(none answered)'}"
        # the families in which mail could leave from the right address
        could = {version(one) for one in self.addresses if one in here}
        wrong = [one for one in strange if not is_private(one) or version(one) in could]
        if wrong:
            say = warned if conf.get("relayhost") else failed
            return say(
                f"mail leaves from {wrong[0]}, which is not an address that was answered",
                expected,
                "The administrator: SPF and the PTR record must fit the address that mail leaves "
                "from. Apply the step Postfix basics again: it binds mail to the answered address "
                "where this host has that. Else correct hostname.address or hostname.address6.",
                rows,
            )
        if not sources:
            said = "this host has no way out that mail could leave by"
            return unknown(said, expected, "The administrator: see `ip route`.", rows)
        return unknown(
            f"mail leaves as {self.fqdn}; from which address, only others can see",
            expected,
            "A router on the way changes the address: send a message to an account elsewhere and "
            "look at its first Received line.",
            rows,
        )
