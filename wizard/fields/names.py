"""Names in the DNS and addresses of hosts and networks."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import idna

from mailwizard.fields.text import Field, inert, quoted

_LDH = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_RESERVED = {
    "localhost": "means this host only",
    "localdomain": "is a placeholder that no other host can resolve",
    "local": "belongs to multicast DNS and is never resolved by mail servers",
    "invalid": "is reserved for names that must not exist",
}
# Scripts that are written together (UTS 39, "highly restrictive").
_TOGETHER = (
    {"LATIN", "CJK", "HIRAGANA", "KATAKANA"},
    {"LATIN", "CJK", "BOPOMOFO"},
    {"LATIN", "CJK", "HANGUL"},
)


@dataclass(frozen=True, slots=True)
class Domain(Field):
    """A domain name, kept as lower-case A-labels (RFC 5890), at least two of them."""

    sample: str = "example.org"

    @property
    def hint(self) -> str:
        return f"a domain name such as {self.sample}"

    @property
    def example(self) -> str:
        return self.sample

    def check(self, value: Any) -> str:
        text = inert(value)
        _refuse_address(text, self.hint)
        name = text.removesuffix(".")
        labels = [_a_label(label, text) for label in name.split(".")]
        _refuse_reserved(labels[-1], text)
        if len(labels) < 2:
            raise ValueError(f"{quoted(text)} has only one label; {self.hint} is needed")
        if labels[-1].isdigit():
            raise ValueError(f"{quoted(text)} ends in a number; {self.hint} is needed")
        stored = ".".join(labels)
        if len(stored) > 253:
            raise ValueError(f"the name has {len(stored)} characters; at most 253 are right")
        return stored

    def display(self, value: Any) -> str:
        """Both forms of the name where they differ."""
        unicode_form = in_unicode(value)
        return value if unicode_form == value else f"{value} ({unicode_form})"


@dataclass(frozen=True, slots=True)
class HostName(Domain):
    """A full host name, kept as lower-case A-labels."""

    sample: str = "mail.example.org"

    @property
    def hint(self) -> str:
        return f"a full host name such as {self.sample}"


@dataclass(frozen=True, slots=True)
class Address(Field):
    """An IP address others can reach, in its shortest form; version is 4, 6 or 0 for either."""

    version: int = 0

    @property
    def hint(self) -> str:
        return {
            4: "an IPv4 address such as 192.0.2.10",
            6: "an IPv6 address such as 2001:db8::10",
        }.get(self.version, "an IP address such as 192.0.2.10 or 2001:db8::10")

    @property
    def example(self) -> str:
        return "2001:db8::10" if self.version == 6 else "192.0.2.10"

    def check(self, value: Any) -> str:
        text = visible_address(value)
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise ValueError(
                f"{quoted(text)} is not an IP address; {self.hint} is needed"
            ) from None
        if self.version not in {0, address.version}:
            raise ValueError(f"{text} is an IPv{address.version} address; {self.hint} is needed")
        reason = _useless(address)
        if reason:
            raise ValueError(f"{text} {reason}; an address that other hosts can reach is needed")
        return address.compressed


@dataclass(frozen=True, slots=True)
class Network(Field):
    """A network whose hosts may be trusted to send: never wider than what is one's own."""

    @property
    def hint(self) -> str:
        return "a network of your own such as 192.168.1.0/24 or fd00:1::/64, or one host"

    @property
    def example(self) -> str:
        return "127.0.0.0/8"

    def check(self, value: Any) -> str:
        text = visible_address(value)
        network = self._network(text)
        if network.prefixlen == 0:
            raise ValueError(
                f"{text} is the whole Internet: everybody could relay; {self.hint} is right"
            )
        if network.num_addresses > 1 and not _is_own(network):
            raise ValueError(
                f"{text} holds hosts of others, who could all relay mail; {self.hint} is right"
            )
        if network.is_multicast or network.network_address.is_unspecified:
            raise ValueError(f"{text} is no network of hosts; {self.hint} is right")
        return _written(network)

    def _network(self, text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        try:
            return ipaddress.ip_network(text)
        except ValueError:
            pass
        try:
            meant = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"{quoted(text)} is not a network; {self.hint} is needed") from None
        raise ValueError(f"{text} names a host inside a network; {meant} is the network itself")


