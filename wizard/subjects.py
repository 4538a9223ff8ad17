"""What changes touch: photographed before, compared for drift, put back on undo.

An image is JSON, so that the journal can restore a subject without the step that made it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from mailwizard import maincf
from mailwizard.errors import HandEdited
from mailwizard.model import FileState, Host, Image, Look, Subject


def _file_image(look: Look, path: str) -> Image:
    state = look.state(path)
    if state.kind == "link":
        # the link and what it points to are two things; both must survive (E12)
        return _stated(state) | {"behind": _file_image(look, state.target_from(path))}
    data = look.read(path) if state.kind == "file" else b""
    return _stated(state) | {"data": base64.b64encode(data).decode()}


def _stated(state: FileState) -> Image:
    xattrs = [[name, base64.b64encode(value).decode()] for name, value in state.xattrs]
    return {
        "kind": state.kind,
        "mode": state.mode,
        "uid": state.uid,
        "gid": state.gid,
        "mtime_ns": state.mtime_ns,
        "target": state.target,
        "xattrs": xattrs,
    }


def _state_of(image: Image) -> FileState:
    return FileState(
        kind=image["kind"],
        mode=image["mode"],
        uid=image["uid"],
        gid=image["gid"],
        mtime_ns=image["mtime_ns"],
        target=image["target"],
        xattrs=tuple((name, base64.b64decode(value)) for name, value in image["xattrs"]),
    )


def _content(image: Image) -> bytes:
    behind = image.get("behind")
    return _content(behind) if behind else base64.b64decode(image.get("data", ""))


def _fingerprint(image: Image) -> str:
    """Equal for equal content and rights; times do not count."""
    if image["kind"] == "absent":
        return "absent"
    digest = sha256(_content(image)).hexdigest()[:16]
    rights = f"{image['mode']:o} {image['uid']}:{image['gid']}"
    return f"{image['kind']} {rights} {image['target']} {digest}".replace("  ", " ")


def _put_back(host: Host, path: str, image: Image) -> None:
    host.restore(path, _state_of(image), _content(image))
    if "behind" in image:
        _put_back(host, _state_of(image).target_from(path), image["behind"])


def _put_back_exactly(
    host: Host, path: str, now: Image, before: Image, after: Image | None
) -> bool:
    """True when the whole file could be put back, because nobody else edited it since."""
    if _fingerprint(now) == _fingerprint(before):
        return True
    if after is not None and _fingerprint(now) != _fingerprint(after):
        return False
    _put_back(host, path, before)
    return True


@dataclass(frozen=True, slots=True)
class File:
    """A whole file of ours: content, rights, link-ness, or its absence."""

    kind: ClassVar[str] = "file"
    name: str

    def capture(self, look: Look) -> Image:
        return _file_image(look, self.name)

    def parts(self, image: Image) -> Mapping[str, str]:
        return {self.name: _fingerprint(image)}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        now = _fingerprint(self.capture(host))
        if now == _fingerprint(before):
            return
        if after is not None and now != _fingerprint(after):
            raise HandEdited(
                f"{self.name} was edited by hand since",
                hint="It was left as it is. Take your edits out and undo again, or keep it so.",
            )
        _put_back(host, self.name, before)


@dataclass(frozen=True, slots=True)
class Generated:
    """A file that a tool makes from another (a map, a database): restored, never drifted."""

    kind: ClassVar[str] = "generated"
    name: str

    def capture(self, look: Look) -> Image:
        return _file_image(look, self.name)

    def parts(self, image: Image) -> Mapping[str, str]:
        return {}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        _put_back(host, self.name, before)


@dataclass(frozen=True, slots=True)
class Lines:
    """A file that others share: we own the entries under some keys, not the file.

    `name` is JSON: the path, the key separator, and the keys that are ours.
    """

    kind: ClassVar[str] = "lines"
    name: str

    @classmethod
    def of(cls, path: str, separator: str, keys: Sequence[str]) -> Lines:
        return cls(json.dumps([path, separator, sorted(keys)]))

    def capture(self, look: Look) -> Image:
        path, _, _ = json.loads(self.name)
        return _file_image(look, path)

    def parts(self, image: Image) -> Mapping[str, str]:
        path, separator, keys = json.loads(self.name)
        found = keyed_lines(_content(image).decode("utf-8", "replace"), separator)
        return {f"{path} {key}": found.get(key, "") for key in keys}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        path, separator, keys = json.loads(self.name)
        now = self.capture(host)
        if _put_back_exactly(host, path, now, before, after):
            return
        # others wrote here since: take back our keys, leave theirs
        old = keyed_lines(_content(before).decode("utf-8", "replace"), separator)
        text = _content(now).decode("utf-8", "replace")
        host.write(path, with_keyed_lines(text, separator, {k: old.get(k) for k in keys}).encode())


def _line_key(line: str, separator: str) -> str | None:
    if not line.strip() or line[0] in "# \t":
        return None
    head = line.split(separator, 1) if separator.strip() else line.split(None, 1)
    return head[0].strip().lower() if len(head) == 2 else None


def keyed_lines(text: str, separator: str) -> dict[str, str]:
    """Each key's line as it stands; the first one counts where a key stands twice."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key = _line_key(line, separator)
        if key is not None:
            found.setdefault(key, line)
    return found


