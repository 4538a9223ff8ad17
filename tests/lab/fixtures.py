"""What tests ask for: hosts, a network, a small internet."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from lab import images
from lab import network as networks
from lab.host import Host
from lab.internet import Internet
from lab.layers import Layer
from lab.network import Network

FreshHost = Callable[..., Host]


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """Give the network of this test process."""
    with networks.shared() as opened:
        yield opened


@pytest.fixture(scope="session")
def internet(network: Network) -> Iterator[Internet]:
    """Give the small internet; its hosts start when first used, its records stay between tests."""
    with Internet(network) as opened:
        yield opened


@pytest.fixture(params=images.SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    """Run the test once for each supported release of Debian."""
    return str(request.param)


@pytest.fixture
def fresh_host(network: Network) -> Iterator[FreshHost]:
    """Give a maker of fresh hosts, of a release or on a layer, which are gone after the test."""
    with ExitStack() as stack:

        def make(on: str | Layer = "trixie", **options: object) -> Host:
            layer = images.base(on) if isinstance(on, str) else on
            return stack.enter_context(Host(layer, net=network, **options))  # type: ignore[arg-type]

        yield make
