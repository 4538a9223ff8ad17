r"""The live tests: frozen values that ask the running host and hear, judge and explain its answers.

Fields in brackets have defaults. `server=""` means: through the stranger, a network namespace with
an address outside mynetworks, to this host; an address there means: directly (tests, other hosts).

class             | id          | fields
------------------|-------------|---------------------------------------------------------------
over port 25, all with [server=""] [port=25], keyword only
SmtpGreeting      | SMTP-01     | hostname
SmtpEhlo          | SMTP-02     | hostname
RequiresHelo      | SMTP-05     |
RefusesRelay      | SMTP-06 !   | domains, own_login
UnknownRecipient  | SMTP-10     | domain
AcceptsRoleMail   | SMTP-11     | domains [names=("postmaster", "abuse")]
NullSender        | SMTP-12     | recipient
TaggedRecipient   | SMTP-13     | recipient [delimiter="+"]
MessageSize       | SMTP-14     | limit (octets), recipient
VrfySilent        | SMTP-15     | login
RefusesSmuggling  | SMTP-16     | recipient [login=""]: whose folder is tidied if one is taken
EarlyTalker       | SMTP-18     |
NoDangerousVerbs  | SMTP-34     |
DeliversMail      | SMTP-09     | recipient, login [folder="Maildir"] [wait=20.0]
DeliversTo        | DELIVERY-*  | name (alias, without domain), domain, logins [folder] [wait]
                  |             | id: DELIVERY-ALIAS:name for one login, DELIVERY-LIST:name for more
static, with [config_dir=""]: "" is the live configuration, else a draft (`postconf -c DIR`)
TrustedNetworks   | SMTP-07 !   |
RelayRestrictions | SMTP-08 !   |
SmugglingSettings | SMTP-17     |
PostfixParses     | HOST-06     |
PostfixReadBack   | HOST-07     | parameters: Mapping[name, value], both as given to `postconf -e`
NothingDeprecated | HOST-08     |
CompatibleLevel   | HOST-09     |
MapsUsable        | HOST-17     |
aliases
AliasGraph        | OUT-07      | names [also the RFC 2142 ones that exist] [database=""]
the machine
FullHostName      | HOST-01     | fqdn [postfix=False: also myhostname]
NameIsHere        | HOST-02     | fqdn
ClockRight        | HOST-03     |
DiskRoom          | HOST-04     | [paths=("/var/spool/postfix", "/home")] [message_size=0]
MemoryRoom        | HOST-05     | [needed=0 octets]
UnitRuns          | HOST-10     | unit [window=1.5] [enabled=True] [starter="": the unit enabled in
                  |             | its place]
Listeners         | HOST-11     | public: ports that must answer [private: ports that may only be
                  |             | on loopback] [programs: Mapping[port, tuple[program, ...]]]
PortsFree         | HOST-PORTS  | [owners: Mapping[port, tuple[program, ...]] fine to hold it]
BehindNat         | HOST-NAT    | addresses (of the answers; empty ones are ignored)
CloudHosts        | HOST-CLOUD  | fqdn
DNS, with [nameservers=(): those of /etc/resolv.conf] [dns_port=53], keyword only
NameResolves      | DNS-01      | name, addresses
ReverseExists     | DNS-02      | addresses [name=""]
ReverseMatches    | DNS-03      | name, addresses
of its own
Advisory          | (its own)   | probe: another one, whose fails this step cannot mend, as warnings
SenderRewritten   | SENDER:*    | login, address, reader [folder] [wait]
outward
Port25Open        | OUT-01      | [exchangers: names of MXs] [port=25] [nameservers] [dns_port]
OutgoingIdentity  | OUT-02      | fqdn, addresses: the public ones
RelayTakesUs      | OUT-03      | hop "[name]:port" [wrapped: TLS at once] [key: of the password that
                  |             | Postfix finds] [helo] [sender: tried with MAIL FROM] [authority]
RelayTlsEnforced  | OUT-04:hop  | hop [login=True] [wrapped=False]
QueueFlows        | OUT-05      | [longest=3600.0 seconds]
BounceReturns     | OUT-06      | login, domain [recipient=somebody who is not there] [folder] [wait]
reading mail, all with [server=""] [port=…] keyword only. accounts: tuple of (login, SecretRef);
without a password that is known here the verdict is unknown. [name=""] [trust=""]: the server must
prove that name, by the CA file `trust` or by the system's store; without a name its certificate
must be the very one that the daemon is configured with (so: right before any certificate is bought)
ImapGreeting      | IMAP-01     | [port=993]
NoPlaintextImap   | IMAP-02     | [port=143]
ClearLoginRefused | IMAP-03     | [port=143]
ImapLogin         | IMAP-04     | accounts, domain [name] [trust]: bare and full, good and bad
ImapNoInjection   | IMAP-05     | [port=143]
ImapRoundTrip     | IMAP-06     | accounts [name] [trust] [folder="Maildir"]
SpecialFolders    | IMAP-07     | accounts [uses=those four of RFC 6154] [name] [trust]
PopClosed         | IMAP-08     | [wanted=False] (then 110 must need STLS, 995 must speak TLS)
MailboxesApart    | IMAP-09     | accounts [name] [trust] [other="root"]: where one account is given
SieveNotInClear   | IMAP-10     | [port=4190]
DovecotSyntax     | IMAP-11     | version ("2.3" or "2.4")
AuthSocket        | IMAP-12     | path [owner="postfix"]
AuthTest          | IMAP-13     | accounts, domain
certificates: static, of the files (also as guards before a reload)
CertificateFiles  | TLS-11      | chain, key
CertificateNames  | TLS-06      | chain, names
CertificateDates  | TLS-07      | chain
CertificateKey    | TLS-08      | chain
CertificateSigned | TLS-09      | chain
CertificateKind   | TLS-10      | chain: validity, serverAuth, SAN
WrapperModeScoped | TLS-23      | [config_dir=""]
certificates: live; protocol: "" (TLS from the first byte), "smtp", "imap", "pop3", "sieve"; the id
is TLS-nn:port; all with [server=""] keyword only
TlsVersions       | TLS-01      | port, protocol
TlsSuites         | TLS-02, -03 | port, protocol (on 25 weak ones only warn)
ServedChain       | TLS-05      | port, protocol, name [trust=""]
ServedIsOnDisk    | TLS-12      | port, protocol, name, chain
AnySni            | TLS-14      | port, protocol, name
TlsExtras         | TLS-15      | port, protocol
OffersStartTls    | SMTP-03     | (port 25, as all SMTP ones)
NoAuthOnPort25    | SMTP-04     |
NoSmtpInjection   | SMTP-19     |
submission, all with [server=""] [ports=(465, 587): those that are chosen] [wrapped=(465,): those
that are encrypted at once], keyword only
SubmissionPorts   | SUB-01      | ports (positional)
StartTlsFirst     | SUB-02      | [port=587]
NoAuthInClear     | SUB-03      | [port=587]
SubmissionLogin   | SUB-04      | accounts, domain [name] [trust]: bare and full
SameAnswerForUnknownUser | SUB-05 | name="" [trust]
Mechanisms        | SUB-06      | name="" [trust]
NoRelayWithoutLogin | SUB-07 !  | name="" [trust]: by the stranger and from inside mynetworks
OnlyOwnSender     | SUB-08      | accounts, domain [name] [trust] [other="root"]
AliasAsSender     | SUB-09      | accounts, domain [name] [trust] [addresses=()]: login, address
AnyHelo           | SUB-10      | accounts, domain [name] [trust]
HeadersAdded      | SUB-11      | accounts, domain [name] [trust] [folder] [wait]
ClientHidden      | SUB-14      | accounts, domain [name] [trust] [folder] [wait]
protection, over port 25
OnlyWeAreWe       | HELO        | fqdn, recipient
LongLines         | SMTP-20     | recipient, login [folder] [wait]
EightBitWhole     | SMTP-21     | recipient, login [folder] [wait]
Utf8Sender        | SMTP-22     | recipient, login [folder] [wait]
TraceKept         | SMTP-33     | recipient, login [folder] [wait]
RefusesListed     | SMTP-30     | lists: "zone=filter", recipient [nameservers] [dns_port]
ServesMany        | SMTP-32     | [connections=50]
protection, on the host; STRANGERS: the networks that the stranger's addresses are of;
why_not(look, list): why a blocklist cannot be used here; would_have_rejected(look): the report
ProtectionReadBack | HOST-07:protection | parameters [config_dir=""]
Greylisted        | SMTP-31     | recipient [delay=300] [server="127.0.0.1"] [port=10023]
ResolverTrusted   | DNS-11      | [nameservers] [dns_port]
BlocklistsAnswer  | DNS-19      | lists [nameservers] [dns_port]
WouldReject       | WATCH       | always a warning: nothing is refused yet

`!` is critical: a fail restores the previous configuration. Mappings may also be tuples of pairs.
"""

