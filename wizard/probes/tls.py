"""What a port speaks in TLS: versions, cipher suites, and the extras that have had their day."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.model import Completed, Host, Outcome, Result
from mailwizard.probes.conversation import Conversation
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Dialogue, Transcript
from mailwizard.probes.hello import (
    EXTENDED_MASTER_SECRET,
    RENEGOTIATION_INFO,
    SHA1_SIGNATURES,
    TLS11,
    TLS12,
    TLS13,
    VERSIONS,
    Heard,
    Offer,
    say_hello,
)
from mailwizard.probes.suites import CLASSIC, MODERN, grade, name_of
from mailwizard.probes.trust import begin
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, unknown, warned

_POSTFIX = "The administrator: in Postfix "
_DOVECOT = "; in Dovecot ssl_min_protocol = TLSv1.2"
# Each suite found is one connection; a server offers some dozens at most.
_MOST_SUITES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTls(Conversation):
    """A probe of a port that speaks TLS."""

    number: ClassVar[str] = ""
    what: ClassVar[str] = ""
    options: ClassVar[str] = ""
    deadline: ClassVar[float] = 40.0
    octets: ClassVar[int] = 4 * 1024 * 1024

    @property
    def id(self) -> str:
        return f"{self.number}:{self._port}"

    @property
    def title(self) -> str:
        return f"{self.what} (port {self._port})"

    @property
    def by_hand(self) -> str:
        where = self.server or '"$(postconf -h myhostname)"'
        how = f" -starttls {self._protocol}" if self._protocol else ""
        return f"openssl s_client -connect {where}:{self._port}{how} {self.options}".rstrip()

    @property
    def _port(self) -> int:
        raise NotImplementedError

    @property
    def _protocol(self) -> str:
        raise NotImplementedError

    @contextmanager
    def _ready(self, place: Seat, clock: Deadline, transcript: Transcript) -> Iterator[Dialogue]:
        """A connection on which TLS is the next thing to be said."""
        sock = place.connect(place.addresses[0], self._port, clock)
        with Dialogue(sock, clock, transcript) as talk:
            begin(talk, self._protocol)
            yield talk

    def _talks(self, place: Seat, clock: Deadline, transcript: Transcript) -> Iterator[Dialogue]:
        """Such a connection over IPv4, then one over IPv6 where the port is open there."""
        for address in place.addresses:
            try:
                sock = place.connect(address, self._port, clock)
            except CannotAsk as trouble:
                if address == place.addresses[0] or trouble.kind is not Trouble.REFUSED:
                    raise
                transcript.note(f"nobody listens on {address}")
                continue
            with Dialogue(sock, clock, transcript) as talk:
                begin(talk, self._protocol)
                yield talk

    def _hello(
        self,
        place: Seat,
        clock: Deadline,
        transcript: Transcript,
        offer: Offer,
        whole: bool = False,
    ) -> Heard:
        # the talk before STARTTLS is the same each time: the transcript has it once
        quiet = Transcript(0) if transcript.lines() else transcript
        with self._ready(place, clock, quiet) as talk:
            return say_hello(talk, offer, transcript, whole=whole)


@dataclass(frozen=True, slots=True)
class Ported(OverTls):
    """A probe of one port; protocol is what is spoken before TLS, "" for nothing."""

    port: int
    protocol: str

    @property
    def _port(self) -> int:
        return self.port

    @property
    def _protocol(self) -> str:
        return self.protocol


@dataclass(frozen=True, slots=True)
class TlsVersions(Ported):
    """TLS 1.2 and 1.3 and nothing older (RFC 8996); on 25 an old one is still better than none."""

    number: ClassVar[str] = "TLS-01"
    what: ClassVar[str] = "Only TLS 1.2 and 1.3 are spoken"
    options: ClassVar[str] = "-tls1_1 -cipher DEFAULT:@SECLEVEL=0   # and -tls1, -tls1_2, -tls1_3"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        spoken = []
        for version in VERSIONS:
            suites = MODERN if version == TLS13 else CLASSIC
            heard = self._hello(place, clock, transcript, Offer(version, suites))
            if heard.version == version:
                spoken.append(version)
        names = ", ".join(VERSIONS[one] for one in spoken)
        fix = (
            f"{_POSTFIX}smtpd_tls_protocols = >=TLSv1.2 and smtpd_tls_mandatory_protocols = "
            f">=TLSv1.2{_DOVECOT}."
        )
        if not any(one >= TLS12 for one in spoken):
            return failed(f"no modern TLS: {names or 'no version at all'}", "TLSv1.2, TLSv1.3", fix)
        if min(spoken) <= TLS11:
            verdict = warned if self.port == 25 else failed
            return verdict(f"spoken: {names}", "TLSv1.2 and TLSv1.3 only", fix)
        if TLS13 not in spoken:
            return warned(f"spoken: {names}", "TLSv1.3 as well", fix)
        return passed(f"spoken: {names}, nothing older")


@dataclass(frozen=True, slots=True)
class TlsSuites(Ported):
    """Every suite the server would take: forward secrecy with an AEAD, and no weak parameters."""

    number: ClassVar[str] = "TLS-02"
    what: ClassVar[str] = "Only strong ciphers are taken"
    options: ClassVar[str] = "-tls1_2 -cipher SUITE   # for each of `openssl ciphers -s ALL`"
    _fix: ClassVar[str] = (
        f"{_POSTFIX}tls_high_cipherlist or smtpd_tls_exclude_ciphers = aNULL, kRSA, kDHE, SHA1, "
        "SHA256, SHA384; in Dovecot ssl_cipher_list = ECDHE+AESGCM:ECDHE+CHACHA20; and never make "
        "Diffie-Hellman parameters of your own."
    )

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        found: list[Heard] = []
        for version, suites in ((TLS12, CLASSIC), (TLS13, MODERN)):
            found += self._enumerate(place, clock, transcript, version, suites)
        if not found:
            return unknown("no cipher suite in common", "TLSv1.2 or TLSv1.3", self._fix)
        names = [name_of(one.suite) for one in found]
        for one in found:
            if one.dh_bits and (one.dh_bits < 2048 or not one.dh_is_standard):
                kind = "RFC 7919" if one.dh_is_standard else "not of RFC 7919"
                names.append(f"Diffie-Hellman {one.dh_bits} bits, {kind}")
        small = any(0 < one.dh_bits < 2048 for one in found)
        grades = {one.suite: grade(one.suite) for one in found}
        bad = [name_of(code) for code, mark in grades.items() if mark is Outcome.FAIL]
        old = [name_of(code) for code, mark in grades.items() if mark is Outcome.WARN]
        rows = tuple(names)
        if bad or small:
            verdict = warned if self.port == 25 and not small else failed
            said = f"weak: {', '.join(bad) or 'Diffie-Hellman below 2048 bits'}"
            return verdict(said, "ECDHE with AES-GCM or ChaCha20 only", self._fix, rows)
        if old:
            said = f"being phased out: {', '.join(old)}"
            return warned(said, "ECDHE with AES-GCM or ChaCha20 only", self._fix, rows)
        return passed(f"{len(found)} suites, all with forward secrecy: {', '.join(names)}", rows)

    def _enumerate(
        self,
        place: Seat,
        clock: Deadline,
        transcript: Transcript,
        version: int,
        suites: tuple[int, ...],
    ) -> Iterator[Heard]:
        """Ask, strike out what was chosen, ask again, until nothing is."""
        left = list(suites)
        for _ in range(_MOST_SUITES):
            offer = Offer(version, tuple(left))
            heard = self._hello(place, clock, transcript, offer, whole=version == TLS12)
            if heard.version != version or heard.suite not in left:
                return
            yield heard
            left.remove(heard.suite)
            if not left:
                return


@dataclass(frozen=True, slots=True)
class TlsExtras(Ported):
    """No compression, no renegotiation by the client, no SHA-1; RFC 7627."""

    number: ClassVar[str] = "TLS-15"
    what: ClassVar[str] = "No compression, no renegotiation, no SHA-1"
    options: ClassVar[str] = "-tls1_2   # then a line with a capital R"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        offer = Offer(TLS12, CLASSIC, compressions=b"\x01\x00")
        heard = self._hello(place, clock, transcript, offer, whole=True)
        if heard.version != TLS12:
            return passed("TLS 1.2 is not spoken, and 1.3 has none of these")
        sha1 = Offer(TLS12, CLASSIC, signatures=SHA1_SIGNATURES)
        weak = self._hello(place, clock, transcript, sha1, whole=True)
        again = self._renegotiates(host, place, transcript)
        fix = (
            f"{_POSTFIX}tls_ssl_options = NO_COMPRESSION, NO_RENEGOTIATION, and against SHA-1 a "
            "tls_config_file with SignatureAlgorithms (Postfix lowers OpenSSL's security level by "
            "itself); in Dovecot ssl_options = no_compression. OpenSSL's updates bring the rest."
        )
        bad = [
            said
            for said, is_so in (
                ("compression is on", heard.compression != 0),
                ("renegotiation is insecure", RENEGOTIATION_INFO not in heard.extensions),
                ("the client may renegotiate", again is True),
            )
            if is_so
        ]
        if bad:
            return failed(", ".join(bad), "none of it", fix)
        soft = []
        if EXTENDED_MASTER_SECRET not in heard.extensions:
            soft.append("no extended master secret")
        # on 25 an old server that knows nothing better is still better off than in clear
        if weak.signature in SHA1_SIGNATURES and self.port != 25:
            soft.append("keys are exchanged with SHA-1 signatures if asked to")
        if soft:
            return warned(", ".join(soft), "extended master secret, SHA-256 or better", fix)
        said = "no compression, no SHA-1, secure renegotiation"
        if again is None:
            said += ", but whether the client may begin it could not be seen"
            fix = "The administrator: ask by hand; is the package openssl installed?"
            return unknown(said, "no renegotiation", fix)
        return passed(f"{said}, and not by the client")

    def _renegotiates(self, host: Host, place: Seat, transcript: Transcript) -> bool | None:
        """Whether a client may start a renegotiation; None when openssl(1) could not tell."""
        where = place.addresses[0]
        target = f"[{where}]:{self.port}" if ":" in where else f"{where}:{self.port}"
        argv = ["sh", "-c", _RENEGOTIATE, "sh", "-connect", target]
        argv += ["-starttls", self.protocol] if self.protocol else []
        done = host.ask(argv, timeout=10)
        seen = _after_r(done)
        for line in sanitise.lines(done.out, limit=400):
            if "enegotiat" in line or line.startswith("RENEG"):
                transcript.add("<", line)
        transcript.note(f"openssl s_client, R: {_TOLD[seen]}")
        return seen


_TOLD = {True: "renegotiated", False: "refused", None: "could not be seen"}
# A line with a capital R makes s_client ask for it; the end of its input would end it too soon.
_RENEGOTIATE = """
cd "$(mktemp -d)" && mkfifo said || exit
{ echo R; exec sleep 2; } >said 2>/dev/null &
timeout 5 openssl s_client -tls1_2 "$@" <said 2>&1
kill $!
rm -r "$PWD"
"""


def _after_r(done: Completed) -> bool | None:
    before, mark, after = done.out.partition("RENEGOTIATING")
    if not mark or "Cipher" not in before:
        return None
    if "verify return" in after or "verify error" in after:
        return True
    if any(word in after for word in ("no renegotiation", "alert", "error", "errno")):
        return False
    return None


def refused(trouble: CannotAsk) -> bool:
    """Whether nobody listens there, or the server broke off the handshake."""
    return trouble.kind in {Trouble.REFUSED, Trouble.GARBLED, Trouble.CLOSED, Trouble.RESET}
