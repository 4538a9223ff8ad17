"""The certificate file, before a daemon is told about it and afterwards, read by openssl(1)."""

from __future__ import annotations

import re
import shlex
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.model import FileState, Host, Look, Outcome, Result
from mailwizard.probes.deadline import CannotAsk, Trouble
from mailwizard.probes.trust import certificates
from mailwizard.probes.verdict import could_not_ask, failed, passed, warned

_DAY = 86400
_RENEW = "The administrator: have the certificate made anew"
_ANEW = "The administrator: write the file anew: "
_BLOCK = re.compile(rb"^-----BEGIN ([ -~]{1,60}?)-----", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says of itself."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: float
    ends: float
    algorithm: str
    bits: int
    signature: str
    usages: str
    public_key: str
    rows: tuple[str, ...]

    @property
    def days(self) -> float:
        return (self.ends - self.begins) / _DAY


def inspect(look: Look, path: str) -> Facts:
    """The first certificate of a PEM file; raises CannotAsk where there is none to read."""
    return next(inspected(look, path))


def inspected(look: Look, path: str) -> Iterator[Facts]:
    """Every certificate of a PEM file, one at least; raises CannotAsk where one is not to read."""
    found = certificates(look.read(path))
    if not found:
        state = look.state(path)
        why = "is not there" if state.kind == "absent" else "holds no certificate (PEM)"
        raise CannotAsk(Trouble.UNREACHABLE, f"{path} {why}")
    for der in found:
        yield describe(look, path, der)


def describe(look: Look, path: str, der: bytes) -> Facts:
    """One certificate of the file; raises CannotAsk where openssl(1) does not tell."""
    asked = look.ask(
        ["openssl", "x509", "-noout", "-pubkey", "-text", "-nameopt", "RFC2253"],
        stdin=ssl.DER_cert_to_PEM_cert(der),
        timeout=10,
    )
    if asked.code == 127:
        raise CannotAsk(Trouble.UNREACHABLE, "the program `openssl` is missing")
    if not asked.ok:
        said = sanitise.clean(asked.err, limit=1)
        raise CannotAsk(Trouble.GARBLED, f"openssl cannot read {path}: {said}")
    try:
        return _facts(asked.out, path)
    except ValueError as error:
        raise CannotAsk(
            Trouble.GARBLED, f"openssl says of {path} what is not understood"
        ) from error


def _facts(text: str, path: str) -> Facts:
    bits = _first(r"Public-Key: \((\d+) bit", text)
    names = _first(r"Subject Alternative Name:[^\n]*\n\s*([^\n]+)", text)
    pairs = (item.strip().partition(":") for item in names.split(","))
    begins, ends = (_first(rf"Not {word}\s*: ([^\n]+)", text) for word in ("Before", "After"))
    facts = Facts(
        subject=_first(r"Subject: ?([^\n]*)", text),
        issuer=_first(r"Issuer: ?([^\n]*)", text),
        names=tuple(name.lower() for kind, _, name in pairs if kind in ("DNS", "IP Address")),
        begins=ssl.cert_time_to_seconds(begins),
        ends=ssl.cert_time_to_seconds(ends),
        algorithm=_first(r"Public Key Algorithm: ([^\n]+)", text),
        bits=int(bits) if bits else 0,
        signature=_first(r"Signature Algorithm: ([^\n]+)", text),
        usages=_first(r"X509v3 Extended Key Usage:[^\n]*\n\s*([^\n]+)", text),
        public_key=_first(r"(-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----)", text),
        rows=(),
    )
    rows = (
        f"{path}: s:{facts.subject} i:{facts.issuer}",
        f"names: {', '.join(facts.names)}",
        f"valid from {begins} to {ends}",
        f"key: {facts.algorithm} {facts.bits} bits; signature: {facts.signature}",
        f"extended key usage: {facts.usages or '(any)'}",
    )
    return replace(facts, rows=sanitise.lines("\n".join(rows), width=500))


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.DOTALL if "BEGIN" in pattern else 0)
    return found[1].strip() if found else ""


@dataclass(frozen=True, slots=True)
class OfCertificate:
    """A probe that looks into the chain file; what a subclass adds is the verdict."""

    chain: str
    deadline: ClassVar[float] = 15.0
    critical: ClassVar[bool] = False

    @property
    def by_hand(self) -> str:
        return f"openssl x509 -in {self.chain} -noout -text"

    def ask(self, host: Host) -> Result:
        try:
            facts = inspect(host, self.chain)
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        result = self._judge(facts)
        return replace(result, transcript=facts.rows)

    def _judge(self, facts: Facts) -> Result:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class CertificateNames(OfCertificate):
    """Every name that people and servers connect to stands in the certificate (RFC 9525)."""

    names: tuple[str, ...]
    id: ClassVar[str] = "TLS-06"
    title: ClassVar[str] = "The certificate holds every name"

    def _judge(self, facts: Facts) -> Result:
        missing = [name for name in self.names if not holds(facts.names, name)]
        if missing:
            return failed(
                f"not in the certificate: {', '.join(missing)}",
                ", ".join(self.names),
                f"{_RENEW}, with all these names; mail programs refuse any other.",
            )
        return passed(f"it holds {', '.join(self.names)}")


