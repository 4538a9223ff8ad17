"""What a message proves: signed once, by the right key, and so that nothing can be added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailwizard.model import Host, Result
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.dkimcheck import public_half, tags, verify
from mailwizard.probes.dns import resolver_of
from mailwizard.probes.verdict import failed, passed, unknown, warned

# RFC 6376 5.4.1, and what a reader sees or a mail program acts upon
COVERED = (
    *("from", "date", "subject", "to", "cc", "message-id"),
    *("mime-version", "content-type"),
)
_APPLY = "The administrator: apply this step again, then look at `journalctl -u amavis -n 20`."


@dataclass(frozen=True, slots=True)
class KeyInUse:
    """A domain's key: its selector, and where the private half is."""

    domain: str
    selector: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"


def head_of(message: bytes) -> list[tuple[str, str]]:
    """Header fields, unfolded: lower-case name and value."""
    lines: list[str] = []
    for line in message.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n"):
        if line[:1] in (" ", "\t") and lines:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    parts = (line.partition(":") for line in lines)
    return [(name.strip().lower(), value.strip()) for name, colon, value in parts if colon]


def signatures(message: bytes) -> list[dict[str, str]]:
    """The tags of every DKIM-Signature, the newest first."""
    return [tags(value) for name, value in head_of(message) if name == "dkim-signature"]


def published_key(host: Host, key: KeyInUse, nameservers: Sequence[str], port: int) -> list[str]:
    """Every key record that the DNS answers, its strings joined; raises CannotAsk."""
    return list(resolver_of(host, nameservers, port).texts(key.name))


def judge(
    host: Host, message: bytes, key: KeyInUse, nameservers: Sequence[str] = (), port: int = 53
) -> Result:
    """What a message proves at its destination: by the key that is here, and by the DNS."""
    found = signatures(message)
    mine = [one for one in found if one.get("d", "").lower() == key.domain]
    if not mine:
        other = f"only by {', '.join(one.get('d', '?') for one in found)}" if found else "not"
        return failed(
            f"mail of {key.domain} leaves {other} signed", f"a signature d={key.domain}", _APPLY
        )
    if len(found) > 1:
        return warned(
            f"{len(found)} signatures in one message",
            "one: two programs sign",
            "The administrator: only one of amavis and OpenDKIM should sign.",
        )
    own = f"v=DKIM1; k=rsa; p={public_half(host, key.path)}"
    try:
        answers = published_key(host, key, nameservers, port)
    except CannotAsk as trouble:
        held = verify(host, message, [own])[0]
        if not held.held:
            return _broken(held.why, mine[0], key)
        return unknown(
            f"the signature holds with the key on this host; what the DNS answers: {trouble}",
            f"{key.name} TXT",
            "Nothing is proved about the DNS: see whether this host can resolve names.",
        )
    here, there = verify(host, message, [own, answers[0] if answers else ""])
    if not here.held:
        return _broken(here.why, mine[0], key)
    if not there.held:
        return _not_published(answers, there.why, key)
    return _covering(mine[0], key)


def _broken(why: str, tag: dict[str, str], key: KeyInUse) -> Result:
    if tag.get("s") != key.selector:
        return failed(
            f"signed with the key {tag.get('s', '?')}, not with {key.selector}", key.name, _APPLY
        )
    return failed(
        f"the signature does not hold, not even with the key on this host ({why or 'altered'})",
        f"a signature by the key in {key.path}",
        "The administrator: something changes mail after it is signed, or another key signs: "
        "look for header_checks, and restart the signer.",
    )


def _not_published(answers: list[str], why: str, key: KeyInUse) -> Result:
    other = f"{key.name} is another key" + (f" ({why})" if why else "")
    said = other if answers else f"{key.name} does not exist"
    choice = " Where another host signs with that key, choose another selector." if answers else ""
    return warned(
        f"the signature holds with the key on this host, but not for the world: {said}",
        f"the public half of {key.path} at {key.name}",
        "Whoever runs the zone: publish the record that `mailwizard dns` shows. Until then others "
        f"take this mail for unsigned, or for forged.{choice}",
    )


def _covering(tag: dict[str, str], key: KeyInUse) -> Result:
    names = tag.get("h", "").lower().split(":")
    missing = [name for name in COVERED if name not in names]
    flaws = [f"{', '.join(missing)} is not signed"] if missing else []
    if names.count("from") < 2:
        flaws.append("a second From could be added (From is signed once)")
    if "l" in tag:
        flaws.append("text could be added (l=)")
    if tag.get("a") not in ("rsa-sha256", "ed25519-sha256"):
        return failed(f"signed with {tag.get('a', '?')}", "rsa-sha256 (RFC 8301)", _APPLY)
    if flaws:
        return warned(f"signed, but {'; '.join(flaws)}", "From twice in h=, no l=", _APPLY)
    return passed(
        f"signed once by {key.name}; it holds with the key on this host and with the DNS's"
    )
