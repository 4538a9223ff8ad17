"""The live tests: frozen values that ask the running host and hear, judge and explain its answers.

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

`!` is critical: a fail restores the previous configuration. Mappings may also be tuples of pairs.
"""

from mailwizard.probes.advisory import Advisory
from mailwizard.probes.aliases import AliasGraph
from mailwizard.probes.delivery import AcceptsRoleMail, DeliversMail, DeliversTo
from mailwizard.probes.dns import NameResolves, ReverseExists, ReverseMatches
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
from mailwizard.probes.postfix_config import (
    CompatibleLevel,
    MapsUsable,
    NothingDeprecated,
    PostfixParses,
    PostfixReadBack,
)
from mailwizard.probes.postfix_static import RelayRestrictions, SmugglingSettings, TrustedNetworks
from mailwizard.probes.relay import RefusesRelay
from mailwizard.probes.sender import SenderRewritten
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

__all__ = [
    "AcceptsRoleMail",
    "Advisory",
    "AliasGraph",
    "BehindNat",
    "ClockRight",
    "CloudHosts",
    "CompatibleLevel",
    "DeliversMail",
    "DeliversTo",
    "DiskRoom",
    "EarlyTalker",
    "FullHostName",
    "Listeners",
    "MapsUsable",
    "MemoryRoom",
    "MessageSize",
    "NameIsHere",
    "NameResolves",
    "NoDangerousVerbs",
    "NothingDeprecated",
    "NullSender",
    "Port25Open",
    "PortsFree",
    "PostfixParses",
    "PostfixReadBack",
    "RefusesRelay",
    "RefusesSmuggling",
    "RelayRestrictions",
    "RequiresHelo",
    "ReverseExists",
    "ReverseMatches",
    "SenderRewritten",
    "SmtpEhlo",
    "SmtpGreeting",
    "SmugglingSettings",
    "TaggedRecipient",
    "TrustedNetworks",
    "UnitRuns",
    "UnknownRecipient",
    "VrfySilent",
]
