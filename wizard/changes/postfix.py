"""Postfix parameters: main.cf in one write, master.cf by postconf -P, both read back."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailwizard import maincf, probes
from mailwizard.changes import previews
from mailwizard.errors import ProofFailed
from mailwizard.keyed import words
from mailwizard.model import Host, Look, Outcome, Preview, Subject
from mailwizard.subjects import MainCf, MasterCf

# Silent before Postfix reads its files anew. `postfix check` looks at rights in its folders beside
# that, which no step changes but those that ask for it: it starts forty processes.
PARSES = (("postconf", "-n"),)


def _complaints(look: Look, draft: Mapping[str, bytes]) -> set[str]:
    with look.draft(draft) as folder:
        said = maincf.postconf(look, "-n", folder=folder).err.replace(folder, "")
    return set(said.splitlines())


def _prove(host: Host, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> None:
    """Postfix's own parser is content and nobody could relay (R28): known before a byte is written.

    smtpd reads main.cf whenever a process starts, reload or not: the proof cannot wait for it.
    """
    said = _complaints(host, new)
    if said and (fresh := sorted(said - _complaints(host, old))):
        raise ProofFailed("Postfix does not accept these settings", tuple(fresh))
    with host.draft(new) as folder:
        for proof in (probes.TrustedNetworks(folder), probes.RelayRestrictions(folder)):
            result = proof.ask(host)
            if result.outcome is Outcome.FAIL:
                raise ProofFailed(result.said, result.transcript, hint=result.fix)


def _config(look: Look) -> dict[str, bytes]:
    return {name: look.read(look.platform.path(name)) for name in ("main.cf", "master.cf")}


@dataclass(frozen=True, slots=True)
class PostfixParameters:
    """main.cf sets these parameters to these raw values; all are written together."""

    values: Mapping[str, str]

    @property
    def title(self) -> str:
        return f"set {len(self.values)} Postfix parameters"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        return bool(self._due(maincf.parse(_text(look, self._path(look)))))

    def preview(self, look: Look) -> Preview:
        path = self._path(look)
        return previews.diff(path, look.read(path), self._edited(look))

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (MainCf.of(self._path(look), list(self.values)),)

    def apply(self, host: Host) -> None:
        edited, old = self._edited(host), _config(host)
        _prove(host, old, {**old, "main.cf": edited})
        host.write(self._path(host), edited, mtime_ns=maincf.backdated())

    def shell(self, look: Look) -> str:
        settings = [f"{name} = {value}" for name, value in self.values.items()]
        return "set_parameters \\\n  " + " \\\n  ".join(shlex.quote(s) for s in settings)

    def _path(self, look: Look) -> str:
        return look.platform.path("main.cf")

    def _due(self, now: Mapping[str, str]) -> dict[str, str]:
        """What is not set, or to something else; how many blanks there are says nothing."""
        return {
            name: value
            for name, value in self.values.items()
            if name not in now or words(now[name]) != words(value)
        }

    def _edited(self, look: Look) -> bytes:
        text = _text(look, self._path(look))
        now = maincf.parse(text)
        wanted = self._due(now)
        # the same tool as the exported script, so that both leave the same bytes; it adds what is
        # new in no order at all, so that part is ours
        present = [f"{name} = {value}" for name, value in wanted.items() if name in now]
        added = {name: value for name, value in wanted.items() if name not in now}
        if present and look.which("postconf"):
            with look.draft({"main.cf": _bytes(text), "master.cf": b""}) as folder:
                if look.ask(["postconf", "-c", folder, "-e", *present]).ok:
                    text, wanted = _text(look, f"{folder}/main.cf"), added
        return _bytes(maincf.edited(text, wanted) if wanted else text)


@dataclass(frozen=True, slots=True)
class MasterCfParameters:
    """Services in master.cf run with these options: service/type/parameter -> value.

    service/type -> its whole line; an empty line: there is no such service.
    """

    values: Mapping[str, str]

    @property
    def title(self) -> str:
        services = ", ".join(sorted({name.split("/")[0] for name in self.values}))
        return f"set options of {services}" if any(self.values.values()) else f"end {services}"

    @property
    def follows(self) -> str:
        return ""

    def needed(self, look: Look) -> bool:
        found = maincf.master_values(look, list(self.values))
        absent = {name: "" if _is_service(name) else None for name in self.values}
        return {**absent, **found} != dict(self.values)

    def preview(self, look: Look) -> Preview:
        path = look.platform.path("master.cf")
        if not look.state(path).size:
            return previews.commands(*self._commands())
        old = look.read(path)
        return previews.diff(path, old, maincf.edited_master(look, old, self._wanted()))

    def subjects(self, look: Look) -> Sequence[Subject]:
        return (MasterCf.of(look.platform.path("master.cf"), list(self.values)),)

    def apply(self, host: Host) -> None:
        old = _config(host)
        edited = maincf.edited_master(host, old["master.cf"], self._wanted())
        _prove(host, old, {**old, "master.cf": edited})
        host.write(host.platform.path("master.cf"), edited)

    def shell(self, look: Look) -> str:
        settings = [f"{name}={value}" for name, value in self.values.items()]
        return shlex.join(["set_service_options", *settings])

    def _wanted(self) -> dict[str, str | None]:
        gone = {
            name: None for name, value in self.values.items() if _is_service(name) and not value
        }
        return {**self.values, **gone}

    def _commands(self) -> list[list[str]]:
        return [["postconf", "-P", f"{name}={value}"] for name, value in self.values.items()]


def _is_service(name: str) -> bool:
    return name.count("/") == 1


def _text(look: Look, path: str) -> str:
    return look.read(path).decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