def with_keyed_lines(text: str, separator: str, wanted: Mapping[str, str | None]) -> str:
    """The text with each wanted line in its key's place (None: no such line), others untouched."""
    left = dict(wanted)
    out: list[str] = []
    skipping = False
    for line in text.splitlines():
        key = _line_key(line, separator)
        if key is None and skipping and line[:1] in (" ", "\t") and line.strip():
            continue
        skipping = key in wanted
        if key is None or key not in wanted:
            out.append(line)
        elif (replacement := left.pop(key, None)) is not None:
            out.append(replacement)
    out += [line for line in left.values() if line is not None]
    return "\n".join(out) + "\n" if out else ""


@dataclass(frozen=True, slots=True)
class MainCf:
    """Parameters in main.cf: ours by name; `name` is JSON: the path and the parameters."""

    kind: ClassVar[str] = "main.cf"
    name: str

    @classmethod
    def of(cls, path: str, parameters: Sequence[str]) -> MainCf:
        return cls(json.dumps([path, sorted(parameters)]))

    def capture(self, look: Look) -> Image:
        return _file_image(look, json.loads(self.name)[0])

    def parts(self, image: Image) -> Mapping[str, str]:
        path, names = json.loads(self.name)
        values = maincf.parse(_content(image).decode("utf-8", "replace"))
        return {f"{path} {name}": values.get(name, "") for name in names}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        path, names = json.loads(self.name)
        now = self.capture(host)
        if _put_back_exactly(host, path, now, before, after):
            return
        old = maincf.parse(_content(before).decode("utf-8", "replace"))
        text = _content(now).decode("utf-8", "replace")
        edited = maincf.edited(text, {name: old.get(name) for name in names})
        host.write(path, edited.encode(), mtime_ns=maincf.backdated())


