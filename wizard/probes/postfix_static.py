"""What Postfix's configuration proves by itself: before a reload makes it live, and afterwards.

Each class takes a `config_dir`: a draft directory to be judged in place of the running one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.addresses import on_interfaces
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.networks import Network, Trust, is_private, trusted
from mailwizard.probes.postconf import Postconf, Service, spelled, words
from mailwizard.probes.verdict import could_not_ask, failed, passed, unknown, warned


@dataclass(frozen=True, slots=True)
class TrustedNetworks:
    """Nobody outside this host (or a private network, with a warning) is trusted to relay."""

    config_dir: str = ""
    id: ClassVar[str] = "SMTP-07"
    title: ClassVar[str] = "Only this host's own networks are trusted"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = True

    @property
    def by_hand(self) -> str:
        return spelled(self.config_dir, "-x", "mynetworks")

    def ask(self, host: Host) -> Result:
        try:
            found = trusted(host, self.config_dir)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        own = {ip_address(one) for one in on_interfaces(host)}
        rows = [f"{one.where}: {one.network}" for one in found.networks]
        rows += [f"cannot be expanded: {word}" for word in found.opaque]
        wide = [one for one in found.networks if not _harmless(one.network, own)]
        public = [one for one in wide if not is_private(one.network)]
        if ranges := [one for one in public if one.network.num_addresses > 1]:
            return failed(
                f"trusted to send through this host: {_names(ranges)}",
                "only loopback addresses (and at most your own private network)",
                "Everybody in that range could send spam through this host: set mynetworks to "
                "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128 (the administrator, at once).",
                rows,
            )
        if wide or found.opaque:
            shown = ", ".join((*([_names(wide)] if wide else ()), *found.opaque))
            return warned(
                f"trusted besides this host: {shown}",
                "only loopback addresses",
                "Right only if every machine there is yours; else remove it from mynetworks and "
                "let people log in on port 465 or 587.",
                rows,
            )
        return passed(f"trusted: {_names(found.networks) or 'nobody'}", rows)


def _harmless(network: Network, own: set[IPv4Address | IPv6Address]) -> bool:
    single = network.num_addresses == 1
    # Postfix's own default trusts the host's link-local addresses, each by itself.
    return network.is_loopback or (
        single and (network.is_link_local or network.network_address in own)
    )


def _names(trusts: list[Trust]) -> str:
    return ", ".join(dict.fromkeys(str(one.network) for one in trusts))


GUARDS = frozenset({"reject_unauth_destination", "defer_unauth_destination", "reject", "defer"})
# What may let somebody relay before the guard stands: people who logged in or are trusted by name.
_ALLOWED = frozenset(
    {
        "permit_mynetworks",
        "permit_sasl_authenticated",
        "permit_auth_destination",
        "permit_inet_interfaces",
        "permit_tls_clientcerts",
    }
)
_SCOPED = frozenset({"defer_if_permit", "defer_if_reject", "reject_unauth_pipelining"})
_LISTS = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")


@dataclass(frozen=True, slots=True)
class RelayRestrictions:
    """Each smtpd refuses foreign recipients before anything else could permit them."""

    config_dir: str = ""
    id: ClassVar[str] = "SMTP-08"
    title: ClassVar[str] = "Relaying is refused before anything can permit it"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = True

    @property
    def by_hand(self) -> str:
        overrides = spelled(self.config_dir, "-P")
        return f"{spelled(self.config_dir, '-x', *_LISTS)}; {overrides} | grep _restrictions"

    def ask(self, host: Host) -> Result:
        conf = Postconf(host, self.config_dir)
        try:
            main = conf.values(*_LISTS, "smtpd_restriction_classes")
            services = conf.smtpd_services()
            classes = tuple(words(main.get("smtpd_restriction_classes", "")))
            bodies = conf.values(*classes) if classes else {}
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        rows, holes = [], []
        for service in (Service("main.cf", "inet"), *services):
            name, value = deciding_list({**main, **service.overrides})
            hole = first_hole(value, bodies)
            rows.append(f"{service.name}: {name} = {value or '(empty)'}")
            rows.append(f"    {hole or 'guarded'}")
            if hole:
                holes.append(f"{service.name}: {hole} ({name})")
        if holes:
            return failed(
                holes[0] + (f" (and {len(holes) - 1} more)" if len(holes) > 1 else ""),
                "reject_unauth_destination before any permit, check_… or policy service",
                "The administrator: smtpd_relay_restrictions = permit_mynetworks, "
                "permit_sasl_authenticated, reject_unauth_destination; policy services belong "
                "into smtpd_recipient_restrictions, without a permit of their own.",
                rows,
            )
        if not services:
            return unknown("no smtpd service in master.cf", "at least smtp/inet", "", rows)
        return passed(f"guarded: main.cf and {len(services)} smtpd services", rows)


def deciding_list(values: dict[str, str]) -> tuple[str, str]:
    """The list that decides on relaying: the recipient list where the relay list is empty.

    See "Dangerous use of smtpd_recipient_restrictions" in SMTPD_ACCESS_README.
    """
    relay, recipient = (values.get(name, "") for name in _LISTS)
    return (_LISTS[0], relay) if relay else (_LISTS[1], recipient)


def first_hole(value: str, classes: dict[str, str]) -> str:
    """What may let a stranger relay before the guard, in a few words; empty when guarded."""
    for word in _restrictions(value, classes, 0):
        if word in GUARDS:
            return ""
        if word in _ALLOWED or word in _SCOPED or word.startswith("reject_"):
            continue
        return f"{word} stands before reject_unauth_destination"
    return "nothing refuses foreign recipients" if value else "there is no restriction at all"


def _restrictions(value: str, classes: dict[str, str], depth: int) -> Iterator[str]:
    """The restrictions in order, without arguments, restriction classes opened."""
    items = iter(words(value))
    for item in items:
        # { check_policy_service { inet:…, timeout = 10s } } is one restriction with arguments.
        name = next(words(item.strip("{} ")), "") if item.startswith("{") else item
        if name == "warn_if_reject":
            next(items, "")  # only logs what follows: no guard
        elif name == "sleep":
            next(items, "")
        elif name in classes and depth < 8:
            yield from _restrictions(classes[name], classes, depth + 1)
        else:
            yield name
            if item == name and _has_argument(name):
                next(items, "")


def _has_argument(name: str) -> bool:
    return name.startswith(
        ("check_", "reject_rbl_", "reject_rhsbl_", "permit_dnswl_", "permit_rhswl_")
    )


@dataclass(frozen=True, slots=True)
class SmugglingSettings:
    """Postfix refuses a bare newline as the end of a message, and commands before their turn."""

    config_dir: str = ""
    id: ClassVar[str] = "SMTP-17"
    title: ClassVar[str] = "SMTP smuggling is switched off"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False
    _wanted: ClassVar[dict[str, tuple[str, ...]]] = {
        "smtpd_forbid_bare_newline": ("normalize", "reject", "yes"),
        "smtpd_forbid_unauth_pipelining": ("yes",),
    }

    @property
    def by_hand(self) -> str:
        return spelled(self.config_dir, "mail_version", *self._wanted)

    def ask(self, host: Host) -> Result:
        try:
            values = Postconf(host, self.config_dir).values("mail_version", *self._wanted)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        rows = [f"{name} = {value}" for name, value in values.items()]
        version = values.get("mail_version", "?")
        bad = [
            f"{name} = {values.get(name, '(unknown to this Postfix)')}"
            for name, wanted in self._wanted.items()
            if values.get(name, "").lower() not in wanted
        ]
        if bad:
            return failed(
                f"Postfix {version}: {', '.join(bad)}",
                "smtpd_forbid_bare_newline = normalize, smtpd_forbid_unauth_pipelining = yes",
                "The administrator: set both with postconf -e and reload; where a name is "
                "unknown, first install the distribution's security update of Postfix.",
                rows,
            )
        return passed(f"Postfix {version}: both defences are on", rows)
