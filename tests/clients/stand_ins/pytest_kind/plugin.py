"""The option that kr8s' tests look at."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep-cluster", dest="keep_cluster", action="store_true", default=True)
