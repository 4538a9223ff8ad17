"""Probes that are not built yet: their fields only; each answers unknown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from mailwizard.model import Host, Result, SecretRef
from mailwizard.probes.verdict import unknown

Accounts = tuple[tuple[str, SecretRef], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A stub."""

    server: str = ""
    id: ClassVar[str] = ""
    title: ClassVar[str] = "not built yet"
    by_hand: ClassVar[str] = "true"
    deadline: ClassVar[float] = 5.0
    critical: ClassVar[bool] = False

    def ask(self, host: Host) -> Result:
        del host
        return unknown("this probe is not built yet", "", "")


@dataclass(frozen=True, slots=True)
class ImapGreeting(Coming):
    """A stub."""

    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "IMAP-01"


@dataclass(frozen=True, slots=True)
class NoPlaintextImap(Coming):
    """A stub."""

    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "IMAP-02"


@dataclass(frozen=True, slots=True)
class ClearLoginRefused(Coming):
    """A stub."""

    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "IMAP-03"


@dataclass(frozen=True, slots=True)
class ImapLogin(Coming):
    """A stub."""

    accounts: Accounts
    domain: str
    name: str = ""
    trust: str = ""
    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "IMAP-04"


@dataclass(frozen=True, slots=True)
class ImapNoInjection(Coming):
    """A stub."""

    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "IMAP-05"


@dataclass(frozen=True, slots=True)
class ImapRoundTrip(Coming):
    """A stub."""

    accounts: Accounts
    name: str = ""
    trust: str = ""
    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "IMAP-06"


@dataclass(frozen=True, slots=True)
class SpecialFolders(Coming):
    """A stub."""

    accounts: Accounts
    uses: tuple[str, ...] = ()
    name: str = ""
    trust: str = ""
    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "IMAP-07"


@dataclass(frozen=True, slots=True)
class PopClosed(Coming):
    """A stub."""

    wanted: bool = False
    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "IMAP-08"


@dataclass(frozen=True, slots=True)
class MailboxesApart(Coming):
    """A stub."""

    accounts: Accounts
    name: str = ""
    trust: str = ""
    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "IMAP-09"


@dataclass(frozen=True, slots=True)
class SieveNotInClear(Coming):
    """A stub."""

    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "IMAP-10"


@dataclass(frozen=True, slots=True)
class DovecotSyntax(Coming):
    """A stub."""

    version: str
    id: ClassVar[str] = "IMAP-11"


@dataclass(frozen=True, slots=True)
class AuthSocket(Coming):
    """A stub."""

    path: str
    owner: str = "postfix"
    id: ClassVar[str] = "IMAP-12"


@dataclass(frozen=True, slots=True)
class AuthTest(Coming):
    """A stub."""

    accounts: Accounts
    domain: str
    id: ClassVar[str] = "IMAP-13"


@dataclass(frozen=True, slots=True)
class CertificateFiles(Coming):
    """A stub."""

    chain: str
    key: str
    id: ClassVar[str] = "TLS-11"


@dataclass(frozen=True, slots=True)
class CertificateNames(Coming):
    """A stub."""

    chain: str
    names: tuple[str, ...]
    id: ClassVar[str] = "TLS-06"


@dataclass(frozen=True, slots=True)
class CertificateDates(Coming):
    """A stub."""

    chain: str
    id: ClassVar[str] = "TLS-07"


@dataclass(frozen=True, slots=True)
class CertificateKey(Coming):
    """A stub."""

    chain: str
    id: ClassVar[str] = "TLS-08"


@dataclass(frozen=True, slots=True)
class CertificateSigned(Coming):
    """A stub."""

    chain: str
    id: ClassVar[str] = "TLS-09"


@dataclass(frozen=True, slots=True)
class CertificateKind(Coming):
    """A stub."""

    chain: str
    id: ClassVar[str] = "TLS-10"


@dataclass(frozen=True, slots=True)
class WrapperModeScoped(Coming):
    """A stub."""

    config_dir: str = ""
    id: ClassVar[str] = "TLS-23"


@dataclass(frozen=True, slots=True)
class TlsVersions(Coming):
    """A stub."""

    port: int
    protocol: str
    id: ClassVar[str] = "TLS-01"


@dataclass(frozen=True, slots=True)
class TlsSuites(Coming):
    """A stub."""

    port: int
    protocol: str
    id: ClassVar[str] = "TLS-02"


@dataclass(frozen=True, slots=True)
class ServedChain(Coming):
    """A stub."""

    port: int
    protocol: str
    name: str
    trust: str = ""
    id: ClassVar[str] = "TLS-05"


