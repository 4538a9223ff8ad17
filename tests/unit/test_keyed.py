"""Shared files by key: entries of several lines, comments between, odd bytes."""

from __future__ import annotations

import random

import pytest

from mailwizard.keyed import keyed_lines, with_keyed_lines, words

LINES = [
    "root: bob\n",
    "ROOT : carol\n",
    "postmaster:root\n",
    "abuse:\n",
    "  goes on, here\n",
    "\tby a tab\n",
    "# comment\n",
    "  # indented comment\n",
    "\n",
    "no separator\n",
    "list: :include:/etc/list\n",
    "crlf: yes\r\n",
    "odd: form\x0cfeed \x85 \u2028 \udcff\n",
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("root: bob", {"root": "root: bob"}),
        ("Root :bob\n", {"root": "Root :bob"}),
        ("root: a,\n  b\n# no\n\n\tc\nx: y\n", {"root": "root: a,\n  b\n\tc", "x": "x: y"}),
        ("root: a\nx: y\nroot: b\n", {"root": "root: a\nroot: b", "x": "x: y"}),
        ("root: a\r\n", {"root": "root: a"}),
        ("nothing\n  here\n", {}),
        ("#root: a\n", {}),
        ("list: :include:/x\n", {"list": "list: :include:/x"}),
    ],
)
def test_entries_by_key(text: str, found: dict[str, str]) -> None:
    assert keyed_lines(text, ":") == found


def test_in_a_hosts_file_every_line_stands_alone() -> None:
    text = "127.0.0.1 localhost\n  10.0.0.5\tmail # x\n10.0.0.5 again\n2001:DB8::5 v6\nalone\n"
    assert keyed_lines(text, " ") == {
        "127.0.0.1": "127.0.0.1 localhost",
        "10.0.0.5": "  10.0.0.5\tmail # x\n10.0.0.5 again",
        "2001:db8::5": "2001:DB8::5 v6",
    }
    # the line below ours is somebody's own, though it is indented
    assert (
        with_keyed_lines("10.0.0.5 a\n  10.0.0.6 b\n", " ", {"10.0.0.5": None}) == "  10.0.0.6 b\n"
    )


def test_what_differs_in_blanks_alone_says_the_same() -> None:
    assert words("root:\t bob \r") == words("root: bob")
    assert words("root:bob") != words("root: bob")
    assert words("root:\u00a0bob") != words("root: bob")


@pytest.mark.parametrize("seed", range(40))
def test_an_edit_changes_its_entries_and_nothing_else(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(100):
        text = "".join(dice.choices(LINES, k=dice.randrange(12)))
        names = dice.sample(["root", "postmaster", "abuse", "new"], dice.randrange(1, 4))
        wanted = {n: dice.choice([f"{n}: x", f"{n}: x,\n  y", None]) for n in names}
        result = with_keyed_lines(text, ":", wanted)
        before, after = keyed_lines(text, ":"), keyed_lines(result, ":")
        for name in names:
            assert after.get(name) == wanted[name]
        assert {k: v for k, v in after.items() if k not in names} == {
            k: v for k, v in before.items() if k not in names
        }
        assert with_keyed_lines(result, ":", wanted) == result
        comments = [line for line in text.split("\n") if line.lstrip().startswith("#")]
        assert [line for line in result.split("\n") if line.lstrip().startswith("#")] == comments


def test_a_key_is_found_whatever_its_case() -> None:
    assert with_keyed_lines("Root: a\n", ":", {"ROOT": "ROOT: b"}) == "ROOT: b\n"
