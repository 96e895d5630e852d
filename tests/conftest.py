"""What tests of several rooms share: a real S3 server, where the machine has one."""

from collections.abc import Iterator

import pytest

from tests.s3_server import S3Server, running


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with running() as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """A bucket of its own for each test."""
    return s3_server.new_bucket()
