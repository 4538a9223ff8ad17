"""The live tests: frozen values that ask the running host and hear, judge and explain its answers.

TABLE.txt beside this file lists them with their ids and fields. A module is imported when the first
of its names is asked for: most commands need few of them, and all together take half a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mailwizard.probes.advisory import Advisory
    from mailwizard.probes.aliases import AliasGraph
    from mailwizard.probes.authrecords import KeyPublished
    from mailwizard.probes.blocking import RefusesListed
    from mailwizard.probes.carrying import (
        EightBitWhole,
        LongLines,
        TraceKept,
        Utf8Sender,
    )
    from mailwizard.probes.certificate import (
        CertificateDates,
        CertificateFiles,
        CertificateKey,
        CertificateKind,
        CertificateNames,
        CertificateSigned,
    )
    from mailwizard.probes.credentials import SomebodyHasPassword
    from mailwizard.probes.crowd import ServesMany
    from mailwizard.probes.delegation import (
        LongTextsHeard,
        NoWildcard,
        ZoneServers,
    )
    from mailwizard.probes.delivery import (
        AcceptsRoleMail,
        DeliversMail,
        DeliversTo,
    )
    from mailwizard.probes.dmarcrecords import (
        DmarcEffective,
        DmarcPublished,
        DmarcReports,
        PolicyEarned,
    )
    from mailwizard.probes.dns import (
        NameResolves,
        ReverseExists,
        ReverseMatches,
    )
    from mailwizard.probes.dnssec import KeysVouchedFor, SignaturesHold
    from mailwizard.probes.doors import PublicPortsReached
    from mailwizard.probes.dovecot import (
        AuthSocket,
        AuthTest,
        DovecotSyntax,
    )
    from mailwizard.probes.filtering import (
        FilterAnswers,
        FilterFindsSpam,
        FilterFindsVirus,
        FilterPasses,
        VirusDefinitions,
    )
    from mailwizard.probes.greylist import Greylisted
    from mailwizard.probes.groups import TlsGroups
    from mailwizard.probes.hops import HopsCarry, OwnUtf8
    from mailwizard.probes.identity import OutgoingIdentity
    from mailwizard.probes.imap import (
        ClearLoginRefused,
        ImapGreeting,
        ImapNoInjection,
        NoPlaintextImap,
        PopClosed,
        SieveNotInClear,
    )
    from mailwizard.probes.imap_login import (
        ImapLogin,
        ImapRoundTrip,
        MailboxesApart,
        SpecialFolders,
    )
    from mailwizard.probes.judges import ProofsCount
    from mailwizard.probes.keyage import KeyAge
    from mailwizard.probes.lasting import FirewallPermanent
    from mailwizard.probes.leftmail import OldMailboxes, QueueLeft
    from mailwizard.probes.listed import AddressesNotListed, DomainsNotListed
    from mailwizard.probes.listening import (
        Listeners,
        PortsFree,
        UnitRuns,
    )
    from mailwizard.probes.machine import (
        BehindNat,
        ClockRight,
        CloudHosts,
        DiskRoom,
        FullHostName,
        MemoryRoom,
        NameIsHere,
    )
    from mailwizard.probes.maildns import (
        AuthorityAllowed,
        MailExchangers,
        ServicesFound,
    )
    from mailwizard.probes.milter import MilterAnswers
    from mailwizard.probes.outbound import Port25Open
    from mailwizard.probes.outward import BounceReturns, QueueFlows
    from mailwizard.probes.ownfiles import given
    from mailwizard.probes.packages import PackagesReady
    from mailwizard.probes.postfix_config import (
        CompatibleLevel,
        MapsUsable,
        NothingDeprecated,
        PostfixParses,
        PostfixReadBack,
    )
    from mailwizard.probes.postfix_static import (
        RelayRestrictions,
        SmugglingSettings,
        TrustedNetworks,
    )
    from mailwizard.probes.protection import OnlyWeAreWe
    from mailwizard.probes.recipients import OnlyPeople
    from mailwizard.probes.redirected import NothingElsewhere
    from mailwizard.probes.relay import RefusesRelay
    from mailwizard.probes.relayhost import RelayTakesUs, RelayTlsEnforced
    from mailwizard.probes.renewal import RenewalFollowed, RenewalRehearsed
    from mailwizard.probes.resolver import (
        BlocklistsAnswer,
        OwnResolverAnswers,
        ResolverTrusted,
        why_not,
    )
    from mailwizard.probes.sender import SenderRewritten, SendersMapped
    from mailwizard.probes.served import (
        AnySni,
        ServedChain,
        ServedIsOnDisk,
    )
    from mailwizard.probes.signed import (
        ForeignNotSigned,
        LocalMailSigned,
        SubmittedSigned,
    )
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
    from mailwizard.probes.textfiles import TextFiles
    from mailwizard.probes.tls import (
        TlsExtras,
        TlsSuites,
        TlsVersions,
    )
    from mailwizard.probes.vantage import STRANGERS
    from mailwizard.probes.verification import (
        DmarcMeasured,
        ForgedNotSigned,
        ForgedResultsRemoved,
        SignaturesJudged,
    )
    from mailwizard.probes.watching import WouldReject, would_have_rejected

_NAMES = {
    "advisory": "Advisory",
    "aliases": "AliasGraph",
    "authrecords": "KeyPublished",
    "blocking": "RefusesListed",
    "carrying": "EightBitWhole LongLines TraceKept Utf8Sender",
    "certificate": (
        "CertificateDates CertificateFiles CertificateKey CertificateKind "
        "CertificateNames CertificateSigned"
    ),
    "credentials": "SomebodyHasPassword",
    "crowd": "ServesMany",
    "delegation": "LongTextsHeard NoWildcard ZoneServers",
    "delivery": "AcceptsRoleMail DeliversMail DeliversTo",
    "dmarcrecords": "DmarcEffective DmarcPublished DmarcReports PolicyEarned",
    "dns": "NameResolves ReverseExists ReverseMatches",
    "dnssec": "KeysVouchedFor SignaturesHold",
    "doors": "PublicPortsReached",
    "dovecot": "AuthSocket AuthTest DovecotSyntax",
    "filtering": "FilterAnswers FilterFindsSpam FilterFindsVirus FilterPasses VirusDefinitions",
    "greylist": "Greylisted",
    "groups": "TlsGroups",
    "hops": "HopsCarry OwnUtf8",
    "identity": "OutgoingIdentity",
    "imap": (
        "ClearLoginRefused ImapGreeting ImapNoInjection NoPlaintextImap PopClosed SieveNotInClear"
    ),
    "imap_login": "ImapLogin ImapRoundTrip MailboxesApart SpecialFolders",
    "judges": "ProofsCount",
    "keyage": "KeyAge",
    "lasting": "FirewallPermanent",
    "leftmail": "OldMailboxes QueueLeft",
    "listed": "AddressesNotListed DomainsNotListed",
    "listening": "Listeners PortsFree UnitRuns",
    "machine": "BehindNat ClockRight CloudHosts DiskRoom FullHostName MemoryRoom NameIsHere",
    "maildns": "AuthorityAllowed MailExchangers ServicesFound",
    "milter": "MilterAnswers",
    "outbound": "Port25Open",
    "outward": "BounceReturns QueueFlows",
    "ownfiles": "given",
    "packages": "PackagesReady",
    "postfix_config": "CompatibleLevel MapsUsable NothingDeprecated PostfixParses PostfixReadBack",
    "postfix_static": "RelayRestrictions SmugglingSettings TrustedNetworks",
    "protection": "OnlyWeAreWe",
    "recipients": "OnlyPeople",
    "redirected": "NothingElsewhere",
    "relay": "RefusesRelay",
    "relayhost": "RelayTakesUs RelayTlsEnforced",
    "renewal": "RenewalFollowed RenewalRehearsed",
    "resolver": "BlocklistsAnswer OwnResolverAnswers ResolverTrusted why_not",
    "sender": "SenderRewritten SendersMapped",
    "served": "AnySni ServedChain ServedIsOnDisk",
    "signed": "ForeignNotSigned LocalMailSigned SubmittedSigned",
    "signingkeys": "SigningKeysPrivate",
    "smtp": (
        "EarlyTalker MessageSize NoDangerousVerbs NullSender RequiresHelo SmtpEhlo "
        "SmtpGreeting TaggedRecipient UnknownRecipient VrfySilent"
    ),
    "smuggling": "RefusesSmuggling",
    "spfdoor": "SpfAsked",
    "spfrecords": "SpfCovers SpfHello SpfLimits SpfPublished SpfRelay providers_record",
    "starttls": "NoAuthOnPort25 NoSmtpInjection OffersStartTls WrapperModeScoped",
    "submission": (
        "Mechanisms NoAuthInClear NoRelayWithoutLogin SameAnswerForUnknownUser "
        "StartTlsFirst SubmissionLogin SubmissionPorts"
    ),
    "submitted": "AliasAsSender AnyHelo ClientHidden HeadersAdded OnlyOwnSender",
    "textfiles": "TextFiles",
    "tls": "TlsExtras TlsSuites TlsVersions",
    "vantage": "STRANGERS",
    "verification": "DmarcMeasured ForgedNotSigned ForgedResultsRemoved SignaturesJudged",
    "watching": "WouldReject would_have_rejected",
}
MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """The probe of that name, from its module."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
