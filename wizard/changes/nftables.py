"""nftables lets in what it should: at once and guarded, and after that from /etc at each boot."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailwizard import nftables
from mailwizard.changes import guard, previews
from mailwizard.changes.boot import StartsAtBoot
from mailwizard.changes.files import FileContent, Folder, KeyedEntries
from mailwizard.errors import ProofFailed
from mailwizard.model import Change, Host, Look, Preview, Probe, Subject
from mailwizard.nftables import DROP_IN, INCLUDE
from mailwizard.platform import firewalls
from mailwizard.platform.firewalls import Opening
from mailwizard.render import render
from mailwizard.subjects import NftRules

# the key of our line in a file of commands: words before this separator
_SEPARATOR = ".nft"


def changes(look: Look, openings: Sequence[Opening], confirm: Sequence[Probe]) -> Iterator[Change]:
    """The rules in force first: only what was confirmed is kept for the next boot."""
    text = nftables.script(nftables.listing(look), openings)
    ports = (each.port for each in openings if each.protocol == "tcp" and not each.ssh)
    yield NftRuleset(text, tuple(confirm), tuple(dict.fromkeys(ports)))
    yield Folder(DROP_IN.rpartition("/")[0])
    yield FileContent(DROP_IN, text)
    conf = look.platform.path("nftables.conf")
    if not nftables.included(look.read(conf).decode("utf-8", "replace")):
        yield KeyedEntries(conf, _SEPARATOR, {INCLUDE.partition(_SEPARATOR)[0]: INCLUDE})
    yield StartsAtBoot("nftables.service")


@dataclass(frozen=True, slots=True)
class NftRuleset:
    """The running rules hold ours, loaded from this text; undone by themselves if they shut out.

    ports: what mail needs, for whoever has to open them elsewhere.
    """

    text: str
    confirm: tuple[Probe, ...] = ()
    ports: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        return "let mail and SSH through nftables"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        rules = nftables.listing(look)
        now = nftables.ours(rules)
        return not now or now != nftables.wanted(look, rules, self.text)

    def preview(self, look: Look) -> Preview:
        return previews.commands(guard.arming(), ["nft", "-f", DROP_IN])

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (NftRules(),)

    def apply(self, host: Host) -> None:
        self._prove(host)
        before = NftRules().capture(host)["script"].encode()
        load = render("firewall/load.sh.j2")
        guard.guarded(
            host,
            f"<before.nft sh -c {shlex.quote(load)}",
            {"before.nft": before},
            lambda: NftRules.load(host, self.text + self._client(host)),
            self.confirm,
        )

    def shell(self, look: Look) -> str:
        lines = " ".join(map(shlex.quote, self.text.removesuffix("\n").split("\n")))
        return f"printf '%s\\n' {lines} | nft_ruleset"

    def _client(self, look: Look) -> str:
        """Who sits at the other end of this session is let in, whatever the ports say."""
        if f"table {nftables.OWN}" not in self.text:
            return ""
        return "".join(
            f"add element {nftables.OWN} administrator{6 if ':' in address else 4} "
            f"{{ {address.partition('%')[0]} timeout 1h }}\n"
            for address, _ in firewalls.client(look)
        )

    def _prove(self, host: Host) -> None:
        """What the next boot will load is what is in force now, and our rules fit into it."""
        path = host.platform.path("nftables.conf")
        rows = host.read(path).decode("utf-8", "surrogateescape").splitlines()
        conf = "".join(f"{row}\n" for row in rows if row != INCLUDE)
        kept = nftables.isolated(host, conf)
        if not kept.ok:
            said = tuple(kept.err.splitlines())
            raise ProofFailed(
                f"{path} cannot be loaded", said, hint=f"Correct it: nft -c -f {path}"
            )
        self._same_gates(host, path, kept.out)
        both = nftables.isolated(host, conf + self.text)
        if not both.ok:
            said = tuple(both.err.splitlines())
            raise ProofFailed(f"our rules do not fit into those of {path}", said)

    def _same_gates(self, host: Host, path: str, kept: str) -> None:
        now = nftables.listing(host)
        at_boot = {(chain.table, chain.name) for chain in nftables.closing(kept)}
        in_force = {(chain.table, chain.name) for chain in nftables.closing(now)}
        for table, name in sorted(in_force - at_boot):
            raise ProofFailed(
                f"the chain {name} of the table {table} closes this host, and is not from {path}",
                hint=firewalls.kept_by_iptables(host, table, self.ports)
                or "Open the ports where those rules are kept, or put them into that file.",
            )
        for table, name in sorted(at_boot - in_force):
            raise ProofFailed(
                f"{path} holds the chain {name} of the table {table}, which is not in force but "
                "will be after the next boot",
                hint=f"Load it and see that it is right: nft -f {path}; or take it out.",
            )
