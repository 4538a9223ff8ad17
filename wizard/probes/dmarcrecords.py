"""What DMARC says of our mail to others (RFC 9989), and whom they tell of it (RFC 9990)."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from mailwizard.model import Host, Outcome, Probe, Result
from mailwizard.probes import dmarc
from mailwizard.probes.authrecords import ZONE
from mailwizard.probes.connect import connect
from mailwizard.probes.deadline import Deadline
from mailwizard.probes.dialogue import Dialogue, Reply, Transcript
from mailwizard.probes.dns import DnsQuestion, Resolver
from mailwizard.probes.verdict import failed, passed, unknown, warned
from mailwizard.probes.wire import STRANGER

# some weeks of reports, before more than "none" can be asked for
_WEEKS = 8


@dataclass(frozen=True, slots=True)
class DmarcPublished(DnsQuestion):
    """One policy that can be read, with nothing in it that others ignore (RFC 9989 4.7).

    What DMARC-02 and DMARC-06 ask is asked here, too.
    """

    domain: str

    @property
    def id(self) -> str:
        return f"DMARC-01:{self.domain}"

    @property
    def title(self) -> str:
        return f"DMARC of {self.domain} is in order"

    @property
    def by_hand(self) -> str:
        return f"dig +short TXT _dmarc.{self.domain}"

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        found = dmarc.found(resolver, self.domain)
        expected = f"one record v=DMARC1; p=… at _dmarc.{self.domain}"
        if len(found) != 1:
            many = f"{len(found)} DMARC records" if found else "no DMARC record"
            return failed(f"_dmarc.{self.domain} has {many}", expected, ZONE)
        said = dmarc.tags(found[0])
        if said.get("p", "").lower() not in dmarc.POLICIES:
            return failed(f"no policy in {found[0]}", "p=none, quarantine or reject", ZONE)
        if flaw := next(dmarc.flaws(found[0]), ""):
            fix = "Whoever runs the zone: take it out, or publish what `mailwizard dns` shows."
            return warned(flaw, "only the tags and values of RFC 9989", fix)
        if "ruf" in said:
            fix = "Whoever runs the zone: take ruf out; hardly anybody sends such reports."
            return warned("ruf asks for copies of private mail", "rua alone (RFC 9991)", fix)
        return passed(found[0])


@dataclass(frozen=True, slots=True)
class DmarcEffective(DnsQuestion):
    """The policy that others come to, wherever it stands, is one that they carry out."""

    domain: str
    # since when mail is signed: the key's file
    path: str

    @property
    def id(self) -> str:
        return f"DMARC-03:{self.domain}"

    @property
    def title(self) -> str:
        return f"The policy that counts for {self.domain}"

    @property
    def by_hand(self) -> str:
        names = [self.domain, self.domain.partition(".")[2]]
        return "; ".join(f"dig +short TXT _dmarc.{name}" for name in names if name)

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        policy = dmarc.walk(resolver, self.domain)
        if policy is None:
            said = f"no policy counts for {self.domain}: mail in its name is not measured"
            return failed(said, f"a record at _dmarc.{self.domain}", ZONE)
        said = f"{policy.effective}, by {policy.tag}= of {policy.owner}"
        if policy.testing:
            return warned(
                f"{said}: t=y makes it milder than {policy.asked}",
                "no t=y once the reports are clean",
                "Whoever runs the zone: take t=y out when the reports show only good mail.",
            )
        weeks = _weeks(host, self.path)
        if policy.effective == "none" and weeks >= _WEEKS:
            return warned(
                f"{said}: mail has been signed for {weeks} weeks, and forged mail is still let in",
                "quarantine, once the reports are clean",
                "Read the reports. Where only good mail fails no more, the administrator chooses "
                "quarantine, and whoever runs the zone publishes it.",
            )
        return passed(said)


def _weeks(host: Host, path: str) -> int:
    made = host.state(path).mtime_ns // 10**9
    return int(time.time() - made) // (7 * 86400) if made else 0


@dataclass(frozen=True, slots=True)
class DmarcReports(DnsQuestion):
    """Somebody is told what others see, agrees to be, and can be reached (RFC 9990)."""

    domain: str
    own: tuple[str, ...]
    server: str = "127.0.0.1"
    port: int = 25

    @property
    def id(self) -> str:
        return f"DMARC-04:{self.domain}"

    @property
    def title(self) -> str:
        return f"Reports about {self.domain} arrive"

    @property
    def by_hand(self) -> str:
        return f"dig +short TXT {self.domain}._report._dmarc.DOMAIN-OF-THE-ADDRESS"

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        found = dmarc.found(resolver, self.domain)
        if len(found) != 1:
            return failed(f"_dmarc.{self.domain} has no record to go by", "rua=mailto:…", ZONE)
        there = dmarc.addresses(dmarc.tags(found[0]).get("rua", ""))
        if not there:
            said = f"nobody is told what becomes of mail of {self.domain}"
            return warned(said, "rua=mailto:…", ZONE)
        transcript = Transcript()
        results = [self._one(address, resolver, transcript) for address in there]
        worst = max(results, key=lambda one: one.outcome.severity)
        return replace(worst, transcript=transcript.lines())

    def _one(self, address: str, resolver: Resolver, transcript: Transcript) -> Result:
        away = address.rpartition("@")[2].lower()
        if away in self.own:
            return self._taken(address, self._asked(address, transcript))
        if f".{away}".endswith(f".{self.domain}") or self._agrees(away, resolver):
            return passed(f"{address}, whose domain agrees")
        return failed(
            f"{away} does not agree to be sent reports, so nobody sends any",
            f"{self.domain}._report._dmarc.{away} TXT v=DMARC1",
            f"Whoever runs the zone of {away}: publish it; or have reports sent to an address "
            f"in {self.domain}.",
        )

    def _agrees(self, away: str, resolver: Resolver) -> bool:
        name = f"{self.domain}._report._dmarc.{away}"
        return any(dmarc.is_dmarc(text) for text in resolver.texts(name))

    def _asked(self, address: str, transcript: Transcript) -> Reply:
        clock = Deadline(15.0)
        with Dialogue(connect(self.server, self.port, clock), clock, transcript) as talk:
            talk.reply()
            for command in (f"EHLO {STRANGER}", "MAIL FROM:<>", f"RCPT TO:<{address}>"):
                reply = talk.command(command)
                if not reply.ok:
                    break
            talk.command("QUIT")
        return reply

    def _taken(self, address: str, reply: Reply) -> Result:
        expected = f"250 for {address}"
        if reply.ok:
            return passed(f"{address}, which this host takes")
        if reply.code < 500:
            return unknown(f"{address} is put off: {reply.text}", expected, "Later again.")
        fix = f"The administrator: make an alias {address.rpartition('@')[0]} (step aliases)."
        return failed(f"reports to {address} are refused: {reply.text}", expected, fix)


@dataclass(frozen=True, slots=True)
class PolicyEarned(DnsQuestion):
    """More than p=none is asked for only where this host's own mail is proved to pass.

    proofs: what must pass; asked: the answer, which may be ahead of the DNS.
    """

    domain: str
    asked: str
    proofs: tuple[Probe, ...]

    @property
    def id(self) -> str:
        return f"DMARC-05:{self.domain}"

    @property
    def title(self) -> str:
        return f"Mail of {self.domain} can bear its policy"

    @property
    def deadline(self) -> float:  # type: ignore[override]
        """So long as all proofs together may take."""
        return 25.0 + sum(one.deadline for one in self.proofs)

    @property
    def by_hand(self) -> str:
        return "; ".join(one.by_hand for one in self.proofs)

    def _judge(self, host: Host, resolver: Resolver) -> Result:
        policy = dmarc.walk(resolver, self.domain)
        known = [self.asked, policy.effective if policy else "none"]
        strictest = max(known, key=dmarc.POLICIES.index)
        if strictest == "none":
            return passed("p=none: nothing of ours is refused by it")
        for proof in self.proofs:
            result = proof.ask(host)
            if result.outcome is not Outcome.PASS:
                return warned(
                    f"p={strictest} while not all mail of {self.domain} is proved: {proof.title}: "
                    f"{result.said}",
                    f"p=none until {proof.id} passes",
                    f"The administrator: choose none, and whoever runs the zone publishes it; then "
                    f"mend {proof.id}. Otherwise others refuse or hide good mail.",
                )
        return passed(
            f"p={strictest}: mail of this host passes; whether other senders of {self.domain} do, "
            "the reports say"
        )
