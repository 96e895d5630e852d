"""A real S3 server on loopback (moto's), for tests; they are skipped where the package is absent."""

import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from obstore.store import S3Store

from fairway.artifacts.sources import s3


@dataclass(frozen=True)
class S3Server:
    url: str

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
        }

    def new_bucket(self) -> str:
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        self._make(name)
        return name

    def mark_folder(self, bucket: str, key: str) -> None:
        """The empty object by which consoles mark a folder; obstore does not write names that end with a slash."""
        self._make(f"{bucket}/{key}/")

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self._store(bucket).put(key, content)

    def get(self, bucket: str, key: str) -> bytes:
        return bytes(self._store(bucket).get(key).bytes())

    def keys(self, bucket: str) -> list[str]:
        return sorted(each["path"] for each in self._store(bucket).list().collect())

    def delete(self, bucket: str, key: str) -> None:
        self._store(bucket).delete(key)

    def _make(self, path: str) -> None:
        request = urllib.request.Request(f"{self.url}/{path}", method="PUT")
        urllib.request.urlopen(request, timeout=60).close()

    def _store(self, bucket: str) -> S3Store:
        return s3.store(bucket, self.credentials)


@contextmanager
def running() -> Iterator[S3Server]:
    server = pytest.importorskip("moto.server", reason="moto is not installed").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()
