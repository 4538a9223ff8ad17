"""What changes touch: photographed before, compared for drift, put back on undo.

An image is JSON, so that the journal can restore a subject without the step that made it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from mailwizard.model import Subject
from mailwizard.subjects.acme import AcmeLineage
from mailwizard.subjects.files import (
    File,
    Generated,
    OwnFolder,
    SecretFile,
    SecretGenerated,
    SpentKey,
)
from mailwizard.subjects.firewall import FirewalldZone, NftRules, UfwRules, UnitAtBoot
from mailwizard.subjects.shared import Lines, MainCf, MasterCf
from mailwizard.subjects.system import (
    START_SECONDS,
    Account,
    DebconfAnswers,
    InstalledPackages,
    KernelHostName,
    Unit,
    WaitingMail,
    allow_starts,
    requeue,
)
from mailwizard.subjects.zone import PUBLISHED, ZoneRecords

__all__ = [
    "PUBLISHED",
    "START_SECONDS",
    "Account",
    "AcmeLineage",
    "DebconfAnswers",
    "File",
    "FirewalldZone",
    "Generated",
    "InstalledPackages",
    "KernelHostName",
    "Lines",
    "MainCf",
    "MasterCf",
    "NftRules",
    "OwnFolder",
    "SecretFile",
    "SecretGenerated",
    "SpentKey",
    "UfwRules",
    "Unit",
    "UnitAtBoot",
    "WaitingMail",
    "ZoneRecords",
    "allow_starts",
    "load",
    "path_of",
    "requeue",
]

_KINDS: dict[str, Callable[[str], Subject]] = {
    kind.kind: kind
    for kind in (
        File,
        OwnFolder,
        Generated,
        SecretFile,
        SecretGenerated,
        SpentKey,
        Account,
        AcmeLineage,
        Lines,
        MainCf,
        MasterCf,
        Unit,
        WaitingMail,
        KernelHostName,
        DebconfAnswers,
        InstalledPackages,
        ZoneRecords,
        NftRules,
        UfwRules,
        FirewalldZone,
        UnitAtBoot,
    )
}


def path_of(subject: Subject) -> str:
    """The file a subject lives in; empty for one that is no file."""
    if subject.kind in ("file", "generated", "secret-file", "secret-generated", "spent-key"):
        return subject.name
    if subject.kind in ("lines", "main.cf", "master.cf"):
        return str(json.loads(subject.name)[0])
    return ""


def load(kind: str, name: str) -> Subject:
    """A subject as the journal wrote it down."""
    return _KINDS[kind](name)