@dataclass(frozen=True, slots=True)
class MasterCf:
    """Parameters of master.cf services; `name` is JSON: the path and service/type/parameter names."""

    kind: ClassVar[str] = "master.cf"
    name: str

    @classmethod
    def of(cls, path: str, parameters: Sequence[str]) -> MasterCf:
        return cls(json.dumps([path, sorted(parameters)]))

    def capture(self, look: Look) -> Image:
        path, names = json.loads(self.name)
        return _file_image(look, path) | {"values": maincf.master_values(look, names)}

    def parts(self, image: Image) -> Mapping[str, str]:
        path, names = json.loads(self.name)
        return {f"{path} {name}": image["values"].get(name, "") for name in names}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        path, names = json.loads(self.name)
        if _put_back_exactly(host, path, self.capture(host), before, after):
            return
        wanted = {name: before["values"].get(name) for name in names}
        host.write(path, maincf.edited_master(host, host.read(path), wanted))


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit: enabled or not, running or not."""

    kind: ClassVar[str] = "unit"
    name: str

    def capture(self, look: Look) -> Image:
        shown = look.ask(["systemctl", "show", "-p", "UnitFileState,ActiveState", self.name]).out
        values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        return {
            "enabled": values.get("UnitFileState", ""),
            "active": values.get("ActiveState", "") in ("active", "activating", "reloading"),
        }

    def parts(self, image: Image) -> Mapping[str, str]:
        return {f"{self.name} enabled": image["enabled"]}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        now = self.capture(host)
        if now["enabled"] != before["enabled"] and before["enabled"] in ("enabled", "disabled"):
            verb = "enable" if before["enabled"] == "enabled" else "disable"
            host.run(["systemctl", verb, "--quiet", "--", self.name])
        if before["active"]:
            allow_starts(host, self.name)
            host.run(["systemctl", "restart", "--", self.name])
        elif now["active"]:
            host.run(["systemctl", "stop", "--", self.name])


def allow_starts(host: Host, unit: str) -> None:
    """Starts that went before do not count: five in ten seconds are systemd's limit.

    A daemon that would not start has used them up, and then the one put back may not either
    (systemd.unit(5), StartLimitBurst=; systemctl(1), reset-failed).
    """
    instances = unit.replace(".service", "@*.service")
    host.run(["systemctl", "reset-failed", "--", unit, instances], ok=range(256))


@dataclass(frozen=True, slots=True)
class KernelHostName:
    """The running kernel's host name."""

    kind: ClassVar[str] = "kernel-hostname"
    name: str = "kernel"

    def capture(self, look: Look) -> Image:
        return {"name": look.ask(["hostname"]).out.strip()}

    def parts(self, image: Image) -> Mapping[str, str]:
        return {"kernel host name": image["name"]}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        host.run(["hostname", "--", before["name"]])


@dataclass(frozen=True, slots=True)
class DebconfAnswers:
    """A package's debconf answers; `name` is the package."""

    kind: ClassVar[str] = "debconf"
    name: str

    def capture(self, look: Look) -> Image:
        shown = look.ask(["debconf-show", "--", self.name]).out
        lines = [line.partition(":") for line in shown.splitlines() if ":" in line]
        return {
            "answers": {key.lstrip("* "): value.strip() for key, _, value in lines},
            # the star: somebody was asked, or has answered beforehand (debconf-show(1))
            "seen": sorted(key.lstrip("* ") for key, _, _ in lines if key.startswith("*")),
        }

    def parts(self, image: Image) -> Mapping[str, str]:
        return {}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        now = self.capture(host)
        left = now if after is None else after
        sets = [
            f"{self.name} {key} {'select' if key.endswith('_type') else 'string'} {value}"
            for key, value in before["answers"].items()
            if left["answers"].get(key) != value and now["answers"].get(key) != value
        ]
        if sets:
            host.run(["debconf-set-selections"], stdin="\n".join(sets) + "\n")
        fresh = set(left["seen"]) - set(before["seen"])
        if fresh:
            lines = "".join(f"FSET {key} seen false\n" for key in sorted(fresh))
            host.run(["debconf-communicate", self.name], stdin=lines)


@dataclass(frozen=True, slots=True)
class InstalledPackages:
    """The set of installed packages; removal is offered on undo, never forced."""

    kind: ClassVar[str] = "packages"
    name: str = "installed"

    def capture(self, look: Look) -> Image:
        from mailwizard.platform.managers import installed

        return {"installed": sorted(installed(look))}

    def parts(self, image: Image) -> Mapping[str, str]:
        return {}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        from mailwizard.platform.managers import purge

        added = set((after or self.capture(host))["installed"]) - set(before["installed"])
        present = added & set(self.capture(host)["installed"])
        if present:
            purge(host, sorted(present))


_KINDS: dict[str, Callable[[str], Subject]] = {
    kind.kind: kind
    for kind in (
        File,
        Generated,
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
    if subject.kind in ("file", "generated"):
        return subject.name
    if subject.kind in ("lines", "main.cf", "master.cf"):
        return str(json.loads(subject.name)[0])
    return ""


def load(kind: str, name: str) -> Subject:
    """A subject as the journal wrote it down."""
    return _KINDS[kind](name)
