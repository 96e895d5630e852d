"""What is particular to artifacts that are files, and roots that cannot be."""

from pathlib import Path

import pytest

from fairway.artifacts.addresses import NotHere
from fairway.artifacts.store import ArtifactsFailed, open_store


async def test_files_are_read_in_place(tmp_path: Path) -> None:
    artifacts = open_store(f"file://{tmp_path}")
    uri = artifacts.address("run", "model")
    path = artifacts.local_path(uri)
    assert path == tmp_path / "run" / "model"
    path.parent.mkdir()
    path.write_bytes(b"by a step")
    assert await artifacts.get(uri) == b"by a step"
    assert open_store("memory://").local_path("memory:///x") is None


async def test_a_symbolic_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    artifacts = open_store(f"file://{tmp_path}/artifacts")
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "artifacts" / "link").symlink_to(tmp_path)
    for uri in (artifacts.address("link/secret"), artifacts.address("link")):
        with pytest.raises(NotHere, match="leads out"):
            await artifacts.get(uri)
        with pytest.raises(NotHere, match="leads out"):
            artifacts.local_path(uri)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "hdfs://x/y",
        "minio://bucket/without-endpoint",
        "relative/path",
        "file://host/path",
        "https://x",
        "file:///proc/no/x",
    ],
)
def test_a_root_that_cannot_work_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(ArtifactsFailed, match="artifacts"):
        open_store(url)
