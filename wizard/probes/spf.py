"""SPF records as RFC 7208 reads them: their terms, and how much a receiver must look up."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mailwizard.probes.dns import Resolver

# RFC 7208 4.6.4
MOST_LOOKUPS, MOST_VOID, MOST_NAMES = 10, 2, 10
_ASKING = ("include", "a", "mx", "ptr", "exists")
_TERM = re.compile(
    r"(?P<mark>[-+~?]?)(?P<name>[a-z][a-z0-9._-]*)(?:(?P<sign>[:=])(?P<value>(?:[^/\s]\S*?)?))?"
    r"(?P<cidr>(?:/(?:0|[1-9]\d{0,2}))?(?://(?:0|[1-9]\d{0,2}))?)",
    re.IGNORECASE,
)
# 7.2: c, r and t are for the text of exp= alone
_MACRO = r"%\{[slodiphv]\d*r?[-.+,/_=]*\}"
# 7.1: visible characters and macros; at the end a name or a macro. 4.8: with a label that is empty
# or too long some receivers give up
_NAME = re.compile(
    rf"(?!\.|.*\.\.|.*[^.%]{{64}})(?:{_MACRO}|%%|%_|%-|[!-$&-~])*?"
    rf"(?:\.(?!\d+\.?$)(?:[a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])\.?|{_MACRO})",
    re.IGNORECASE,
)


class Unreadable(ValueError):
    """A term that no receiver understands: the whole record counts for nothing (4.6)."""


@dataclass(frozen=True, slots=True)
class Term:
    """A mechanism or a modifier: its name in lower case, and what it is about."""

    name: str
    value: str = ""
    mark: str = "+"
    modifier: bool = False
    cidr: str = ""


def is_spf(text: str) -> bool:
    """Whether a TXT record is one of SPF (4.5)."""
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def found(resolver: Resolver, name: str) -> list[str]:
    """The SPF records of a name."""
    return [text for text in resolver.texts(name) if is_spf(text)]


def terms(text: str) -> list[Term]:
    """Every term of a record (12); raises Unreadable."""
    made = [_term(word) for word in text.split(" ")[1:] if word]
    for name in ("redirect", "exp"):
        if sum(one.modifier and one.name == name for one in made) > 1:
            raise Unreadable(f"{name}= twice")
    return made


def _term(word: str) -> Term:
    parts = _TERM.fullmatch(word)
    if not parts:
        raise Unreadable(word)
    name, value, sign = parts["name"].lower(), parts["value"] or "", parts["sign"]
    if sign == "=" and not parts["mark"]:
        if name in ("redirect", "exp") and not _NAME.fullmatch(value + parts["cidr"]):
            raise Unreadable(word)
        return Term(name, value, modifier=True)
    right = {
        "all": not sign and not parts["cidr"],
        "ip4": sign == ":" and _network(value, parts["cidr"], 4),
        "ip6": sign == ":" and _network(value, parts["cidr"], 6),
        "a": _names(sign, value) and _lengths(parts["cidr"]),
        "mx": _names(sign, value) and _lengths(parts["cidr"]),
        "ptr": _names(sign, value) and not parts["cidr"],
        "include": sign == ":" and bool(_NAME.fullmatch(value + parts["cidr"])),
        "exists": sign == ":" and bool(_NAME.fullmatch(value + parts["cidr"])),
    }
    if not right.get(name):
        raise Unreadable(word)
    return Term(name, value, parts["mark"] or "+", cidr=parts["cidr"])


def _names(sign: str | None, value: str) -> bool:
    return not sign or (sign == ":" and bool(_NAME.fullmatch(value)))


def _lengths(cidr: str) -> bool:
    four, _, six = cidr.partition("//")
    return int(four.strip("/") or 0) <= 32 and int(six or 0) <= 128


def _network(address: str, cidr: str, version: int) -> bool:
    # neither a netmask nor a zone (12)
    if "/" in address or "%" in address:
        return False
    try:
        return ipaddress.ip_network(address + cidr, strict=False).version == version
    except ValueError:
        return False


@dataclass(slots=True)
class Tally:
    """What a receiver looks up at most, and whose records it comes to on its way."""

    resolver: Resolver
    lookups: int = 0
    void: int = 0
    names: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    wrong: str = ""

    def count(self, domain: str, record: Sequence[Term]) -> None:
        """Every term, as for a sender whom none of them allows."""
        own = domain.lower().rstrip(".")
        self.names.append(own)
        self.inside.append(own)
        for term in _followed(record):
            if self.wrong or self.lookups > MOST_LOOKUPS:
                break
            self.lookups += 1
            # what depends on the sender cannot be looked up here
            if "%" not in term.value:
                self._ask(term, term.value.lower().rstrip(".") or own)
        self.inside.pop()

    def _ask(self, term: Term, name: str) -> None:
        if term.name in ("include", "redirect"):
            self._follow(name)
        elif term.name == "mx":
            exchangers = self.resolver.ask(name, "MX")
            self.void += not exchangers
            if len(exchangers) > MOST_NAMES:
                self.wrong = f"{name} has {len(exchangers)} MX names, and {MOST_NAMES} are allowed"
                return
            names = (one.split()[-1].rstrip(".") for one in exchangers)
            self.void += sum(not self.resolver.addresses(one) for one in names if one)
        elif term.name == "a":
            self.void += not self.resolver.addresses(name)
        elif term.name == "exists":
            # 5.7: IPv6 or not
            self.void += not self.resolver.ask(name, "A")

    def _follow(self, name: str) -> None:
        if name in self.inside:
            self.wrong = f"{name} includes itself"
            return
        records = found(self.resolver, name)
        if len(records) != 1:
            many = f"{len(records)} SPF records" if records else "no SPF record"
            self.wrong = f"{name} is included and has {many}"
            return
        try:
            self.count(name, terms(records[0]))
        except Unreadable as error:
            self.wrong = f"{name} is included and cannot be read: {error}"


def _followed(record: Sequence[Term]) -> Iterator[Term]:
    """The terms that ask the DNS, in their order; redirect counts where no all stands (6.1)."""
    for term in record:
        if term.name == "all" and not term.modifier:
            return
        if not term.modifier and term.name in _ASKING:
            yield term
    yield from (term for term in record if term.modifier and term.name == "redirect")
