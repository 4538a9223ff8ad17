"""Lookup tables: compiled from their source whenever they are missing or older (postmap(1))."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.changes import previews
from mailwizard.errors import ProofFailed
from mailwizard.model import Host, Look, Preview, Subject
from mailwizard.subjects import Generated

_SUFFIX = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}


@dataclass(frozen=True, slots=True)
class LookupMap:
    """The compiled table of this source is current; tool is postmap or postalias."""

    source: str
    tool: str = "postmap"

    @property
    def title(self) -> str:
        return f"compile {self.source}"

    @property
    def follows(self) -> str:
        return self.source

    def needed(self, look: Look) -> bool:
        compiled, source = look.state(self.compiled(look)), look.state(self.source)
        return compiled.kind == "absent" or compiled.mtime_ns < source.mtime_ns

    def preview(self, look: Look) -> Preview:
        return previews.commands(self._command(look))

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (Generated(self.compiled(look)),)

    def apply(self, host: Host) -> None:
        done = host.run(self._command(host))
        if done.err.strip():
            said = tuple(done.err.strip().splitlines())
            raise ProofFailed(f"{self.tool} complains about {self.source}", said)

    def shell(self, look: Look) -> str:
        return shlex.join(["compile_map", self.tool, look.platform.map_type, self.source])

    def compiled(self, look: Look) -> str:
        """The file that the tool makes of the source."""
        return self.source + _SUFFIX[look.platform.map_type]

    def _command(self, look: Look) -> list[str]:
        return [self.tool, f"{look.platform.map_type}:{self.source}"]
