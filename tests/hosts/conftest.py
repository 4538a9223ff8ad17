"""Every test in this folder runs real hosts, and none of them may be skipped."""

from collections.abc import Generator
from pathlib import Path

import pytest
from lab.fixtures import fresh_host, internet, network, suite
from lab.internet import Internet
from lab.layers import Layer
from support.applied import Prepared

__all__ = ["fresh_host", "internet", "network", "suite"]
# The longest of the tests that go alone, the longest first. Workers are handed groups of tests
# first, the largest at first, and then these; last, one would keep the others waiting.
LONG = (
    "test_a_run_killed_at_any_point",
    "test_a_package_run_killed_around_its_unit",
    "test_every_prefix_and_every_single_step",
    "test_a_run_killed_in_the_middle_of_a_command",
    "test_no_step_of_the_run_opens_a_relay",
    "test_all_of_it_from_a_bare_host_and_the_packages_too",
    "test_what_a_killed_run_brought_is_ours_and_what_others_did_since_is_not",
    "test_the_walk_from_the_first_line_to_the_last",
    "test_the_walk_by_keys",
)


@pytest.fixture(scope="session")
def prepared(internet: Internet) -> Prepared:
    """Give the layers that are ready for the steps, or have them applied (support/applied.py)."""
    return Prepared(internet)


@pytest.fixture
def ready_layer(prepared: Prepared, suite: str) -> Layer:
    """Give a layer with every package, on which the program has never run."""
    return prepared.ready(suite)


@pytest.fixture
def applied_layer(prepared: Prepared, suite: str) -> Layer:
    """Give a layer with every step applied and verified."""
    return prepared.applied(suite)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("lab")
    names = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: names.get(item.name.partition("[")[0], len(LONG)))


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
