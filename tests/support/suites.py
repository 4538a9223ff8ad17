"""The releases of Debian as parameters of tests that share a host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from lab import images


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