def _written(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    """The same on every Python: up to 3.12 a mapped address was written without its dots."""
    inside = getattr(network.network_address, "ipv4_mapped", None)
    return f"::ffff:{inside}/{network.prefixlen}" if inside is not None else network.compressed


_OWN = tuple(
    ipaddress.ip_network(text)
    for text in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "::1/128",
        "::ffff:127.0.0.0/104",
        "fe80::/10",
        "fc00::/7",
    )
)


def _is_own(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return any(
        isinstance(network, type(own)) and network.subnet_of(own)  # type: ignore[arg-type]
        for own in _OWN
    )


def in_unicode(name: str) -> str:
    """The name with every A-label as the U-label it stands for."""
    return ".".join(
        idna.ulabel(label) if label.startswith("xn--") else label for label in name.split(".")
    )


def spellings(names: Iterable[str]) -> list[str]:
    """Each domain or address, behind it the other form that mail may bring of it (RFC 6531)."""
    return list(dict.fromkeys(form for name in names for form in (name, _in_unicode(name))))


def _in_unicode(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{in_unicode(domain)}"


def visible_address(value: Any) -> str:
    """What was typed for an address, without the brackets some programs want around IPv6."""
    if isinstance(value, str) and "%" in value:
        raise ValueError(f"{quoted(value)} names an interface after '%'; leave that out")
    return re.sub(r"^\[([0-9A-Fa-f:.]+)\](?=$|/)", r"\1", inert(value, 64))


def _useless(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if address.is_unspecified:
        return "stands for no address"
    if address.is_loopback:
        return "means this host only"
    if address.is_multicast or address.compressed == "255.255.255.255":
        return "means many hosts at once"
    if address.is_link_local:
        return "is valid on one cable only"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return f"is the IPv4 address {address.ipv4_mapped} in other clothes"
    if isinstance(address, ipaddress.IPv4Address) and address.is_reserved:
        return "is reserved"
    return ""


def _refuse_address(text: str, hint: str) -> None:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return
    raise ValueError(f"{quoted(text)} is an IP address; {hint} is needed")


def _refuse_reserved(last: str, text: str) -> None:
    if last in _RESERVED:
        raise ValueError(
            f"{quoted(text)} ends in '{last}', which {_RESERVED[last]};"
            " a name below a domain of yours is needed"
        )


def _a_label(label: str, name: str) -> str:
    if not label:
        raise ValueError(f"{quoted(name)} has an empty part between two dots; one dot is right")
    if "_" in label:
        raise ValueError(f"{quoted(name)} contains '_', which no host name has; '-' is right")
    lowered = unicodedata.normalize("NFC", label.lower())
    if lowered.isascii() and not lowered.startswith("xn--"):
        return _ldh(lowered, name)
    try:
        encoded = idna.alabel(lowered).decode("ascii")
        _refuse_mixed(idna.ulabel(encoded), name)
    except idna.IDNAError as error:
        raise ValueError(_idna_reason(name, label, error)) from None
    return encoded


def _ldh(label: str, name: str) -> str:
    if len(label) > 63:
        raise ValueError(
            f"{quoted(name)} has a part of {len(label)} characters; at most 63 are right"
        )
    if not _LDH.fullmatch(label) or label[2:4] == "--":
        raise ValueError(
            f"{quoted(name)} has the part {quoted(label)}; only letters, digits and single '-'"
            " inside are right"
        )
    return label


def _refuse_mixed(label: str, name: str) -> None:
    scripts = {
        unicodedata.name(char, "?").split()[0]
        for char in label
        if unicodedata.category(char)[0] == "L"
    } - {"KATAKANA-HIRAGANA", "IDEOGRAPHIC"}
    if len(scripts) > 1 and not any(scripts <= group for group in _TOGETHER):
        listed = " and ".join(sorted(script.capitalize() for script in scripts))
        raise ValueError(
            f"{quoted(name)} mixes {listed} letters in one part, as forgers do; one script is right"
        )


def _idna_reason(name: str, label: str, error: Exception) -> str:
    if unicodedata.normalize("NFKC", label) != unicodedata.normalize("NFC", label):
        meant = unicodedata.normalize("NFKC", name).lower()
        return f"{quoted(name)} is typed in special letter forms; {quoted(meant)} would be right"
    if "too long" in str(error).lower():
        return f"{quoted(name)} has a part of more than 63 characters; at most 63 are right"
    return f"{quoted(name)} has the part {quoted(label)}, which is no valid name (IDNA 2008)"
