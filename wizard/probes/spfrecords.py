"""What SPF says of this host to others (RFC 7208): as they read it, by their own library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailwizard.model import Host, Look, Outcome, Result
from mailwizard.probes import spf
from mailwizard.probes.authrecords import ZONE
from mailwizard.probes.dns import DnsQuestion, Resolver
from mailwizard.probes.library import Library
from mailwizard.probes.verdict import failed, passed, unknown, warned

SPF = Library(
    "the library that evaluates SPF",
    "python3-spf",
    """
try:
    import spf
except ImportError:
    sys.exit(3)

def resolving(nameservers, port):
    # which spf only imports where it cannot do with dnspython
    if "DNS" in sys.modules:
        sys.modules["DNS"].defaults.update(server=nameservers, port=port)
        return
    import dns.resolver
    ours = dns.resolver.default_resolver = dns.resolver.Resolver(configure=False)
    ours.nameservers, ours.port = nameservers, port

def answer(asked):
    resolving(asked["nameservers"], asked["port"])
    addresses, names = asked["addresses"], {"s": asked["sender"], "h": asked["helo"]}
    return [[address, *spf.check2(i=address, **names)] for address in addresses]
""",
)
_RESULTS = ("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror")
_JOIN = "Whoever runs the zone: join them to one."


def the_record(resolver: Resolver, domain: str) -> str | Result:
    """The one SPF record of a domain, or why there is none that counts (RFC 7208 4.5)."""
    there, expected = spf.found(resolver, domain), f"one record v=spf1 … at {domain}"
    if not there:
        return failed(f"{domain} has no SPF record", expected, ZONE)
    if len(there) > 1:
        said = f"{domain} has {len(there)} SPF records, which counts as an error"
        return failed(said, expected, _JOIN)
    return there[0]


@dataclass(frozen=True, slots=True)
class SpfPublished(DnsQuestion):
    """One record that can be read and has an end, without what others ignore.

    What SPF-02, SPF-04 and SPF-08 ask is asked here, too.
    """

    domain: str

    @property
    def id(self) -> str:
        return f"SPF-01:{self.domain}"

    @property
    def title(self) -> str:
        return f"SPF of {self.domain} is in order"

    @property
    def by_hand(self) -> str:
        return f"dig +short TXT {self.domain}"

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        record = the_record(resolver, self.domain)
        if isinstance(record, Result):
            return record
        result = spf_verdict(record)
        if result.outcome is Outcome.PASS and resolver.ask(self.domain, "SPF"):
            return warned(
                f"{self.domain} also has a record of the type SPF, which nobody reads",
                "TXT alone (RFC 7208 3.1)",
                "Whoever runs the zone: take the record of the type SPF out.",
            )
        return result


def spf_verdict(text: str) -> Result:
    """Grammar, end and advice for one record (RFC 7208 4.6.1, 5)."""
    try:
        terms = spf.terms(text)
    except spf.Unreadable as error:
        fix = "Whoever runs the zone: the whole record counts for nothing as long as this is in it."
        return failed(f"SPF cannot be read: {error}", "a mechanism of RFC 7208 5", fix)
    ends = [one.mark for one in terms if one.name == "all" and not one.modifier]
    if not ends and not any(one.modifier and one.name == "redirect" for one in terms):
        return failed(f"SPF has no end: {text}", "~all or -all at its end", ZONE)
    if ends and ends[0] not in "~-":
        said = "says nothing of the others" if ends[0] == "?" else "allows everybody"
        return failed(f"SPF {said}: {ends[0]}all", "~all or -all", ZONE)
    if any(one.name == "ptr" and not one.modifier for one in terms):
        return warned("SPF asks for ptr, which is slow and often ignored", "no ptr", ZONE)
    return passed(text)


@dataclass(frozen=True, slots=True)
class SpfLimits(DnsQuestion):
    """A receiver need not look up more than he may before he gives up (RFC 7208 4.6.4)."""

    domain: str

    @property
    def id(self) -> str:
        return f"SPF-03:{self.domain}"

    @property
    def title(self) -> str:
        return f"SPF of {self.domain} is short enough"

    @property
    def by_hand(self) -> str:
        return f"dig +short TXT {self.domain}   # and so for each include: and redirect="

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        record = the_record(resolver, self.domain)
        if isinstance(record, Result):
            return record
        tally = spf.Tally(resolver)
        try:
            tally.count(self.domain, spf.terms(record))
        except spf.Unreadable as error:
            return failed(f"SPF cannot be read: {error}", "a mechanism of RFC 7208 5", ZONE)
        fix = (
            "Whoever runs the zone: every receiver takes this for an error; take out of the record "
        )
        if tally.wrong:
            return failed(f"SPF cannot be followed: {tally.wrong}", "a record there", f"{fix}it.")
        if tally.lookups > spf.MOST_LOOKUPS:
            said = f"SPF needs more than {spf.MOST_LOOKUPS} lookups"
            fix += "what no longer sends, or give addresses (ip4:, ip6:) in place of names."
            return failed(said, f"at most {spf.MOST_LOOKUPS} (RFC 7208 4.6.4)", fix)
        if tally.void > spf.MOST_VOID:
            said = f"SPF leads to {tally.void} names that have no address"
            return failed(said, f"at most {spf.MOST_VOID}", f"{fix}the names that are gone.")
        return passed(f"{tally.lookups} of {spf.MOST_LOOKUPS} lookups, {tally.void} of them empty")


@dataclass(frozen=True, slots=True)
class SpfCovers(DnsQuestion):
    """A receiver's own library allows each address of this host, within its limits."""

    domain: str
    addresses: tuple[str, ...]
    fqdn: str

    @property
    def id(self) -> str:
        return f"SPF-05:{self.domain}"

    @property
    def title(self) -> str:
        return f"SPF of {self.domain} allows this host"

    @property
    def by_hand(self) -> str:
        address = self.addresses[0] if self.addresses else "ADDRESS"
        return f"spfquery.pyspf {address} postmaster@{self.domain} {self.fqdn}"

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        if not spf.found(resolver, self.domain):
            return failed(f"{self.domain} has no SPF record", "pass", ZONE)
        asked = {"sender": f"postmaster@{self.domain}", "helo": self.fqdn}
        bad = f"this host may not send for {self.domain}"
        return all_pass(host, resolver, {**asked, "addresses": list(self.addresses)}, bad)


