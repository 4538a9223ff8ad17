"""The releases of Debian as parameters of tests, and which of them a test runs on in one run.

A row is a test with its parameters but for the release. A run has each row on one release, the
other run has the other halves, and a few rows are in both: what is known to differ, and what
proves that a host is a right one. Rows that share a host go together, by the list below; others go
by a checksum of their names, which is the same in every run.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from lab import images
from support.firewalls import FIREWALLD, NONE, OWN, UFW

if TYPE_CHECKING:
    from support.faults import Fault

ONCE, OTHER, FULL = "once", "other", "full"
# by the group of the worker, or the file where each test has a host of its own
HOME = {
    **dict.fromkeys(("authentication", "acme", "clients", "replay", "publish"), "trixie"),
    **dict.fromkeys(("test_relay_battery", "test_plain_walk"), "trixie"),
    **dict.fromkeys(("filtering", "scanning", "protection", "rotation", "resolved"), "bookworm"),
    **dict.fromkeys(("certificates", "commands", "test_resolver", "test_tui_walk"), "bookworm"),
}
# groups whose tests can be had one by one: both releases have half of them
APART = ("faults", "firewall")
# Firewalls; what takes longest runs behind two of them on each release, in a full run too.
HALF = {"trixie": (NONE, FIREWALLD), "bookworm": (OWN, UFW)}
OTHER_HALF = {"bookworm": HALF["trixie"], "trixie": HALF["bookworm"]}
# Dovecot is 2.3 or 2.4, and units have other names and habits: such faults differ by release.
DIFFERS = re.compile(r"dove|\breread\b|systemctl")

both_releases = pytest.mark.both_releases


def grouped(group: str) -> Sequence[Any]:
    """Each release, with all that one worker runs of it: its host and its layers are made once."""
    return [_param(group, suite) for suite in images.SUITES]


def chosen(group: str, of: Mapping[str, Sequence[str]]) -> Sequence[Any]:
    """Each release with some of another fixture's values, for the worker that `grouped` chooses."""
    return [_param(group, suite, value) for suite, values in of.items() for value in values]


def _param(group: str, suite: str, *more: str) -> Any:
    return pytest.param(suite, *more, marks=pytest.mark.xdist_group(f"{group}-{suite}"))


def one_host_each(group: str) -> Any:
    """The fixture `suite` of a file whose tests share one host of each release."""

    @pytest.fixture(scope="module", params=grouped(group))
    def suite(request: pytest.FixtureRequest) -> str:
        return str(request.param)

    return suite


def faults(of: Iterable[Fault]) -> Sequence[Any]:
    """Faults as parameters; those of what differs between releases are for both."""
    return [
        pytest.param(fault, marks=both_releases) if DIFFERS.search(fault.do + fault.undo) else fault
        for fault in of
    ]


def release(item: pytest.Item) -> str:
    """The release that a test runs on; empty where it is not a parameter."""
    values = _parameters(item).values()
    return next((value for value in values if value in images.SUITES), "")


def row(item: pytest.Item) -> str:
    """What a test is called on whatever release."""
    name = item.name.partition("[")[0]
    spec = getattr(item, "callspec", None)
    values = spec.id.split("-") if spec else []
    rest = "-".join(value for value in values if value != release(item))
    return f"{item.path.stem}::{name}[{rest}]"


def half(items: Iterable[pytest.Item], which: str) -> list[pytest.Item]:
    """The tests of a run; a row that there is on one release only is in the first half."""
    items = list(items)
    releases: dict[str, set[str]] = {}
    for item in items:
        releases.setdefault(row(item), set()).add(release(item))

    def wanted(item: pytest.Item) -> bool:
        if which == FULL or item.get_closest_marker(both_releases.name):
            return True
        alone = len(releases[row(item)]) == 1
        return (alone or release(item) == _first(item)) == (which == ONCE)

    return [item for item in items if wanted(item)]


def _first(item: pytest.Item) -> str:
    given = _parameters(item)
    wall = given.get("wall", given.get("wall_of_fault"))
    for suite, walls in HALF.items():
        if wall in walls:
            return suite
    marked = item.get_closest_marker("xdist_group")
    group = marked.args[0].removesuffix(f"-{release(item)}") if marked else item.path.stem
    if group in HOME:
        return HOME[group]
    together = marked and group not in APART
    return images.SUITES[zlib.crc32((group if together else row(item)).encode()) % 2]


def _parameters(item: pytest.Item) -> Mapping[str, object]:
    spec = getattr(item, "callspec", None)
    return spec.params if spec else {}
