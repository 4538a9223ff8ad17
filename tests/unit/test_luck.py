"""No test hangs on luck: events, signs and injected clocks decide, and no count of seconds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
FAST = [path for name in ("unit", "tui", "steps") for path in sorted((TESTS / name).rglob("*.py"))]
CLOCKS = ("monotonic", "perf_counter", "time", "now")


def called(node: ast.AST) -> str:
    """Give the last word of what is called here."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def at_most(node: ast.AST) -> bool:
    """Whether it asserts that something took less than so long; a wait may have an end."""
    compared = (one for one in ast.walk(node) if isinstance(one, ast.Compare))
    return isinstance(node, ast.Assert) and any(
        isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub) and called(part.left) in CLOCKS
        for one in compared
        if any(isinstance(op, (ast.Lt, ast.LtE)) for op in one.ops)
        for part in ast.walk(one)
    )


def paused(node: ast.AST) -> bool:
    """Whether the screen's pilot waits for a number of seconds."""
    return (
        isinstance(node, ast.Call) and bool(node.args) and ast.unparse(node.func) == "pilot.pause"
    )


def blind(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the sleeps after which nothing is looked at again; in a loop something is."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.While, ast.For)):
            continue
        if called(child) == "sleep" or paused(child):
            yield child
        yield from blind(child)


@pytest.mark.parametrize(
    ("text", "timed", "sleeps"),
    [
        ("assert time.monotonic() - begun < 2", 1, 0),
        ("assert 1 < time.monotonic() - begun <= 4", 1, 0),
        ("assert abs(time.monotonic() - begun - 1) < 1", 1, 0),
        ("assert time.monotonic() < end", 0, 0),
        ("assert time.monotonic() - begun > 0.2", 0, 0),
        ("with it:\n    time.sleep(1)", 0, 1),
        ("await pilot.pause(0.1)", 0, 1),
        ("await pilot.pause()", 0, 0),
        ("while not there():\n    time.sleep(0.1)", 0, 0),
    ],
)
def test_the_rules_see_what_they_are_about(text: str, timed: int, sleeps: int) -> None:
    tree = ast.parse(text)
    assert sum(map(at_most, ast.walk(tree))) == timed
    assert len(list(blind(tree))) == sleeps


def test_no_test_decides_by_how_long_something_took() -> None:
    for path in sorted(TESTS.rglob("*.py")):
        found = [node for node in ast.walk(ast.parse(path.read_text())) if at_most(node)]
        assert not found, f"{path}: {ast.unparse(found[0])}"


def test_no_fast_test_sleeps_in_place_of_waiting_for_a_sign() -> None:
    for path in FAST:
        found = list(blind(ast.parse(path.read_text())))
        assert not found, f"{path}: {ast.unparse(found[0])}"
