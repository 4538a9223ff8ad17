"""How the full screen feels: the first paint, keys while a command floods its log, memory.

Each figure is printed beside its goal; nothing here fails.

The program is the real one but for its engine, which floods the log and changes nothing.
"""

from __future__ import annotations

import itertools
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pexpect
from tui.fake_engine import FakeEngine

from mailwizard.events import Event, Output
from mailwizard.steps import STEPS
from mailwizard.tui import run_tui

SIZE = (24, 80)
KEYS = 200
BETWEEN_KEYS = 0.05  # seconds: a fast typist
LINES, PAUSE = 200, 0.01  # the flood: so many lines, each so many seconds
GOALS = {"first paint": 0.6, "key to paint, p95": 0.05, "resident memory": 100.0}
LETTERS = "bdghjkqwxyz"


class Flooded(FakeEngine):
    """Package work that never ends and never stops talking."""

    def prepare(self, step_ids: Sequence[str]) -> Iterator[Event]:
        for number in itertools.count():
            yield Output("packages", f"Unpacking package {number} over what was there before ...")
            if number % LINES == 0:
                time.sleep(PAUSE)


def face() -> int:
    """The program in the terminal that the benchmark made."""
    return run_tui(Flooded(), host="mail.example.org")


def start() -> pexpect.spawn[bytes]:
    """The program, up to its first complete screen."""
    argv = [__file__, "--face"]
    child: pexpect.spawn[bytes] = pexpect.spawn(sys.executable, argv, dimensions=SIZE, timeout=20)
    child.delaybeforesend = None
    child.expect_exact(b"mailwizard")
    return child


def typed(child: pexpect.spawn[bytes]) -> Iterator[float]:
    """Seconds from each key to the moment its letter is on the screen."""
    text, chance = "", random.Random(1)
    for number in range(KEYS):
        time.sleep(BETWEEN_KEYS)
        while child.expect([rb".+", pexpect.TIMEOUT], timeout=0) == 0:
            pass
        if number % 20 == 19:
            child.send(b"\x7f" * 20)
            text = ""
            time.sleep(0.5)
            continue
        text += chance.choice(LETTERS)
        began = time.monotonic()
        child.send(text[-1].encode())
        child.expect_exact(text.encode())
        yield time.monotonic() - began


def resident(pid: int) -> float:
    """Memory of a process in MiB (proc(5), VmRSS)."""
    lines = Path("/proc", str(pid), "status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def measure() -> dict[str, float]:
    """Each figure by its name, as in GOALS."""
    paints = []
    for _ in range(5):
        began = time.monotonic()
        child = start()
        paints.append(time.monotonic() - began)
        child.close(force=True)
    child = start()
    time.sleep(1)
    child.send(b"\x1b[21~")  # F10: the packages begin
    child.expect_exact(f"1/{len(STEPS)}".encode())
    time.sleep(1)
    child.send(b"\x0b\x15")  # the field is empty
    time.sleep(0.5)
    waits = sorted(typed(child))
    assert child.pid
    memory = resident(child.pid)
    child.close(force=True)
    return {
        "first paint": statistics.median(paints),
        "key to paint, p95": waits[int(len(waits) * 0.95)],
        "resident memory": memory,
    }


def main() -> int:
    """Measure once and print."""
    print(f"{'':20} {'measured':>10} {'goal':>8} {'ratio':>6}")
    for name, value in measure().items():
        goal = GOALS[name]
        print(f"{name:20} {value:10.3f} {goal:8.2f} {value / goal:6.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(face() if sys.argv[1:] == ["--face"] else main())
