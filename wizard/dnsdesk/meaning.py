"""Whether a text does what a record is for, in whatever words: DKIM, SPF and DMARC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailwizard.model import Record
from mailwizard.probes import dmarc, spf
from mailwizard.probes.authrecords import unreadable
from mailwizard.probes.dkimcheck import tags, twice

# each allows less to those who are not named than the one before it
MARKS = "+?~-"


@dataclass(frozen=True, slots=True)
class Said:
    """What a text that may stand lacks of what the record is for, or else what is worth knowing."""

    lacks: tuple[str, ...] = ()
    note: str = ""


def says(record: Record, found: str) -> bool:
    """Whether a text does what the record is for."""
    heard = said(record, found)
    return heard is not None and not heard.lacks


def said(record: Record, found: str) -> Said | None:
    """What a text does of what the record is for; None where another must take its place."""
    if "._domainkey." in record.owner:
        return _dkim(record.value, found)
    if spf.is_spf(record.value):
        return _spf(record, found)
    if dmarc.is_dmarc(record.value):
        return _dmarc(record.value, found)
    return Said() if found == record.value else None


def _dkim(wanted: str, found: str) -> Said | None:
    """The same key where verifiers can use it; k=rsa goes without saying (RFC 6376, 3.6.1)."""
    there, asked = tags(found), tags(wanted)
    if unreadable(found) or _key(there) != _key(asked):
        return None
    testing = "y" in there.get("t", "").split(":")
    return Said(note="but t=y says that it is a test: take that out" if testing else "")


def _key(said: dict[str, str]) -> tuple[str, str]:
    return said.get("k", "rsa"), said["p"]


def _spf(record: Record, found: str) -> Said | None:
    """Everybody who is to pass does, and others get no further (RFC 7208, 4.6.2 and 4.7)."""
    asked, least = _judged(record.value, record.owner)
    try:
        there, end = _judged(found, record.owner)
    except spf.Unreadable:
        return None
    places = {one: _place(one, there) for one in asked}
    if -1 in places.values() or MARKS.index(end) < MARKS.index(least):
        return None
    if missing := [_written(one) for one, place in places.items() if place is None]:
        return Said(tuple(missing))
    before = there[: max(filter(None, places.values()), default=0)]
    if barred := [_written(one) for one in before if one.mark != "+"]:
        return Said(note=f"but whoever {', '.join(barred)} names does not pass by what follows it")
    return _different(_words(record.value), _words(found))


def _judged(text: str, owner: str) -> tuple[list[spf.Term], str]:
    """The mechanisms that count, and what the rest of the world gets; raises Unreadable."""
    if not spf.is_spf(text):
        raise spf.Unreadable(text)
    made: list[spf.Term] = []
    for term in spf.terms(text):
        if term.name == "all" and not term.modifier:
            return made, term.mark
        if not term.modifier:
            value = term.value.lower().rstrip(".")
            # 5.3, 5.4: without a name it is the domain's own
            own = owner.lower().rstrip(".") if term.name in ("a", "mx") else ""
            made.append(replace(term, value=value or own))
    # 4.7; what a redirect leads to is another record
    return made, "?"


def _place(wanted: spf.Term, there: Sequence[spf.Term]) -> int | None:
    """Where those who are meant are judged; -1 where they do not all pass there."""
    for place, one in enumerate(there):
        if (one.name, one.value) == (wanted.name, wanted.value):
            # a prefix length names more hosts than none (5.6)
            whole = wanted.cidr in ("", one.cidr)
            return place if whole and one.mark == wanted.mark else -1
    return None


def _written(term: spf.Term) -> str:
    mark = term.mark.removeprefix("+")
    return f"{mark}{term.name}{':' * bool(term.value)}{term.value}{term.cidr}"


def _words(text: str) -> list[str]:
    return [word.removeprefix("+") for word in text.lower().split()]


def _dmarc(wanted: str, found: str) -> Said | None:
    """A policy that is as strict, and reports to the same (RFC 9989, 4.7)."""
    if not dmarc.is_dmarc(found) or twice(found):
        return None
    there, asked = dmarc.tags(found), dmarc.tags(wanted)
    levels = zip(_strictness(there), _strictness(asked), strict=True)
    if "p" in asked and any(now < least for now, least in levels):
        return None
    told, tell = (dmarc.addresses(one.get("rua", "").lower()) for one in (there, asked))
    if missing := [f"rua=mailto:{one}" for one in tell if one not in told]:
        return Said(tuple(missing))
    parts = ([f"{name}={value.lower()}" for name, value in one.items()] for one in (asked, there))
    return _different(*parts)


def _strictness(said: dict[str, str]) -> list[int]:
    """For the domain, its subdomains and those that do not exist, and how names are compared."""
    found, level = list[int](), -1
    # who still reads RFC 7489 (6.6.4) lowers the policy for the mail that pct= leaves out
    lowered = said.get("t", "").lower() == "y" or said.get("pct", "100") != "100"
    for tag in ("p", "sp", "np"):
        if (policy := said.get(tag, "").lower()) in dmarc.POLICIES:
            level = max(0, dmarc.POLICIES.index(policy) - lowered)
        found.append(level)
    return [*found, *(said.get(tag, "").lower() == "s" for tag in ("adkim", "aspf"))]


def _different(wanted: Sequence[str], found: Sequence[str]) -> Said:
    more = [one for one in found if one not in wanted]
    return Said(note=f"it says {', '.join(more)}: as good or stricter" if more else "")
