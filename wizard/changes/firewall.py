"""The changes that let mail in, in the words of the firewall that a host uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mailwizard import firewalld, nftables, ufw
from mailwizard.changes import firewalld as zones
from mailwizard.changes import nftables as rules
from mailwizard.changes.ufw import UfwOpenings
from mailwizard.model import Change, Look, Probe
from mailwizard.platform.firewalls import FIREWALLD, UFW, Opening, firewall_of


def firewall_rules(
    look: Look, openings: Sequence[Opening], confirm: Sequence[Probe]
) -> Iterator[Change]:
    """Changes after which the firewall of this host lets these in; `confirm` must then pass."""
    kind = firewall_of(look)
    if kind == FIREWALLD:
        yield from zones.changes(look, openings, confirm)
    elif kind == UFW:
        yield UfwOpenings(tuple(openings), tuple(confirm))
    else:
        yield from rules.changes(look, openings, confirm)


def due(look: Look, openings: Sequence[Opening]) -> tuple[Opening, ...]:
    """The openings without those for SSH that somebody has decided about in rules of his own."""
    decided = _decided(look)
    return tuple(each for each in openings if not (each.ssh and decided(each.port)))


def spent(look: Look, openings: Sequence[Opening]) -> tuple[int, ...]:
    """Ports (TCP) at which a rule of ours lets everybody in yet, and nobody wants that any more."""
    if firewall_of(look) != UFW:
        return ()
    gone = (rule for rule in ufw.spent(look, openings) if rule.startswith("allow tcp "))
    ports = dict.fromkeys(ufw.port_of(rule) for rule in gone if ufw.is_public(rule))
    return tuple(port for port in ports if not ufw.speaks_of(look, port))


def _decided(look: Look) -> Callable[[int], bool]:
    kind = firewall_of(look)
    if kind == FIREWALLD:
        kept = [firewalld.items(look, zone, firewalld.PERMANENT) for zone in firewalld.zones(look)]
        return lambda port: any(firewalld.speaks_of(items, port) for items in kept)
    if kind == UFW:
        return lambda port: ufw.speaks_of(look, port)
    rules = nftables.listing(look)
    return lambda port: nftables.speaks_of(rules, port)
