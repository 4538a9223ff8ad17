"""Every test in this folder runs real hosts."""

from pathlib import Path

import pytest
from lab.fixtures import fresh_host, internet, network, suite

__all__ = ["fresh_host", "internet", "network", "suite"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("lab")
