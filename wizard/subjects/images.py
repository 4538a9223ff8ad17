"""A file as JSON: everything needed to compare it and to put it back."""

from __future__ import annotations

import base64
from hashlib import sha256

from mailwizard.errors import HostRefused
from mailwizard.model import FileState, Host, Image, Look

MOST_LINKS = 40


def file_image(look: Look, path: str, hops: int = 0) -> Image:
    """The path as it stands: kind, rights, times, content; for a link also what it leads to."""
    state = look.state(path)
    if state.kind == "link":
        if hops > MOST_LINKS:
            raise HostRefused(f"{path} is a link that leads in a circle", hint=f"See: ls -l {path}")
        # the link and what it points to are two things; both must survive (E12)
        return stated(state) | {"behind": file_image(look, state.target_from(path), hops + 1)}
    data = look.read(path) if state.kind == "file" else b""
    return stated(state) | {"data": base64.b64encode(data).decode()}


def stated(state: FileState) -> Image:
    """Kind, rights and times of a path, without its content."""
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


def state_of(image: Image) -> FileState:
    """The same, as it came from the host."""
    return FileState(
        kind=image["kind"],
        mode=image["mode"],
        uid=image["uid"],
        gid=image["gid"],
        mtime_ns=image["mtime_ns"],
        target=image["target"],
        xattrs=tuple((name, base64.b64decode(value)) for name, value in image["xattrs"]),
    )


def content(image: Image) -> bytes:
    """The bytes of a file, or of what a link leads to."""
    behind = image.get("behind")
    return content(behind) if behind else base64.b64decode(image.get("data", ""))


def fingerprint(image: Image) -> str:
    """Equal for equal content and rights; times do not count."""
    if image["kind"] == "absent":
        return "absent"
    digest = sha256(content(image)).hexdigest()[:16]
    rights = f"{image['mode']:o} {image['uid']}:{image['gid']}"
    return f"{image['kind']} {rights} {image['target']} {digest}".replace("  ", " ")


def put_back(host: Host, path: str, image: Image) -> None:
    """Make the path, and what a link leads to, as photographed."""
    host.restore(path, state_of(image), content(image))
    if "behind" in image:
        put_back(host, state_of(image).target_from(path), image["behind"])


def put_back_exactly(host: Host, path: str, now: Image, before: Image, after: Image | None) -> bool:
    """True when the whole file could be put back, because nobody else edited it since."""
    if fingerprint(now) == fingerprint(before):
        return True
    if after is not None and fingerprint(now) != fingerprint(after):
        return False
    put_back(host, path, before)
    return True
