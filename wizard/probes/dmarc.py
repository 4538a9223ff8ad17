"""DMARC records as RFC 9989 reads them: their tags, and which of them counts for a domain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailwizard.probes.dkimcheck import twice
from mailwizard.probes.dns import Resolver

# each is milder than the next
POLICIES = ("none", "quarantine", "reject")
# RFC 9989 4.10: no more than so many names are asked for
_LABELS = 8
_REMOVED = ("pct", "rf", "ri")
_VALUES = {
    **dict.fromkeys(("p", "sp", "np"), POLICIES),
    **dict.fromkeys(("adkim", "aspf"), ("r", "s")),
    "t": ("y", "n"),
    "psd": ("y", "n", "u"),
}


def is_dmarc(text: str) -> bool:
    """Whether a TXT record is one of DMARC (4.7: the version first, and so spelled)."""
    return bool(re.match(r"v[ \t]*=[ \t]*DMARC1[ \t]*(;|$)", text))


def found(resolver: Resolver, domain: str) -> list[str]:
    """The DMARC records of a domain."""
    return [text for text in resolver.texts(f"_dmarc.{domain}") if is_dmarc(text)]


def tags(text: str) -> dict[str, str]:
    """The tags of a record; values in their own spelling, without white space around."""
    parts = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in parts if equals}


def addresses(uris: str) -> list[str]:
    """The addresses that reports go to (RFC 9990); what is no mailto: is left out."""
    every = (uri.strip() for uri in uris.split(","))
    return [
        uri[7:].partition("!")[0].partition("?")[0]
        for uri in every
        if uri.lower().startswith("mailto:") and "@" in uri
    ]


def flaws(text: str) -> Iterator[str]:
    """What others read differently from what was meant."""
    said = tags(text)
    if name := twice(text):
        yield f"{name}= stands twice, and not all go by the same one"
    if removed := [name for name in _REMOVED if name in said]:
        yield f"{', '.join(removed)} is of the old standard, and ignored"
    for name, right in _VALUES.items():
        if name in said and said[name].lower() not in right:
            yield f"{name}={said[name]} is not {', '.join(right)}, and ignored"
    for name in ("rua", "ruf"):
        uris = [uri.strip() for uri in said.get(name, "").split(",") if uri.strip()]
        if any("!" in uri for uri in uris):
            yield f"a size limit (!) in {name} is of the old standard"
        if odd := [uri for uri in uris if not re.fullmatch(r"(?i)mailto:[^@\s]+@\S+", uri)]:
            yield f"{odd[0]} in {name} is no mailto: address"


@dataclass(frozen=True, slots=True)
class Policy:
    """What counts for a domain: the policy, where it stands, and in which tag."""

    name: str
    asked: str
    owner: str
    tag: str
    testing: bool

    @property
    def effective(self) -> str:
        """The policy as others carry it out: t=y lowers it by one (4.7)."""
        at = POLICIES.index(self.asked)
        return POLICIES[max(0, at - 1)] if self.testing else self.asked


def walk(resolver: Resolver, domain: str) -> Policy | None:
    """The policy that counts for an existing domain, by walking up the DNS (4.10)."""
    domain, seen = domain.lower().rstrip("."), list[tuple[str, dict[str, str]]]()
    for name in _upward(domain):
        if len(records := found(resolver, name)) == 1:
            said = tags(records[0])
            if name == domain:
                return _policy(domain, name, said, ("p",))
            seen.append((name, said))
            # the one below a registry, or one that says that it is nobody's part
            if said.get("psd") in ("n", "y"):
                break
    if not seen:
        return None
    # else the highest: its domain is the organization's
    name, said = seen[-1]
    if said.get("psd") == "y" and len(seen) > 1:
        labels = domain.split(".")
        below = ".".join(labels[-name.count(".") - 2 :])
        name, said = seen[-2] if seen[-2][0] == below else (name, said)
    return _policy(domain, name, said, ("sp", "p"))


def _upward(domain: str) -> Iterator[str]:
    labels = domain.split(".")
    yield domain
    rest = labels[1:] if len(labels) < _LABELS else labels[1 - _LABELS :]
    yield from (".".join(rest[at:]) for at in range(len(rest)))


def _policy(domain: str, owner: str, said: dict[str, str], names: tuple[str, ...]) -> Policy | None:
    for tag in names:
        if (asked := said.get(tag, "").lower()) in POLICIES:
            testing = said.get("t", "n").lower() == "y"
            return Policy(domain, asked, f"_dmarc.{owner}", tag, testing)
    # 4.7: without a policy that can be read, but with somebody who wants reports: none
    if addresses(said.get("rua", "")):
        return Policy(domain, "none", f"_dmarc.{owner}", "p", testing=False)
    return None
