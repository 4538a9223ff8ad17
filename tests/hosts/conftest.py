"""Every test in this folder runs real hosts, and none of them may be skipped."""

from collections.abc import Generator
from pathlib import Path

import pytest
from lab.fixtures import fresh_host, internet, network, suite
from lab.internet import Internet
from lab.layers import Layer
from support.applied import Prepared

__all__ = ["fresh_host", "internet", "network", "suite"]
# How the names of the longest tests begin, of those that need no group. Workers are handed groups
# first, and then these: begun last, one of them would keep the other workers waiting.
LONG = (
    "test_a_run_killed",
    "test_every_prefix",
    "test_a_package_run_killed",
    "test_no_step_of_the_run_opens_a_relay",
    "test_all_of_it_from_a_bare_host_and_the_packages_too",
    "test_what_a_killed_run_brought",
    "test_the_walk",
)


@pytest.fixture(scope="session")
def prepared(internet: Internet) -> Prepared:
    """Give the layers that are ready for the steps, or have them applied (support/applied.py)."""
    return Prepared(internet)


@pytest.fixture
def ready_layer(prepared: Prepared, suite: str) -> Layer:
    """Give a layer with every package, on which the program has never run."""
    return prepared.ready(suite)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("lab")
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    found = (at for at, begins in enumerate(LONG) if item.name.startswith(begins))
    return next(found, len(LONG))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"a test on real hosts must not be skipped: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"tests on real hosts must not be skipped: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what each fault made each probe say, and what was found in each zone."""
    reports = [r for group in terminalreporter.stats.values() for r in group]
    noted = [value for r in reports for value in getattr(r, "user_properties", ())]
    rows = sorted({tuple(value) for name, value in noted if name == "fault"})
    if rows:
        terminalreporter.section("probe | fault | sound | broken | after")
    for suite_name, probe, *cells in rows:
        terminalreporter.write_line(" | ".join((f"{suite_name} {probe}", *cells)))
    found = dict.fromkeys(tuple(value) for name, value in noted if name == "dns")
    if found:
        terminalreporter.section("case | what was published | what was said")
    for case, published, said in found:
        short = published if len(published) < 70 else f"{published[:50]} … {published[-15:]}"
        terminalreporter.write_line(f"{case} | {short} | {said}")
