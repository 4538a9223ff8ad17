"""What tests on real hosts cost is put down to the right work, and no worker's figures are lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ledger
from support.costs import Bill
from support.ledger import BOOTS, LAYERS, OTHER, PACKAGES, REST, Ledger, kind_of

TESTS = Path(__file__).parents[1]
LAUNCHER = "/opt/mailwizard/mailwizard"
FILE = """
import time
import pytest

@pytest.mark.lab
@pytest.mark.parametrize("number", range(3))
def test_one(number):
    while sum(__import__("os").times()[:2]) < 0.2 * number:
        pass
"""


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        ([LAUNCHER, "apply", "-a", "/root/answers.toml", "--yes"], "mailwizard apply"),
        ([LAUNCHER, "--state", "/srv/state", "check", "--json"], "mailwizard check"),
        ([LAUNCHER, "--version"], "mailwizard (other)"),
        (LAUNCHER, "mailwizard (other)"),
        (f"cd /; {LAUNCHER} undo --all --yes | head -1", "mailwizard undo"),
        (f"{LAUNCHER} status; echo apply", "mailwizard status"),
        (
            ["unshare", "--mount", "sh", "-ec", f"umount /x\nexec {LAUNCHER} plan"],
            "mailwizard plan",
        ),
        ("exec python /root/tests/support/killing.py 0 apply", ledger.KILLED),
        (["bash", "-c", ". /root/kit.sh\nsound"], ledger.FAULTS),
        ("exec python -I /root/asker.py 2>/root/asker.err", ledger.ASKED),
        (["/root/replay.sh"], ledger.SCRIPT),
        (["systemctl", "show", "mailwizard-packages"], OTHER),
        (["rm", "-rf", "/opt/mailwizard"], OTHER),
    ],
)
def test_a_command_is_known(argv: list[str] | str, kind: str) -> None:
    assert kind_of(argv) == kind


class Clock:
    """A second of the hosts and a tenth of the tests at each look."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> tuple[float, float]:
        self.looks += 1
        return float(self.looks), self.looks / 10


def hosts(book: Ledger) -> dict[str, tuple[float, int]]:
    """Give each kind's seconds and times."""
    return {kind: (spent, int(times)) for kind, (spent, _, times) in book.take().items()}


def test_the_inner_work_counts_and_nothing_is_lost() -> None:
    clock = Clock()
    book = Ledger(clock)
    with book.doing(BOOTS, times=0), book.doing("mailwizard apply"):
        pass
    assert hosts(book) == {REST: (2, 0), BOOTS: (2, 0), "mailwizard apply": (1, 1)}
    assert clock.looks == 1 + 5
    assert hosts(book) == {REST: (1, 0)}


def test_the_making_of_a_layer_is_one_piece() -> None:
    book = Ledger(Clock())
    with book.doing(LAYERS, whole=True, times=0), book.doing("mailwizard apply"):
        pass
    assert hosts(book) == {REST: (2, 0), LAYERS: (3, 0)}


def test_a_process_in_the_background_has_what_nothing_else_takes() -> None:
    book = Ledger(Clock())
    codes: Iterator[int | None] = iter([None, None, 0, 0])
    book.behind(ledger.ASKED, lambda: next(codes))
    with book.doing(OTHER):
        pass
    assert hosts(book) == {REST: (1, 0), ledger.ASKED: (2, 1), OTHER: (1, 1)}
    assert hosts(book) == {REST: (1, 0)}


def test_a_command_that_brings_packages_is_a_package_run() -> None:
    changed = iter([False, True, False])
    book = Ledger(Clock(), lambda: next(changed))
    with book.doing("mailwizard apply"):
        pass
    assert hosts(book) == {REST: (2, 0), PACKAGES: (1, 1)}


def test_pieces_of_several_threads_do_not_have_to_nest() -> None:
    book = Ledger(Clock())
    first, second = book.doing(BOOTS), book.doing(BOOTS)
    with first:
        second.__enter__()
    second.__exit__(None, None, None)
    assert hosts(book) == {REST: (2, 0), BOOTS: (2, 2)}


def test_a_file_that_costs_too_much_of_the_whole_is_named() -> None:
    bill = Bill()
    for number in range(20):
        bill.add({REST: [1, 0, 0]}, f"test_{number}.py::test")
    assert bill.dear() == []
    bill.add({BOOTS: [1, 0.5, 1]}, "test_7.py::test")
    assert bill.dear() == ["test_7.py costs 11.6% of the lab (more than 8%)"]


def test_of_a_few_files_none_is_named() -> None:
    bill = Bill()
    bill.add({REST: [9, 0, 0]}, "test_1.py::test")
    bill.add({REST: [1, 0, 0]}, "test_2.py::test")
    assert bill.dear() == []


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_figures_of_all_workers_come_together(tmp_path: Path, workers: str) -> None:
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(FILE)
    argv = [sys.executable, "-m", "pytest", "-p", "support.costs", "-n", workers, "--reports=."]
    env = os.environ | {"PYTHONPATH": str(TESTS)}
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    kept = json.loads((tmp_path / "costs.json").read_text())
    assert kept["files"].keys() == {"test_a.py", "test_b.py", "(outside of all tests)"}
    assert kept["kinds"].keys() == {REST, "tests collected"}
    assert len(kept["tests"]) == 6
    shown = round(sum(entry["tests"] for entry in kept["files"].values()))
    assert f"{shown} processor-seconds" in done.stdout
    assert kept["seconds"] == pytest.approx(sum(e["tests"] for e in kept["kinds"].values()))
