"""What the tests of clients of Kubernetes share: one cluster for all of them, and a namespace for each."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest

from tests.clients.house import House, house


@pytest.fixture(scope="session")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture
def namespace(shared_house: House) -> str:
    return shared_house.namespace()


@pytest.fixture(scope="module", autouse=True)
def swept() -> Iterator[None]:
    """Some clients leave connections open; they are closed here, and not in somebody else's test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()
