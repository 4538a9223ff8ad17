"""Postfix's main.cf as text (last definition wins, postconf(5)), and master.cf through postconf."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence

from mailwizard.errors import CommandFailed
from mailwizard.keyed import BLANKS, rows
from mailwizard.model import Completed, Look

# Every Postfix program sleeps until main.cf is two seconds old (a guard against half-written
# files); ours is complete when it appears, so it is dated back.
AGE_NS = 10 * 10**9


def backdated() -> int:
    """A modification time that Postfix does not wait for, in nanoseconds."""
    return time.time_ns() - AGE_NS


def _logical(text: str) -> Iterator[tuple[str | None, str]]:
    """(the parameter that the line belongs to, the line); None for comments and empty lines.

    Those do not end a parameter: what begins with a blank after them goes on with it
    (postconf(5), DESCRIPTION).
    """
    name = ""
    for line in rows(text):
        plain = line.strip(BLANKS)
        if not plain or plain.startswith("#"):
            yield None, line
            continue
        if line[0] not in BLANKS:
            head, found, _ = line.partition("=")
            name = head.strip(BLANKS) if found else ""
        yield name, line


def parse(text: str) -> dict[str, str]:
    """Each parameter's raw value, continuation lines joined."""
    found: dict[str, list[str]] = {}
    for name, line in _logical(text):
        if name and line[0] not in BLANKS:
            found[name] = [line.partition("=")[2].strip(BLANKS)]
        elif name:
            found[name].append(line.strip(BLANKS))
    return {name: " ".join(filter(None, parts)) for name, parts in found.items()}


def edited(text: str, wanted: Mapping[str, str | None]) -> str:
    """The text with these parameters set in their place (None: removed), all else untouched."""
    left = dict(wanted)
    out: list[str] = []
    for name, line in _logical(text):
        if name is None or name not in wanted:
            out.append(line)
        elif (value := left.pop(name, None)) is not None:
            out.append(f"{name} = {value}")
    added = [f"{name} = {value}" for name, value in left.items() if value is not None]
    if not added and out and not text.endswith("\n") and out[-1] == rows(text)[-1]:
        return "\n".join(out)
    return "\n".join([*out, *added]) + "\n" if out or added else ""


def postconf(look: Look, *arguments: str, folder: str = "") -> Completed:
    """The answer about the live configuration, or a draft's; asked once for each state of it."""
    place = folder or look.platform.path("postfix")
    where = ("-c", folder) if folder else ()
    files = (f"{place}/main.cf", f"{place}/master.cf")
    return look.ask(["postconf", *where, *arguments], timeout=20, of=files)


def master_values(look: Look, names: Sequence[str]) -> dict[str, str]:
    """What master.cf says: service/type -> its line, service/type/parameter -> its value."""
    found: dict[str, str] = {}
    for line in postconf(look, "-P").out.splitlines():
        name, _, value = line.partition(" = ")
        found[name.strip()] = value.strip()
    if any(name.count("/") == 1 for name in names):
        for line in postconf(look, "-M").out.splitlines():
            words = line.split()
            found["/".join(words[:2])] = " ".join(words)
    return {name: found[name] for name in names if name in found}


def edited_master(look: Look, text: bytes, wanted: Mapping[str, str | None]) -> bytes:
    """master.cf with these entries and values set (None: removed), by postconf itself."""
    with look.draft({"main.cf": b"compatibility_level = 3.6\n", "master.cf": text}) as folder:
        for depth, kind in ((1, "M"), (2, "P")):
            mine = {name: value for name, value in wanted.items() if name.count("/") == depth}
            setting = [f"{name}={value}" for name, value in mine.items() if value is not None]
            removing = [name for name, value in mine.items() if value is None]
            for option, names in ((f"-{kind}", setting), (f"-{kind}X", removing)):
                if names:
                    done = look.ask(["postconf", "-c", folder, option, *names])
                    if not done.ok:
                        raise CommandFailed(done.argv, done.code, tuple(done.err.splitlines()))
        return look.read(f"{folder}/master.cf")


# a message that is just being received has a name of its own until it is complete
_ARRIVING = re.compile(r"bogus file name: incoming/[0-9.]+$")


def of_no_account(look: Look, complaint: str) -> bool:
    """Lines of `postfix check` that tell nothing of the configuration.

    It takes the mode of a link, which is always 0777, for that of a file; its postsuper meets mail
    that arrives at this moment; and a copy in the queue's folder has the owner of its original.
    """
    said, _, path = complaint.strip().rpartition(": ")
    mode = said.endswith("group or other writable") and look.state(path).kind == "link"
    owner = said.endswith("not owned by root") and _owned_like_its_original(look, path)
    return mode or owner or bool(_ARRIVING.search(complaint.strip()))


def _owned_like_its_original(look: Look, copy: str) -> bool:
    """systemd-resolved(8) owns what /etc/resolv.conf leads to; Debian's Postfix copies it so."""
    queue = f"{look.platform.path('queue')}/"
    if not copy.startswith(f"{queue}etc/"):
        return False
    owners = look.ask(["stat", "-L", "-c", "%u", copy, f"/{copy.removeprefix(queue)}"])
    return owners.ok and len(set(owners.out.split())) == 1
