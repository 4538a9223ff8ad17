"""Bytes that are no UTF-8 in files that mail daemons read: they cannot use such a line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from mailwizard import sanitise
from mailwizard.model import Host, Look, Result
from mailwizard.probes.deadline import CannotAsk
from mailwizard.probes.postconf import Postconf
from mailwizard.probes.postfix_config import tables
from mailwizard.probes.verdict import failed, passed, warned

# of one line no mail daemon needs more than it can read of it
_OF_OTHERS = ("/etc/hosts", "/etc/group")
_FILES = ("/etc/passwd", *_OF_OTHERS)
_ROLES = ("aliases", "main.cf", "master.cf")


@dataclass(frozen=True, slots=True)
class TextFiles:
    """Every line that a mail daemon reads is UTF-8; what is a comment may be anything."""

    id: ClassVar[str] = "HOST-TEXT"
    title: ClassVar[str] = "The files that mail daemons read are text"
    deadline: ClassVar[float] = 20.0
    critical: ClassVar[bool] = False
    by_hand: ClassVar[str] = (
        "grep -naxv '.*' /etc/passwd /etc/hosts /etc/aliases /etc/postfix/*.cf  # LANG=C.UTF-8"
    )

    def ask(self, host: Host) -> Result:
        found = [row for path in _paths(host) for row in _wrong(host, path)]
        # what stops mail is told first
        rows = sorted(found, key=lambda row: row.startswith(_OF_OTHERS))
        if not rows:
            return passed("all of them are UTF-8")
        more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
        verdict = warned if all(row.startswith(_OF_OTHERS) for row in rows) else failed
        return verdict(
            f"{rows[0]}{more}",
            "UTF-8, or ASCII",
            "A daemon that cannot read the line puts mail off for ever, or does without the line. "
            "The administrator: write it anew in UTF-8 (`iconv -f ISO-8859-1 -t UTF-8` for a whole "
            "file of before; names of people: chfn(1)), then newaliases and reload Postfix.",
            rows[:200],
        )


def _paths(look: Look) -> list[str]:
    found = [*_FILES, *(look.platform.path(role) for role in _ROLES)]
    # without Postfix its tables are nobody's
    with suppress(CannotAsk):
        found += [path for _, path in tables(Postconf(look))]
    return list(dict.fromkeys(found))


def _wrong(look: Look, path: str) -> Iterator[str]:
    for number, line in enumerate(look.read(path).split(b"\n"), 1):
        if line.isascii() or line.lstrip().startswith(b"#"):
            continue
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            shown = sanitise.clean(line, width=80, limit=1)
            yield f"{path}, line {number}, is not UTF-8: {shown}"