from mailwizard.probes.advisory import Advisory
from mailwizard.probes.aliases import AliasGraph
from mailwizard.probes.blocking import RefusesListed
from mailwizard.probes.carrying import EightBitWhole, LongLines, TraceKept, Utf8Sender
from mailwizard.probes.certificate import (
    CertificateDates,
    CertificateFiles,
    CertificateKey,
    CertificateKind,
    CertificateNames,
    CertificateSigned,
)
from mailwizard.probes.crowd import ServesMany
from mailwizard.probes.delivery import AcceptsRoleMail, DeliversMail, DeliversTo
from mailwizard.probes.dns import NameResolves, ReverseExists, ReverseMatches
from mailwizard.probes.dovecot import AuthSocket, AuthTest, DovecotSyntax
from mailwizard.probes.greylist import Greylisted
from mailwizard.probes.imap import (
    ClearLoginRefused,
    ImapGreeting,
    ImapNoInjection,
    NoPlaintextImap,
    PopClosed,
    SieveNotInClear,
)
from mailwizard.probes.imap_login import ImapLogin, ImapRoundTrip, MailboxesApart, SpecialFolders
from mailwizard.probes.listening import Listeners, PortsFree, UnitRuns
from mailwizard.probes.machine import (
    BehindNat,
    ClockRight,
    CloudHosts,
    DiskRoom,
    FullHostName,
    MemoryRoom,
    NameIsHere,
)
from mailwizard.probes.outbound import Port25Open
from mailwizard.probes.outward import BounceReturns, OutgoingIdentity, QueueFlows
from mailwizard.probes.postfix_config import (
    CompatibleLevel,
    MapsUsable,
    NothingDeprecated,
    PostfixParses,
    PostfixReadBack,
)
from mailwizard.probes.postfix_static import RelayRestrictions, SmugglingSettings, TrustedNetworks
from mailwizard.probes.protection import OnlyWeAreWe, ProtectionReadBack
from mailwizard.probes.relay import RefusesRelay
from mailwizard.probes.relayhost import RelayTakesUs, RelayTlsEnforced
from mailwizard.probes.resolver import BlocklistsAnswer, ResolverTrusted, why_not
from mailwizard.probes.sender import SenderRewritten
from mailwizard.probes.served import AnySni, ServedChain, ServedIsOnDisk
from mailwizard.probes.smtp import (
    EarlyTalker,
    MessageSize,
    NoDangerousVerbs,
    NullSender,
    RequiresHelo,
    SmtpEhlo,
    SmtpGreeting,
    TaggedRecipient,
    UnknownRecipient,
    VrfySilent,
)
from mailwizard.probes.smuggling import RefusesSmuggling
from mailwizard.probes.starttls import (
    NoAuthOnPort25,
    NoSmtpInjection,
    OffersStartTls,
    WrapperModeScoped,
)
from mailwizard.probes.submission import (
    Mechanisms,
    NoAuthInClear,
    NoRelayWithoutLogin,
    SameAnswerForUnknownUser,
    StartTlsFirst,
    SubmissionLogin,
    SubmissionPorts,
)
from mailwizard.probes.submitted import (
    AliasAsSender,
    AnyHelo,
    ClientHidden,
    HeadersAdded,
    OnlyOwnSender,
)
from mailwizard.probes.tls import TlsExtras, TlsSuites, TlsVersions
from mailwizard.probes.vantage import STRANGERS
from mailwizard.probes.watching import WouldReject, would_have_rejected

