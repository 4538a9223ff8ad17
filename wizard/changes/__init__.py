"""The kinds of change; each is a value that looks, previews, acts, and says itself in sh."""

from mailwizard.changes.accounts import UserAccount
from mailwizard.changes.acme import AcmeCertificate
from mailwizard.changes.certificates import PrivateAuthority, PrivateCertificate
from mailwizard.changes.debconf import DebconfSettings
from mailwizard.changes.files import FileContent, Folder, KeyedEntries
from mailwizard.changes.firewall import firewall_rules
from mailwizard.changes.gone import EntriesGone
from mailwizard.changes.hostname import HostName, HostsEntry
from mailwizard.changes.maps import LookupMap
from mailwizard.changes.postfix import PARSES, MasterCfParameters, PostfixParameters
from mailwizard.changes.queue import WaitingMailRerouted
from mailwizard.changes.secrets import Credential, SecretTable, SecretTableGone
from mailwizard.changes.service import Service
from mailwizard.changes.signingkey import RetiredKey, SigningKey
from mailwizard.changes.stopped import Stopped

__all__ = [
    "PARSES",
    "AcmeCertificate",
    "Credential",
    "DebconfSettings",
    "EntriesGone",
    "FileContent",
    "Folder",
    "HostName",
    "HostsEntry",
    "KeyedEntries",
    "LookupMap",
    "MasterCfParameters",
    "PostfixParameters",
    "PrivateAuthority",
    "PrivateCertificate",
    "RetiredKey",
    "SecretTable",
    "SecretTableGone",
    "Service",
    "SigningKey",
    "Stopped",
    "UserAccount",
    "WaitingMailRerouted",
    "firewall_rules",
]
