"""Nothing that comes from outside may drive the terminal (R23)."""

import pytest

from mailwizard.sanitise import clean, lines


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"220 mail\x1b]0;owned\x07", "220 mail^[]0;owned^G"),
        (b"\x1b]8;;http://x\x1b\\click\x1b]8;;\x1b\\", "^[]8;;http://x^[\\click^[]8;;^[\\"),
        (b"\x1b]52;c;ZXZpbA==\x07", "^[]52;c;ZXZpbA==^G"),
        (b"\x1b[2J\x1b[31mred", "^[[2J^[[31mred"),
        (b"\x1bP+q544e\x1b\\", "^[P+q544e^[\\"),
        (b"\x9b31mred", "\\x9b31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("\x85next", "\\x85next"),
        (b"a\x00b\x7f\x08c", "a^@b^?^Hc"),
        (b"over\rwritten", "over^Mwritten"),
        ("user\u202egnp.exe", "user<U+202E>gnp.exe"),
        ("a\u2066b\u2069\u200b\ufeff", "a<U+2066>b<U+2069><U+200B><U+FEFF>"),
        ("one\u2028two", "one<U+2028>two"),
        ("tag\U000e0041", "tag<U+E0041>"),
        (b"[red]text[/nope]", "[red]text[/nope]"),
        ("bücher @ 東京 ✓", "bücher @ 東京 ✓"),
        (b"tab\tand\nnewline\r\nend", "tab\tand\nnewline\nend"),
        (b"", ""),
    ],
)
def test_what_comes_out_is_inert(raw: bytes | str, shown: str) -> None:
    assert clean(raw) == shown


def test_every_byte_and_every_pair_is_inert() -> None:
    for first in range(256):
        text = clean(bytes([first, 0x9B, first]))
        assert all(char in "\t\n" or char.isprintable() for char in text), first


def test_long_lines_and_long_texts_are_cut_and_say_so() -> None:
    assert clean("x" * 50, width=10) == "x" * 10 + "… (40 more characters)"
    assert lines("a\nb\nc\nd", limit=2) == ("a", "b", "… (2 more lines)")
    huge = lines(b"y" * 10_000_000, width=20, limit=3)
    assert sum(map(len, huge)) < 100
    assert "…" in huge[-1]