@dataclass(frozen=True, slots=True)
class ServedIsOnDisk(Coming):
    """A stub."""

    port: int
    protocol: str
    name: str
    chain: str
    id: ClassVar[str] = "TLS-12"


@dataclass(frozen=True, slots=True)
class AnySni(Coming):
    """A stub."""

    port: int
    protocol: str
    name: str
    id: ClassVar[str] = "TLS-14"


@dataclass(frozen=True, slots=True)
class TlsExtras(Coming):
    """A stub."""

    port: int
    protocol: str
    id: ClassVar[str] = "TLS-15"


@dataclass(frozen=True, slots=True)
class OffersStartTls(Coming):
    """A stub."""

    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "SMTP-03"


@dataclass(frozen=True, slots=True)
class NoAuthOnPort25(Coming):
    """A stub."""

    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "SMTP-04"


@dataclass(frozen=True, slots=True)
class NoSmtpInjection(Coming):
    """A stub."""

    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "SMTP-19"


@dataclass(frozen=True, slots=True)
class SubmissionPorts(Coming):
    """A stub."""

    ports: tuple[int, ...]
    id: ClassVar[str] = "SUB-01"


@dataclass(frozen=True, slots=True)
class StartTlsFirst(Coming):
    """A stub."""

    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "SUB-02"


@dataclass(frozen=True, slots=True)
class NoAuthInClear(Coming):
    """A stub."""

    port: int = field(default=0, kw_only=True)
    id: ClassVar[str] = "SUB-03"


@dataclass(frozen=True, slots=True)
class SubmissionLogin(Coming):
    """A stub."""

    accounts: Accounts
    domain: str
    name: str = ""
    trust: str = ""
    ports: tuple[int, ...] = field(default=(465, 587), kw_only=True)
    id: ClassVar[str] = "SUB-04"


@dataclass(frozen=True, slots=True)
class SameAnswerForUnknownUser(Coming):
    """A stub."""

    name: str = ""
    trust: str = ""
    ports: tuple[int, ...] = field(default=(465, 587), kw_only=True)
    id: ClassVar[str] = "SUB-05"


@dataclass(frozen=True, slots=True)
class Mechanisms(Coming):
    """A stub."""

    name: str = ""
    trust: str = ""
    ports: tuple[int, ...] = field(default=(465, 587), kw_only=True)
    id: ClassVar[str] = "SUB-06"


@dataclass(frozen=True, slots=True)
class NoRelayWithoutLogin(Coming):
    """A stub."""

    name: str = ""
    trust: str = ""
    ports: tuple[int, ...] = field(default=(465, 587), kw_only=True)
    id: ClassVar[str] = "SUB-07"


@dataclass(frozen=True, slots=True)
class OnlyOwnSender(Coming):
    """A stub."""

    accounts: Accounts
    domain: str
    name: str = ""
    trust: str = ""
    other: str = "root"
    ports: tuple[int, ...] = field(default=(465, 587), kw_only=True)
    id: ClassVar[str] = "SUB-08"


@dataclass(frozen=True, slots=True)
class AliasAsSender(Coming):
    """A stub."""

    accounts: Accounts
    domain: str
    name: str = ""
    trust: str = ""
    addresses: tuple[tuple[str, str], ...] = ()
    ports: tuple[int, ...] = field(default=(465, 587), kw_only=True)
    id: ClassVar[str] = "SUB-09"


@dataclass(frozen=True, slots=True)
class AnyHelo(Coming):
    """A stub."""

    accounts: Accounts
    domain: str
    name: str = ""
    trust: str = ""
    ports: tuple[int, ...] = field(default=(465, 587), kw_only=True)
    id: ClassVar[str] = "SUB-10"


@dataclass(frozen=True, slots=True)
class HeadersAdded(Coming):
    """A stub."""

    accounts: Accounts
    domain: str
    name: str = ""
    trust: str = ""
    folder: str = "Maildir"
    wait: float = 20.0
    ports: tuple[int, ...] = field(default=(465, 587), kw_only=True)
    id: ClassVar[str] = "SUB-11"


@dataclass(frozen=True, slots=True)
class ClientHidden(Coming):
    """A stub."""

    accounts: Accounts
    domain: str
    name: str = ""
    trust: str = ""
    folder: str = "Maildir"
    wait: float = 20.0
    ports: tuple[int, ...] = field(default=(465, 587), kw_only=True)
    id: ClassVar[str] = "SUB-14"