__all__ = [
    "STRANGERS",
    "AcceptsRoleMail",
    "Advisory",
    "AliasAsSender",
    "AliasGraph",
    "AnyHelo",
    "AnySni",
    "AuthSocket",
    "AuthTest",
    "BehindNat",
    "BlocklistsAnswer",
    "BounceReturns",
    "CertificateDates",
    "CertificateFiles",
    "CertificateKey",
    "CertificateKind",
    "CertificateNames",
    "CertificateSigned",
    "ClearLoginRefused",
    "ClientHidden",
    "ClockRight",
    "CloudHosts",
    "CompatibleLevel",
    "DeliversMail",
    "DeliversTo",
    "DiskRoom",
    "DovecotSyntax",
    "EarlyTalker",
    "EightBitWhole",
    "FullHostName",
    "Greylisted",
    "HeadersAdded",
    "ImapGreeting",
    "ImapLogin",
    "ImapNoInjection",
    "ImapRoundTrip",
    "Listeners",
    "LongLines",
    "MailboxesApart",
    "MapsUsable",
    "Mechanisms",
    "MemoryRoom",
    "MessageSize",
    "NameIsHere",
    "NameResolves",
    "NoAuthInClear",
    "NoAuthOnPort25",
    "NoDangerousVerbs",
    "NoPlaintextImap",
    "NoRelayWithoutLogin",
    "NoSmtpInjection",
    "NothingDeprecated",
    "NullSender",
    "OffersStartTls",
    "OnlyOwnSender",
    "OnlyWeAreWe",
    "OutgoingIdentity",
    "PopClosed",
    "Port25Open",
    "PortsFree",
    "PostfixParses",
    "PostfixReadBack",
    "ProtectionReadBack",
    "QueueFlows",
    "RefusesListed",
    "RefusesRelay",
    "RefusesSmuggling",
    "RelayRestrictions",
    "RelayTakesUs",
    "RelayTlsEnforced",
    "RequiresHelo",
    "ResolverTrusted",
    "ReverseExists",
    "ReverseMatches",
    "SameAnswerForUnknownUser",
    "SenderRewritten",
    "ServedChain",
    "ServedIsOnDisk",
    "ServesMany",
    "SieveNotInClear",
    "SmtpEhlo",
    "SmtpGreeting",
    "SmugglingSettings",
    "SpecialFolders",
    "StartTlsFirst",
    "SubmissionLogin",
    "SubmissionPorts",
    "TaggedRecipient",
    "TlsExtras",
    "TlsSuites",
    "TlsVersions",
    "TraceKept",
    "TrustedNetworks",
    "UnitRuns",
    "UnknownRecipient",
    "Utf8Sender",
    "VrfySilent",
    "WouldReject",
    "WrapperModeScoped",
    "why_not",
    "would_have_rejected",
]
