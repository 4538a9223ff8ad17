"""SPF in words of somebody else's: judged as a receiver does, by the library that SPF-05 asks too.

A redirect, a macro or an include can let this host pass, and no look at the text tells it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mailwizard.dnsdesk import meaning
from mailwizard.model import Look, Record
from mailwizard.probes import spf
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.dns import Resolver, upstream_of
from mailwizard.probes.spfrecords import spf_results
from mailwizard.probes.zones import Where

# who is nobody's (RFC 5737, RFC 3849): what a record says of the rest of the world
_STRANGERS = ("198.51.100.77", "2001:db8:77::77")
_MARKS = {"pass": "+", "neutral": "?", "softfail": "~", "fail": "-"}
UNDECIDED = "only a receiver's library can tell whether it allows this host (package python3-spf)"


@dataclass(slots=True)
class Agreed:
    """The records, with the zone's own text where that does the same; texts that nobody judged."""

    records: list[Record] = field(default_factory=list)
    undecided: set[str] = field(default_factory=set)


def agreed(
    host: Look,
    where: Where,
    records: Sequence[Record],
    heard: Mapping[tuple[str, str], Iterable[str]],
) -> Agreed:
    """What each record may be as well, out of the texts that were heard of its owner."""
    found = Agreed()
    for record in records:
        texts = {text for text in heard.get((record.owner, record.type), ()) if spf.is_spf(text)}
        odd = next(iter(texts), "") if len(texts) == 1 and spf.is_spf(record.value) else ""
        if odd and not meaning.says(record, odd):
            found.records.append(_judged(host, where, record, odd, found))
        else:
            found.records.append(record)
    return found


def _judged(host: Look, where: Where, record: Record, text: str, found: Agreed) -> Record:
    try:
        resolver = upstream_of(host, where.own, where.port)
        same = spf.found(resolver, record.owner) == [text] and _does(host, resolver, record, text)
    except spf.Unreadable:
        return record
    except CannotAsk:
        if _depends(text):
            found.undecided.add(text)
        return record
    return replace(record, value=text) if same else record


def _depends(text: str) -> bool:
    """Whether the text alone does not tell who may send."""
    terms = spf.terms(text)
    ends = any(one.name == "all" and not one.modifier for one in terms)
    redirects = any(one.name == "redirect" and one.modifier for one in terms)
    return (redirects and not ends) or any("%" in one.value for one in terms)


def _does(host: Look, resolver: Resolver, record: Record, text: str) -> bool:
    """Whether those whom the record names pass, and strangers get no further than by it."""
    wanted = [one for one in spf.terms(record.value) if not one.modifier]
    names = [one.value or record.owner for one in wanted if one.name == "a"]
    ours = list(dict.fromkeys(a for name in names for a in resolver.addresses(name)))
    tally = spf.Tally(resolver)
    tally.count(record.owner, spf.terms(text))
    others = {one.value for one in wanted if one.name == "include"}
    if not ours or tally.wrong or not others <= set(tally.names):
        return False
    sender = f"postmaster@{record.owner}" if any(one.name == "mx" for one in wanted) else ""
    asked = {"sender": sender, "helo": names[0], "addresses": [*ours, *_STRANGERS]}
    results = [result for _, result, _ in spf_results(host, resolver, asked)]
    least = next((one.mark for one in wanted if one.name == "all"), "?")
    stranger = [_MARKS.get(result, "+") for result in results[len(ours) :]]
    strict = all(meaning.MARKS.index(mark) >= meaning.MARKS.index(least) for mark in stranger)
    return strict and set(results[: len(ours)]) == {"pass"}
