"""What stands between strangers and the mailboxes: blocklists, and patterns for headers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mailwizard.blocklists import ERRORS, ZEN, blocklist, closed, counts, usual_codes
from mailwizard.fields.compound import Listing
from mailwizard.fields.names import Domain
from mailwizard.fields.text import Field, quoted, visible

__all__ = [
    "ACTIONS",
    "ZEN",
    "BlocklistField",
    "HeaderCheck",
    "HeaderChecks",
    "blocklist",
    "watched",
]

ACTIONS = ("REJECT", "DISCARD", "HOLD", "WARN")
# access(5) and header_checks(5): other actions change mail, or let it past the other checks
_HEADER = re.compile(r"/((?:[^/\\]|\\.)+)/([imx]*)\s+([A-Za-z]+)(?:\s+(.*))?")


@dataclass(frozen=True, slots=True)
class BlocklistField(Field):
    """A DNS blocklist, with the answers that mean "listed" behind a "=" where they are unusual."""

    @property
    def hint(self) -> str:
        return f"a zone such as {ZEN}, or zone=answers such as {ZEN}={usual_codes(ZEN)}"

    @property
    def example(self) -> str:
        return str(blocklist(ZEN))

    def check(self, value: Any) -> str:
        text = visible(value, 300)
        name, equals, codes = text.partition("=")
        zone = Domain(sample=ZEN).check(name.strip())
        if why := closed(zone):
            raise ValueError(f"{zone} {why}; {ZEN} is what most servers ask")
        if equals:
            self._check_codes(codes.strip())
        return str(blocklist(f"{zone}={codes.strip()}"))

    def _check_codes(self, codes: str) -> None:
        try:
            wrong = [code for code in (*ERRORS, "127.0.0.1") if counts(codes, code)]
        except ValueError as error:
            raise ValueError(f"{quoted(codes)}: {error}, as in {usual_codes(ZEN)}") from None
        if wrong:
            raise ValueError(
                f"{quoted(codes)} takes {wrong[0]}, an error message of the list, for an entry: "
                "all mail would be refused"
            )
        if not codes.startswith("127."):
            raise ValueError(f"{quoted(codes)}: lists answer with addresses in 127.0.0.0/8")


@dataclass(frozen=True, slots=True)
class HeaderCheck(Field):
    """A line of header_checks(5): a pattern for one header line, and what is done about it."""

    @property
    def hint(self) -> str:
        return "/pattern/ and an action, such as /^X-Mailer: Spamware/ REJECT We do not want this"

    @property
    def example(self) -> str:
        return "/^X-Mailer: Spamware/ REJECT We do not want this"

    def check(self, value: Any) -> str:
        text = visible(value, 500)
        found = _HEADER.fullmatch(text)
        if found is None:
            raise ValueError(f"{quoted(text)} is no such line; right is {self.hint}")
        pattern, flags, action, words = found.groups()
        if action.upper() not in ACTIONS:
            raise ValueError(f"{quoted(action)} is not offered; {', '.join(ACTIONS)} are")
        if re.search(r"\$(?![0-9]|\{[0-9]\}|\([0-9]\))", words or ""):
            raise ValueError("$ stands for a group of the pattern, such as $1; leave it out else")
        line = f"/{pattern}/{flags} {action.upper()}"
        return f"{line} {words.strip()}" if words and words.strip() else line


@dataclass(frozen=True, slots=True)
class HeaderChecks(Listing):
    """Such lines in their order; typed with blanks around ";" between them, or one a line."""

    of: Field = HeaderCheck()

    def _words(self, text: str) -> list[str]:
        return [line for line in re.split(r"\s;\s|\n", text) if line.strip()]

    def show(self, value: Any) -> str:
        return " ; ".join(value)

    def display(self, value: Any) -> str:
        return "\n".join(value)


def watched(line: str) -> str:
    """A line that HeaderCheck lets through, which only logs what it would do."""
    return _HEADER.sub(lambda is_: f"/{is_[1]}/{is_[2]} WARN would be {line[is_.start(3) :]}", line)
