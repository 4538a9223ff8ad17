"""What a zone holds, where it is edited, and what is changed in it: values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dns.rdata


@dataclass(frozen=True, slots=True)
class Primary:
    """The server where a zone is edited."""

    zone: str
    address: str
    port: int = 53


@dataclass(frozen=True, slots=True)
class RecordSet:
    """All values of one type that a name has, in zone-file form without aliases."""

    owner: str
    type: str
    ttl: int
    values: tuple[str, ...]

    @property
    def rdatas(self) -> list[dns.rdata.Rdata]:
        """The values as dnspython compares them."""
        from dns import rdata

        return [rdata.from_text("IN", self.type, value) for value in self.values]


@dataclass(frozen=True, slots=True)
class Edit:
    """What one set of records loses and gets; both in zone-file form."""

    owner: str
    type: str
    drops: tuple[str, ...]
    adds: tuple[str, ...]
    ttl: int
