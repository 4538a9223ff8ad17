"""Files of ours whose mode or owner somebody changed since; their content may be as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mailwizard.changes import previews
from mailwizard.journal import Journal
from mailwizard.model import Change, FileState, Host, Look, Preview, Subject

_WHOLE = ("file", "secret-file")

Rights = tuple[int, int, int]
"""Mode, owner, group."""


@dataclass(frozen=True, slots=True)
class AsLeft:
    """The change, and its files with the rights that they were left with."""

    change: Change
    left: Mapping[str, Rights]

    @property
    def title(self) -> str:
        return self.change.title

    @property
    def follows(self) -> str:
        return self.change.follows

    def needed(self, look: Look) -> bool:
        wrong = (_rights(look.state(path)) != left for path, left in self.left.items())
        return any(wrong) or self.change.needed(look)

    def preview(self, look: Look) -> Preview:
        if self.change.needed(look):
            return self.change.preview(look)
        mend = [
            argv
            for path, (mode, uid, gid) in self.left.items()
            for argv in (["chown", f"{uid}:{gid}", path], ["chmod", f"{mode:04o}", path])
        ]
        return previews.commands(*mend)

    def subjects(self, look: Look) -> Sequence[Subject]:
        return self.change.subjects(look)

    def apply(self, host: Host) -> None:
        for path, (mode, uid, gid) in self.left.items():
            state = replace(host.state(path), mode=mode, uid=uid, gid=gid)
            host.restore(path, state, host.read(path))
        if self.change.needed(host):
            self.change.apply(host)

    def shell(self, look: Look) -> str:
        return self.change.shell(look)


def left_behind(journal: Journal) -> dict[str, Rights]:
    """Each file that is wholly ours, and the rights that we left it with."""
    found: dict[str, Rights] = {}
    for entry in journal.entries():
        for subject, image in zip(entry.subjects, entry.after or (), strict=False):
            if subject.kind not in _WHOLE:
                continue
            found.pop(subject.name, None)
            if image["kind"] == "file":
                found[subject.name] = image["mode"], image["uid"], image["gid"]
    return found


def as_left(look: Look, change: Change, rights: Mapping[str, Rights]) -> Change:
    """The change; where its files are there with other rights, one that gives those back too."""
    paths = [s.name for s in change.subjects(look) if s.kind in _WHOLE and s.name in rights]
    now = {path: look.state(path) for path in paths}
    left = {
        path: rights[path]
        for path, state in now.items()
        if state.kind == "file" and _rights(state) != rights[path]
    }
    return AsLeft(change, left) if left else change


def _rights(state: FileState) -> Rights:
    return state.mode, state.uid, state.gid
