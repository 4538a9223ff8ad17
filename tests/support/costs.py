"""A plugin of pytest: what the tests on real hosts cost, by file and by kind of work.

What a file asks for first it pays: a layer, or a host of the small internet, is put down to the
test that had it made. With `--reports FOLDER` the figures are kept, those of each test too.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from support import ledger
from support.ledger import Entry, Ledger, Taken

LEDGER = pytest.StashKey[Ledger]()
BEFORE = pytest.StashKey[float]()  # processor-seconds until all tests were known
COLLECTING = "tests collected"
CLOSING = "closing"  # what the last lines of a run shall say
DEAR = 0.08  # of the whole: a file that costs more is named
OUTSIDE = "(outside of all tests)"


@dataclass
class Bill:
    """What all workers have told."""

    files: dict[str, Entry] = field(default_factory=lambda: defaultdict(Entry))
    kinds: dict[str, Entry] = field(default_factory=lambda: defaultdict(Entry))
    tests: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, taken: Taken, test: str = "", lasted: float = 0) -> None:
        """Add what was used in a phase of a test, or outside of all."""
        for kind, (hosts, tests, times) in taken.items():
            self.kinds[kind].add(hosts, tests, int(times))
            self.files[test.partition("::")[0] or OUTSIDE].add(hosts, tests, 0)
        if test:
            one = self.tests.setdefault(test, {"processors": 0, "seconds": 0})
            one["processors"] += sum(hosts + tests for hosts, tests, _ in taken.values())
            one["seconds"] += lasted

    @property
    def seconds(self) -> float:
        return sum(entry.seconds for entry in self.files.values())

    def dear(self) -> list[str]:
        """Name the files that cost too much of the whole; of a few files each is dear."""
        if len(self.files) * DEAR < 1:
            return []
        return [
            f"{name} costs {entry.seconds / self.seconds:.1%} of the lab (more than {DEAR:.0%})"
            for name, entry in _sorted(self.files)
            if entry.seconds > DEAR * self.seconds
        ]

    def starts(self) -> int:
        """Count how often the program was started from outside of a host."""
        return sum(e.times for kind, e in self.kinds.items() if kind.startswith(ledger.PROGRAM))

    def table(self) -> list[str]:
        """Show files and kinds of work, the dearest first."""
        rows = ["   share   hosts   tests          file"]
        rows += [self._row(name, entry, "") for name, entry in _sorted(self.files)]
        rows += ["", "   share   hosts   tests   times  kind of work"]
        rows += [self._row(name, e, str(e.times or "")) for name, e in _sorted(self.kinds)]
        return [*rows, "", f"The program was started {self.starts()} times."]

    def _row(self, name: str, entry: Entry, times: str) -> str:
        share = entry.seconds / (self.seconds or 1)
        return f"{share:8.1%} {entry.hosts:7.1f} {entry.tests:7.1f} {times:>7}  {name}"

    def kept(self) -> dict[str, Any]:
        """Give all of it for the file."""
        dearest = sorted(self.tests, key=lambda test: -self.tests[test]["processors"])
        return {
            "seconds": self.seconds,
            "files": {name: vars(entry) for name, entry in _sorted(self.files)},
            "kinds": {name: vars(entry) for name, entry in _sorted(self.kinds)},
            "tests": {test: self.tests[test] for test in dearest},
        }


def _sorted(entries: Mapping[str, Entry]) -> list[tuple[str, Entry]]:
    return sorted(entries.items(), key=lambda item: attrgetter("seconds")(item[1]), reverse=True)


class Collector:
    """Where the figures of all workers, or of the only process, come together."""

    def __init__(self, reports: Path | None) -> None:
        self.reports = reports
        self.bill = Bill()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.bill.add(getattr(report, "costs", {}), report.nodeid, report.duration)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.bill.add(getattr(node, "workeroutput", {}).get("costs", {}))

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        self.bill.add(_outside(config))
        if not self.bill.kinds:
            return
        dear = self.bill.dear()
        if self.reports:
            text = json.dumps(self.bill.kept(), indent=1)
            (self.reports / "costs.json").write_text(text, encoding="utf-8")
            close(self.reports, *dear)
        terminalreporter.section(f"{self.bill.seconds:.0f} processor-seconds")
        for line in [*self.bill.table(), *dear]:
            terminalreporter.write_line(line)


def close(reports: Path, *lines: str) -> None:
    """Have lines said at the end of the whole run."""
    with (reports / CLOSING).open("a", encoding="utf-8") as closing:
        closing.writelines(f"{line}\n" for line in lines)


def _outside(config: pytest.Config) -> Taken:
    if LEDGER not in config.stash:
        return {}
    return config.stash[LEDGER].take() | {COLLECTING: [0, config.stash[BEFORE], 0]}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reports", type=Path, metavar="FOLDER", help="keep there what tests on real hosts cost"
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Collector(config.getoption("--reports")))


def pytest_collection_finish(session: pytest.Session) -> None:
    wanted = any(item.get_closest_marker("lab") for item in session.items)
    if wanted and not session.config.option.collectonly:
        session.config.stash[BEFORE] = sum(os.times()[:2])
        session.config.stash[LEDGER] = ledger.begin()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if LEDGER in item.config.stash:
        vars(report)["costs"] = item.config.stash[LEDGER].take()
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["costs"] = _outside(session.config)
