"""main.cf as text: what Postfix would read, and edits that touch nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.toys import ToyHost

from mailwizard.maincf import edited, of_no_account, parse
from mailwizard.model import Completed

NAMES = ["myhostname", "mynetworks", "relayhost", "a_b", "mydestination"]
LINES = [
    *(f"{name} = {value}\n" for name in NAMES for value in ("x", "a, b", "")),
    *(f"{name}=tight\n" for name in NAMES),
    "  continued, $more\n",
    "\tby a tab\n",
    "# a comment\n",
    "  # an indented comment\n",
    "#commented = out\n",
    "\n",
    "   \n",
    "no equals sign\n",
    "crlf = yes\r\n",
    "form = feed\x0chere\n",
    "next = line\x85 separator\u2028here\n",
    "bytes = \udcff\udc80\n",
]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("a = 1", {"a": "1"}),
        ("a=1\nb =2\nc= 3\n", {"a": "1", "b": "2", "c": "3"}),
        ("a = 1\n  2\n\t3\n", {"a": "1 2 3"}),
        ("a =\n  1,\n  2\n", {"a": "1, 2"}),
        ("a = 1\na = 2\n", {"a": "2"}),
        ("a = 1\n  2\na = 3\n", {"a": "3"}),
        ("a =\n", {"a": ""}),
        ("a = b = c\n", {"a": "b = c"}),
        ("# a = 1\n  # b = 2\n", {}),
        # comments and empty lines do not end a parameter (postconf(5))
        (
            "mynetworks = 127.0.0.0/8\n# the office\n  10.0.0.0/8\n",
            {"mynetworks": "127.0.0.0/8 10.0.0.0/8"},
        ),
        ("a = 1\n\n  2\n  # no\n  3\nb = 4\n", {"a": "1 2 3", "b": "4"}),
        ("a = 1\r\nb = 2\r\n", {"a": "1", "b": "2"}),
        ("a = 1\x0cb = 2\n", {"a": "1\x0cb = 2"}),
        ("nonsense\n  a = 1\nb = 2\n", {"b": "2"}),
        ("  a = 1\nb = 2\n", {"b": "2"}),
    ],
)
def test_what_postfix_would_read(text: str, values: dict[str, str]) -> None:
    assert parse(text) == values


@pytest.mark.parametrize(
    ("text", "wanted", "result"),
    [
        ("a = 1\n  2\nb = 3\n", {"a": "9"}, "a = 9\nb = 3\n"),
        ("a = 1\n# why\n  2\nb = 3\n", {"a": "9"}, "a = 9\n# why\nb = 3\n"),
        ("a = 1\nb = 2\na = 3\n", {"a": "9"}, "a = 9\nb = 2\n"),
        ("a = 1\nb = 2", {"a": None}, "b = 2"),
        ("a = 1\nb = 2", {"b": None}, "a = 1\n"),
        ("a = 1", {"c": "3"}, "a = 1\nc = 3\n"),
        ("a = 1\r\nb = 2\r\n", {"b": "9"}, "a = 1\r\nb = 9\n"),
        ("", {"a": "1"}, "a = 1\n"),
        ("", {"a": None}, ""),
        ("a = 1\n", {"a": None}, ""),
        ("#a = 1\n", {"a": "1"}, "#a = 1\na = 1\n"),
    ],
)
def test_an_edit(text: str, wanted: dict[str, str | None], result: str) -> None:
    assert edited(text, wanted) == result


def made_up(dice: random.Random) -> tuple[str, dict[str, str | None]]:
    text = "".join(dice.choices(LINES, k=dice.randrange(14)))
    if dice.random() < 0.3:
        text = text.removesuffix("\n")
    choice: list[str | None] = ["new", "a, b $c", None]
    return text, {n: dice.choice(choice) for n in dice.sample(NAMES, dice.randrange(4))}


def comments(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.lstrip(" ").startswith("#")]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_there_an_edit_changes_what_it_should_and_nothing_else(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(100):
        text, wanted = made_up(dice)
        result = edited(text, wanted)
        before, after = parse(text), parse(result)
        for name, value in wanted.items():
            assert after.get(name) == value
        others = {n: v for n, v in before.items() if n not in wanted}
        assert {n: v for n, v in after.items() if n not in wanted} == others
        assert edited(result, wanted) == result
        assert edited(text, {}) == text
        assert comments(result) == comments(text)
        # a value set again to what it is leaves the file, byte by byte, but for its own lines
        assert edited(result, {k: after[k] for k in wanted if k in after}) == result


class Owned(ToyHost):
    """Whoever owns a file also owns it behind its link."""

    owners = "101\n101\n"

    def ask(self, argv: Sequence[str], *, stdin: str = "", **_: object) -> Completed:
        assert argv[-2:] == ["/var/spool/postfix/etc/resolv.conf", "/etc/resolv.conf"]
        return Completed(tuple(argv), 0, self.owners)


def test_a_copy_in_the_queue_may_belong_to_whom_its_original_belongs(tmp_path: Path) -> None:
    host, said = Owned(tmp_path), "postfix/postlog: warning: not owned by root: "
    assert of_no_account(host, f"{said}/var/spool/postfix/etc/resolv.conf\r")
    assert not of_no_account(host, f"{said}/etc/postfix/main.cf")
    host.owners = "101\n0\n"
    assert not of_no_account(host, f"{said}/var/spool/postfix/etc/resolv.conf")
