"""The certificate that a port really serves: what it proves, and whether it is the new one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk, Deadline, Trouble
from mailwizard.probes.dialogue import Transcript
from mailwizard.probes.tls import Ported, refused
from mailwizard.probes.trust import Trust, anybody, certificates
from mailwizard.probes.vantage import Seat
from mailwizard.probes.verdict import could_not_ask, failed, passed, unknown

# A reload has ended when the last idle process of before has been spoken to.
_PATIENCE = (0.3, 0.7, 1.0, 0.0)
_RESTART = (
    "The administrator: `systemctl reload postfix` and `systemctl restart dovecot`, and have "
    "whatever renews the certificate do so each time."
)


@dataclass(frozen=True, slots=True)
class ServedChain(Ported):
    """The chain served leads to an authority that the reader trusts, for the name he was told."""

    name: str
    trust: str = ""
    number: ClassVar[str] = "TLS-05"
    what: ClassVar[str] = "The certificate can be verified"

    @property
    def options(self) -> str:  # type: ignore[override]
        store = f" -CAfile {self.trust}" if self.trust else ""
        return f"-servername {self.name} -verify_hostname {self.name}{store}"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        for talk in self._talks(place, clock, transcript):
            Trust(self.name, self.trust).secure(talk)
        by = f"{self.trust}, to be imported into mail programs" * bool(self.trust)
        return passed(f"{self.name} is proved by {by or 'an authority that this host trusts'}")

    def _no_answer(self, trouble: CannotAsk) -> Result:
        if trouble.kind is not Trouble.UNTRUSTED or trouble.sentence.startswith("the CA file"):
            return could_not_ask(trouble)
        return failed(
            trouble.sentence,
            f"a chain to {self.trust or 'a public authority'}, valid now, for {self.name}",
            "The administrator: serve the full chain (certificate, then the authorities between), "
            "of a certificate that holds this name; then restart both daemons. An authority of "
            "your own must be in this host's store.",
        )


@dataclass(frozen=True, slots=True)
class ServedIsOnDisk(Ported):
    """What is served is what is on disk: daemons go on with the old one until they are told."""

    name: str
    chain: str
    number: ClassVar[str] = "TLS-12"
    what: ClassVar[str] = "The certificate served is the one on disk"
    options: ClassVar[str] = "| openssl x509 -noout -fingerprint -sha256"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        on_disk = certificates(host.read(self.chain))
        if not on_disk:
            return unknown(
                f"there is no certificate in {self.chain}",
                "a PEM file",
                "The administrator: is the path right?",
            )
        wanted = sha256(on_disk[0]).hexdigest()
        transcript.note(f"{self.chain}: sha256 fingerprint: {wanted}")
        for wait in _PATIENCE:
            other = self._other(place, clock, transcript, on_disk[0])
            if not other:
                return passed(f"served as on disk: {wanted[:16]}…")
            time.sleep(wait)
        return failed(
            f"served is {sha256(other).hexdigest()[:16]}…, on disk is {wanted[:16]}…",
            f"the certificate of {self.chain}",
            _RESTART,
        )

    def _other(self, place: Seat, clock: Deadline, transcript: Transcript, wanted: bytes) -> bytes:
        """A certificate that is served instead; empty where there is none."""
        for talk in self._talks(place, clock, transcript):
            talk.start_tls(anybody(), self.name)
            if (found := talk.peer_certificate()) != wanted:
                return found
        return b""


@dataclass(frozen=True, slots=True)
class AnySni(Ported):
    """A handshake succeeds with our name, without any, and with a stranger's (RFC 7672 8.1)."""

    name: str
    number: ClassVar[str] = "TLS-14"
    what: ClassVar[str] = "TLS works whatever name is asked for"
    options: ClassVar[str] = "-noservername   # and -servername unknown.invalid"

    def _hear(self, host: Host, place: Seat, clock: Deadline, transcript: Transcript) -> Result:
        for name in (self.name, None, "unknown.invalid"):
            transcript.note(f"asking for {name or 'no name'}")
            try:
                with self._ready(place, clock, transcript) as talk:
                    talk.start_tls(anybody(), name)
            except CannotAsk as trouble:
                if name == self.name or not refused(trouble):
                    raise
                return failed(
                    f"asked for {name or 'no name'}: {trouble.sentence}",
                    "a handshake with the ordinary certificate",
                    "The administrator: no strict SNI: many servers ask for a name of their own, "
                    "or for none (tls_server_sni_maps, ssl_… local_name).",
                )
        return passed("with our name, without a name, with a stranger's name")
