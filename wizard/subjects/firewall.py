"""Rules of a firewall that are ours: in the kernel, in ufw's files, in firewalld's zones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from mailwizard import firewalld, nftables, ufw
from mailwizard.model import Host, Image, Look
from mailwizard.render import render
from mailwizard.subjects.images import content, file_image, fingerprint, put_back, put_back_exactly


@dataclass(frozen=True, slots=True)
class NftRules:
    """Our rules in the kernel; what others have there is neither seen nor touched."""

    kind: ClassVar[str] = "nft"
    name: str = "mailwizard"

    def capture(self, look: Look) -> Image:
        now = nftables.ours(nftables.listing(look))
        kept = look.read(nftables.DROP_IN).decode("utf-8", "surrogateescape") if now else ""
        return {"rules": now, "script": kept}

    def parts(self, image: Image) -> Mapping[str, str]:
        return {"nftables rules of mailwizard": _digest(image["rules"])}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        if self.capture(host)["rules"] != before["rules"]:
            self.load(host, before["script"])

    @staticmethod
    def load(host: Host, script: str) -> None:
        """Put these rules in the place of ours, in one transaction."""
        host.run(["sh", "-c", render("firewall/load.sh.j2")], stdin=script)


@dataclass(frozen=True, slots=True)
class UfwRules:
    """Rules in ufw's files; `name` is JSON: their tuples."""

    kind: ClassVar[str] = "ufw"
    name: str

    @classmethod
    def of(cls, tuples: Sequence[str]) -> UfwRules:
        return cls(json.dumps(sorted(tuples)))

    def capture(self, look: Look) -> Image:
        return {path: file_image(look, path) for path in ufw.FILES}

    def parts(self, image: Image) -> Mapping[str, str]:
        there = {each for path in ufw.FILES for each in ufw.tuples(_text(image[path]))}
        return {f"ufw: {each}": "there" if each in there else "" for each in json.loads(self.name)}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        now = self.capture(host)
        if now == before:
            return
        exact = [
            put_back_exactly(host, path, now[path], before[path], after[path] if after else None)
            for path in ufw.FILES
        ]
        if not all(exact):
            # somebody else added rules since: ours alone go, and come back
            old = {rule for path in ufw.FILES for rule in ufw.tuples(_text(before[path]))}
            for rule in json.loads(self.name):
                if (rule in ufw.there(host)) is not (rule in old):
                    host.run(ufw.allowing(rule) if rule in old else ufw.deleting(rule))
        for path, program, chain in ufw.FAMILIES:
            if host.ask([program, "-S", chain]).ok:
                rules = host.read(path).decode("utf-8", "surrogateescape")
                host.run([f"{program}-restore", "-n"], stdin=rules)


@dataclass(frozen=True, slots=True)
class FirewalldZone:
    """What a zone of firewalld lets in; `name` is JSON: zone, "" or "--permanent", our items."""

    kind: ClassVar[str] = "firewalld"
    name: str

    @classmethod
    def of(cls, zone: str, where: str, items: Sequence[str]) -> FirewalldZone:
        return cls(json.dumps([zone, where, sorted(items)]))

    def capture(self, look: Look) -> Image:
        zone, where, items = json.loads(self.name)
        there = firewalld.items(look, zone, where)
        image: Image = {"items": [item for item in items if item in there]}
        if where:
            image["files"] = {path: file_image(look, path) for path in firewalld.files(zone)}
        return image

    def parts(self, image: Image) -> Mapping[str, str]:
        zone, where, items = json.loads(self.name)
        head = f"firewalld {where or 'now'} {zone}"
        return {f"{head} {item}": "open" if item in image["items"] else "" for item in items}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        zone, where, _ = json.loads(self.name)
        now = self.capture(host)
        untouched = [path for path in now.get("files", {}) if _same(path, now, after or now)]
        # firewalld remembers what it has read: it is told first, then its files are as they were
        gone = [item for item in now["items"] if item not in before["items"]]
        for argv in firewalld.commands("remove", zone, where, gone):
            host.run(argv)
        for path in untouched:
            put_back(host, path, before["files"][path])


@dataclass(frozen=True, slots=True)
class UnitAtBoot:
    """Whether a unit is started at boot; it is not started or stopped now."""

    kind: ClassVar[str] = "unit-at-boot"
    name: str

    def capture(self, look: Look) -> Image:
        shown = look.ask(["systemctl", "show", "-p", "UnitFileState", "--", self.name]).out
        return {"enabled": shown.strip().partition("=")[2]}

    def parts(self, image: Image) -> Mapping[str, str]:
        return {f"{self.name} at boot": image["enabled"]}

    def restore(self, host: Host, before: Image, after: Image | None) -> None:
        if self.capture(host)["enabled"] == "enabled" != before["enabled"]:
            host.run(["systemctl", "disable", "--quiet", "--", self.name])


def _same(path: str, one: Image, other: Image) -> bool:
    return fingerprint(one["files"][path]) == fingerprint(other["files"][path])


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16] if text else ""


def _text(image: Image) -> str:
    return content(image).decode("utf-8", "replace")
