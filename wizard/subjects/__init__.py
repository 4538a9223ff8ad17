"""What changes touch: photographed before, compared for drift, put back on undo.

An image is JSON, so that the journal can restore a subject without the step that made it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from mailwizard.model import Subject
from mailwizard.subjects.files import File, Generated, SecretFile, SecretGenerated
from mailwizard.subjects.shared import Lines, MainCf, MasterCf
from mailwizard.subjects.system import (
    Account,
    AcmeLineage,
    DebconfAnswers,
    InstalledPackages,
    KernelHostName,
    Unit,
    allow_starts,
)

__all__ = [
    "Account",
    "AcmeLineage",
    "DebconfAnswers",
    "File",
    "Generated",
    "InstalledPackages",
    "KernelHostName",
    "Lines",
    "MainCf",
    "MasterCf",
    "SecretFile",
    "SecretGenerated",
    "Unit",
    "allow_starts",
    "load",
    "path_of",
]

_KINDS: dict[str, Callable[[str], Subject]] = {
    kind.kind: kind
    for kind in (
        File,
        Generated,
        SecretFile,
        SecretGenerated,
        Account,
        AcmeLineage,
        Lines,
        MainCf,
        MasterCf,
        Unit,
        KernelHostName,
        DebconfAnswers,
        InstalledPackages,
    )
}


def path_of(subject: Subject) -> str:
    """The file a subject lives in; empty for one that is no file."""
    if subject.kind in ("file", "generated", "secret-file", "secret-generated"):
        return subject.name
    if subject.kind in ("lines", "main.cf", "master.cf"):
        return str(json.loads(subject.name)[0])
    return ""


def load(kind: str, name: str) -> Subject:
    """A subject as the journal wrote it down."""
    return _KINDS[kind](name)