@dataclass(frozen=True, slots=True)
class SpfHello(DnsQuestion):
    """The name that this host greets with allows its addresses: bounces have nothing else.

    What DNS-20 asks is asked here, too (RFC 7208 2.3, 2.4).
    """

    fqdn: str
    addresses: tuple[str, ...]

    @property
    def id(self) -> str:
        return "SPF-06"

    @property
    def title(self) -> str:
        return "Bounces of this host pass SPF"

    @property
    def by_hand(self) -> str:
        return f"dig +short TXT {self.fqdn}"

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        if not spf.found(resolver, self.fqdn):
            said = f"{self.fqdn} has no SPF record: bounces of this host prove nothing"
            return warned(said, f"{self.fqdn} TXT v=spf1 a -all", ZONE)
        asked = {"sender": "", "helo": self.fqdn, "addresses": list(self.addresses)}
        return all_pass(host, resolver, asked, f"this host may not greet as {self.fqdn}")


def all_pass(host: Look, resolver: Resolver, asked: Mapping[str, object], bad: str) -> Result:
    """The verdict of the library over every address."""
    rows = spf_results(host, resolver, asked)
    said = "; ".join(f"{address}: {result} ({why})" for address, result, why in rows)
    results = [result for _, result, _ in rows]
    if "temperror" in results:
        fix = "See whether this host can resolve names."
        return unknown(f"SPF could not be evaluated: {said}", "pass", fix)
    if any(result != "pass" for result in results):
        return failed(f"{bad}: {said}", "pass", ZONE)
    return passed(f"pass for {', '.join(address for address, _, _ in rows)}")


