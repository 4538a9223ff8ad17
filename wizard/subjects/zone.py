"""Records in a zone that somebody else's server holds: ours by value, whatever stands beside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

from mailwizard.model import Host, Image, Look, SecretRef
from mailwizard.zoneedits import Edit, Primary, RecordSet

if TYPE_CHECKING:
    from mailwizard.tsig import Key

PUBLISHED = "dns"
"""Where the journal keeps what was published; no step has this name."""


@dataclass(frozen=True, slots=True)
class ZoneRecords:
    """Sets of records of one zone; `name` is JSON: the server, where the key is, and the edits."""

    kind: ClassVar[str] = "zone-records"
    name: str

    @classmethod
    def of(cls, primary: Primary, key: SecretRef, edits: Sequence[Edit]) -> ZoneRecords:
        return cls(json.dumps([asdict(primary), asdict(key), [asdict(one) for one in edits]]))

    @property
    def primary(self) -> Primary:
        return Primary(**json.loads(self.name)[0])

    @property
    def key(self) -> SecretRef:
        return SecretRef(**json.loads(self.name)[1])

    @property
    def edits(self) -> list[Edit]:
        return [
            Edit(one["owner"], one["type"], tuple(one["drops"]), tuple(one["adds"]), one["ttl"])
            for one in json.loads(self.name)[2]
        ]

    def capture(self, look: Look) -> Image:
        # dnspython is for those who change a zone: every command knows this subject
        from mailwizard.zoneupdate import fetch

        primary = self.primary
        return {"sets": [asdict(fetch(primary, one.owner, one.type)) for one in self.edits]}

    def parts(self, image: Image) -> Mapping[str, str]:
        return {
            f"dns {one['owner']} {one['type']}": "\n".join(one["values"]) for one in image["sets"]
        }

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        """What we added goes and what we took away comes back; what others wrote since stays."""
        from mailwizard.zoneupdate import send

        primary, now, edits = self.primary, self.capture(host), []
        rows = zip(self.edits, before["sets"], now["sets"], strict=True)
        for edit, old, new in rows:
            ours = tuple(v for v in edit.adds if v in new["values"] and v not in old["values"])
            gone = tuple(v for v in edit.drops if v in old["values"] and v not in new["values"])
            edits.append(Edit(edit.owner, edit.type, ours, gone, old["ttl"] or edit.ttl))
        if any(one.drops or one.adds for one in edits):
            seen = [RecordSet(**{**one, "values": tuple(one["values"])}) for one in now["sets"]]
            send(primary, read_key(host, self.key), edits, seen)


def read_key(host: Host, ref: SecretRef) -> Key:
    """The key that signs updates; raises BadUsage."""
    from mailwizard.tsig import parse

    place = ref.file or f"the environment variable {ref.env}"
    return parse(host.secret(ref, lines=True), place)
