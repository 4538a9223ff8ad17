"""Stubs to code against; replaced by the real modules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from mailwizard.model import Host, Outcome, Result


@dataclass(frozen=True, slots=True)
class _Stub:
    """Every probe's face."""

    id: ClassVar[str] = ""
    title: ClassVar[str] = ""
    by_hand: ClassVar[str] = ""
    deadline: ClassVar[float] = 30.0
    critical: ClassVar[bool] = False

    def ask(self, host: Host) -> Result:
        return Result(Outcome.UNKNOWN, "not written yet")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wire(_Stub):
    server: str = ""
    port: int = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dns(_Stub):
    nameservers: tuple[str, ...] = ()
    dns_port: int = 53


@dataclass(frozen=True, slots=True)
class SmtpGreeting(_Wire):
    """SMTP-01."""

    id: ClassVar[str] = "SMTP-01"
    hostname: str


@dataclass(frozen=True, slots=True)
class SmtpEhlo(_Wire):
    """SMTP-02."""

    id: ClassVar[str] = "SMTP-02"
    hostname: str


@dataclass(frozen=True, slots=True)
class RequiresHelo(_Wire):
    """SMTP-05."""

    id: ClassVar[str] = "SMTP-05"


@dataclass(frozen=True, slots=True)
class RefusesRelay(_Wire):
    """SMTP-06."""

    id: ClassVar[str] = "SMTP-06"
    critical: ClassVar[bool] = True
    domains: tuple[str, ...]
    own_login: str


@dataclass(frozen=True, slots=True)
class UnknownRecipient(_Wire):
    """SMTP-10."""

    id: ClassVar[str] = "SMTP-10"
    domain: str


@dataclass(frozen=True, slots=True)
class AcceptsRoleMail(_Wire):
    """SMTP-11."""

    id: ClassVar[str] = "SMTP-11"
    domains: tuple[str, ...]
    names: tuple[str, ...] = ("postmaster", "abuse")


@dataclass(frozen=True, slots=True)
class NullSender(_Wire):
    """SMTP-12."""

    id: ClassVar[str] = "SMTP-12"
    recipient: str


@dataclass(frozen=True, slots=True)
class TaggedRecipient(_Wire):
    """SMTP-13."""

    id: ClassVar[str] = "SMTP-13"
    recipient: str
    delimiter: str = "+"


@dataclass(frozen=True, slots=True)
class MessageSize(_Wire):
    """SMTP-14."""

    id: ClassVar[str] = "SMTP-14"
    limit: int
    recipient: str


@dataclass(frozen=True, slots=True)
class VrfySilent(_Wire):
    """SMTP-15."""

    id: ClassVar[str] = "SMTP-15"
    login: str


@dataclass(frozen=True, slots=True)
class RefusesSmuggling(_Wire):
    """SMTP-16."""

    id: ClassVar[str] = "SMTP-16"
    recipient: str
    login: str = ""


@dataclass(frozen=True, slots=True)
class EarlyTalker(_Wire):
    """SMTP-18."""

    id: ClassVar[str] = "SMTP-18"


@dataclass(frozen=True, slots=True)
class NoDangerousVerbs(_Wire):
    """SMTP-34."""

    id: ClassVar[str] = "SMTP-34"


@dataclass(frozen=True, slots=True)
class DeliversMail(_Wire):
    """SMTP-09."""

    id: ClassVar[str] = "SMTP-09"
    recipient: str
    login: str
    folder: str = "Maildir"
    wait: float = 20.0


@dataclass(frozen=True, slots=True)
class DeliversTo(_Wire):
    """DELIVERY."""

    id: ClassVar[str] = "DELIVERY"
    name: str
    domain: str
    logins: tuple[str, ...]
    folder: str = "Maildir"
    wait: float = 20.0


@dataclass(frozen=True, slots=True)
class TrustedNetworks(_Stub):
    """SMTP-07."""

    id: ClassVar[str] = "SMTP-07"
    critical: ClassVar[bool] = True
    config_dir: str = ""


