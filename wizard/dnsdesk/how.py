"""The ways in which a record goes wrong, each with what to do about it."""

from __future__ import annotations

from enum import StrEnum


class How(StrEnum):
    """What went wrong; the words are part of `dns --json`."""

    NOTHING = ""
    CUT = "cut off"
    QUOTED = "quotes kept"
    BLANKS = "blanks inside"
    DOUBLED = "suffix doubled"
    SEVERAL = "more than one record"
    ALIAS = "alias to nowhere"
    OTHER = "another value"
    LACKS = "part missing"
    DISAGREE = "servers disagree"
    PRIMARY = "hidden primary"
    CACHED = "old answer cached"
    SPLIT = "split horizon"


REMEDY = {
    How.CUT: "The text was cut off where a string ends (255 octets). Enter all strings, or the "
    "whole text if the panel splits it by itself.",
    How.QUOTED: "The quotation marks (or backslashes) became part of the text: this panel wants "
    "it without.",
    How.BLANKS: "There are blanks in it that do not belong there, often where it was split: "
    "enter it without.",
    How.DOUBLED: "The zone's name was added once more: end the name with a dot, or enter the "
    "relative one.",
    How.SEVERAL: "There is one too many: take away what is not listed here.",
    How.ALIAS: "An alias (CNAME) stands in its place and leads nowhere: take it away first.",
    How.OTHER: "Something else stands there: replace it.",
    How.LACKS: "Add what is missing to what stands there (with SPF before its end), and keep the "
    "rest.",
    How.DISAGREE: "The zone's servers do not say the same: one has not fetched the newest zone. "
    "If that lasts longer than the zone's refresh time, its provider must look.",
    How.PRIMARY: "It is right where the zone is edited, but the zone's servers have not fetched "
    "it from there: wait for the refresh time, then see whether they are notified.",
    How.CACHED: "It is right in the zone; others still hold an older answer and will ask again "
    "when its time is over.",
    How.SPLIT: "This host's network gets other answers than the world does (split horizon): "
    "what the world gets is what counts for mail.",
}
