"""One validator for each kind of field: what passes is safe for every file and command we write."""

from __future__ import annotations

from mailwizard.fields.compound import Listing, OneOrMore, Record, SecretField, Table
from mailwizard.fields.mail import AliasName, AliasTarget, EmailAddress, LocalPart, Login
from mailwizard.fields.names import Address, Domain, HostName, Network, in_unicode, spellings
from mailwizard.fields.plain import Bool, Choice, Integer, Path, Size, Text, Url
from mailwizard.fields.ports import ClientNetwork, ServiceField
from mailwizard.fields.relays import NextHop, RelayAccount, RelayUser, SenderPattern
from mailwizard.fields.text import Field, nearest, quoted

__all__ = [
    "Address",
    "AliasName",
    "AliasTarget",
    "Bool",
    "Choice",
    "ClientNetwork",
    "Domain",
    "EmailAddress",
    "Field",
    "HostName",
    "Integer",
    "Listing",
    "LocalPart",
    "Login",
    "Network",
    "NextHop",
    "OneOrMore",
    "Path",
    "Record",
    "RelayAccount",
    "RelayUser",
    "SecretField",
    "SenderPattern",
    "ServiceField",
    "Size",
    "Table",
    "Text",
    "Url",
    "in_unicode",
    "nearest",
    "quoted",
    "spellings",
]
