"""A plugin of pytest: the tests on real hosts on one release each, or on both (suites.py)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from support import suites
from support.costs import close

ROWS = pytest.StashKey[tuple[int, int]]()


def _on_real_hosts(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if item.get_closest_marker("lab")]


def counted(items: Iterable[pytest.Item]) -> tuple[int, int]:
    """How many rows are there on one release, and how many on both."""
    releases: dict[str, set[str]] = {}
    for item in items:
        releases.setdefault(suites.row(item), set()).add(suites.release(item))
    both = sum(len(found) > 1 for found in releases.values())
    return len(releases) - both, both


class Counter:
    """Where the rows are told that the workers, or the only process, have had."""

    def __init__(self, reports: Path | None) -> None:
        self.reports = reports
        self.found = (0, 0)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        # each worker collects all of them
        self.found = getattr(node, "workeroutput", {}).get("rows", self.found)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        one, both = config.stash.get(ROWS, self.found)
        if one + both == 0:
            return
        line = f"on real hosts: {one} rows on one release, {both} on both"
        terminalreporter.write_line(line)
        if self.reports:
            close(self.reports, line)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rows",
        choices=(suites.ONCE, suites.OTHER, suites.FULL),
        default=suites.FULL,
        help="tests on real hosts: each row on one release, on the other, or on both",
    )


def pytest_configure(config: pytest.Config) -> None:
    name = suites.both_releases.name
    config.addinivalue_line("markers", f"{name}: runs on both releases in every run")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Counter(config.getoption("--reports")))


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Any:
    # Before anybody else takes some out: of a row that is half gone this would not choose a half.
    known = list(items)
    result = yield
    half = set(suites.half(_on_real_hosts(known), config.getoption("--rows")))
    gone = [item for item in _on_real_hosts(items) if item not in half]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in set(gone)]
    return result


def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[ROWS] = counted(_on_real_hosts(session.items))


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["rows"] = session.config.stash.get(ROWS, (0, 0))
