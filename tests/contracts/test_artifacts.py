"""Artifacts keep the contract on files, in memory, and in a bucket."""

from pathlib import Path

import pytest
from tests.s3_server import S3Server

from fairway.artifacts.store import Artifacts, open_store
from fairway.testing.artifacts_contract import ArtifactsContract


class TestFiles(ArtifactsContract):
    @pytest.fixture
    def artifacts(self, tmp_path: Path) -> Artifacts:
        return open_store(f"file://{tmp_path}/artifacts")


class TestMemory(ArtifactsContract):
    @pytest.fixture
    def artifacts(self) -> Artifacts:
        return open_store("memory://tests")


class TestS3(ArtifactsContract):
    @pytest.fixture
    def artifacts(self, s3_server: S3Server, bucket: str) -> Artifacts:
        return open_store(f"s3://{bucket}/some/prefix", s3_server.credentials)
