"""Records put into a zone by signed updates (RFC 2136)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mailwizard.model import Host, Look, Preview, SecretRef, Subject
from mailwizard.subjects.zone import ZoneRecords, read_key
from mailwizard.zoneedits import Edit, Primary, RecordSet
from mailwizard.zoneupdate import fetch, send


@dataclass(frozen=True, slots=True)
class PublishedRecords:
    """The zone holds these records; made only if it still is as it was seen."""

    primary: Primary
    key: SecretRef
    edits: tuple[Edit, ...]
    seen: tuple[RecordSet, ...]
    follows: ClassVar[str] = ""

    @property
    def title(self) -> str:
        names = dict.fromkeys(f"{one.owner} {one.type}" for one in self.edits)
        return f"DNS zone {self.primary.zone}: {', '.join(names)}"

    def needed(self, look: Look) -> bool:
        for edit in self.edits:
            there = fetch(self.primary, edit.owner, edit.type).values
            if set(edit.adds) - set(there) or set(edit.drops) & set(there):
                return True
        return False

    def preview(self, look: Look) -> Preview:
        lines = []
        for edit in self.edits:
            lines += [f"-{edit.owner}. {edit.type} {value}" for value in edit.drops]
            lines += [f"+{edit.owner}. {edit.ttl} {edit.type} {value}" for value in edit.adds]
        return Preview("\n".join(lines), is_diff=True)

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (ZoneRecords.of(self.primary, self.key, self.edits),)

    def apply(self, host: Host) -> None:
        send(self.primary, read_key(host, self.key), self.edits, self.seen)

    def shell(self, look: Look) -> str:
        lines = [f"server {self.primary.address} {self.primary.port}", f"zone {self.primary.zone}."]
        for edit in self.edits:
            lines += [f"del {edit.owner}. {edit.type} {value}" for value in edit.drops]
            lines += [f"add {edit.owner}. {edit.ttl} {edit.type} {value}" for value in edit.adds]
        key = self.key.file or f"${self.key.env}"
        return f"# nsupdate with the key in {key}\n" + "\n".join(f"#   {line}" for line in lines)
