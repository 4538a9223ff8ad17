"""The two halves of the tests on real hosts are exactly the whole, and each row is in its half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from lab import images

ROOT = Path(__file__).parents[2]
# Asks about the real tests as a run collects them; it starts none.
ASK = """
import importlib.util, json, sys
import pytest
from support import suites

class Ask:
    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session):
        conftest = next(p for n, p in session.config.pluginmanager.list_name_plugin()
                        if n.endswith("tests/hosts/conftest.py"))
        found = {which: [item.nodeid for item in suites.half(session.items, which)]
                 for which in (suites.ONCE, suites.OTHER, suites.FULL)}
        found["all"] = [item.nodeid for item in session.items]
        found["marked"] = [item.nodeid for item in session.items
                           if item.get_closest_marker("both_releases")]
        found["long"] = list(conftest.LONG)
        print("FOUND", json.dumps(found), flush=True)

sys.exit(pytest.main(["tests/hosts", "--collect-only", "-qq"], plugins=[Ask()]))
"""
FILE = """
import pytest
from support import suites

@pytest.mark.lab
@pytest.mark.parametrize("suite", ["trixie", "bookworm"])
@pytest.mark.parametrize("number", range(20))
def test_pair(suite, number): pass

@pytest.mark.lab
@suites.both_releases
@pytest.mark.parametrize("suite", ["trixie", "bookworm"])
def test_both(suite): pass

@pytest.mark.lab
@pytest.mark.parametrize("suite", ["trixie"])
def test_alone(suite): pass

@pytest.mark.lab
@pytest.mark.parametrize("suite", suites.grouped("together"))
@pytest.mark.parametrize("number", range(5))
def test_together(suite, number): pass

def test_elsewhere(): pass
"""
PLUGINS = ("-p", "support.costs", "-p", "support.rows")


def run(folder: Path, *argv: str) -> str:
    """Run Python where the tests' own modules are found, and give what it says."""
    env = os.environ | {"PYTHONPATH": str(ROOT / "tests"), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [sys.executable, *argv], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def elsewhere(test: str) -> str:
    """Give the name that a test has on the other release."""
    here, there = images.SUITES if images.SUITES[0] in test else images.SUITES[::-1]
    return test.replace(here, there)


def test_the_two_halves_are_the_whole() -> None:
    """All of it in one test: the tests on real hosts are collected for it."""
    said = run(ROOT, "-c", ASK)
    line = next(line for line in said.splitlines() if line.startswith("FOUND "))
    lab: dict[str, list[str]] = json.loads(line.removeprefix("FOUND "))
    everything, once, other, marked = (
        set(lab[name]) for name in ("all", "once", "other", "marked")
    )
    assert lab["full"] == lab["all"]
    assert len(lab["all"]) == len(everything) > 1000
    assert once | other == everything
    assert once & other == marked
    assert {elsewhere(test) for test in marked} == marked
    for test in everything - marked:
        assert len({test, elsewhere(test)} & once) == 1, test
    share = [sum(suite in test for test in once) for suite in images.SUITES]
    assert max(share) < 1.2 * min(share)
    rows = {min(test, elsewhere(test)) for test in everything}
    assert len(marked) / 2 < len(rows) / 8
    assert_first(lab["long"], lab["all"])


def assert_first(long: list[str], tests: list[str]) -> None:
    """Assert that the long tests come before all others, in their order."""
    names = [test.partition("::")[2] for test in tests]
    found = [next((begins for begins in long if name.startswith(begins)), "") for name in names]
    assert list(dict.fromkeys(found)) == [*long, ""]


def collected(folder: Path, *argv: str) -> list[str]:
    said = run(folder, "-m", "pytest", "--collect-only", "-q", *PLUGINS, *argv)
    return [line.partition("::")[2] for line in said.splitlines() if "::" in line]


def test_the_option_takes_the_rest_out(tmp_path: Path) -> None:
    (tmp_path / "test_file.py").write_text(FILE)
    full, once, other = (
        collected(tmp_path, *rows) for rows in ([], ["--rows=once"], ["--rows=other"])
    )
    assert (len(full), len(once), len(other)) == (54, 20 + 2 + 1 + 5 + 1, 20 + 2 + 5 + 1)
    assert {*once, *other} == set(full)
    assert {*once} & {*other} == {"test_both[trixie]", "test_both[bookworm]", "test_elsewhere"}
    assert {test.partition("[")[2][:2] for test in once if "test_pair" in test} >= {"0-", "1-"}
    assert len({test[-5:] for test in once if "test_pair" in test}) == 2
    assert len({test[-9:] for test in once if "test_together" in test}) == 1


def test_the_rows_are_counted_in_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "test_file.py").write_text(FILE)
    options = ["-n", "2", "--dist=loadgroup", "--reports=.", "--rows=once"]
    said = run(tmp_path, "-m", "pytest", *PLUGINS, *options)
    assert "29 passed" in said
    line = "on real hosts: 26 rows on one release, 1 on both"
    assert line in said
    assert (tmp_path / "closing").read_text() == f"{line}\n"


def test_of_tests_that_a_person_chose_by_release_none_is_moved(tmp_path: Path) -> None:
    (tmp_path / "test_file.py").write_text(FILE)
    once, other = (
        collected(tmp_path, "-k", "pair and trixie", f"--rows={rows}") for rows in ("once", "other")
    )
    assert len({*once, *other}) == len(once) + len(other) == 20
