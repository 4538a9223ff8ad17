"""The curves on which a port agrees upon keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import Deadline
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.hello import TLS12, TLS13, X25519, Offer
from mailwizard.probes.suites import CLASSIC, MODERN, name_of
from mailwizard.probes.tls import Ported
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import failed, passed, unknown, warned

# The IANA registry (TLS Supported Groups), with OpenSSL's names
GOOD = {X25519: "X25519", 23: "P-256", 24: "P-384"}
MORE = {25: "P-521", 30: "X448", 0x11EC: "X25519MLKEM768"}
# numbered from 1: below 128 bits, or over binary fields, which are out of use (RFC 8422 5.1.1)
_WEAK = """
sect163k1 sect163r1 sect163r2 sect193r1 sect193r2 sect233k1 sect233r1 sect239k1 sect283k1 sect283r1
sect409k1 sect409r1 sect571k1 sect571r1 secp160k1 secp160r1 secp160r2 secp192k1 P-192 secp224k1
P-224
"""
WEAK = dict(enumerate(_WEAK.split(), start=1))
_OF_CERTIFICATES = (23, 24, 25)
_ECDHE = tuple(code for code in CLASSIC if name_of(code).startswith("ECDHE-"))


@dataclass(frozen=True, slots=True)
class TlsGroups(Ported):
    """X25519, P-256 or P-384 is taken, and no curve that is too weak (Mozilla intermediate)."""

    number: ClassVar[str] = "TLS-04"
    what: ClassVar[str] = "Keys are agreed upon over strong curves"
    options: ClassVar[str] = "-groups P-224 -tls1_2 -cipher DEFAULT:@SECLEVEL=0   # and X25519, …"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        taken = self._taken(place, clock, transcript)
        weak = self._weak(place, clock, transcript)
        expected = "X25519, P-256 or P-384, and nothing weaker"
        fix = (
            "The administrator: take tls_eecdh_auto_curves out of Postfix's main.cf and "
            "ssl_curve_list out of Dovecot's files: the defaults are right."
        )
        if weak:
            verdict = warned if self.port == 25 else failed
            return verdict(f"weak curves are taken: {', '.join(weak)}", expected, fix)
        if not taken:
            return unknown("no curve in common: is TLS spoken at all?", expected, fix)
        if not set(taken) & set(GOOD.values()):
            return failed(f"only {', '.join(taken)}, which many clients lack", expected, fix)
        return passed(f"taken: {', '.join(taken)}, nothing weaker")

    def _taken(self, place: Seat, clock: Deadline, transcript: Transcript) -> list[str]:
        """The strong groups that the server takes, in TLS 1.3 or else in 1.2."""
        found = []
        for group, name in (GOOD | MORE).items():
            for version, suites in ((TLS13, MODERN), (TLS12, _ECDHE)):
                offer = Offer(version, suites, groups=(group,))
                if self._hello(place, clock, transcript, offer).version == version:
                    found.append(name)
                    break
        return found

    def _weak(self, place: Seat, clock: Deadline, transcript: Transcript) -> list[str]:
        """Weak groups that the server chooses; TLS 1.3 has none (RFC 8446 4.2.7)."""
        found: list[str] = []
        # a certificate with an elliptic key needs its own curve among those of the client
        for groups in (tuple(WEAK), (*WEAK, *_OF_CERTIFICATES)):
            offer = Offer(TLS12, _ECDHE, groups=groups)
            heard = self._hello(place, clock, transcript, offer, whole=True)
            if heard.version == TLS12 and heard.group in WEAK:
                found.append(WEAK[heard.group])
        return list(dict.fromkeys(found))