def spf_results(
    host: Look, resolver: Resolver, asked: Mapping[str, object]
) -> Sequence[tuple[str, str, str]]:
    """(address, result, explanation) by pyspf (RFC 7208 4); raises CannotAsk."""
    whom = {"nameservers": resolver.nameservers, "port": resolver.port}
    told = SPF.ask(host, {**asked, **whom})
    rows = [_row(one) for one in told] if isinstance(told, list) else []
    if [address for address, *_ in rows] != asked["addresses"]:
        raise SPF.nonsense()
    return rows


def _row(told: object) -> tuple[str, str, str]:
    match told:
        case [str(address), str(result), *_, str(why)] if result in _RESULTS:
            return address, result, why
    raise SPF.nonsense()


# The server that mail is handed to, and whose record names the servers that it leaves from, as the
# providers' own help pages have it; none of those who put a sender of their own on the envelope.
_PROVIDERS = {
    "amazonaws.com": "amazonses.com",
    "fastmail.com": "spf.messagingengine.com",
    "gmail.com": "_spf.google.com",
    "mailgun.org": "mailgun.org",
    "mailjet.com": "spf.mailjet.com",
    "office365.com": "spf.protection.outlook.com",
    "outlook.com": "spf.protection.outlook.com",
    "sendgrid.net": "sendgrid.net",
}


def providers_record(server: str) -> str:
    """Whose record the provider of that relay asks its customers to include; empty: not known."""
    name = server.lower().rstrip(".")
    return next((own for end, own in _PROVIDERS.items() if f".{name}".endswith(f".{end}")), "")


@dataclass(frozen=True, slots=True)
class SpfRelay(DnsQuestion):
    """Where mail leaves through a provider, SPF allows that provider's servers."""

    domain: str
    server: str

    @property
    def id(self) -> str:
        return f"SPF-07:{self.domain}:{self.server}"

    @property
    def title(self) -> str:
        return f"SPF of {self.domain} allows the relay {self.server}"

    @property
    def by_hand(self) -> str:
        return f"dig +short TXT {self.domain}   # look for the provider of {self.server}"

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        record = the_record(resolver, self.domain)
        if isinstance(record, Result):
            return record
        tally, known = spf.Tally(resolver), providers_record(self.server)
        try:
            tally.count(self.domain, spf.terms(record))
        except spf.Unreadable as error:
            return failed(f"SPF cannot be read: {error}", "a mechanism of RFC 7208 5", ZONE)
        if known and known in tally.names:
            return passed(f"SPF includes {known}, whose servers {self.server} sends from")
        if not known and self._allowed(host, resolver):
            return passed(f"SPF allows the addresses of {self.server}")
        others = [name for name in tally.names if name != self.domain]
        if not known and others:
            return unknown(
                f"SPF includes {', '.join(others)}; whether {self.server} sends from there is only "
                "known to its provider",
                f"what the provider of {self.server} says about SPF",
                "The provider's help page on SPF says which include: it is.",
            )
        return failed(
            f"mail leaves through {self.server}, and SPF does not allow it",
            f"include:{known}" if known else "include: of the provider, or its addresses",
            f"Whoever runs the zone adds include:{known} before the end."
            if known
            else "The provider's help page on SPF says which include: it is; whoever runs the zone "
            "adds it before the end.",
        )

    def _allowed(self, host: Host, resolver: Resolver) -> bool:
        """Whether the relay's own addresses pass, where it sends from the same ones."""
        addresses = resolver.addresses(self.server)
        asked = {"sender": f"postmaster@{self.domain}", "helo": self.server}
        if not addresses:
            return False
        rows = spf_results(host, resolver, {**asked, "addresses": list(addresses)})
        return bool(rows) and all(result == "pass" for _, result, _ in rows)