def _called(facts: Facts) -> str:
    return sanitise.clean(facts.subject, limit=1) or "(no name)"


def holds(names: tuple[str, ...], wanted: str) -> bool:
    """Whether a name is there, or a `*` for its first label (RFC 9525 6.3)."""
    name = wanted.lower().rstrip(".")
    star = f"*.{name.partition('.')[2]}"
    return name in names or star in names


@dataclass(frozen=True, slots=True)
class CertificateDates(OfCertificate):
    """The certificate and those of its chain are valid, and will be for a while.

    renewed: a program looks after it, so that one that lasts for days only is no mistake.
    """

    renewed: bool = False
    id: ClassVar[str] = "TLS-07"
    title: ClassVar[str] = "The certificate is valid for a while yet"

    def ask(self, host: Host) -> Result:
        try:
            chain = list(inspected(host, self.chain))
        except CannotAsk as trouble:
            return could_not_ask(trouble)
        # without those that vouch for it, a certificate is as good as none
        latest = max(chain, key=lambda one: one.begins)
        first = min(chain, key=lambda one: one.ends)
        one = latest if time.time() < latest.begins else first
        rows = () if one is chain[0] else one.rows
        return replace(self._valid(chain[0], one), transcript=(*chain[0].rows, *rows))

    def _valid(self, ours: Facts, facts: Facts) -> Result:
        """The verdict by that certificate of the chain which is the first to be over."""
        now = time.time()
        left = (facts.ends - now) / _DAY
        who = "it" if facts is ours else f"in its chain the certificate of {_called(facts)}"
        fix = (
            f"{_RENEW} (one of the private authority: mailwizard apply -a ANSWERS certificates) "
            "with its whole chain, and see why that does not happen by itself."
        )
        if now < facts.begins:
            said = f"{who} is not valid yet (or this host's clock is wrong)"
            return failed(said, "valid now", "The administrator: is the clock right?")
        if left <= 0:
            return failed(f"{who} expired {-left:.0f} days ago", "valid now", fix)
        # some authorities give them for days or hours only
        if left <= (min(7, ours.days / 4) if self.renewed else 7):
            return failed(f"{who} expires in {left:.0f} days", "more than a week", fix)
        if left < ours.days / 3:
            said = f"{who} expires in {left:.0f} of its {facts.days:.0f} days"
            return warned(said, "renewed when a third of its time is left", fix)
        return passed(f"valid for {left:.0f} days yet")


@dataclass(frozen=True, slots=True)
class CertificateKey(OfCertificate):
    """The key is long enough (NCSC, Mozilla)."""

    id: ClassVar[str] = "TLS-08"
    title: ClassVar[str] = "The certificate's key is strong"

    def _judge(self, facts: Facts) -> Result:
        kind = facts.algorithm
        rsa, curve = "rsa" in kind.lower(), "ecPublicKey" in kind
        said = f"{'RSA' if rsa else 'elliptic curve' if curve else kind}, {facts.bits} bits"
        fix = f"{_RENEW}, with a key on the curve P-256 or RSA of 3072 bits."
        expected = "elliptic curve P-256 or P-384, or RSA of at least 3072 bits"
        if (rsa and facts.bits >= 3072) or (curve and facts.bits >= 256) or kind.startswith("ED"):
            return passed(said)
        if rsa and facts.bits >= 2048:
            return warned(said, expected, fix)
        return failed(said, expected, fix)


@dataclass(frozen=True, slots=True)
class CertificateSigned(OfCertificate):
    """The signature uses SHA-256 or better: nobody believes SHA-1 or MD5."""

    id: ClassVar[str] = "TLS-09"
    title: ClassVar[str] = "The certificate's signature is strong"

    def _judge(self, facts: Facts) -> Result:
        name = facts.signature
        if re.search(r"sha(3-)?(256|384|512)|ed25519|ed448|pss", name, re.IGNORECASE):
            return passed(name)
        return failed(f"it is signed with {name or '(nothing)'}", "SHA-256 or better", f"{_RENEW}.")


@dataclass(frozen=True, slots=True)
class CertificateKind(OfCertificate):
    """What Apple's clients ask for: at most 825 days, for servers, names in the right place."""

    id: ClassVar[str] = "TLS-10"
    title: ClassVar[str] = "Every mail program takes the certificate"

    def _judge(self, facts: Facts) -> Result:
        bad = [
            said
            for said, is_so in (
                (f"it runs for {facts.days:.0f} days", facts.days > 825),
                ("it is not for servers (serverAuth)", "Server Auth" not in facts.usages),
                ("it has no subjectAltName", not facts.names),
            )
            if is_so
        ]
        if bad:
            return failed(
                ", ".join(bad),
                "at most 825 days, extendedKeyUsage = serverAuth, a subjectAltName",
                f"{_RENEW} (support.apple.com/103769: phones refuse it as it is).",
            )
        return passed(f"{facts.days:.0f} days, serverAuth, {len(facts.names)} names")


