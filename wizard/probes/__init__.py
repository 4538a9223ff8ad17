"""The live tests: frozen values that ask the running host and hear, judge and explain its answers.

TABLE.txt beside this file lists them with their ids and fields.
"""

from mailwizard.probes.advisory import Advisory
from mailwizard.probes.aliases import AliasGraph
from mailwizard.probes.authrecords import KeyPublished
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
from mailwizard.probes.delegation import LongTextsHeard, NoWildcard, ZoneServers
from mailwizard.probes.delivery import AcceptsRoleMail, DeliversMail, DeliversTo
from mailwizard.probes.dmarcrecords import (
    DmarcEffective,
    DmarcPublished,
    DmarcReports,
    PolicyEarned,
)
from mailwizard.probes.dns import NameResolves, ReverseExists, ReverseMatches
from mailwizard.probes.dnssec import KeysVouchedFor, SignaturesHold
from mailwizard.probes.doors import PublicPortsReached
from mailwizard.probes.dovecot import AuthSocket, AuthTest, DovecotSyntax
from mailwizard.probes.filtering import (
    FilterAnswers,
    FilterFindsSpam,
    FilterFindsVirus,
    FilterPasses,
    VirusDefinitions,
)
from mailwizard.probes.greylist import Greylisted
from mailwizard.probes.groups import TlsGroups
from mailwizard.probes.imap import (
    ClearLoginRefused,
    ImapGreeting,
    ImapNoInjection,
    NoPlaintextImap,
    PopClosed,
    SieveNotInClear,
)
from mailwizard.probes.imap_login import ImapLogin, ImapRoundTrip, MailboxesApart, SpecialFolders
from mailwizard.probes.keyage import KeyAge
from mailwizard.probes.lasting import FirewallPermanent
from mailwizard.probes.listed import AddressesNotListed, DomainsNotListed
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
from mailwizard.probes.maildns import AuthorityAllowed, MailExchangers, ServicesFound
from mailwizard.probes.milter import MilterAnswers
from mailwizard.probes.outbound import Port25Open
from mailwizard.probes.outward import BounceReturns, OutgoingIdentity, QueueFlows
from mailwizard.probes.ownfiles import given
from mailwizard.probes.postfix_config import (
    CompatibleLevel,
    MapsUsable,
    NothingDeprecated,
    PostfixParses,
    PostfixReadBack,
)
from mailwizard.probes.postfix_static import RelayRestrictions, SmugglingSettings, TrustedNetworks
from mailwizard.probes.protection import OnlyWeAreWe
from mailwizard.probes.relay import RefusesRelay
from mailwizard.probes.relayhost import RelayTakesUs, RelayTlsEnforced
from mailwizard.probes.renewal import RenewalRehearsed
from mailwizard.probes.resolver import (
    BlocklistsAnswer,
    OwnResolverAnswers,
    ResolverTrusted,
    why_not,
)
from mailwizard.probes.sender import SenderRewritten
from mailwizard.probes.served import AnySni, ServedChain, ServedIsOnDisk
from mailwizard.probes.signed import ForeignNotSigned, LocalMailSigned, SubmittedSigned
from mailwizard.probes.signingkeys import SigningKeysPrivate
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
from mailwizard.probes.spfdoor import SpfAsked
from mailwizard.probes.spfrecords import (
    SpfCovers,
    SpfHello,
    SpfLimits,
    SpfPublished,
    SpfRelay,
    providers_record,
)
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
from mailwizard.probes.verification import (
    DmarcMeasured,
    ForgedNotSigned,
    ForgedResultsRemoved,
    SignaturesJudged,
)
from mailwizard.probes.watching import WouldReject, would_have_rejected

__all__ = [
    "STRANGERS",
    "AcceptsRoleMail",
    "AddressesNotListed",
    "Advisory",
    "AliasAsSender",
    "AliasGraph",
    "AnyHelo",
    "AnySni",
    "AuthSocket",
    "AuthTest",
    "AuthorityAllowed",
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
    "DmarcEffective",
    "DmarcMeasured",
    "DmarcPublished",
    "DmarcReports",
    "DomainsNotListed",
    "DovecotSyntax",
    "EarlyTalker",
    "EightBitWhole",
    "FilterAnswers",
    "FilterFindsSpam",
    "FilterFindsVirus",
    "FilterPasses",
    "FirewallPermanent",
    "ForeignNotSigned",
    "ForgedNotSigned",
    "ForgedResultsRemoved",
    "FullHostName",
    "Greylisted",
    "HeadersAdded",
    "ImapGreeting",
    "ImapLogin",
    "ImapNoInjection",
    "ImapRoundTrip",
    "KeyAge",
    "KeyPublished",
    "KeysVouchedFor",
    "Listeners",
    "LocalMailSigned",
    "LongLines",
    "LongTextsHeard",
    "MailExchangers",
    "MailboxesApart",
    "MapsUsable",
    "Mechanisms",
    "MemoryRoom",
    "MessageSize",
    "MilterAnswers",
    "NameIsHere",
    "NameResolves",
    "NoAuthInClear",
    "NoAuthOnPort25",
    "NoDangerousVerbs",
    "NoPlaintextImap",
    "NoRelayWithoutLogin",
    "NoSmtpInjection",
    "NoWildcard",
    "NothingDeprecated",
    "NullSender",
    "OffersStartTls",
    "OnlyOwnSender",
    "OnlyWeAreWe",
    "OutgoingIdentity",
    "OwnResolverAnswers",
    "PolicyEarned",
    "PopClosed",
    "Port25Open",
    "PortsFree",
    "PostfixParses",
    "PostfixReadBack",
    "PublicPortsReached",
    "QueueFlows",
    "RefusesListed",
    "RefusesRelay",
    "RefusesSmuggling",
    "RelayRestrictions",
    "RelayTakesUs",
    "RelayTlsEnforced",
    "RenewalRehearsed",
    "RequiresHelo",
    "ResolverTrusted",
    "ReverseExists",
    "ReverseMatches",
    "SameAnswerForUnknownUser",
    "SenderRewritten",
    "ServedChain",
    "ServedIsOnDisk",
    "ServesMany",
    "ServicesFound",
    "SieveNotInClear",
    "SignaturesHold",
    "SignaturesJudged",
    "SigningKeysPrivate",
    "SmtpEhlo",
    "SmtpGreeting",
    "SmugglingSettings",
    "SpecialFolders",
    "SpfAsked",
    "SpfCovers",
    "SpfHello",
    "SpfLimits",
    "SpfPublished",
    "SpfRelay",
    "StartTlsFirst",
    "SubmissionLogin",
    "SubmissionPorts",
    "SubmittedSigned",
    "TaggedRecipient",
    "TlsExtras",
    "TlsGroups",
    "TlsSuites",
    "TlsVersions",
    "TraceKept",
    "TrustedNetworks",
    "UnitRuns",
    "UnknownRecipient",
    "Utf8Sender",
    "VirusDefinitions",
    "VrfySilent",
    "WouldReject",
    "WrapperModeScoped",
    "ZoneServers",
    "given",
    "providers_record",
    "why_not",
    "would_have_rejected",
]