@dataclass(frozen=True, slots=True)
class RelayRestrictions(_Stub):
    """SMTP-08."""

    id: ClassVar[str] = "SMTP-08"
    critical: ClassVar[bool] = True
    config_dir: str = ""


@dataclass(frozen=True, slots=True)
class SmugglingSettings(_Stub):
    """SMTP-17."""

    id: ClassVar[str] = "SMTP-17"
    config_dir: str = ""


@dataclass(frozen=True, slots=True)
class PostfixParses(_Stub):
    """HOST-06."""

    id: ClassVar[str] = "HOST-06"
    config_dir: str = ""


@dataclass(frozen=True, slots=True)
class PostfixReadBack(_Stub):
    """HOST-07."""

    id: ClassVar[str] = "HOST-07"
    parameters: Mapping[str, str]
    config_dir: str = ""


@dataclass(frozen=True, slots=True)
class NothingDeprecated(_Stub):
    """HOST-08."""

    id: ClassVar[str] = "HOST-08"
    config_dir: str = ""


@dataclass(frozen=True, slots=True)
class CompatibleLevel(_Stub):
    """HOST-09."""

    id: ClassVar[str] = "HOST-09"
    config_dir: str = ""


@dataclass(frozen=True, slots=True)
class MapsUsable(_Stub):
    """HOST-17."""

    id: ClassVar[str] = "HOST-17"
    config_dir: str = ""


@dataclass(frozen=True, slots=True)
class AliasGraph(_Stub):
    """OUT-07."""

    id: ClassVar[str] = "OUT-07"
    names: tuple[str, ...] = ()
    database: str = ""


@dataclass(frozen=True, slots=True)
class FullHostName(_Stub):
    """HOST-01."""

    id: ClassVar[str] = "HOST-01"
    fqdn: str
    postfix: bool = False


@dataclass(frozen=True, slots=True)
class NameIsHere(_Stub):
    """HOST-02."""

    id: ClassVar[str] = "HOST-02"
    fqdn: str


@dataclass(frozen=True, slots=True)
class ClockRight(_Stub):
    """HOST-03."""

    id: ClassVar[str] = "HOST-03"


@dataclass(frozen=True, slots=True)
class DiskRoom(_Stub):
    """HOST-04."""

    id: ClassVar[str] = "HOST-04"
    paths: tuple[str, ...] = ("/var/spool/postfix", "/home")
    message_size: int = 0


@dataclass(frozen=True, slots=True)
class MemoryRoom(_Stub):
    """HOST-05."""

    id: ClassVar[str] = "HOST-05"
    needed: int = 0


@dataclass(frozen=True, slots=True)
class UnitRuns(_Stub):
    """HOST-10."""

    id: ClassVar[str] = "HOST-10"
    unit: str
    window: float = 1.5
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Listeners(_Stub):
    """HOST-11."""

    id: ClassVar[str] = "HOST-11"
    public: tuple[int, ...]
    private: tuple[int, ...] = ()
    programs: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PortsFree(_Stub):
    """HOST-PORTS."""

    id: ClassVar[str] = "HOST-PORTS"
    owners: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BehindNat(_Stub):
    """HOST-NAT."""

    id: ClassVar[str] = "HOST-NAT"
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CloudHosts(_Stub):
    """HOST-CLOUD."""

    id: ClassVar[str] = "HOST-CLOUD"
    fqdn: str


@dataclass(frozen=True, slots=True)
class NameResolves(_Dns):
    """DNS-01."""

    id: ClassVar[str] = "DNS-01"
    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReverseExists(_Dns):
    """DNS-02."""

    id: ClassVar[str] = "DNS-02"
    addresses: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class ReverseMatches(_Dns):
    """DNS-03."""

    id: ClassVar[str] = "DNS-03"
    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Port25Open(_Stub):
    """OUT-01."""

    id: ClassVar[str] = "OUT-01"
    exchangers: tuple[str, ...] = ()
    port: int = 25