@dataclass(frozen=True, slots=True)
class CertificateFiles(OfCertificate):
    """The key belongs to the certificate, to root, and to nobody else's eyes."""

    key: str
    id: ClassVar[str] = "TLS-11"
    title: ClassVar[str] = "Key and certificate belong together"

    @property
    def by_hand(self) -> str:
        return (
            f"openssl x509 -in {self.chain} -noout -pubkey; openssl pkey -in {self.key} -pubout; "
            f"ls -lL {self.key}"
        )

    def ask(self, host: Host) -> Result:
        state = resolved(host, self.key)
        missing = [p for p in (self.chain, self.key) if resolved(host, p).kind != "file"]
        if missing:
            said = f"{', '.join(missing)} is not there"
            return failed(said, "a file", "The administrator: is the path right?")
        try:
            facts = inspect(host, self.chain)
        except CannotAsk as trouble:
            if trouble.kind is Trouble.GARBLED or "holds no" in trouble.sentence:
                return failed(trouble.sentence, "a certificate (PEM)", f"{_RENEW}.")
            return could_not_ask(trouble)
        shown = f"{self.key}: mode {state.mode:04o}, uid {state.uid}, gid {state.gid}"
        result = self._fits(facts, state, public_key(host, self.key))
        if result.outcome is Outcome.PASS:
            for _, said, cure in refused_by_postfix(host, self.chain, self.key):
                result = failed(said, "a key alone, and certificates alone", _ANEW + cure)
        return replace(result, transcript=(*facts.rows, shown))

    def _fits(self, facts: Facts, state: FileState, public: str) -> Result:
        if not public:
            return failed(
                f"{self.key} is no private key that can be read without a password",
                "a private key (PEM)",
                "The administrator: is the path right? A password on the key must be taken off.",
            )
        if public != facts.public_key:
            return failed(
                f"{self.key} does not belong to the certificate in {self.chain}",
                "the key that the certificate was made for",
                "The administrator: take chain and key from the same place.",
            )
        if not private(state):
            return failed(
                f"{self.key} has mode {state.mode:04o} and belongs to user {state.uid}",
                "mode 0600 (or 0640), root",
                f"The administrator: chown root {self.key}; chmod 0600 {self.key}; where others "
                "may have read it, make a new key.",
            )
        readers = f"root and the group {state.gid} read it" if state.mode & 0o040 else ""
        return passed(f"the key fits, and {readers or 'root alone reads it'}")


def refused_by_postfix(look: Look, chain: str, key: str) -> Iterator[tuple[str, str, str]]:
    """(question, what is wrong, the command that cures it) for what openssl(1) would let pass.

    At any other block than one key and the certificates of its chain smtpd goes on without TLS,
    and `postfix check` says nothing (postconf(5), smtpd_tls_chain_files).
    """
    without = "Postfix would do without TLS"
    strange = {kind: "" for kind in _blocks(look.read(chain)) if kind != "CERTIFICATE"}
    if strange:
        cure = f"sed -n '/BEGIN CERT/,/END CERT/p' {shlex.quote(chain)} >NEW"
        said = f"{chain} also holds {', '.join(strange)} and not certificates alone: {without}"
        yield "chain", said, cure
    found = _blocks(look.read(key))
    if len(found) != 1:
        there = ", ".join(found) or "no PEM"
        said = f"{key} holds {there} and not one private key alone: {without}"
        yield "key", said, f"openssl pkey -in {shlex.quote(key)} -out NEW"


def _blocks(pem: bytes) -> list[str]:
    """What the blocks of a PEM file are, in their order."""
    return [kind.decode("ascii") for kind in _BLOCK.findall(pem)]


def public_key(look: Look, path: str) -> str:
    """The public half of a private key; empty where openssl(1) cannot tell."""
    # an encrypted key is refused at once, as the daemons refuse it: nobody is asked
    argv = ["openssl", "pkey", "-in", path, "-pubout", "-passin", "pass:"]
    asked = look.ask(argv, timeout=10)
    return asked.out.strip() if asked.ok else ""


def private(state: FileState) -> bool:
    """Whether root alone writes the file, and at most its group reads it too."""
    return state.uid == 0 and not state.mode & 0o027


def resolved(look: Look, path: str) -> FileState:
    """The state of what a path leads to, over at most eight links."""
    state = look.state(path)
    for _ in range(8):
        if state.kind != "link":
            break
        path = state.target_from(path)
        state = look.state(path)
    return state
